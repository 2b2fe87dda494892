//! What may follow what in a product's life: one table. `docs/products.md` shows it, made from here.

use weir_registry::{ProductState, Role};

use crate::grants::states::{Named, Row};

/// What can be done to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProductAct {
    Register,
    Approve,
    Reject,
    Retire,
}

/// The life of a product. It begins as `registered`.
pub(crate) const PRODUCT: &[Row<ProductState, ProductAct>] = {
    use ProductAct::{Approve, Register, Reject, Retire};
    use ProductState::{Approved, Registered, Rejected, Retired};
    &[
        Row {
            act: Register,
            from: &[Registered, Rejected, Retired],
            to: Registered,
            by: &[Role::Operator],
            means: "its operator puts another in its place",
        },
        Row {
            act: Approve,
            from: &[Registered],
            to: Approved,
            by: &[Role::Bureau],
            means: "it is listed for everybody, and run",
        },
        Row {
            act: Reject,
            from: &[Registered],
            to: Rejected,
            by: &[Role::Bureau],
            means: "it is not run",
        },
        Row {
            act: Retire,
            from: &[Registered, Approved],
            to: Retired,
            by: &[Role::Bureau, Role::Operator],
            means: "it is run no more",
        },
    ]
};

impl Named for ProductAct {
    fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Retire => "retire",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::states::{is_shown, table};

    #[test]
    fn the_documentation_shows_the_table() {
        let pages = ["products.md", "products.zh-CN.md"];
        is_shown(&table(PRODUCT, ProductState::as_str), pages);
    }

    #[test]
    fn only_the_bureau_approves_and_only_what_is_registered() {
        for row in PRODUCT
            .iter()
            .filter(|row| row.to == ProductState::Approved)
        {
            assert_eq!(row.from, [ProductState::Registered]);
            assert_eq!(row.by, [Role::Bureau]);
        }
    }
}

//! What may follow what in the life of a version of a model: one table. `docs/models.md` shows it, made from here.

use weir_registry::{ModelState, Role};

use crate::grants::states::{Named, Row};

/// What can be done to a submitted model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelAct {
    Approve,
    Reject,
    Withdraw,
}

/// The life of a version of a model. It begins as `submitted`.
pub(crate) const MODEL: &[Row<ModelState, ModelAct>] = {
    use ModelAct::{Approve, Reject, Withdraw};
    use ModelState::{Approved, Rejected, Submitted, Withdrawn};
    &[
        Row {
            act: Approve,
            from: &[Submitted, Withdrawn, Approved],
            to: Approved,
            by: &[Role::Bureau],
            means: "it may run; where several people have to approve it, with the last of them. After a withdrawal all of them \
                    have to again; approving what is approved changes nothing",
        },
        Row {
            act: Reject,
            from: &[Submitted],
            to: Rejected,
            by: &[Role::Bureau],
            means: "these bytes never run under this name",
        },
        Row {
            act: Withdraw,
            from: &[Approved],
            to: Withdrawn,
            by: &[Role::Bureau],
            means: "it runs no more: runs under way stop, and release nothing",
        },
    ]
};

impl Named for ModelAct {
    fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grants::states::{is_shown, table};

    #[test]
    fn the_documentation_shows_the_table() {
        let pages = ["models.md", "models.zh-CN.md"];
        is_shown(&table(MODEL, ModelState::as_str), pages);
    }

    #[test]
    fn what_was_rejected_never_runs() {
        assert!(
            MODEL
                .iter()
                .all(|row| !row.from.contains(&ModelState::Rejected))
        );
        for row in MODEL.iter().filter(|row| row.to == ModelState::Approved) {
            assert_eq!(row.by, [Role::Bureau]);
        }
    }
}

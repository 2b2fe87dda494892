//! Every table of what may follow what, by names alone: for tests that hold a server against its own tables.

use weir_registry::Role;

use crate::airlock::states::AIRLOCK;
use crate::grants::states::{APPLICATION, GRANT, Named, Row};
use crate::models::states::MODEL;
use crate::products::states::PRODUCT;

/// That an act leads from one state to another.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// `application`, `grant`, `airlock`, `product` or `model`.
    pub of: &'static str,
    /// What is done.
    pub act: &'static str,
    /// From which state.
    pub from: &'static str,
    /// To which one.
    pub to: &'static str,
    /// By which roles; by the server alone where there are none.
    pub by: &'static [Role],
}

/// All of them, in the order of the tables.
#[doc(hidden)]
#[must_use]
pub fn transitions() -> Vec<Transition> {
    let mut all = Vec::new();
    rows(&mut all, "application", APPLICATION, |state| state.as_str());
    rows(&mut all, "grant", GRANT, |state| state.as_str());
    rows(&mut all, "airlock", AIRLOCK, |state| state.as_str());
    rows(&mut all, "product", PRODUCT, |state| state.as_str());
    rows(&mut all, "model", MODEL, |state| state.as_str());
    all
}

fn rows<S: Copy, A: Copy + Named>(
    all: &mut Vec<Transition>,
    of: &'static str,
    table: &'static [Row<S, A>],
    name: impl Fn(S) -> &'static str,
) {
    for row in table {
        let each = row.from.iter().map(|from| Transition {
            of,
            act: row.act.name(),
            from: name(*from),
            to: name(row.to),
            by: row.by,
        });
        all.extend(each);
    }
}

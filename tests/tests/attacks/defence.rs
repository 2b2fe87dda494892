//! The columns of the scoreboard: what stands between the attacker and the data.

use weir_tests::{DEFAULT_POLICY, TestDomain};

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Defence {
    /// The default policy's rules on each table by itself, and nothing that remembers.
    Thresholds,
    /// The same with the ledger: a domain as `weir init` makes it.
    Ledger,
    /// The same with differential privacy.
    Privacy,
}

impl Defence {
    /// All columns, in their order.
    pub(crate) const ALL: [Defence; 3] = [Defence::Thresholds, Defence::Ledger, Defence::Privacy];

    /// What the column is called.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Defence::Thresholds => "thresholds only",
            Defence::Ledger => "with the ledger",
            Defence::Privacy => "with DP",
        }
    }

    /// Whether this version has it.
    pub(crate) fn is_there(self) -> bool {
        self != Defence::Privacy
    }

    /// A domain under this defence, with nothing in it.
    pub(crate) async fn domain(self) -> TestDomain {
        match self {
            Defence::Thresholds => TestDomain::start_forgetting(&thresholds_only()).await,
            Defence::Ledger => TestDomain::start_under(DEFAULT_POLICY).await,
            Defence::Privacy => panic!("there is no {self:?} yet"),
        }
    }
}

/// The default policy without what guards against hostile models: rounding is plain.
fn thresholds_only() -> String {
    let guards = ["model_leave_one_out", "model_keyed"];
    guards
        .iter()
        .fold(DEFAULT_POLICY.to_owned(), |policy, guard| {
            let without = policy.replace(&format!("{guard} = true"), &format!("{guard} = false"));
            assert_ne!(without, policy, "the default policy has no {guard}");
            without
        })
}

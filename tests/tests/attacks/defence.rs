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

    /// The domain's policy; none where this version has no such defence.
    fn policy(self) -> Option<String> {
        match self {
            Defence::Thresholds => Some(DEFAULT_POLICY.to_owned()),
            Defence::Ledger | Defence::Privacy => None,
        }
    }

    /// Whether this version has it.
    pub(crate) fn is_there(self) -> bool {
        self.policy().is_some()
    }

    /// A domain under this defence, with nothing in it.
    pub(crate) async fn domain(self) -> TestDomain {
        let policy = self.policy();
        let policy = policy.unwrap_or_else(|| panic!("there is no {self:?} yet"));
        TestDomain::start_under(&policy).await
    }
}

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

    /// A domain under this defence, with nothing in it; with the default policy's budgets of bits, or with none that is ever
    /// used up.
    pub(crate) async fn domain(self, has_budgets: bool) -> TestDomain {
        let policy = match has_budgets {
            true => DEFAULT_POLICY.to_owned(),
            false => without_budgets(),
        };
        match self {
            Defence::Thresholds => TestDomain::start_forgetting(&thresholds_only()).await,
            Defence::Ledger => TestDomain::start_under(&policy).await,
            Defence::Privacy => panic!("there is no {self:?} yet"),
        }
    }
}

/// The default policy, under which releases may say as much as they like.
fn without_budgets() -> String {
    let budgets = [
        ("run_max = 131072", "run_max = 536870912"),
        ("per_unit = 16.00", "per_unit = 1000.00"),
        ("chosen_per_unit = 0.25", "chosen_per_unit = 1000.00"),
    ];
    budgets
        .iter()
        .fold(DEFAULT_POLICY.to_owned(), |policy, (budget, none)| {
            let without = policy.replace(&format!("\n{budget}\n"), &format!("\n{none}\n"));
            assert_ne!(without, policy, "the default policy has no {budget}");
            without
        })
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

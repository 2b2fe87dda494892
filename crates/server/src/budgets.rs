//! What a run may say: bounded before it reads anything, held against what it said in the end.
//!
//! A run reserves the most that a table of its shape can say, and is refused where a budget does not hold it: the policy's for
//! one release, the dataset's over everybody, the grants'. Where the keys' values are not declared that is far more than any
//! table says; then it reserves half of what is left, and a table that says more than that does not leave. What was not said is given
//! back once the release is on record. The very question that was answered before needs nothing, and costs nothing.

use weir_api::v1::BudgetLeft;
use weir_audit::Digest;
use weir_gate::{Code, Verdict};
use weir_inside::Plan;
use weir_policy::Policy;
use weir_registry::{Allowance, Budget, BudgetKind, Charge, ChargedRun, Reservation, Reserved};

use crate::domain::Domain;
use crate::estimate::coarse;
use crate::fault::{Fault, count};
use crate::grants::moment;
use crate::usage::Basis;

/// What a run asks for.
pub(crate) struct Asks {
    pub(crate) code: Code,
    /// The least bits that it can do with, and the most that it takes.
    pub(crate) bits: (u64, u64),
    pub(crate) budgets: Vec<Budget>,
    /// The privacy loss of each population, in millionths, where there is noise. The same again loses nothing more.
    pub(crate) epsilon_millionths: Option<u64>,
    question: String,
    is_repeated: bool,
}

impl Asks {
    /// What a plan over so much asks for. `asked` stands for the request and what it reads.
    ///
    /// # Errors
    /// `BUDGET_RUN` where a table of its shape says more than the policy allows one release.
    pub(crate) async fn of(
        domain: &Domain,
        plan: &Plan,
        policy: &Policy,
        basis: &Basis,
        asked: String,
    ) -> Result<Asks, Fault> {
        let question = Digest::of(format!("{asked}\n{}", policy.digest()).as_bytes()).to_string();
        let is_repeated = domain.registry.was_answered(&question).await?;
        let code = plan.code(basis.rows_most(), policy);
        let run_max = policy.bits_run_max();
        let least = code.bits_min();
        if least > run_max {
            return Err(Fault::policy(
                "BUDGET_RUN",
                format!(
                    "a table of this shape can carry {least} bits, and one release may carry {run_max} (`bits.run_max`). Group \
                     by fewer keys, ask for fewer statistics, or ask in parts"
                ),
            ));
        }
        let epsilon = policy.dp_epsilon_millionths();
        let mut budgets = budgets(domain, policy, basis, plan.is_chosen())?;
        if epsilon.is_some() {
            budgets.extend(losses(policy, plan)?);
        }
        Ok(Asks {
            epsilon_millionths: epsilon.map(|epsilon| if is_repeated { 0 } else { epsilon }),
            bits: match is_repeated {
                true => (0, code.bits_max().min(run_max)),
                false => (least, code.bits_max().min(run_max)),
            },
            code,
            budgets,
            question,
            is_repeated,
        })
    }

    /// Charges it to grants and budgets.
    pub(crate) async fn reserve(
        &self,
        domain: &Domain,
        allowances: &[Allowance],
        (run, request_digest): (&str, &str),
        charge: &Charge,
    ) -> Result<Reserved, Fault> {
        let charge = Charge {
            bits_out: count(self.bits.0)?,
            epsilon_millionths: count(self.epsilon_millionths.unwrap_or(0))?,
            ..*charge
        };
        let asked = Reservation {
            charge: &charge,
            bits_most: count(self.bits.1)?,
            question: &self.question,
        };
        let of = ChargedRun {
            run,
            request_digest,
            at: &moment(domain.clock.now()),
        };
        let registry = &domain.registry;
        Ok(registry
            .reserve(allowances, &self.budgets, of, asked)
            .await?)
    }

    /// The bits that a table says, of those that were reserved for it.
    ///
    /// # Errors
    /// `BUDGET_TABLE` where it says more.
    pub(crate) fn spent(&self, verdict: &Verdict, reserved: u64) -> Result<u64, Fault> {
        let bits = verdict.bits(&self.code, self.is_repeated);
        bits.filter(|bits| *bits <= reserved).ok_or_else(|| {
            Fault::policy(
                "BUDGET_TABLE",
                "the table says more than was reserved for it: it has too many rows or too long keys for what is left of a \
                 budget, or the data break the bounds that the manifest declares. Group by keys whose values are declared, or \
                 by fewer",
            )
        })
    }
}

/// The budgets that a run over these datasets is charged to. A domain that forgets has none.
fn budgets(
    domain: &Domain,
    policy: &Policy,
    basis: &Basis,
    is_chosen: bool,
) -> Result<Vec<Budget>, Fault> {
    let mut all = Vec::new();
    if domain.released.forgets() {
        return Ok(all);
    }
    for (dataset, units) in basis.units() {
        let (bits, chosen) = policy.bits_of_dataset(units);
        let budget = |kind, allows: u64| {
            Ok::<_, Fault>(Budget {
                kind,
                of: dataset.to_owned(),
                allows: count(allows.min(i64::MAX.unsigned_abs()))?,
            })
        };
        all.push(budget(BudgetKind::Bits, bits)?);
        if is_chosen {
            all.push(budget(BudgetKind::ChosenBits, chosen)?);
        }
    }
    Ok(all)
}

/// What the populations of a plan may lose.
fn losses(policy: &Policy, plan: &Plan) -> Result<Vec<Budget>, Fault> {
    let populations = plan.populations().iter();
    let losses = populations.map(|population| {
        Ok(Budget {
            kind: BudgetKind::Epsilon,
            of: population.clone(),
            allows: count(policy.dp_population_epsilon_millionths())?,
        })
    });
    losses.collect()
}

/// The budgets as an estimate shows them. What is left of each is told to two digits: what others were answered is theirs.
pub(crate) async fn left(domain: &Domain, asks: &Asks) -> Result<Vec<BudgetLeft>, Fault> {
    let mut all = Vec::new();
    for budget in &asks.budgets {
        let used = domain.registry.budget_use(budget.kind, &budget.of).await?;
        let name = match budget.kind {
            BudgetKind::Bits => "bits",
            BudgetKind::ChosenBits => "chosen bits",
            BudgetKind::Epsilon => "epsilon, millionths",
        };
        all.push(BudgetLeft {
            budget: name.to_owned(),
            of: budget.of.clone(),
            allows: budget.allows.unsigned_abs(),
            left: coarse((budget.allows - used).max(0)),
        });
    }
    Ok(all)
}

/// The refusal of a run that a budget does not hold.
pub(crate) fn used_up(budget: &Budget) -> Fault {
    let Budget { kind, of, .. } = budget;
    let key = match kind {
        BudgetKind::Bits => "bits.per_unit",
        BudgetKind::ChosenBits => "bits.chosen_per_unit",
        BudgetKind::Epsilon => "dp.population_epsilon",
    };
    Fault::policy(
        "BUDGET_USED_UP",
        format!(
            "what all releases about `{of}` may say together (`{key}`) is used up, or this run would need more than is left. \
             `weir run --estimate` says how much it needs; what was answered before is answered again for nothing"
        ),
    )
}

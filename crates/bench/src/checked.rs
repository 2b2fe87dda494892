//! Weir's side: a run from SQL to answer, as `weir-server` puts it together, without the network and the log around it.
//!
//! The log and the registry are measured where the whole server is ([`crate::workloads::service`]).

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use weir_gate::{DecisionRecord, Past, Recorder, Verdict};
use weir_inside::{
    ColumnRights, Declared, Depth, Limits, ModelSource, Plan, Query, RelationSource, Sources,
    UnitSource,
};
use weir_ledger::rounding::CoinKey;
use weir_ledger::{Asked, History, Ledger, LedgerError, LedgerKey, Question, Release};
use weir_policy::Policy;

use crate::data::Sealed;
use crate::error::{Result, failed};
use crate::plain::TABLE;

/// The domain's default policy without what changes numbers or asks for more than a hand-written query does: to compare
/// answers by, and never to be timed.
const COMPARED: &str = r#"
name = "compared"
[cell]
class_disclosure = false
[review]
negative_contributions = false
[rounding]
count_base = 1
significant_digits = 17
model_leave_one_out = false
model_keyed = false
[table]
levels_max = 50000
"#;

/// What a run took and gave.
pub(crate) struct Answer {
    /// Seconds without those in the ledger: sets and prints for it are gathered, if they are, and counted here.
    pub(crate) without_ledger_s: f64,
    /// Seconds from SQL to answer.
    pub(crate) whole_s: f64,
    /// Seconds until the gate had its cells: planning and computing with evidence.
    pub(crate) computed_s: f64,
    pub(crate) table: RecordBatch,
}

/// Who asks, of what, under which policy.
pub(crate) struct Asker {
    sources: Sources,
    policy: Policy,
    coins: CoinKey,
}

impl Asker {
    /// Under the default policy.
    pub(crate) fn new(sealed: &Sealed, model: Option<ModelSource>) -> Result<Self> {
        Self::under(sealed, model, Policy::built_in_default())
    }

    /// Under the policy that answers are compared by.
    pub(crate) fn to_compare(sealed: &Sealed, model: Option<ModelSource>) -> Result<Self> {
        let policy = Policy::from_toml(COMPARED, "the policy to compare by");
        Self::under(sealed, model, policy.map_err(failed("reading a policy"))?)
    }

    pub(crate) fn under(
        sealed: &Sealed,
        model: Option<ModelSource>,
        policy: Policy,
    ) -> Result<Self> {
        let making = "making a key";
        Ok(Self {
            sources: sources(sealed, model),
            policy,
            coins: CoinKey::new(&LedgerKey::new([7; 32])).map_err(failed(making))?,
        })
    }

    /// Asks, with a ledger that remembers it.
    pub(crate) async fn ask(&self, sql: &str, ledger: &mut Ledger) -> Result<Answer> {
        self.asked(sql, ledger, true).await
    }

    /// Asks with every check of a table by itself, and nothing that remembers: no sets of units are gathered either.
    pub(crate) async fn ask_alone(&self, sql: &str) -> Result<Answer> {
        self.asked(sql, &mut Ledger::in_memory([7; 16]), false)
            .await
    }

    async fn asked(&self, sql: &str, ledger: &mut Ledger, history: bool) -> Result<Answer> {
        let start = Instant::now();
        let planning = failed("planning the checked query");
        let query = Query::parse(sql).map_err(planning)?;
        let depth = Depth::of(&self.policy);
        let depth = if history {
            depth
        } else {
            depth.without_history()
        };
        let plan = Plan::new(&query, &self.sources, depth)
            .map_err(failed("planning the checked query"))?;
        let cells = plan.compute(Limits::default()).await;
        let cells = cells.map_err(failed("computing the checked query"))?;
        let computed_s = start.elapsed().as_secs_f64();
        let mut ledger = Timed {
            ledger,
            seconds: 0.0,
        };
        let verdict = if history {
            let release = format!("run {}", ledger.ledger.releases());
            let mut past = Past {
                history: &mut ledger,
                coins: &self.coins,
                snapshots: [7; 32],
                release,
            };
            weir_gate::judge(cells, &self.policy, &mut past)
        } else {
            weir_gate::judge_without_history(cells, &self.policy)
        };
        let judged = verdict
            .and_then(Verdict::without_review)
            .map_err(failed("judging the checked query"))?;
        let recorded = judged
            .record_units(&mut ledger)
            .map_err(failed("recording the checked query"))?;
        let Ok((released, ())) = recorded.release(&mut Unlogged);
        let table = weir_outside::answer(plan.above(), &released).await;
        let table = table.map_err(failed("finishing the checked query"))?;
        let whole_s = start.elapsed().as_secs_f64();
        Ok(Answer {
            without_ledger_s: whole_s - ledger.seconds,
            whole_s,
            computed_s,
            table,
        })
    }
}

/// A new ledger on the disk.
pub(crate) fn new_ledger(folder: &Path) -> Result<Ledger> {
    let key = || LedgerKey::new([7; 32]);
    crate::data::empty(folder)?;
    let place = folder.join("ledger");
    Ledger::create(&place, &key()).map_err(failed("making a ledger"))?;
    Ledger::open(&place, key()).map_err(failed("opening a ledger"))
}

/// Every column may be read and grouped by, with declared values: how many levels a key may have is not what is measured.
fn sources(sealed: &Sealed, model: Option<ModelSource>) -> Sources {
    let columns = sealed.table.schema();
    let rights = columns.fields().iter().map(|field| ColumnRights {
        name: field.name().clone(),
        read: true,
        group: true,
        compare: true,
        is_public: false,
        is_sensitive: false,
        declared: Declared::Bounds(None),
        bounds: bounds(field.name()),
    });
    Sources {
        relations: vec![RelationSource {
            dataset: TABLE.to_owned(),
            table: Arc::clone(&sealed.table),
            units: vec![UnitSource {
                identifier: sealed.unit.clone(),
                population: "units".to_owned(),
            }],
            rights: rights.collect(),
            structural: Vec::new(),
            model,
        }],
    }
}

/// What TPC-H says of its numbers.
fn bounds(column: &str) -> Option<(f64, f64)> {
    match column {
        "l_quantity" => Some((0.0, 50.0)),
        "l_discount" | "l_tax" => Some((0.0, 0.1)),
        _ => None,
    }
}

/// A ledger whose time is counted.
struct Timed<'a> {
    ledger: &'a mut Ledger,
    seconds: f64,
}

impl Timed<'_> {
    fn timed<T>(&mut self, work: impl FnOnce(&mut Ledger) -> T) -> T {
        let start = Instant::now();
        let done = work(self.ledger);
        self.seconds += start.elapsed().as_secs_f64();
        done
    }
}

impl History for Timed<'_> {
    fn ask(&mut self, question: Question) -> Result<Asked, LedgerError> {
        self.timed(|ledger| ledger.ask(question))
    }

    fn again(&mut self, asked: Asked) -> Result<Asked, LedgerError> {
        self.timed(|ledger| ledger.again(asked))
    }

    fn record_all(&mut self, releases: Vec<(Asked, Release)>) -> Result<(), LedgerError> {
        self.timed(|ledger| ledger.record_all(releases))
    }
}

/// Nothing of what is measured here is anybody's, and no log speaks of it.
struct Unlogged;

impl Recorder for Unlogged {
    type Proof = ();
    type Error = Infallible;

    fn record(&mut self, _: &DecisionRecord) -> Result<(), Infallible> {
        Ok(())
    }
}

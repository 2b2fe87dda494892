//! The inside engine: SQL over raw data, up to and including the aggregate, and never a row further.
//!
//! **For**: reading one `SELECT`, refusing everything that is not an aggregate table, splitting the plan at its
//! aggregate, computing the cells below the split together with the evidence the gate will judge them on.
//!
//! **Not for**: deciding what may leave (that is `gate`), nor anything above the aggregate: `HAVING`, `ORDER BY`,
//! `LIMIT` and arithmetic over cells run in `outside`, on released cells.
//!
//! The states a query goes through are types: [`Query`] (parsed, every clause and expression on the allow-list) →
//! [`Plan`] (names resolved, split) → `Unreleased` (computed; only the gate can read it).
//!
//! **Invariants**
//! - Nothing here returns a row: the only result of [`Plan::compute`] is an `Unreleased`.
//! - What is not on an allow-list (clauses, expressions, functions, plan nodes) is refused; there is no deny-list.
//! - An error made before data is read may quote the caller's SQL. An error made while data is read carries nothing
//!   but its code: engine messages quote values, so they are dropped here.
//! - Expressions are total: no value of a row makes a run fail (`total.rs`).
//! - The unit column can be named by no query.

mod bits;
mod cells;
mod check;
mod compute;
mod error;
mod evidence;
mod expression;
mod functions;
mod grouping;
mod histogram;
mod in_order;
mod join;
mod keys;
mod model_call;
mod names;
mod planner;
mod query;
mod reads;
mod relations;
mod rewrite;
mod rights;
mod split;
mod statistics;
mod total;
mod turns;
mod unit_model;
mod units;
mod yielding;

pub use compute::{GROUPS_MAX, Limits};
pub use error::{ComputeError, Family, Place, SqlError};
pub use evidence::Depth;
pub use expression::DEPTH_MAX;
pub use grouping::GROUPING_SETS_MAX;
pub use histogram::BINS_MAX;
pub use planner::{ModelSource, RelationSource, Sources, Table, UnitSource, described_table};
pub use query::{Query, SQL_BYTES_MAX, TOKENS_MAX};
pub use relations::{RELATIONS_MAX, Reading};
pub use rights::{ColumnRights, Declared};
pub use split::Plan;
pub use statistics::{ARGUMENTS_MAX, REGRESSORS_MAX};
pub use turns::Turns;

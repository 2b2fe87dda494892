//! What is used, and by whom: what a run is charged, what the log says of it, and what it comes to in money.
//!
//! A run is charged before it reads, and what it is charged follows from the request and from what is public of the data:
//! rows to two digits, declared widths of columns, bounds on a model's instructions. What the data does to a run moves no
//! figure, so that neither a quota nor a bill is an oracle.
//!
//! The charge is an entry of the log (`RunCharged`). Reports are made from a projection of the log that the registry keeps
//! (`follow.rs`), so that they agree with the log to the last unit, and can be made anew from it.

mod charge;
mod follow;
mod month;
mod prices;
mod report;

pub use prices::{PriceList, Prices, UsageConfig};

pub(crate) use charge::{Basis, Cost, basis};
pub(crate) use follow::catch_up;
pub(crate) use report::{By, Key, Sum, report};

//! One module per workload. Each answers a section of the report.

mod disclosure;
mod ledger;
mod memory;
pub(crate) mod models;
mod noise;
mod queries;
mod registration;
mod scale;
mod service;
mod sql;

pub(crate) use sql::REPORTING;

use crate::bench::Bench;
use crate::error::Result;
use crate::options::Workload;
use crate::report::Section;

/// Measures one workload.
pub(crate) fn run(bench: &Bench<'_>, workload: Workload) -> Result<Section> {
    match workload {
        Workload::Queries => queries::run(bench),
        Workload::Models => models::run(bench),
        Workload::Registration => registration::run(bench),
        Workload::Service => service::run(bench),
        Workload::Ledger => ledger::run(bench),
        Workload::Scale => scale::run(bench),
        Workload::Memory => memory::run(bench),
        Workload::Noise => noise::run(bench),
        Workload::Disclosure => disclosure::run(bench),
    }
}

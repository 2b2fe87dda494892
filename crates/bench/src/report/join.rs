//! Reports of workloads that were measured one by one, put together.

use super::{Report, Section};
use crate::error::{BenchError, Result};
use crate::options::Workload;

impl Report {
    /// This report with the workloads of another one that it does not have.
    ///
    /// # Errors
    /// `BENCH_JOIN` where they are of other data, another machine or another version: one table would say what was never
    /// measured.
    pub fn joined(mut self, other: Report) -> Result<Report> {
        let differ = [
            (
                "version",
                self.versions.get("weir") != other.versions.get("weir"),
            ),
            ("machine", self.machine != other.machine),
            ("scale", self.options.rows() != other.options.rows()),
            ("rows", self.options.sizes() != other.options.sizes()),
            ("unit", self.options.unit != other.options.unit),
            ("kind", self.options.quick != other.options.quick),
        ];
        if let Some((what, _)) = differ.iter().find(|(_, differs)| *differs) {
            return Err(BenchError::Join { what });
        }
        let has = |workload: &str| self.sections.iter().any(|of| of.workload == workload);
        let others: Vec<Section> = other
            .sections
            .into_iter()
            .filter(|of| !has(&of.workload))
            .collect();
        self.sections.extend(others);
        let place = |section: &Section| {
            Workload::ALL
                .iter()
                .position(|workload| workload.name() == section.workload)
        };
        self.sections.sort_by_key(place);
        let measured = |workload: &Workload| {
            self.sections
                .iter()
                .any(|of| of.workload == workload.name())
        };
        self.options.workloads = Workload::ALL.into_iter().filter(measured).collect();
        self.runs += other.runs;
        self.took_s += other.took_s;
        self.began = self.began.min(other.began);
        self.versions.extend(other.versions);
        for line in other.skipped {
            if !self.skipped.contains(&line) {
                self.skipped.push(line);
            }
        }
        Ok(self)
    }
}

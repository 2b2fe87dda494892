//! What is measured, and how large.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Rows of TPC-H's line items at scale 1, about.
pub const ROWS_AT_SCALE_1: f64 = 6_000_000.0;
/// Rows of the smallest size of a series, unless the data is smaller.
const SMALLEST_ROWS: u64 = 1_000_000;
/// Rows of the largest size of a whole run.
const LARGEST_ROWS: u64 = 100_000_000;

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// Ten reporting queries with all checks.
    Queries,
    /// Scoring with row isolation.
    Models,
    /// Registration.
    Registration,
    /// Small runs over gRPC.
    Service,
    /// Questions to a ledger that knows much.
    Ledger,
    /// Rows and threads.
    Scale,
    /// Largest resident memory.
    Memory,
    /// Noise.
    Noise,
    /// Disclosure checks on a bundled table.
    Disclosure,
}

impl Workload {
    /// All, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Queries,
        Self::Models,
        Self::Registration,
        Self::Service,
        Self::Ledger,
        Self::Scale,
        Self::Memory,
        Self::Noise,
        Self::Disclosure,
    ];

    /// Its name, as in `--only`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::Models => "models",
            Self::Registration => "registration",
            Self::Service => "service",
            Self::Ledger => "ledger",
            Self::Scale => "scale",
            Self::Memory => "memory",
            Self::Noise => "noise",
            Self::Disclosure => "disclosure",
        }
    }
}

/// Who is protected in the generated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitOf {
    /// The order: a unit of four rows, in whose order the data is generated.
    #[default]
    Order,
    /// The customer: a unit of forty rows, which lie everywhere in the data.
    Customer,
}

impl UnitOf {
    /// The column that names it.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Order => "l_orderkey",
            Self::Customer => "l_custkey",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Customer => "customer",
        }
    }
}

/// What to measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// The subset that is done within ten minutes.
    pub quick: bool,
    /// Scale of the generated data; none for 1 in a quick run and 5 in a whole one.
    pub scale: Option<f64>,
    /// Rows of the largest table; none for the scale's in a quick run and a hundred million in a whole one.
    pub largest_rows: Option<u64>,
    /// Turns that count; none for what the run takes.
    pub turns: Option<usize>,
    /// Earlier cells of the largest ledger; none for 10⁴ in a quick run and 10⁶ in a whole one.
    pub ledger_cells: Option<u64>,
    /// How long each number of clients sends runs, in seconds; none for what the run takes.
    pub service_s: Option<f64>,
    /// What is measured.
    pub workloads: Vec<Workload>,
    /// Who is protected.
    pub unit: UnitOf,
    /// Folder for generated data, sealed snapshots and what is measured on a disk.
    #[serde(skip)]
    pub data: PathBuf,
    /// The Python whose packages are the peers.
    #[serde(skip)]
    pub python: PathBuf,
    /// The program that runs `arrow-udf-runtime`.
    #[serde(skip)]
    pub arrow_udf: PathBuf,
    /// A program that passes its last argument to [`crate::child`], for what has to be measured in a process of its own.
    /// Without one it is measured in this one.
    #[serde(skip)]
    pub program: Option<(PathBuf, Vec<String>)>,
}

impl Options {
    /// A whole or a quick run of everything, in a folder.
    #[must_use]
    pub fn new(data: PathBuf, quick: bool) -> Self {
        Self {
            quick,
            scale: None,
            largest_rows: None,
            turns: None,
            ledger_cells: None,
            service_s: None,
            workloads: Workload::ALL.to_vec(),
            unit: UnitOf::default(),
            data,
            python: PathBuf::from("python3"),
            arrow_udf: PathBuf::from("benches/arrow-udf/target/release/weir-bench-arrow-udf"),
            program: None,
        }
    }

    /// The scale.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale.unwrap_or(if self.quick { 1.0 } else { 5.0 })
    }

    /// Rows of the table that is queried, about.
    #[must_use]
    pub fn rows(&self) -> u64 {
        (self.scale() * ROWS_AT_SCALE_1).round() as u64
    }

    /// Rows of the small table, on which slow peers are measured.
    #[must_use]
    pub fn small_rows(&self) -> u64 {
        SMALLEST_ROWS.min(self.rows() / 6).max(1)
    }

    /// Rows of the tables of a series, ascending; they differ tenfold, the last as much as there is.
    #[must_use]
    pub fn sizes(&self) -> Vec<u64> {
        let most = match self.quick {
            true => self.rows(),
            false => LARGEST_ROWS,
        };
        let most = self.largest_rows.unwrap_or(most).max(self.small_rows());
        let steps = std::iter::successors(Some(self.small_rows()), |rows| rows.checked_mul(10));
        let mut sizes: Vec<u64> = steps.take_while(|rows| *rows < most).collect();
        sizes.push(most);
        sizes
    }

    /// Turns that count.
    #[must_use]
    pub fn turns(&self) -> usize {
        self.turns.unwrap_or(if self.quick { 3 } else { 7 }).max(1)
    }

    /// Earlier cells of the largest ledger.
    #[must_use]
    pub fn ledger_cells(&self) -> u64 {
        let most = if self.quick { 10_000 } else { 1_000_000 };
        self.ledger_cells.unwrap_or(most)
    }

    /// How long each number of clients sends runs, in seconds.
    #[must_use]
    pub fn service_s(&self) -> f64 {
        self.service_s
            .unwrap_or(if self.quick { 5.0 } else { 15.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_tenfold_to_the_largest() {
        let whole = Options::new(PathBuf::new(), false);
        assert_eq!(whole.sizes(), [1_000_000, 10_000_000, 100_000_000]);
        let quick = Options::new(PathBuf::new(), true);
        assert_eq!(quick.sizes(), [1_000_000, 6_000_000]);
        let tiny = Options {
            scale: Some(0.01),
            ..quick
        };
        assert_eq!((tiny.rows(), tiny.sizes()), (60_000, vec![10_000, 60_000]));
    }
}

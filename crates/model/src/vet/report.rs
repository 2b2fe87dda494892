//! The report: what a reviewer reads, and what the log keeps the digest of.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Severity};

/// Version of the report's form.
pub const REPORT_VERSION: u32 = 1;

/// The result of vetting one model. It holds figures of the model and of synthetic rows, and no value of any dataset.
/// The same model, datasets and limits give the same report on every machine, to the byte, unless tests were cut short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// SHA-256 of the component that runs, as 64 hexadecimal digits.
    pub digest: String,
    /// SHA-256 of the bytes that were submitted.
    pub submitted_digest: String,
    /// The signature as WIT text.
    pub signature: String,
    /// The columns read.
    pub inputs: Vec<InputReport>,
    /// The columns returned.
    pub outputs: Vec<OutputReport>,
    /// The datasets of the domain, and whether the model fits them.
    pub datasets: Vec<DatasetReport>,
    /// How rows are kept apart.
    pub tier: TierReport,
    /// Sizes and counts.
    pub code: CodeReport,
    /// Constant data and constants in code.
    pub constants: ConstantsReport,
    /// Tools that say they made the model, from its own metadata.
    pub toolchain: Vec<String>,
    /// The tests on synthetic rows.
    pub tests: TestsReport,
    /// Limits the model was admitted and tested under, by name.
    pub limits: BTreeMap<String, u64>,
    /// What a reviewer should know, by aspect.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst of the findings.
    pub fn verdict(&self) -> Severity {
        let severities = self.findings.iter().map(|finding| finding.severity);
        severities.max().unwrap_or(Severity::Ok)
    }

    /// Findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of_it = |finding: &&Finding| finding.severity == severity;
        self.findings.iter().filter(of_it).count()
    }

    /// The report as it is stored and logged. It has no maps but ordered ones, so that equal reports have equal bytes.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a stored report.
    ///
    /// # Errors
    /// When the text is no report of this version, with the reason.
    pub fn from_json(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// SHA-256 of the stored form, as 64 hexadecimal digits.
    pub fn digest_of(json: &str) -> String {
        hex::encode(digest(&SHA256, json.as_bytes()))
    }
}

/// A column read, and what the code does with it. Comparisons are found by a heuristic (see the crate's `vet::flow`):
/// a list that is there may be missed, and a count is a lower bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputReport {
    /// The column.
    pub column: String,
    /// Its type in WIT notation.
    pub ty: String,
    /// Its role in each dataset that has it: `dataset: role`.
    pub roles: Vec<String>,
    /// Distinct constants it is compared with for equality.
    pub equalities: u64,
    /// Distinct constants it is compared with for order.
    pub orderings: u64,
    /// Distinct large constants among both.
    pub large: u64,
    /// Some of the constants, largest first.
    pub examples: Vec<String>,
    /// Most ways out of one branch table that it chooses from.
    pub branches: u64,
    /// Whether it chooses what is read from memory.
    pub looked_up: bool,
    /// Places where it is compared with what was read from memory.
    pub memory_comparisons: u64,
}

/// A column returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputReport {
    /// The column.
    pub column: String,
    /// Its type in WIT notation.
    pub ty: String,
    /// Values of its closed domain; none where it is open.
    pub cases: Option<u64>,
    /// Distinct values among the answers to the synthetic rows, null aside.
    pub distinct: u64,
    /// Synthetic rows with null in it.
    pub nulls: u64,
    /// An input whose value it repeated on every synthetic row.
    pub echoes: Option<String>,
}

/// A dataset of the domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetReport {
    /// Its name.
    pub name: String,
    /// Why the model cannot run over it; none where it can.
    pub obstacle: Option<String>,
}

/// How rows are kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierReport {
    /// `pure`, `restored` or `fresh`.
    pub isolation: String,
    /// Why, from what the code can change.
    pub because: Vec<String>,
    /// The most instructions a row can take where the code bounds it.
    pub row_cost_max: Option<u64>,
}

/// Sizes and counts of the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeReport {
    /// Bytes of the component.
    pub component_bytes: u64,
    /// Bytes of its functions.
    pub code_bytes: u64,
    /// Functions.
    pub functions: u64,
    /// Instructions.
    pub instructions: u64,
    /// Instructions that store.
    pub stores: u64,
    /// Instructions that load.
    pub loads: u64,
    /// Loops.
    pub loops: u64,
    /// Calls whose target is data.
    pub indirect_calls: u64,
    /// Whether memory may grow.
    pub grows_memory: bool,
    /// Pages of memory (64 KiB each) at the start.
    pub memory_pages: u64,
    /// Whether there is a start function.
    pub start: bool,
}

/// Constants of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConstantsReport {
    /// Bytes in data segments.
    pub data_bytes: u64,
    /// Entropy of these in bits per byte, to hundredths.
    pub data_entropy_bits: f64,
    /// The highest entropy in a window of 256 bytes.
    pub window_entropy_bits_max: f64,
    /// Bytes in windows that look random.
    pub random_bytes: u64,
    /// Text found in the data, in pieces.
    pub excerpts: Vec<String>,
    /// Distinct whole constants in code of more than 32 bits.
    pub wide_integers: u64,
    /// Distinct whole constants in code from 2^20 on.
    pub large_integers: u64,
    /// Distinct fractional constants in code.
    pub floats: u64,
    /// Most ways out of one branch table.
    pub branches_max: u64,
    /// Identifiers of 32 bits that all this could hold at most.
    pub identifiers_at_most: u64,
}

/// The tests on synthetic rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestsReport {
    /// Synthetic rows made.
    pub rows: u64,
    /// Datasets from whose manifests half of their values are made.
    #[serde(default)]
    pub declared_by: Vec<String>,
    /// Rows of them with null in every output.
    pub failed_rows: u64,
    /// The most fuel that one row took, and the mean, in a fresh instance.
    pub fuel_max: u64,
    /// The mean.
    pub fuel_mean: u64,
    /// Pages of memory after a row, at most.
    pub memory_pages_max: u64,
    /// Each test.
    pub tests: Vec<TestReport>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// Its name.
    pub name: String,
    /// Rows evaluated in it.
    pub rows: u64,
    /// Whether every answer was the same to the bit. None when it was not made.
    pub passed: Option<bool>,
}

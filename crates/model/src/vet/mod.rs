//! Vetting (模型审定): what a reviewer needs to know of a model before approving it, found without any real data.
//!
//! ```text
//! Model ──► constants, flow      what is written in the code: sizes, constants, what inputs are compared with
//!       ──► rows ──► leak        what it answers to synthetic rows, and whether any answer depends on another row
//!       ──► judge                findings, by the four questions of vetting
//!       ──► Report               JSON, whose digest is logged, and a page of text
//! ```
//!
//! Vetting does not keep rows apart: the runtime does, for every model. It shows that it does for this one, and shows a
//! person what the model is made of. A finding to "look" is no accusation; a leak refuses the model.

mod constants;
mod finding;
mod flow;
mod judge;
mod leak;
mod limits;
mod measure;
mod prng;
mod report;
mod rows;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use crate::admit::Admitted;
use crate::core::{CoreModule, Effects};
use crate::error::{ModelError, quoted};
use crate::evaluate::conform;
use crate::runtime::Model;
use crate::weave::called;
pub use finding::{Aspect, Finding, Severity};
pub use limits::VetLimits;
pub use report::{
    CodeReport, ConstantsReport, DatasetReport, InputReport, OutputReport, REPORT_VERSION, Report,
    TestReport, TestsReport, TierReport,
};
pub use rows::schema_of;

use constants::Figures;
use flow::Uses;

/// A dataset as vetting sees it: its columns, and none of its rows.
#[derive(Clone, Debug)]
pub struct DatasetView {
    name: String,
    /// The field as models see it, and the column's role.
    columns: Vec<(Field, String)>,
    /// Rows made from what its manifest declares, with columns of the same names and types.
    sample: Option<RecordBatch>,
}

impl DatasetView {
    /// Rows of a sample that suffice.
    pub const SAMPLE_ROWS: u64 = 256;

    /// A dataset with these columns: name, Arrow type, role.
    pub fn new(
        name: impl Into<String>,
        columns: impl IntoIterator<Item = (String, DataType, String)>,
    ) -> Self {
        let columns = columns.into_iter();
        Self {
            name: name.into(),
            columns: columns
                .map(|(name, ty, role)| (Field::new(name, ty, true), role))
                .collect(),
            sample: None,
        }
    }

    /// Adds rows made from what the dataset's manifest declares, never rows of the dataset. Vetting then takes half of its
    /// synthetic values from them.
    #[must_use]
    pub fn with_sample(self, sample: RecordBatch) -> Self {
        let sample = Some(sample);
        Self { sample, ..self }
    }

    /// Whether a model can be run over the dataset.
    pub fn fits(&self, model: &Model) -> bool {
        model.bind(&self.schema()).is_ok()
    }

    /// The sample's values for each input of a model that fits, in the input's type.
    fn values_for(&self, model: &Model) -> Option<Vec<Option<ArrayRef>>> {
        let sample = self.sample.as_ref()?;
        let binding = model.bind(&self.schema()).ok()?;
        let bound = binding.columns().iter();
        let values = bound.map(|bound| {
            let column = sample.column_by_name(&bound.column)?;
            let columns = conform(
                std::slice::from_ref(bound),
                &[Arc::clone(column)],
                column.len(),
            );
            columns.ok()?.pop()
        });
        Some(values.collect())
    }

    fn schema(&self) -> Schema {
        let fields = self.columns.iter().map(|(field, _)| field.clone());
        Schema::new(fields.collect::<Vec<_>>())
    }
}

/// What to vet.
pub struct Vetting<'a> {
    /// The component that will run.
    pub admitted: &'a Admitted,
    /// The same, compiled.
    pub model: &'a Model,
    /// SHA-256 of what was submitted, as 64 hexadecimal digits.
    pub submitted_digest: &'a str,
    /// Datasets that it might run over.
    pub datasets: &'a [DatasetView],
    /// Bounds on the work.
    pub limits: &'a VetLimits,
}

/// What the code alone shows.
pub(crate) struct Analysis {
    figures: Figures,
    uses: Vec<Uses>,
    complete: bool,
    effects: Effects,
    toolchain: Vec<String>,
}

impl Vetting<'_> {
    /// Makes the report. `progress` hears what is being done. Takes some seconds for a slow model.
    ///
    /// # Errors
    /// [`ModelError::Environment`] when the machine has no room, [`ModelError::Runtime`] where Weir is wrong. A model that
    /// is found wanting is no error: the report says so.
    pub fn report(&self, progress: &mut dyn FnMut(&str)) -> Result<Report, ModelError> {
        let deadline = Instant::now() + Duration::from_secs(self.limits.seconds);
        progress("reading the code");
        let analysis = self.analyse()?;
        let measured = measure::measure(self, &analysis, deadline, progress)?;
        Ok(judge::report(self, &analysis, &measured))
    }

    /// Synthetic rows as the report's tests begin with: one array per input.
    ///
    /// # Errors
    /// As [`Vetting::report`].
    pub fn synthetic_rows(&self, rows: usize) -> Result<Vec<ArrayRef>, ModelError> {
        Ok(measure::rows(self, &self.analyse()?).make(rows, measure::SEED))
    }

    /// Datasets that synthetic values are taken from the manifests of.
    fn declaring(&self) -> impl Iterator<Item = &str> {
        let datasets = self.datasets.iter().filter(|dataset| {
            let values = dataset.values_for(self.model).unwrap_or_default();
            values.iter().any(Option::is_some)
        });
        datasets.map(|dataset| dataset.name.as_str())
    }

    fn analyse(&self) -> Result<Analysis, ModelError> {
        const UNREADABLE: ModelError = ModelError::Runtime {
            what: "an admitted module that does not read",
        };
        let component = self.admitted.bytes();
        let range = core_module(component).ok_or(UNREADABLE)?;
        let bytes = component.get(range).unwrap_or_default();
        let module = CoreModule::read(bytes).map_err(|_| UNREADABLE)?;
        let figures = constants::count(bytes, &module, self.limits);
        let signature = self.admitted.signature();
        let row = self
            .admitted
            .parts()
            .and_then(|parts| module.function(&parts.row));
        let followed = row.map(|row| flow::follow(&module, row, signature, self.limits));
        let complete = followed.as_ref().is_some_and(|flow| flow.complete);
        // All of the code is looked through, but what a row is kept apart by is decided by what a row can run.
        let mut running = module;
        if let Some(parts) = self.admitted.parts() {
            let called = called(&running, parts, signature);
            running.keep_reached(&called).map_err(|_| UNREADABLE)?;
        }
        let effects = Effects::of(&running).map_err(|_| UNREADABLE)?;
        Ok(Analysis {
            figures: figures.map_err(|_| UNREADABLE)?,
            uses: followed.map_or_else(Vec::new, |flow| flow.uses),
            complete,
            effects,
            toolchain: toolchain(component),
        })
    }
}

/// The WAT of a component, cut at a limit.
///
/// # Errors
/// [`ModelError::Runtime`] when the bytes are no WebAssembly.
pub fn wat(component: &[u8], limits: &VetLimits) -> Result<String, ModelError> {
    let mut text = wasmprinter::print_bytes(component).map_err(|_| ModelError::Runtime {
        what: "a model that cannot be printed",
    })?;
    if text.len() > limits.wat_bytes_max {
        text.truncate(text.floor_char_boundary(limits.wat_bytes_max));
        text.push_str("\n;; cut here: the text is longer than the limit\n");
    }
    Ok(text)
}

/// Where the core module is.
fn core_module(component: &[u8]) -> Option<std::ops::Range<usize>> {
    let payloads = wasmparser::Parser::new(0).parse_all(component);
    payloads.flatten().find_map(|payload| match payload {
        wasmparser::Payload::ModuleSection {
            unchecked_range, ..
        } => Some(unchecked_range),
        _ => None,
    })
}

/// Tools that the model's own metadata names. Anybody can write anything there.
fn toolchain(component: &[u8]) -> Vec<String> {
    const TOOLS_MAX: usize = 16;
    let mut tools = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(component).flatten() {
        let wasmparser::Payload::CustomSection(section) = payload else {
            continue;
        };
        let wasmparser::KnownCustom::Producers(producers) = section.as_known() else {
            continue;
        };
        for field in producers.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                let tool = format!("{}: {} {}", field.name, value.name, value.version);
                let tool = quoted(tool.trim_end());
                if tools.len() < TOOLS_MAX && !tools.contains(&tool) {
                    tools.push(tool);
                }
            }
        }
    }
    tools
}

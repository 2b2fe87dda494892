//! The judgement: which cells may leave, and the table they make.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{Field, Schema, SchemaRef};
use weir_policy::Policy;

use crate::canonical::canonical;
use crate::coarse::at_most;
use crate::column::released_type;
use crate::encode::{arrow_stream, sha256};
use crate::error::GateError;
use crate::evidence::EvidenceColumns;
use crate::order::sorted_by_keys;
use crate::released::{Recorder, Released};
use crate::rules::Broken;
use crate::unreleased::Unreleased;

/// What was decided, for the audit log: the bureau and the auditor read it. `cells_withheld` is exact here and must not
/// be shown to an operator: from it a cell with one unit can be told from a cell with none.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct DecisionRecord {
    /// Cells in the released table.
    pub cells_released: u64,
    /// Cells that the policy held back.
    pub cells_withheld: u64,
    /// The same, rounded up to 10, 20, 50, 100, 200, 500 …, and 10 where there was none: what an operator may see, and
    /// with it everything an operator receives, such as a log entry with its receipt.
    pub cells_withheld_at_most: u64,
    /// Withheld cells by the rule they break.
    pub withheld_by: WithheldBy,
    /// Released cells in which the sum of some unit is negative. Dominance was judged on absolute values there, and a
    /// person should look at them (ACRO sends such tables to review). Exact, and not for an operator.
    pub cells_negative: u64,
    /// [`Policy::digest`] of the policy in force.
    pub policy_digest: String,
    /// `sha256:` and 64 hexadecimal digits over the released table's Arrow stream.
    pub table_digest: String,
}

/// How many cells break each rule. One cell may break several, so that the sum may exceed the number of cells
/// withheld. Exact, and so for the bureau and the auditor alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
#[non_exhaustive]
pub struct WithheldBy {
    /// Fewer units than `cell.units_min`, in the cell or in an argument of an aggregate.
    pub units: u64,
    /// Fewer rows than `cell.rows_min`, likewise.
    pub rows: u64,
    /// A contribution or their total is infinite or not a number.
    pub not_finite: u64,
    /// A `dominance` rule.
    pub dominance: u64,
    /// The `p_ratio` rule.
    pub p_ratio: u64,
}

/// A table that was judged and not yet released. It shows its decision and nothing else.
#[must_use = "a judged table is released by recording the decision"]
pub struct Judged {
    batch: RecordBatch,
    arrow_ipc: Vec<u8>,
    record: DecisionRecord,
}

/// Judges each cell by the policy and builds the table of those that pass.
///
/// # Errors
/// [`GateError::TooManyCells`] and [`GateError::TooManyBytes`] where what passes is still more than the policy allows
/// in one table; [`GateError::TooMuchText`] where a column holds more text than is judged; [`GateError::CellTwice`]
/// where inside handed over one cell in two halves.
pub fn judge(unreleased: Unreleased, policy: &Policy) -> Result<Judged, GateError> {
    let Unreleased {
        cells,
        key_columns,
        evidence,
    } = unreleased;
    let order = sorted_by_keys(
        &canonical_all(&cells.columns()[..key_columns])?,
        cells.num_rows(),
    )?;
    let mut kept: Vec<u64> = Vec::new();
    let mut withheld_by = WithheldBy::default();
    let mut cells_negative = 0;
    for cell in order {
        let broken = Broken::by(&evidence, cell, policy);
        if broken.any() {
            withheld_by.count(broken);
        } else {
            kept.push(cell as u64);
            cells_negative += u64::from(any_negative(&evidence, cell));
        }
    }
    let cells_released = kept.len() as u64;
    // Before the table is built, so that a refusal costs no memory.
    within(cells_released, policy.cells_max()).map_err(|(cells_max, cells_at_most)| {
        GateError::TooManyCells {
            cells_max,
            cells_at_most,
        }
    })?;

    let batch = table_of(&cells, kept)?;
    let arrow_ipc = arrow_stream(&batch)?;
    within(arrow_ipc.len() as u64, policy.bytes_max()).map_err(|(bytes_max, bytes_at_most)| {
        GateError::TooManyBytes {
            bytes_max,
            bytes_at_most,
        }
    })?;

    let cells_withheld = cells.num_rows() as u64 - cells_released;
    let record = DecisionRecord {
        cells_released,
        cells_withheld,
        cells_withheld_at_most: at_most(cells_withheld),
        withheld_by,
        cells_negative,
        policy_digest: policy.digest(),
        table_digest: sha256(&arrow_ipc),
    };
    Ok(Judged {
        batch,
        arrow_ipc,
        record,
    })
}

fn any_negative(evidence: &[EvidenceColumns], cell: usize) -> bool {
    evidence
        .iter()
        .flat_map(|of_one_kind| of_one_kind.contributions(cell))
        .any(|of| of.negative)
}

impl WithheldBy {
    fn count(&mut self, broken: Broken) {
        self.units += u64::from(broken.units);
        self.rows += u64::from(broken.rows);
        self.not_finite += u64::from(broken.not_finite);
        self.dominance += u64::from(broken.dominance);
        self.p_ratio += u64::from(broken.p_ratio);
    }
}

/// The limit and the coarse actual number where the limit is exceeded.
fn within(actual: u64, limit: u64) -> Result<(), (u64, u64)> {
    if actual > limit {
        Err((limit, at_most(actual)))
    } else {
        Ok(())
    }
}

/// The kept cells in their order, each column built anew.
fn table_of(cells: &RecordBatch, kept: Vec<u64>) -> Result<RecordBatch, GateError> {
    const STEP: GateError = GateError::Step { step: "build" };
    let options = RecordBatchOptions::new().with_row_count(Some(kept.len()));
    let kept = UInt64Array::from(kept);
    let taken: Result<Vec<ArrayRef>, GateError> = cells
        .columns()
        .iter()
        .map(|column| take(column, &kept, None).map_err(|_| STEP))
        .collect();
    let columns = canonical_all(&taken?)?;
    RecordBatch::try_new_with_options(released_schema(cells)?, columns, &options).map_err(|_| STEP)
}

fn canonical_all(columns: &[ArrayRef]) -> Result<Vec<ArrayRef>, GateError> {
    columns.iter().map(canonical).collect()
}

/// Names, released types and declared nullability; no metadata, neither of the table nor of a column.
fn released_schema(cells: &RecordBatch) -> Result<SchemaRef, GateError> {
    let field = |field: &Arc<Field>| {
        let released =
            released_type(field.data_type()).map_err(|_| GateError::Step { step: "describe" })?;
        Ok(Field::new(field.name(), released, field.is_nullable()))
    };
    let fields: Result<Vec<Field>, GateError> =
        cells.schema_ref().fields().iter().map(field).collect();
    Ok(Arc::new(Schema::new(fields?)))
}

impl Judged {
    /// What was decided.
    pub fn record(&self) -> &DecisionRecord {
        &self.record
    }

    /// Records the decision, and only then makes the table readable.
    ///
    /// # Errors
    /// The recorder's own. The table is gone then; to release it, judge again.
    pub fn release<R: Recorder>(self, recorder: &mut R) -> Result<(Released, R::Proof), R::Error> {
        let proof = recorder.record(&self.record)?;
        // A crash up to here leaves at most an entry for a release that nobody saw, never a release without an entry.
        Ok((
            Released::new(self.batch, self.arrow_ipc, &self.record),
            proof,
        ))
    }
}

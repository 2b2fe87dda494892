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
use crate::record::{DecisionRecord, ReviewReason, WithheldBy};
use crate::rules::Broken;
use crate::unreleased::Unreleased;
use crate::verdict::{Judged, Verdict};

/// Judges each cell by the policy and builds the table of those that pass.
///
/// # Errors
/// [`GateError::TooManyCells`] and [`GateError::TooManyBytes`] where what passes is still more than the policy allows
/// in one table; [`GateError::TooMuchText`] where a column holds more text than is judged; [`GateError::CellTwice`]
/// where inside handed over one cell in two halves.
pub fn judge(unreleased: Unreleased, policy: &Policy) -> Result<Verdict, GateError> {
    let Unreleased {
        cells,
        shape,
        evidence,
    } = unreleased;
    shape.sets_of(&cells)?;
    let mut keys = canonical_all(&cells.columns()[..shape.statistics_at()])?;
    keys.rotate_right(usize::from(shape.has_set_column()));
    let order = sorted_by_keys(&keys, cells.num_rows())?;
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
    if cells_released > policy.cells_max() {
        return Err(GateError::TooManyCells {
            cells_max: policy.cells_max(),
        });
    }

    let batch = table_of(&cells, kept)?;
    let arrow_ipc = arrow_stream(&batch)?;
    if arrow_ipc.len() as u64 > policy.bytes_max() {
        return Err(GateError::TooManyBytes {
            bytes_max: policy.bytes_max(),
        });
    }

    let cells_withheld = cells.num_rows() as u64 - cells_released;
    let record = DecisionRecord {
        cells_released,
        cells_withheld,
        cells_withheld_at_most: at_most(cells_withheld),
        withheld_by,
        cells_negative,
        review: if cells_negative > 0 && policy.negatives_are_reviewed() {
            vec![ReviewReason::NegativeContributions]
        } else {
            Vec::new()
        },
        approved_by: Vec::new(),
        evidence_kept: false,
        policy_digest: policy.digest(),
        table_digest: sha256(&arrow_ipc),
    };
    Ok(Verdict::of(Judged {
        batch,
        arrow_ipc,
        record,
    }))
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

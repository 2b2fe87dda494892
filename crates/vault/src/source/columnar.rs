//! What Parquet and Arrow IPC have in common: columns with types of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use weir_catalogue::Manifest;
use weir_catalogue::limits::COLUMNS_MAX;

use super::columns::match_columns;
use super::fault::{Fault, Problem};
use super::widen::{self, Misfit};
use super::{Fields, Rows};
use crate::{Result, VaultError};

/// What to do about a value of the wrong type.
const REMEDY: &str = "mend the value, or change the column's type";

/// Rows as a Parquet or Arrow file has them.
pub(super) struct ColumnarBlock {
    pub(super) batch: RecordBatch,
    pub(super) fields: Fields,
    /// What values that cannot be converted mean in this format.
    pub(super) damaged: fn() -> Problem,
}

impl ColumnarBlock {
    pub(super) fn check(self, manifest: &Manifest) -> Result<Rows, Fault> {
        let mut columns = Vec::with_capacity(self.fields.len());
        for (index, &field) in self.fields.iter().enumerate() {
            let kind = manifest.columns()[index].kind;
            // The kernels are not made for arrays that contradict themselves.
            let widened = guarded(|| widen::widen(self.batch.column(field), kind))
                .unwrap_or(Err(Misfit::Unreadable));
            columns.push(widened.map_err(|misfit| self.fault(misfit, index))?);
        }
        Ok(Rows {
            columns,
            rows: self.batch.num_rows(),
        })
    }

    fn fault(&self, misfit: Misfit, column: usize) -> Fault {
        let (row, problem) = match misfit {
            Misfit::Value(row) => (row, Problem::Type(REMEDY)),
            Misfit::TooLong(row) => (row, Problem::FieldTooLong),
            Misfit::Unreadable => (0, (self.damaged)()),
        };
        Fault::Row {
            row,
            byte: None,
            column: Some(column),
            problem,
        }
    }
}

/// Matches the columns and their types with the manifest's. `unsupported` makes the error for a file that is not read.
pub(super) fn check_schema(
    file: &str,
    schema: &Schema,
    manifest: &Manifest,
    unsupported: impl FnOnce(String) -> VaultError,
) -> Result<Fields> {
    if schema.fields().len() > COLUMNS_MAX {
        return Err(unsupported(format!(
            "{} columns, more than the {COLUMNS_MAX} a dataset may have; split the file",
            schema.fields().len()
        )));
    }
    let headers: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let fields = match_columns(file, &headers, manifest)?;
    for (column, &field) in manifest.columns().iter().zip(&fields) {
        let found = schema.field(field).data_type();
        if !widen::fits(found, column.kind) {
            return Err(VaultError::ColumnType {
                file: file.to_owned(),
                column: column.name.clone(),
                found: widen::in_words(found),
                declared: column.kind.name(),
            });
        }
    }
    Ok(fields.into())
}

/// Runs a decoder over untrusted bytes. The crates index into a file in places where a damaged one can make them panic,
/// which must not take the caller down.
pub(super) fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()
}

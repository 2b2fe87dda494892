//! Coding: identifiers out, unit ids in.
//!
//! While sorting, a row carries one `u64`: its unit in the upper half and its position in the file in the lower. One
//! primitive key sorts fast, and it makes the order of a unit's rows that of the file, so that registering a file twice
//! stores the same rows in the same order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::limits::ROWS_MAX;
use crate::population::Population;
use crate::source::SourceBatch;
use crate::{Result, VaultError};
use weir_catalogue::Manifest;

/// Name of the sort key. No column of a manifest can have it.
pub(super) const KEY_COLUMN: &str = "weir_key";
/// Bits of a sort key below the unit.
pub(super) const POSITION_BITS: u32 = 32;

/// The sort key, and then the stored columns.
pub(super) fn keyed_schema(manifest: &Manifest) -> SchemaRef {
    let key = Field::new(KEY_COLUMN, DataType::UInt64, false);
    let stored = manifest.stored().into_iter().map(|index| {
        let column = &manifest.columns()[index];
        Field::new(&column.name, column.kind.data_type(), true)
    });
    Arc::new(Schema::new(
        std::iter::once(key).chain(stored).collect::<Vec<_>>(),
    ))
}

/// Codes one source's batches.
pub(super) struct Coder<'a> {
    population: &'a mut Population,
    schema: SchemaRef,
    unit: usize,
    stored: Vec<usize>,
    rows: u64,
}

impl<'a> Coder<'a> {
    pub(super) fn new(manifest: &Manifest, population: &'a mut Population) -> Self {
        let schema = keyed_schema(manifest);
        let (unit, stored) = (manifest.unit_index(), manifest.stored());
        Self {
            population,
            schema,
            unit,
            stored,
            rows: 0,
        }
    }

    /// The batch without identifiers and without the rows that name no unit; `None` where none is left.
    pub(super) fn code(&mut self, batch: SourceBatch) -> Result<Option<RecordBatch>> {
        let failed = |_| VaultError::Internal {
            action: "coding units",
        };
        let keys = self.keys(&batch.columns[self.unit])?;
        let stored = self
            .stored
            .iter()
            .map(|&index| Arc::clone(&batch.columns[index]));
        let left_out = keys.iter().filter(|key| key.is_none()).count();
        if left_out == batch.rows {
            return Ok(None);
        }
        let named: BooleanArray = keys.iter().map(|key| Some(key.is_some())).collect();
        let keys: UInt64Array = keys
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect::<Vec<_>>()
            .into();
        let columns = std::iter::once(Arc::new(keys) as ArrayRef)
            .chain(stored)
            .collect();
        let coded = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed)?;
        if left_out == 0 {
            return Ok(Some(coded));
        }
        filter_record_batch(&coded, &named)
            .map(Some)
            .map_err(failed)
    }

    fn keys(&mut self, identifiers: &ArrayRef) -> Result<Vec<Option<u64>>> {
        // A whole number is identified by its decimal digits, so that a population does not care whether one file
        // has it as a number and another as text.
        let texts = cast(identifiers, &DataType::Utf8).map_err(|_| VaultError::Internal {
            action: "coding units",
        })?;
        let texts: &StringArray = texts.as_string();
        let mut last: Option<(&str, u32)> = None;
        let mut keys = Vec::with_capacity(texts.len());
        for text in texts {
            let position = self.rows;
            self.rows += 1;
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                keys.push(None);
                continue;
            };
            // Files are often grouped by unit already: the HMAC is needed only where the unit changes.
            let unit = match last {
                Some((same, unit)) if same == text => unit,
                _ => self.population.id(text.as_bytes())?,
            };
            last = Some((text, unit));
            // The readers stop at ROWS_MAX rows, so a position has at most 32 bits.
            debug_assert!(position < ROWS_MAX);
            keys.push(Some(u64::from(unit) << POSITION_BITS | position));
        }
        Ok(keys)
    }
}

//! From the computed table to what the gate takes: cells with their keys and statistics, and the evidence beside them.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use weir_gate::{COLUMN_NAME_BYTES_MAX, EvidenceColumns, Provenance, Unreleased};

use crate::error::ComputeError;
use crate::evidence::EvidencePlan;
use crate::grouping::Grouping;
use crate::split::Plan;
use crate::statistics::{SET_COLUMN, Source};

impl Plan {
    /// The computed table as the gate takes it. Its columns are the keys, the grouping set where there are sets, the
    /// computed aggregates, and the evidence for each kind of unit.
    pub(crate) fn cells(&self, table: &RecordBatch) -> Result<Unreleased, ComputeError> {
        let computed_at = self.grouping.columns();
        let evidence_at = computed_at + self.statistics.computed.len();
        if table.num_columns() != evidence_at + self.evidence.aggregates.len() {
            return Err(ComputeError::Bug);
        }
        let evidence = table.columns()[evidence_at..]
            .iter()
            .map(|column| {
                let column = column.as_struct_opt().ok_or(ComputeError::Bug)?;
                self.evidence.columns(column)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut names = Names::default();
        let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
        let keys = self.grouping.keys.len();
        for (field, column) in table
            .schema()
            .fields()
            .iter()
            .zip(table.columns())
            .take(keys)
        {
            let name = names.one(field.name());
            let field = Field::new(name, field.data_type().clone(), true);
            columns.push((field, Arc::clone(column)));
        }
        if self.grouping.sets.len() > 1 {
            let sets = self.sets(table.column(keys))?;
            let field = Field::new(names.one(SET_COLUMN), DataType::UInt32, false);
            columns.push((field, Arc::new(sets)));
        }
        for column in &self.statistics.columns {
            let values = statistic(table, (computed_at, evidence_at), &evidence, &column.source)?;
            let field = Field::new(names.one(&column.label), values.data_type().clone(), true);
            columns.push((field, values));
        }
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
        let schema = Arc::new(Schema::new(fields));
        let cells = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|_| ComputeError::Bug)?;
        let mut unreleased = Unreleased::new(cells, self.shape().clone(), evidence)?;
        if let Some(noise) = &self.noise {
            unreleased = unreleased.with_noise(noise.clone())?;
        }
        if !self.depth.history() {
            return Ok(unreleased);
        }
        let provenance = self.provenance(&table.columns()[evidence_at..])?;
        Ok(unreleased.with_provenance(provenance)?)
    }

    /// What the numbers are of, by the evidence for each kind of unit.
    fn provenance(&self, evidence: &[ArrayRef]) -> Result<Provenance, ComputeError> {
        let members = evidence
            .iter()
            .zip(&self.populations)
            .map(|(column, population)| {
                let column = column.as_struct_opt().ok_or(ComputeError::Bug)?;
                self.evidence.members(column, population)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Provenance {
            bases: self.evidence.bases(&self.statistics, &members)?,
            parts: self.evidence.parts(&self.statistics, &members)?,
            members,
            selection: self.selection.clone(),
            is_plain: self.is_plain,
        })
    }

    /// Positions of grouping sets, of the engine's numbers for them.
    fn sets(&self, ids: &ArrayRef) -> Result<UInt32Array, ComputeError> {
        let sets = self.grouping.sets.iter();
        let position: HashMap<u64, u32> = sets.map(|set| Grouping::id(set)).zip(0..).collect();
        let ids = cast(ids, &DataType::UInt64).map_err(|_| ComputeError::Bug)?;
        let ids = ids.as_primitive::<UInt64Type>();
        let of = |id: &u64| position.get(id).copied().ok_or(ComputeError::Bug);
        let positions: Vec<u32> = ids.values().iter().map(of).collect::<Result<_, _>>()?;
        Ok(positions.into())
    }
}

fn statistic(
    table: &RecordBatch,
    (computed_at, evidence_at): (usize, usize),
    evidence: &[EvidenceColumns],
    source: &Source,
) -> Result<ArrayRef, ComputeError> {
    let computed = |at: usize| {
        table
            .columns()
            .get(computed_at + at)
            .ok_or(ComputeError::Bug)
    };
    match source {
        Source::Computed(at) => computed(*at).cloned(),
        Source::Field(at, name) => {
            let record = computed(*at)?.as_struct_opt().ok_or(ComputeError::Bug)?;
            record
                .column_by_name(name)
                .cloned()
                .ok_or(ComputeError::Bug)
        }
        Source::Sum(summed) => {
            let of = table.columns().get(evidence_at);
            let of = of.and_then(|of| of.as_struct_opt());
            let sums = EvidencePlan::sum(of.ok_or(ComputeError::Bug)?, *summed)?;
            Ok(Arc::new(sums))
        }
        Source::Units(kind) => {
            let units = &evidence.get(*kind).ok_or(ComputeError::Bug)?.units;
            cast(units, &DataType::Int64).map_err(|_| ComputeError::Bug)
        }
        Source::Rows(counted) => {
            let of = evidence.first().ok_or(ComputeError::Bug)?;
            let rows = match counted {
                Some(at) => &of.counted.get(*at).ok_or(ComputeError::Bug)?.rows,
                None => &of.rows,
            };
            cast(rows, &DataType::Int64).map_err(|_| ComputeError::Bug)
        }
    }
}

/// Names for the columns of a table: the engine's, where they are short and told apart, or else by position. A released
/// table is known by its columns' order; the query gives them the names that the caller reads.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn one(&mut self, name: &str) -> String {
        let plain = name.len() <= COLUMN_NAME_BYTES_MAX && !self.0.iter().any(|used| used == name);
        let name = match plain {
            true => name.to_owned(),
            false => format!("column_{}", self.0.len()),
        };
        self.0.push(name.clone());
        name
    }
}

//! Evaluation of models over units: a stream of rows in, one answer per unit out.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArray, StructArray,
    UInt64Array, new_empty_array,
};
use arrow::compute::{concat, partition, take};
use arrow::datatypes::{DataType, UInt32Type, UInt64Type};

use crate::bind::Binding;
use crate::driven::Piece;
use crate::error::ModelError;
use crate::evaluate::{Evaluator, Way, check_grain, conform};
use crate::limits::Limits;
use crate::signature::Grain;

/// Runs a bound `unit` model over a stream of rows in which the rows of a unit follow each other, as in a dataset sorted
/// by unit. Batches may be cut anywhere: the rows of the last unit of a batch wait for the next one.
///
/// It may be sent to another thread, but not shared. A stream may be cut between units, and its parts be run at the same
/// time by several evaluators; never within a unit, which would then have two answers.
pub struct UnitEvaluator {
    evaluator: Evaluator,
    waiting: Option<Waiting>,
}

/// Answers, one per unit, in the order of the stream.
#[derive(Clone, Debug)]
pub struct UnitAnswers {
    /// The unit that each answer is for: a value of the column of units.
    pub units: ArrayRef,
    /// The answers: the fields of [`Model::output_fields`](crate::Model::output_fields).
    pub outputs: StructArray,
}

/// Rows of a unit whose end has not been seen.
struct Waiting {
    /// The unit, as a column of one row.
    unit: ArrayRef,
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl UnitEvaluator {
    pub(crate) fn new(binding: Binding, way: Way) -> Self {
        Self {
            evaluator: Evaluator::new(binding, way),
            waiting: None,
        }
    }

    /// Takes the next rows of the stream, and answers every unit that ends before the last row. `units` tells which unit
    /// each row belongs to; null is a unit like any other. `columns` are those of [`Binding::columns`], in that order,
    /// each of its source type or cast to its data type already, as long as `units`.
    ///
    /// An answer depends on the rows of its unit, their order, and the model alone. A unit fails, and is null in every
    /// output, where a row would: see [`Evaluator::evaluate`](crate::Evaluator::evaluate). It fails too with more rows,
    /// or more bytes of strings in a column, than a unit may have.
    ///
    /// # Errors
    /// Those of [`Evaluator::evaluate`](crate::Evaluator::evaluate); [`ModelError::Grain`] when the model takes rows.
    /// After an error the evaluator has lost its place in the stream.
    pub fn push(
        &mut self,
        units: &ArrayRef,
        columns: &[ArrayRef],
    ) -> Result<UnitAnswers, ModelError> {
        check_grain(self.evaluator.binding().model(), Grain::Unit)?;
        let rows = units.len();
        let columns = conform(self.evaluator.binding().columns(), columns, rows)?;
        if rows == 0 {
            return self.answer(Vec::new(), &[new_empty_array(units.data_type())]);
        }
        let starts = starts(units)?;
        let begun = match self.waiting.take() {
            Some(waiting) if waiting.unit.data_type() != units.data_type() => {
                return Err(ModelError::Columns {
                    what: "the column of units changes its type".to_owned(),
                });
            }
            begun => begun,
        };
        let continues = match &begun {
            Some(waiting) => same(&waiting.unit, units)?,
            None => false,
        };
        // The first of the batch's units that begins in it and ends in it, the one before it, and the one that goes on.
        let last = starts.len() - 2;
        let whole = usize::from(continues).min(last)..last;
        let rest = waiting(units, &columns, starts[last]..rows);
        let Some(mut begun) = begun else {
            self.waiting = Some(rest.truncated(self.unit_rows_max()));
            return self.whole(
                units,
                &columns,
                &starts[whole.start..=whole.end],
                Vec::new(),
            );
        };
        if continues {
            begun.extend(
                &columns,
                starts[1],
                self.evaluator.binding().model().limits(),
            )?;
            if last == 0 {
                self.waiting = Some(begun);
                return self.answer(Vec::new(), &[new_empty_array(units.data_type())]);
            }
        }
        self.waiting = Some(rest.truncated(self.unit_rows_max()));
        self.whole(
            units,
            &columns,
            &starts[whole.start..=whole.end],
            vec![begun],
        )
    }

    /// Answers the last unit. The evaluator may then be given another stream.
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub fn finish(&mut self) -> Result<Option<UnitAnswers>, ModelError> {
        match self.waiting.take() {
            Some(waiting) => {
                let unit = Arc::clone(&waiting.unit);
                self.answer(vec![waiting.piece()], &[unit]).map(Some)
            }
            None => Ok(None),
        }
    }

    fn unit_rows_max(&self) -> usize {
        self.evaluator.binding().model().limits().unit_rows_max
    }

    /// Answers a unit begun in earlier batches, if there is one, and units that are all in this one.
    fn whole(
        &mut self,
        units: &ArrayRef,
        columns: &[ArrayRef],
        starts: &[usize],
        begun: Vec<Waiting>,
    ) -> Result<UnitAnswers, ModelError> {
        let firsts = UInt64Array::from_iter_values(
            starts[..starts.len() - 1].iter().map(|start| *start as u64),
        );
        let mut named: Vec<ArrayRef> = begun.iter().map(|unit| Arc::clone(&unit.unit)).collect();
        named.push(take(units, &firsts, None).map_err(|_| UNITS)?);
        let mut pieces: Vec<Piece> = begun.into_iter().map(Waiting::piece).collect();
        pieces.push(Piece {
            columns: columns.to_vec(),
            starts: starts.to_vec(),
        });
        self.answer(pieces, &named)
    }

    fn answer(
        &mut self,
        pieces: Vec<Piece>,
        units: &[ArrayRef],
    ) -> Result<UnitAnswers, ModelError> {
        let units: Vec<&dyn Array> = units.iter().map(AsRef::as_ref).collect();
        let units = concat(&units).map_err(|_| UNITS)?;
        Ok(UnitAnswers {
            outputs: self.evaluator.evaluate_units(&pieces)?,
            units,
        })
    }
}

const UNITS: ModelError = ModelError::Runtime {
    what: "a column of units that cannot be compared",
};

/// At which row each unit begins, and one more for the end.
fn starts(units: &ArrayRef) -> Result<Vec<usize>, ModelError> {
    if units.null_count() == 0 {
        // Dense ids, as sealed datasets have them.
        let starts = match units.data_type() {
            DataType::UInt32 => units.as_primitive_opt::<UInt32Type>().map(starts_of),
            DataType::UInt64 => units.as_primitive_opt::<UInt64Type>().map(starts_of),
            _ => None,
        };
        if let Some(starts) = starts {
            return Ok(starts);
        }
    }
    let plain = comparable(units)?;
    let ranges = partition(&[plain]).map_err(|_| UNITS)?.ranges();
    let mut starts: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    starts.push(units.len());
    Ok(starts)
}

/// The same of whole numbers, none of which is null.
fn starts_of<T: ArrowPrimitiveType<Native: Eq>>(units: &PrimitiveArray<T>) -> Vec<usize> {
    let mut starts = Vec::with_capacity(units.len() / 4 + 2);
    starts.push(0);
    for (row, pair) in (1..).zip(units.values().windows(2)) {
        if pair[0] != pair[1] {
            starts.push(row);
        }
    }
    starts.push(units.len());
    starts
}

/// Whether a unit is the first of a column.
fn same(unit: &ArrayRef, units: &ArrayRef) -> Result<bool, ModelError> {
    let both = concat(&[unit.as_ref(), units.slice(0, 1).as_ref()]).map_err(|_| UNITS)?;
    let parts = partition(&[comparable(&both)?]).map_err(|_| UNITS)?;
    Ok(parts.len() == 1)
}

/// The same column without a dictionary, which comparison does not take.
fn comparable(units: &ArrayRef) -> Result<ArrayRef, ModelError> {
    match units.data_type() {
        DataType::Dictionary(_, values) => arrow::compute::cast(units, values).map_err(|_| UNITS),
        _ => Ok(Arc::clone(units)),
    }
}

fn waiting(units: &ArrayRef, columns: &[ArrayRef], rows: std::ops::Range<usize>) -> Waiting {
    let slice = |column: &ArrayRef| column.slice(rows.start, rows.len());
    Waiting {
        unit: units.slice(rows.start, 1),
        columns: columns.iter().map(slice).collect(),
        rows: rows.len(),
    }
}

impl Waiting {
    /// Adds the first rows of a batch.
    ///
    /// A unit over a limit fails whatever its rows are. So no more are kept than are needed to tell.
    fn extend(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        limits: &Limits,
    ) -> Result<(), ModelError> {
        let mut rows = rows.min((limits.unit_rows_max + 1).saturating_sub(self.rows));
        for (column, more) in self.columns.iter().zip(columns) {
            if let (Some(has), Some(more)) = (column.as_string_opt(), more.as_string_opt()) {
                rows = rows.min(rows_until(limits.unit_string_bytes_max, has, more));
            }
        }
        for (column, more) in self.columns.iter_mut().zip(columns) {
            *column =
                concat(&[column.as_ref(), more.slice(0, rows).as_ref()]).map_err(|_| TOO_LONG)?;
        }
        self.rows += rows;
        Ok(())
    }

    fn truncated(mut self, rows_max: usize) -> Self {
        if self.rows > rows_max {
            self.rows = rows_max + 1;
            for column in &mut self.columns {
                *column = column.slice(0, rows_max + 1);
            }
        }
        self
    }

    fn piece(self) -> Piece {
        Piece {
            columns: self.columns,
            starts: vec![0, self.rows],
        }
    }
}

/// How many more strings it takes until a column has more bytes than it may.
fn rows_until(bytes_max: usize, has: &StringArray, more: &StringArray) -> usize {
    let bytes = |offsets: &[i32]| (offsets[offsets.len() - 1] - offsets[0]) as usize;
    let has = bytes(has.value_offsets());
    let offsets = more.value_offsets();
    match has > bytes_max {
        true => 0,
        false => offsets.partition_point(|end| has + (end - offsets[0]) as usize <= bytes_max),
    }
}

const TOO_LONG: ModelError = ModelError::Runtime {
    what: "rows of a unit that do not fit one column",
};

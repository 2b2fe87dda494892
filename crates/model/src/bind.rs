//! Which column feeds which parameter.

use arrow::datatypes::{DataType, Schema, TimeUnit};

use crate::error::{ModelError, quoted};
use crate::evaluate::{Evaluator, Way};
use crate::runtime::Model;
use crate::signature::{Input, ValueType};
use crate::unit::UnitEvaluator;

/// Column names offered in place of one that is missing.
const NEAREST_COLUMNS_MAX: usize = 3;

/// Digits that every `s64` holds.
const DECIMAL_DIGITS_MAX: u8 = 18;

/// A column that the model reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundColumn {
    /// Name of the column and of the input.
    pub column: String,
    /// Position in the schema bound to.
    pub index: usize,
    /// Type in that schema.
    pub source_type: DataType,
    /// Type in which an evaluator takes it beside the source type; the cast from the source type is lossless. For a
    /// decimal it is the source type: its unscaled value is no cast.
    pub data_type: DataType,
}

/// A model bound to the columns of one schema.
#[derive(Clone, Debug)]
pub struct Binding {
    model: Model,
    columns: Vec<BoundColumn>,
}

impl Binding {
    pub(crate) fn new(model: &Model, schema: &Schema) -> Result<Self, ModelError> {
        for output in &model.signature().outputs {
            if schema.index_of(&output.column).is_ok() {
                return Err(ModelError::OutputExists {
                    column: output.column.clone(),
                });
            }
        }
        let inputs = model.signature().inputs.iter();
        Ok(Self {
            model: model.clone(),
            columns: inputs
                .map(|input| bind_input(input, schema))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The columns the model reads, in the order in which an [`Evaluator`] takes them.
    pub fn columns(&self) -> &[BoundColumn] {
        &self.columns
    }

    /// The model that is bound.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// An evaluator over rows, for a model that exports `row`; make one per thread.
    pub fn evaluator(&self) -> Evaluator {
        Evaluator::new(self.clone(), Way::Fast)
    }

    /// An evaluator over units, for a model that exports `unit`; make one per stream of sorted rows.
    pub fn unit_evaluator(&self) -> UnitEvaluator {
        UnitEvaluator::new(self.clone(), Way::Fast)
    }

    /// As [`reference_evaluator`](Self::reference_evaluator), over units.
    pub fn reference_unit_evaluator(&self) -> UnitEvaluator {
        UnitEvaluator::new(self.clone(), Way::Reference)
    }

    /// As [`checking_evaluator`](Self::checking_evaluator), over units.
    pub fn checking_unit_evaluator(&self) -> UnitEvaluator {
        UnitEvaluator::new(self.clone(), Way::Checking)
    }

    /// An evaluator that makes a fresh instance of the component for every row, by code that the fast one does not
    /// share. Some hundred times slower; for cross-checks. The two agree on every row, except that a row that comes
    /// near its fuel may fail in one and not in the other: woven code has instructions of its own.
    pub fn reference_evaluator(&self) -> Evaluator {
        Evaluator::new(self.clone(), Way::Reference)
    }

    /// An evaluator that compares the model's whole memory and all globals with their first state after every row. It
    /// returns [`ModelError::Runtime`] on a difference: a defect of Weir, whatever the model does. Very slow; for
    /// vetting and tests.
    pub fn checking_evaluator(&self) -> Evaluator {
        Evaluator::new(self.clone(), Way::Checking)
    }
}

fn bind_input(input: &Input, schema: &Schema) -> Result<BoundColumn, ModelError> {
    let Ok(index) = schema.index_of(&input.column) else {
        return Err(ModelError::MissingColumn {
            column: input.column.clone(),
            nearest: nearest(&input.column, schema),
        });
    };
    let source_type = schema.field(index).data_type();
    if !widens(values_of(source_type), &input.ty) {
        return Err(ModelError::ColumnType {
            column: input.column.clone(),
            found: quoted(&source_type.to_string()),
            wanted: input.ty.to_string(),
            help: help(&input.ty),
        });
    }
    Ok(BoundColumn {
        column: input.column.clone(),
        index,
        source_type: source_type.clone(),
        data_type: match source_type {
            DataType::Decimal128(..) => source_type.clone(),
            _ => input.ty.arrow_type(),
        },
    })
}

/// The type of the values; a dictionary is only a way to store them.
fn values_of(ty: &DataType) -> &DataType {
    match ty {
        // Its values would be cast, and a decimal's unscaled value is no cast.
        DataType::Dictionary(_, values) if !matches!(**values, DataType::Decimal128(..)) => values,
        other => other,
    }
}

/// Whether every value of the Arrow type is one of the model's type, exactly. Floats hold the integers that fit their
/// mantissa: 24 bits in `f32`, 53 in `f64`. A date is its days since 1970-01-01, a timestamp its microseconds, a decimal its
/// value without the point.
fn widens(from: &DataType, to: &ValueType) -> bool {
    use DataType::{
        Boolean, Date32, Decimal128, Float16, Float32, Float64, Int8, Int16, Int32, Int64,
        LargeUtf8, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    match to {
        ValueType::Bool => matches!(from, Boolean),
        ValueType::S8 => matches!(from, Int8),
        ValueType::S16 => matches!(from, Int8 | Int16 | UInt8),
        ValueType::S32 => matches!(from, Int8 | Int16 | Int32 | UInt8 | UInt16 | Date32),
        ValueType::S64 => match from {
            Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Date32 => true,
            Timestamp(unit, zone) => *unit == TimeUnit::Microsecond && zone.is_none(),
            Decimal128(digits, scale) => *digits <= DECIMAL_DIGITS_MAX && *scale >= 0,
            _ => false,
        },
        ValueType::U8 => matches!(from, UInt8),
        ValueType::U16 => matches!(from, UInt8 | UInt16),
        ValueType::U32 => matches!(from, UInt8 | UInt16 | UInt32),
        ValueType::U64 => matches!(from, UInt8 | UInt16 | UInt32 | UInt64),
        ValueType::F32 => matches!(from, Float16 | Float32 | Int8 | Int16 | UInt8 | UInt16),
        ValueType::F64 => {
            matches!(
                from,
                Float16 | Float32 | Float64 | Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32
            )
        }
        ValueType::String | ValueType::Enum(_) => matches!(from, Utf8 | LargeUtf8 | Utf8View),
    }
}

/// Which columns fit, and what to do otherwise.
fn help(ty: &ValueType) -> String {
    let fits = match ty {
        ValueType::Bool => "boolean columns",
        ValueType::S8 => "signed integers of 8 bits",
        ValueType::S16 => "signed integers of up to 16 bits and unsigned ones of 8",
        ValueType::S32 => "signed integers of up to 32 bits, unsigned ones of up to 16, and dates",
        ValueType::S64 => {
            "signed integers, unsigned ones of up to 32 bits, dates, timestamps in microseconds, and decimals of up to 18 digits"
        }
        ValueType::U8 => "unsigned integers of 8 bits",
        ValueType::U16 => "unsigned integers of up to 16 bits",
        ValueType::U32 => "unsigned integers of up to 32 bits",
        ValueType::U64 => "unsigned integers",
        ValueType::F32 => "32-bit floats and integers of up to 16 bits",
        ValueType::F64 => "floats and integers of up to 32 bits",
        ValueType::String => "strings",
        ValueType::Enum(_) => "strings (a value that is no case of the enum fails its row)",
    };
    format!("without loss it takes {fits}; change the parameter's type, or cast the column")
}

/// The columns with the names most like the missing one.
fn nearest(wanted: &str, schema: &Schema) -> String {
    let mut names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    if names.is_empty() {
        return "it has no columns".to_owned();
    }
    let similarity =
        |name: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), wanted);
    names.sort_by(|a, b| {
        similarity(b)
            .total_cmp(&similarity(a))
            .then_with(|| a.cmp(b))
    });
    names.truncate(NEAREST_COLUMNS_MAX);
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", quoted(name)))
        .collect();
    format!("nearest by name are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, Int64Array, UInt64Array};
    use arrow::compute::cast;

    use super::*;

    const NUMBERS: [ValueType; 10] = [
        ValueType::S8,
        ValueType::S16,
        ValueType::S32,
        ValueType::S64,
        ValueType::U8,
        ValueType::U16,
        ValueType::U32,
        ValueType::U64,
        ValueType::F32,
        ValueType::F64,
    ];

    /// The extreme values of an integer type and those beside them, as a column of that type.
    fn extremes(ty: &DataType) -> ArrayRef {
        let signed =
            Int64Array::from_iter_values([7, 8, 15, 16, 31, 32, 63].into_iter().flat_map(|bits| {
                let power = 1_i64.checked_shl(bits).unwrap();
                [
                    power.wrapping_sub(2),
                    power.wrapping_sub(1),
                    power.wrapping_neg(),
                    power.wrapping_neg().wrapping_add(1),
                ]
            }));
        let unsigned = UInt64Array::from(vec![u64::MAX, u64::MAX - 1]);
        let narrowed = |column: &dyn Array| cast(column, ty).unwrap();
        arrow::compute::concat(&[&narrowed(&signed), &narrowed(&unsigned)]).unwrap()
    }

    /// Widening is allowed exactly where every extreme value survives the way there and back.
    #[test]
    fn integers_widen_exactly_where_nothing_is_lost() {
        for from in NUMBERS.iter().take(8).map(ValueType::arrow_type) {
            for to in &NUMBERS {
                let column = extremes(&from);
                let widened = cast(&column, &to.arrow_type()).unwrap();
                let lossless = Arc::new(cast(&widened, &from).unwrap());
                let survives = widened.null_count() == column.null_count() && **lossless == *column;
                assert_eq!(widens(&from, to), survives, "{from} to {to}");
            }
        }
    }
}

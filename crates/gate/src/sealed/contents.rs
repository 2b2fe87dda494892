//! The contents of sealed evidence: the length of a description, the description as JSON, an Arrow stream.
//!
//! The stream has one row per cell: the keys, the grouping set, whether a key is off its domain, then for each kind of
//! unit its evidence, in the order of [`columns_of`].

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, ListArray,
    PrimitiveArray, RecordBatch, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema, UInt32Type};
use arrow::ipc::reader::StreamReader;

use crate::encode::arrow_stream;
use crate::error::GateError;
use crate::evidence::{ArgumentUnits, Contributions, Contributors, EvidenceColumns, TOP_UNITS};
use crate::first_units::FirstUnits;
use crate::ground::Ground;
use crate::shape::{Fit, Key, Levels, Quantiles, Shape, Statistic};

const WRITE: GateError = GateError::Step { step: "seal" };
const READ: GateError = GateError::EvidenceClosed;

/// Bytes of the length that the contents start with.
const LENGTH_BYTES: usize = 8;

#[derive(serde::Serialize, serde::Deserialize)]
struct Description {
    keys: Vec<KeyDescription>,
    sets: Vec<Vec<bool>>,
    statistics: Vec<Statistic>,
    structural: Vec<Vec<usize>>,
    quantiles: Vec<Quantiles>,
    fits: Vec<Fit>,
    kinds: Vec<KindDescription>,
}

/// A key without its domain: whether a cell is off it is kept with the cell.
#[derive(serde::Serialize, serde::Deserialize)]
struct KeyDescription {
    open: bool,
    fixed: bool,
    public: bool,
}

/// How many columns the evidence of one kind of unit has.
#[derive(serde::Serialize, serde::Deserialize)]
struct KindDescription {
    counted: usize,
    contributions: usize,
    kept: usize,
    /// Of evidence that was kept before arguments had their own units there is none.
    #[serde(default)]
    arguments: usize,
    sensitive: usize,
    fits: usize,
}

/// About how many bytes the contents have.
pub(super) fn bytes_about(ground: &Ground) -> usize {
    let sizes = columns_of(ground).into_iter().map(|(_, column)| {
        let size = column.to_data().get_slice_memory_size();
        size.unwrap_or(usize::MAX)
    });
    sizes.fold(0, usize::saturating_add)
}

pub(super) fn write(ground: &Ground) -> Result<Vec<u8>, GateError> {
    let description = serde_json::to_vec(&Description::of(ground)).map_err(|_| WRITE)?;
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns_of(ground)
        .into_iter()
        .map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column))
        .unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|_| WRITE)?;
    let length = (description.len() as u64).to_le_bytes();
    Ok([length.as_slice(), &description, &arrow_stream(&batch)?].concat())
}

pub(super) fn read(contents: &[u8]) -> Result<Ground, GateError> {
    let (length, rest) = contents.split_first_chunk::<LENGTH_BYTES>().ok_or(READ)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| READ)?;
    let (description, stream) = rest.split_at_checked(length).ok_or(READ)?;
    let description: Description = serde_json::from_slice(description).map_err(|_| READ)?;
    let mut reader = StreamReader::try_new(stream, None).map_err(|_| READ)?;
    let batch = reader.next().ok_or(READ)?.map_err(|_| READ)?;
    let mut columns = Columns {
        fields: batch.schema_ref().fields().to_vec(),
        batch: &batch,
        next: 0,
    };
    let keys = description.keys.len();
    let fields = columns.fields.get(..keys).ok_or(READ)?.to_vec();
    let key_columns = (0..keys)
        .map(|_| columns.next().cloned())
        .collect::<Result<Vec<_>, _>>()?;
    let sets = columns.primitive::<UInt32Type>()?;
    let off_domain = columns.booleans()?;
    let evidence = description
        .kinds
        .iter()
        .map(|kind| columns.evidence(kind))
        .collect::<Result<Vec<_>, _>>()?;
    Ground::reopened(
        description.into_shape(),
        fields,
        key_columns,
        sets.values().to_vec(),
        off_domain.iter().map(|off| off != Some(false)).collect(),
        evidence,
    )
}

impl Description {
    fn of(ground: &Ground) -> Description {
        let shape = &ground.shape;
        let key = |key: &Key| KeyDescription {
            open: matches!(key.levels, Levels::Open),
            fixed: key.fixed,
            public: key.public,
        };
        let kind = |of: &EvidenceColumns| KindDescription {
            counted: of.counted.len(),
            contributions: of.contributions.len(),
            kept: of.first_units.kept,
            arguments: of.arguments.len(),
            sensitive: of.sensitive.len(),
            fits: of.fits.len(),
        };
        Description {
            keys: shape.keys.iter().map(key).collect(),
            sets: shape.sets.clone(),
            statistics: shape.statistics.clone(),
            structural: shape.structural.clone(),
            quantiles: shape.quantiles.clone(),
            fits: shape.fits.clone(),
            kinds: ground.evidence.iter().map(kind).collect(),
        }
    }

    fn into_shape(self) -> Shape {
        let key = |key: KeyDescription| Key {
            levels: if key.open {
                Levels::Open
            } else {
                Levels::Bounded
            },
            fixed: key.fixed,
            public: key.public,
        };
        Shape {
            keys: self.keys.into_iter().map(key).collect(),
            sets: self.sets,
            statistics: self.statistics,
            structural: self.structural,
            quantiles: self.quantiles,
            fits: self.fits,
        }
    }
}

/// Every column with its name, in the order in which they are read again.
fn columns_of(ground: &Ground) -> Vec<(String, ArrayRef)> {
    let cells = ground.sets.len();
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (field, column) in ground.keys.fields.iter().zip(&ground.keys.columns) {
        columns.push((field.name().clone(), column.slice(0, cells)));
    }
    let mut push = |name: &str, column: ArrayRef| columns.push((name.to_owned(), column));
    push("set", Arc::new(UInt32Array::from(ground.sets.clone())));
    let off_domain = BooleanArray::from(ground.off_domain.clone());
    push("off_domain", Arc::new(off_domain));
    for of in &ground.evidence {
        push("units", Arc::new(of.units.clone()));
        push("rows", Arc::new(of.rows.clone()));
        for counted in &of.counted {
            push("counted_units", Arc::new(counted.units.clone()));
            push("counted_rows", Arc::new(counted.rows.clone()));
        }
        for sum in &of.contributions {
            push("sum_units", Arc::new(sum.units.clone()));
            push("sum_rows", Arc::new(sum.rows.clone()));
            push("sum_total", Arc::new(sum.total.clone()));
            for top in &sum.top {
                push("sum_top", Arc::new(top.clone()));
            }
            push("sum_negative", Arc::new(sum.negative.clone()));
        }
        push("first_units", Arc::new(of.first_units.ids.clone()));
        for argument in &of.arguments {
            push("argument_units", Arc::new(argument.units.clone()));
            push(
                "argument_first_units",
                Arc::new(argument.first_units.ids.clone()),
            );
        }
        for values in &of.sensitive {
            push("sensitive", Arc::new(values.clone()));
        }
        for fitted in &of.fits {
            push("fitted", Arc::new(fitted.clone()));
        }
    }
    columns
}

/// The columns of a stream, one after the other.
struct Columns<'a> {
    fields: Vec<FieldRef>,
    batch: &'a RecordBatch,
    next: usize,
}

impl Columns<'_> {
    fn next(&mut self) -> Result<&ArrayRef, GateError> {
        self.next += 1;
        self.batch.columns().get(self.next - 1).ok_or(READ)
    }

    fn primitive<T: ArrowPrimitiveType>(&mut self) -> Result<PrimitiveArray<T>, GateError> {
        let column = self.next()?.as_primitive_opt::<T>();
        column.cloned().ok_or(READ)
    }

    fn counts(&mut self, columns: usize) -> Result<Vec<UInt64Array>, GateError> {
        (0..columns).map(|_| self.primitive()).collect()
    }

    fn booleans(&mut self) -> Result<BooleanArray, GateError> {
        self.next()?.as_boolean_opt().cloned().ok_or(READ)
    }

    fn evidence(&mut self, kind: &KindDescription) -> Result<EvidenceColumns, GateError> {
        Ok(EvidenceColumns {
            units: self.primitive()?,
            rows: self.primitive()?,
            counted: (0..kind.counted)
                .map(|_| {
                    Ok(Contributors {
                        units: self.primitive()?,
                        rows: self.primitive()?,
                    })
                })
                .collect::<Result<_, GateError>>()?,
            contributions: (0..kind.contributions)
                .map(|_| self.contributions())
                .collect::<Result<_, _>>()?,
            first_units: FirstUnits {
                kept: kind.kept,
                ids: self.lists()?,
            },
            arguments: (0..kind.arguments)
                .map(|_| {
                    Ok(ArgumentUnits {
                        units: self.primitive()?,
                        first_units: FirstUnits {
                            kept: kind.kept,
                            ids: self.lists()?,
                        },
                    })
                })
                .collect::<Result<_, GateError>>()?,
            sensitive: self.counts(kind.sensitive)?,
            fits: self.counts(kind.fits)?,
        })
    }

    fn contributions(&mut self) -> Result<Contributions, GateError> {
        Ok(Contributions {
            units: self.primitive()?,
            rows: self.primitive()?,
            total: self.primitive()?,
            top: {
                let top: Vec<Float64Array> = (0..TOP_UNITS)
                    .map(|_| self.primitive::<Float64Type>())
                    .collect::<Result<_, _>>()?;
                top.try_into().map_err(|_| READ)?
            },
            negative: self.booleans()?,
        })
    }

    fn lists(&mut self) -> Result<ListArray, GateError> {
        let lists = self.next()?.as_list_opt::<i32>();
        let of_numbers = lists.filter(|lists| lists.value_type() == DataType::UInt32);
        of_numbers.cloned().ok_or(READ)
    }
}

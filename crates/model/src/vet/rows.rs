//! Synthetic rows: every kind of value that a column of the model's types can hold, mixed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, ListArray, StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::interleave;
use arrow::datatypes::{Field, Schema};

use super::constants::Figures;
use super::flow::{Constant, Uses};
use super::prng::Prng;
use crate::limits::Limits;
use crate::signature::{Input, Signature, ValueType};

/// Constants of the model tried per input. Its own come first, then others of the model.
const TRIED_MAX: usize = 512;
/// Values in a hundred that are null where the input takes nulls, and where it does not.
const NULLS_OPTIONAL: usize = 15;
const NULLS_REQUIRED: usize = 2;
/// Numbers that programs are often wrong about.
const EDGES: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.0,
    10.0,
    100.0,
    1e-300,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    4.9e-324,
];

/// A schema of the columns the model reads, all nullable, each of the type it reads.
pub fn schema_of(signature: &Signature) -> Schema {
    let fields = signature.inputs.iter();
    Schema::new(
        fields
            .map(|input| Field::new(&input.column, input.ty.arrow_type(), true))
            .collect::<Vec<_>>(),
    )
}

/// Makes the columns of synthetic rows.
pub(super) struct Rows<'a> {
    pub(super) signature: &'a Signature,
    pub(super) limits: &'a Limits,
    pub(super) figures: &'a Figures,
    pub(super) uses: &'a [Uses],
    /// For each input, values as manifests declare them; none where no manifest does.
    pub(super) declared: Vec<Option<ArrayRef>>,
}

impl Rows<'_> {
    /// One array per input, of `rows` values, the same for the same seed.
    pub(super) fn make(&self, rows: usize, seed: u64) -> Vec<ArrayRef> {
        let inputs = self.signature.inputs.iter().enumerate();
        inputs
            .map(|(position, input)| {
                let mut prng = Prng::new(seed ^ (position as u64).wrapping_mul(0x9e37_79b9));
                let column = self.column(position, input, rows, &mut prng);
                match self.declared.get(position) {
                    Some(Some(declared)) => mixed(&column, declared, &mut prng),
                    _ => column,
                }
            })
            .collect()
    }

    /// One array of lists per input: a unit each, of as many rows as `lengths` say.
    pub(super) fn units(&self, lengths: &[usize], seed: u64) -> Vec<ArrayRef> {
        let offsets = OffsetBuffer::<i32>::from_lengths(lengths.iter().copied());
        let columns = self.make(lengths.iter().sum(), seed).into_iter();
        columns
            .map(|values| {
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                Arc::new(ListArray::new(field, offsets.clone(), values, None)) as ArrayRef
            })
            .collect()
    }

    fn column(&self, position: usize, input: &Input, rows: usize, prng: &mut Prng) -> ArrayRef {
        let nulls = match input.optional {
            true => NULLS_OPTIONAL,
            false => NULLS_REQUIRED,
        };
        if let ValueType::String | ValueType::Enum(_) = input.ty {
            let values = (0..rows).map(|_| {
                let value = self.text(input, prng);
                (prng.below(100) >= nulls).then_some(value)
            });
            return Arc::new(StringArray::from_iter(values));
        }
        let tried = self.tried(position);
        let numbers: Vec<Option<Number>> = (0..rows)
            .map(|_| {
                let number = number(&tried, prng);
                (prng.below(100) >= nulls).then_some(number)
            })
            .collect();
        array(&input.ty, &numbers)
    }

    /// Constants of the model worth trying for an input, with their neighbours.
    fn tried(&self, position: usize) -> Vec<Number> {
        let own = self.uses.get(position).into_iter();
        let own = own.flat_map(|uses| uses.equalities.iter().chain(&uses.orderings));
        let own = own.take(TRIED_MAX).map(|constant| match constant {
            Constant::Whole(value) => Number::Whole(*value),
            Constant::Fraction(bits) => Number::Fraction(f64::from_bits(*bits)),
        });
        let others = self.figures.numbers.iter().chain(&self.figures.in_data);
        let others = others.take(TRIED_MAX).map(|value| Number::Whole(*value));
        let fractions = self.figures.fractions.iter().take(TRIED_MAX);
        let fractions = fractions.map(|bits| Number::Fraction(f64::from_bits(*bits)));
        own.chain(others).chain(fractions).collect()
    }

    fn text(&self, input: &Input, prng: &mut Prng) -> String {
        if let Some(domain) = input.ty.domain() {
            return match prng.below(20) {
                0 => "no-such-case".to_owned(),
                choice => {
                    let cases = &domain.cases;
                    let case = cases.get((choice + prng.below(cases.len())) % cases.len().max(1));
                    case.cloned().unwrap_or_default()
                }
            };
        }
        match prng.below(8) {
            0 => String::new(),
            1 => "x".repeat(prng.below(300)),
            2 => "堰é𝄞".repeat(1 + prng.below(6)),
            3 => "y".repeat(self.limits.string_input_bytes_max.min(2_000) + prng.below(2)),
            4 | 5 if !self.figures.texts.is_empty() => {
                let text = &self.figures.texts[prng.below(self.figures.texts.len())];
                let start = prng.below(text.len());
                // The texts are ASCII: any byte begins a character.
                text.get(start..).unwrap_or(text).to_owned()
            }
            6 => prng.below(100_000).to_string(),
            _ => {
                let letters =
                    (0..1 + prng.below(12)).map(|_| char::from(b'A' + prng.below(26) as u8));
                letters.collect()
            }
        }
    }
}

/// Half of the values as they are, half taken from those that manifests declare.
fn mixed(column: &ArrayRef, declared: &ArrayRef, prng: &mut Prng) -> ArrayRef {
    let places: Vec<(usize, usize)> = (0..column.len())
        .map(|row| match prng.below(2) {
            0 if !declared.is_empty() => (1, prng.below(declared.len())),
            _ => (0, row),
        })
        .collect();
    interleave(&[column.as_ref(), declared.as_ref()], &places)
        .unwrap_or_else(|_| Arc::clone(column))
}

/// A number before it is given a type.
#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Fraction(f64),
}

fn number(tried: &[Number], prng: &mut Prng) -> Number {
    match prng.below(10) {
        0..4 if !tried.is_empty() => match tried[prng.below(tried.len())] {
            Number::Whole(value) => Number::Whole(value.wrapping_add(prng.below(3) as i64 - 1)),
            Number::Fraction(value) if prng.below(3) == 0 => Number::Fraction(value.next_up()),
            Number::Fraction(value) => Number::Fraction(value),
        },
        4 => Number::Fraction(EDGES[prng.below(EDGES.len())]),
        5 => Number::Whole([i64::MIN, i64::MAX, -1, 0, 1, 255, 256, 65_535][prng.below(8)]),
        6 => Number::Whole(prng.next() as i64),
        7 => Number::Fraction(prng.below(1_000_000) as f64 / 64.0),
        _ => Number::Whole(prng.below(200) as i64),
    }
}

/// A column of a numeric type. What does not fit wraps, as bits do: any value of the type will do.
fn array(ty: &ValueType, numbers: &[Option<Number>]) -> ArrayRef {
    let whole = |number: Number| match number {
        Number::Whole(value) => value,
        Number::Fraction(value) => value as i64,
    };
    let fraction = |number: Number| match number {
        Number::Whole(value) => value as f64,
        Number::Fraction(value) => value,
    };
    macro_rules! integers {
        ($array:ty, $ty:ty) => {
            Arc::new(<$array>::from_iter(
                numbers
                    .iter()
                    .map(|number| number.map(|number| whole(number) as $ty)),
            ))
        };
    }
    match ty {
        ValueType::Bool => Arc::new(BooleanArray::from_iter(
            numbers
                .iter()
                .map(|number| number.map(|number| whole(number) & 1 == 1)),
        )),
        ValueType::S8 => integers!(Int8Array, i8),
        ValueType::S16 => integers!(Int16Array, i16),
        ValueType::S32 => integers!(Int32Array, i32),
        ValueType::S64 => integers!(Int64Array, i64),
        ValueType::U8 => integers!(UInt8Array, u8),
        ValueType::U16 => integers!(UInt16Array, u16),
        ValueType::U32 => integers!(UInt32Array, u32),
        ValueType::U64 => integers!(UInt64Array, u64),
        ValueType::F32 => Arc::new(Float32Array::from_iter(
            numbers
                .iter()
                .map(|number| number.map(|number| fraction(number) as f32)),
        )),
        ValueType::F64 => Arc::new(Float64Array::from_iter(
            numbers.iter().map(|number| number.map(fraction)),
        )),
        ValueType::String | ValueType::Enum(_) => {
            Arc::new(StringArray::from_iter(numbers.iter().map(|_| None::<&str>)))
        }
    }
}

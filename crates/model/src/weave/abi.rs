//! How values lie in a model's memory and in its parameters: the canonical ABI of the component model, for the types
//! that models have.

use crate::signature::{Input, Output, ValueType};

/// Parameters beyond this many flat values are passed in memory.
pub(super) const FLAT_PARAMS_MAX: usize = 16;

/// Size and alignment in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) size: u32,
    pub(super) align: u32,
}

/// One value in a record in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) ty: ValueType,
    /// Where the byte is that tells whether an optional value is there.
    pub(super) presence: Option<u32>,
    /// Where the value is.
    pub(super) value: u32,
}

/// A record in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) fields: Vec<Field>,
    pub(super) extent: Extent,
}

impl Record {
    pub(super) fn of_inputs(inputs: &[Input]) -> Self {
        Self::new(inputs.iter().map(|input| (&input.ty, input.optional)))
    }

    pub(super) fn of_outputs(outputs: &[Output]) -> Self {
        Self::new(outputs.iter().map(|output| (&output.ty, output.optional)))
    }

    /// Fields in order, each at its alignment; the whole at the largest.
    fn new<'a>(values: impl Iterator<Item = (&'a ValueType, bool)>) -> Self {
        let (mut end, mut align) = (0_u32, 1);
        let mut fields = Vec::new();
        for (ty, optional) in values {
            let extent = extent(ty);
            align = align.max(extent.align);
            end = end.next_multiple_of(extent.align);
            let presence = optional.then_some(end);
            // An option is a byte, then the value at its own alignment, and is itself aligned as the value is.
            let value = match optional {
                true => (end + 1).next_multiple_of(extent.align),
                false => end,
            };
            end = value + extent.size;
            if optional {
                end = end.next_multiple_of(extent.align);
            }
            fields.push(Field {
                ty: ty.clone(),
                presence,
                value,
            });
        }
        let size = end.next_multiple_of(align);
        Self {
            fields,
            extent: Extent { size, align },
        }
    }

    /// Values this record is as a list of parameters or results.
    pub(super) fn flat_values(&self) -> usize {
        let flat = |field: &Field| {
            usize::from(field.presence.is_some())
                + if field.ty == ValueType::String { 2 } else { 1 }
        };
        self.fields.iter().map(flat).sum()
    }
}

/// Bytes of the number of an enum's case.
pub(super) fn discriminant_bytes(cases: usize) -> u32 {
    match cases {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

fn extent(ty: &ValueType) -> Extent {
    let size = match ty {
        ValueType::Bool | ValueType::S8 | ValueType::U8 => 1,
        ValueType::S16 | ValueType::U16 => 2,
        ValueType::S32 | ValueType::U32 | ValueType::F32 => 4,
        ValueType::S64 | ValueType::U64 | ValueType::F64 => 8,
        ValueType::Enum(domain) => discriminant_bytes(domain.cases.len()),
        ValueType::String => return Extent { size: 8, align: 4 },
    };
    Extent { size, align: size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(values: &[(ValueType, bool)]) -> Record {
        Record::new(values.iter().map(|(ty, optional)| (ty, *optional)))
    }

    /// `record { a: bool, b: option<f64>, c: u16, d: option<u8>, e: string }`, laid out by hand.
    #[test]
    fn fields_lie_where_the_canonical_abi_says() {
        let record = record(&[
            (ValueType::Bool, false),
            (ValueType::F64, true),
            (ValueType::U16, false),
            (ValueType::U8, true),
            (ValueType::String, false),
        ]);
        let places: Vec<_> = record
            .fields
            .iter()
            .map(|field| (field.presence, field.value))
            .collect();
        assert_eq!(
            places,
            [
                (None, 0),
                (Some(8), 16),
                (None, 24),
                (Some(26), 27),
                (None, 28)
            ]
        );
        assert_eq!(record.extent, Extent { size: 40, align: 8 });
        assert_eq!(record.flat_values(), 1 + 2 + 1 + 2 + 2);
    }
}

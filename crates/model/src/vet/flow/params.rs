//! Which parameter of the core function carries which input: the canonical ABI of the component model.

use super::value::Value;
use crate::signature::{Signature, ValueType};

/// More flat values than this are passed in memory.
const FLAT_MAX: usize = 16;

/// The parameters of `row` as core values.
pub(super) struct Params {
    /// One value per parameter.
    pub(super) values: Vec<Value>,
    /// Fields of the block they are passed in: the offsets of each input's bytes.
    block: Vec<(u32, u32, Value)>,
}

impl Params {
    pub(super) fn of(signature: &Signature) -> Self {
        let mut values = Vec::new();
        let mut block = Vec::new();
        let mut end = 0_u32;
        for (position, input) in signature.inputs.iter().enumerate() {
            let plain = Value {
                inputs: bit(position),
                ..Value::default()
            };
            let text = input.ty == ValueType::String;
            // Whether an optional value is there is no comparison with it.
            values.extend(input.optional.then(Value::default));
            values.push(Value {
                pointer: text,
                ..plain
            });
            values.extend(text.then_some(plain));
            let (size, align) = extent(&input.ty);
            let start = end.next_multiple_of(align);
            let value = start + if input.optional { align } else { 0 };
            end = value + size;
            block.push((start, value, Value::default()));
            block.push((
                value,
                end,
                Value {
                    pointer: text,
                    ..plain
                },
            ));
        }
        if values.len() <= FLAT_MAX {
            return Self {
                values,
                block: Vec::new(),
            };
        }
        let pointer = Value {
            block: Some(0),
            ..Value::default()
        };
        Self {
            values: vec![pointer],
            block,
        }
    }

    /// What is read from an offset of the block.
    pub(super) fn at(&self, offset: u32) -> Value {
        let mut fields = self.block.iter();
        let field = fields.find(|(start, end, _)| (*start..*end).contains(&offset));
        field.map_or_else(Value::default, |(_, _, value)| *value)
    }
}

/// The bit of an input. Inputs beyond the last bit share it: the limit on parameters is below.
pub(super) fn bit(position: usize) -> u128 {
    1 << position.min(127)
}

/// Size and alignment in bytes.
fn extent(ty: &ValueType) -> (u32, u32) {
    match ty {
        ValueType::Bool | ValueType::S8 | ValueType::U8 => (1, 1),
        ValueType::S16 | ValueType::U16 => (2, 2),
        ValueType::S32 | ValueType::U32 | ValueType::F32 => (4, 4),
        ValueType::S64 | ValueType::U64 | ValueType::F64 => (8, 8),
        ValueType::String => (8, 4),
        ValueType::Enum(domain) if domain.cases.len() <= 0x100 => (1, 1),
        ValueType::Enum(_) => (2, 2),
    }
}

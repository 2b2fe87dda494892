//! From what `row` returns to the driver's columns, as the canonical ABI reads it. Whatever it refuses is a trap here,
//! except for what the host checks on the columns: presence bytes, cases of enums, UTF-8.

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::abi::{Field, discriminant_bytes};
use super::emit::{MODEL, at, bits};
use super::layout::{Column, output_width};
use super::lower::flat_type;
use super::plan::Plan;
use super::run::Locals;
use crate::signature::ValueType;

impl Plan {
    /// The type of what `row` returns: the value itself, or the address of a record.
    pub(super) fn result_type(&self) -> ValType {
        match self.outputs.fields.as_slice() {
            [field] if self.outputs.flat_values() == 1 => flat_type(&field.ty),
            _ => ValType::I32,
        }
    }

    /// Copies the result in a local into the columns. `cursor` is the local with the next free address for strings.
    pub(super) fn lift(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        (row, result, cursor): (u32, u32, u32),
    ) {
        let fields = self.outputs.fields.iter().zip(&self.layout.outputs);
        if self.outputs.flat_values() == 1 {
            for (field, column) in fields {
                place(code, row, &field.ty);
                code.local_get(result);
                self.store_output(code, &field.ty, column);
            }
            return;
        }
        let extent = self.outputs.extent;
        Self::check_aligned(code, result, extent.align);
        self.check_constant(code, result, u64::from(extent.size));
        let string = [locals.add(ValType::I32), locals.add(ValType::I32)];
        for (field, column) in fields {
            if let Some(presence) = field.presence {
                code.local_get(row)
                    .local_get(result)
                    .i32_load8_u(at(MODEL, presence))
                    .i32_store8(at(self.driver_memory, column.presence));
            }
            if field.ty == ValueType::String {
                self.lift_string(code, string, (row, result, cursor), field, column);
            } else {
                place(code, row, &field.ty);
                code.local_get(result);
                load_result(code, &field.ty, field.value);
                self.store_output(code, &field.ty, column);
            }
        }
    }

    /// Copies a string, if it is there, and stores where it is; an absent one has length 0. One over the limit fails
    /// the row before a byte of it is copied.
    fn lift_string(
        &self,
        code: &mut InstructionSink<'_>,
        [address, length]: [u32; 2],
        (row, result, cursor): (u32, u32, u32),
        field: &Field,
        column: &Column,
    ) {
        let driver = self.driver_memory;
        code.i32_const(0).local_set(length);
        if let Some(presence) = field.presence {
            code.local_get(result).i32_load8_u(at(MODEL, presence));
            code.i32_const(1).i32_eq().if_(BlockType::Empty);
        }
        for (offset, local) in [(0, address), (4, length)] {
            code.local_get(result)
                .i32_load(at(MODEL, field.value + offset))
                .local_set(local);
        }
        code.local_get(length)
            .i32_const(bits(self.output_string_bytes_max))
            .i32_gt_u();
        Self::trap_if(code);
        self.check_length(code, address, length);
        code.local_get(cursor).local_get(address).local_get(length);
        code.memory_copy(driver, MODEL);
        if field.presence.is_some() {
            code.end();
        }
        place(code, row, &field.ty);
        code.local_get(cursor).i32_store(at(driver, column.values));
        place(code, row, &field.ty);
        code.local_get(length)
            .i32_store(at(driver, column.values + 4));
        code.local_get(cursor)
            .local_get(length)
            .i32_add()
            .local_set(cursor);
    }

    /// Stores a value from the stack, over the place below it, into a column.
    fn store_output(&self, code: &mut InstructionSink<'_>, ty: &ValueType, column: &Column) {
        let to = at(self.driver_memory, column.values);
        match ty {
            // Any bit makes a bool true, not only those that fit a byte.
            ValueType::Bool => code.i32_eqz().i32_eqz().i32_store8(to),
            ValueType::S8 | ValueType::U8 => code.i32_store8(to),
            ValueType::S16 | ValueType::U16 => code.i32_store16(to),
            ValueType::S32 | ValueType::U32 | ValueType::Enum(_) | ValueType::String => {
                code.i32_store(to)
            }
            ValueType::S64 | ValueType::U64 => code.i64_store(to),
            ValueType::F32 => code.f32_store(to),
            ValueType::F64 => code.f64_store(to),
        };
    }
}

/// Pushes a row's place in a column, relative to its beginning.
fn place(code: &mut InstructionSink<'_>, row: u32, ty: &ValueType) {
    code.local_get(row);
    let shift = output_width(ty).trailing_zeros();
    if shift > 0 {
        code.i32_const(bits(shift)).i32_shl();
    }
}

/// Loads a value of the result from the model's memory.
fn load_result(code: &mut InstructionSink<'_>, ty: &ValueType, offset: u32) {
    let from = at(MODEL, offset);
    let bytes = match ty {
        ValueType::Enum(domain) => discriminant_bytes(domain.cases.len()),
        other => output_width(other) as u32,
    };
    match (flat_type(ty), bytes) {
        (ValType::I64, _) => code.i64_load(from),
        (ValType::F32, _) => code.f32_load(from),
        (ValType::F64, _) => code.f64_load(from),
        (_, 1) => code.i32_load8_u(from),
        (_, 2) => code.i32_load16_u(from),
        (_, _) => code.i32_load(from),
    };
}

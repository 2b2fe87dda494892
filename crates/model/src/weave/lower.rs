//! From a row of the driver's columns to the arguments of `row`, as the canonical ABI passes them.

use wasm_encoder::{BlockType, InstructionSink, ValType};

use super::abi::{Field, discriminant_bytes};
use super::emit::{MODEL, at, bits};
use super::layout::{Column, input_width};
use super::plan::Plan;
use super::run::Locals;
use super::state::Places;
use crate::signature::{Grain, ValueType};

impl Plan {
    /// Pushes the arguments of the row, or the unit, in local `row`. Strings, and arguments passed in memory, are placed with the
    /// model's own allocator, in the order of the parameters.
    pub(super) fn lower(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        row: u32,
        places: Places,
    ) {
        if self.grain == Grain::Unit {
            return self.lower_unit(code, locals, row, places);
        }
        if self.spilled() {
            return self.lower_spilled(code, locals, row, places);
        }
        let fields = || self.inputs.fields.iter().zip(&self.layout.inputs);
        let mut strings = Vec::new();
        for (field, column) in fields().filter(|(field, _)| field.ty == ValueType::String) {
            strings.push(self.lower_string(code, locals, (row, places), field, column));
        }
        let mut strings = strings.into_iter();
        for (field, column) in fields() {
            if field.presence.is_some() {
                self.presence(code, row, column);
            }
            match field.ty {
                ValueType::String => {
                    for local in strings.next().into_iter().flatten() {
                        code.local_get(local);
                    }
                }
                _ => self.flat_value(code, row, field, column),
            }
        }
    }

    /// One value; zero where an optional one is absent, whatever the column holds there.
    fn flat_value(&self, code: &mut InstructionSink<'_>, row: u32, field: &Field, column: &Column) {
        self.load_input(code, row, &field.ty, column);
        if field.presence.is_some() {
            match flat_type(&field.ty) {
                ValType::I64 => code.i64_const(0),
                ValType::F32 => code.f32_const(0.0_f32.into()),
                ValType::F64 => code.f64_const(0.0_f64.into()),
                _ => code.i32_const(0),
            };
            self.presence(code, row, column);
            code.select();
        }
    }

    fn presence(&self, code: &mut InstructionSink<'_>, row: u32, column: &Column) {
        code.local_get(row)
            .i32_load8_u(at(self.driver_memory, column.presence));
    }

    /// Copies a string into the model's memory. The two locals then hold its address and length: zeros where it is
    /// absent.
    fn lower_string(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        (row, places): (u32, Places),
        field: &Field,
        column: &Column,
    ) -> [u32; 2] {
        let [address, length, source] = [(); 3].map(|()| locals.add(ValType::I32));
        // Locals keep their value from the row before.
        code.i32_const(0).local_set(address);
        code.i32_const(0).local_set(length);
        if field.presence.is_some() {
            self.presence(code, row, column);
            code.if_(BlockType::Empty);
        }
        for (offset, local) in [(0, source), (4, length)] {
            code.local_get(row).i32_const(2).i32_shl();
            code.i32_load(at(self.driver_memory, column.values + offset));
            code.local_set(local);
        }
        code.local_get(length)
            .local_get(source)
            .i32_sub()
            .local_set(length);
        self.allocate(code, locals, (address, length), 1, places);
        self.copy_string(code, address, source, length);
        if field.presence.is_some() {
            code.end();
        }
        [address, length]
    }

    /// Copies a string to where it was allocated. Short ones go through a register: the engine's call that copies takes
    /// longer than they do. Nothing but the string's own bytes changes.
    fn copy_string(&self, code: &mut InstructionSink<'_>, to: u32, from: u32, length: u32) {
        /// 0 to 15, one a lane.
        const LANES: i128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
        let (driver, register) = (self.driver_memory, 16);
        code.block(BlockType::Empty);
        code.local_get(length).i32_eqz().br_if(0);
        code.local_get(length).i32_const(2 * register).i32_gt_u();
        code.if_(BlockType::Empty);
        code.local_get(to).local_get(from).local_get(length);
        code.memory_copy(MODEL, driver).br(1).end();
        // Up to 32 bytes: the first sixteen and the last sixteen.
        code.local_get(length).i32_const(register).i32_gt_u();
        code.if_(BlockType::Empty);
        code.local_get(to).local_get(from);
        code.v128_load(at(driver, 0)).v128_store(at(MODEL, 0));
        for address in [to, from] {
            code.local_get(address).local_get(length).i32_add();
            code.i32_const(register).i32_sub();
        }
        code.v128_load(at(driver, 0)).v128_store(at(MODEL, 0));
        code.br(1).end();
        // Sixteen bytes may reach beyond the memory where the string itself does not.
        code.local_get(to).i64_extend_i32_u();
        code.i64_const(register.into()).i64_add();
        self.memory_bytes(code);
        code.i64_gt_u().if_(BlockType::Empty);
        code.local_get(to).local_get(from).local_get(length);
        code.memory_copy(MODEL, driver).br(1).end();
        // Behind the string goes what is there. It may be in the next line, which spills account for.
        code.local_get(to);
        code.local_get(from).v128_load(at(driver, 0));
        code.local_get(to).v128_load(at(MODEL, 0));
        code.local_get(length).i8x16_splat().v128_const(LANES);
        code.i8x16_gt_u().v128_bitselect();
        code.v128_store(at(MODEL, 0)).end();
    }

    /// Calls the model's allocator for as many bytes as a local says, checks what it returns, and marks the memory as
    /// written. What marks is written out here: a call would cost a short string as much as all the rest.
    fn allocate(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        (address, size): (u32, u32),
        align: u32,
        places: Places,
    ) {
        let Some(realloc) = self.realloc else {
            // The validator asks for an allocator wherever one is needed.
            code.unreachable();
            return;
        };
        code.i32_const(0).i32_const(0).i32_const(bits(align));
        code.local_get(size).call(realloc).local_set(address);
        Self::check_aligned(code, address, align);
        let [line, last, count] = [(); 3].map(|()| locals.add(ValType::I32));
        self.touching(code, (address, size), (line, last), |code| {
            self.marking(code, line, count, places);
        });
    }

    fn lower_spilled(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        row: u32,
        places: Places,
    ) {
        let [base, size] = [(); 2].map(|()| locals.add(ValType::I32));
        let extent = self.inputs.extent;
        code.i32_const(bits(extent.size)).local_set(size);
        self.allocate(code, locals, (base, size), extent.align, places);
        self.store_record(code, locals, base, (row, places));
        code.local_get(base);
    }

    /// Pushes the list of a unit's rows: where it is, and how many records it has. The list is allocated first, then the
    /// strings of one record after the other.
    fn lower_unit(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        unit: u32,
        places: Places,
    ) {
        let [base, size, at_record, item, end, count] = [(); 6].map(|()| locals.add(ValType::I32));
        let extent = self.inputs.extent;
        for (offset, local) in [(0, item), (4, end)] {
            code.local_get(unit).i32_const(2).i32_shl();
            code.i32_load(at(self.driver_memory, self.layout.units + offset));
            code.local_set(local);
        }
        code.local_get(end)
            .local_get(item)
            .i32_sub()
            .local_tee(count);
        // Rows of a unit and bytes of a record are limited: this does not wrap around.
        code.i32_const(bits(extent.size)).i32_mul().local_set(size);
        self.allocate(code, locals, (base, size), extent.align, places);
        code.local_get(base).local_set(at_record);
        code.loop_(BlockType::Empty);
        self.store_record(code, locals, at_record, (item, places));
        code.local_get(at_record)
            .i32_const(bits(extent.size))
            .i32_add()
            .local_set(at_record);
        code.local_get(item).i32_const(1).i32_add().local_tee(item);
        code.local_get(end).i32_lt_u().br_if(0).end();
        code.local_get(base).local_get(count);
    }

    /// Stores the row in local `row` as a record at the address in local `base`, which is allocated and marked.
    fn store_record(
        &self,
        code: &mut InstructionSink<'_>,
        locals: &mut Locals,
        base: u32,
        (row, places): (u32, Places),
    ) {
        for (field, column) in self.inputs.fields.iter().zip(&self.layout.inputs) {
            if let Some(presence) = field.presence {
                code.local_get(base);
                self.presence(code, row, column);
                code.i32_store8(at(MODEL, presence));
                self.presence(code, row, column);
                code.if_(BlockType::Empty);
            }
            if field.ty == ValueType::String {
                let present = Field {
                    presence: None,
                    ..field.clone()
                };
                let string = self.lower_string(code, locals, (row, places), &present, column);
                for (offset, local) in [0, 4].into_iter().zip(string) {
                    code.local_get(base).local_get(local);
                    code.i32_store(at(MODEL, field.value + offset));
                }
            } else {
                code.local_get(base);
                self.load_input(code, row, &field.ty, column);
                store_argument(code, &field.ty, field.value);
            }
            if field.presence.is_some() {
                code.end();
            }
        }
    }

    /// Pushes a value of the driver's columns, widened to its type on the stack.
    fn load_input(
        &self,
        code: &mut InstructionSink<'_>,
        row: u32,
        ty: &ValueType,
        column: &Column,
    ) {
        code.local_get(row);
        let shift = input_width(ty).trailing_zeros();
        if shift > 0 {
            code.i32_const(bits(shift)).i32_shl();
        }
        let from = at(self.driver_memory, column.values);
        match ty {
            ValueType::Bool | ValueType::U8 => code.i32_load8_u(from),
            ValueType::S8 => code.i32_load8_s(from),
            ValueType::U16 => code.i32_load16_u(from),
            ValueType::S16 => code.i32_load16_s(from),
            ValueType::S32 | ValueType::U32 | ValueType::Enum(_) | ValueType::String => {
                code.i32_load(from)
            }
            ValueType::S64 | ValueType::U64 => code.i64_load(from),
            ValueType::F32 => code.f32_load(from),
            ValueType::F64 => code.f64_load(from),
        };
    }
}

/// Stores a value from the stack into the arguments in the model's memory.
fn store_argument(code: &mut InstructionSink<'_>, ty: &ValueType, offset: u32) {
    let to = at(MODEL, offset);
    let bytes = match ty {
        ValueType::Enum(domain) => discriminant_bytes(domain.cases.len()),
        other => input_width(other) as u32,
    };
    match (flat_type(ty), bytes) {
        (ValType::I64, _) => code.i64_store(to),
        (ValType::F32, _) => code.f32_store(to),
        (ValType::F64, _) => code.f64_store(to),
        (_, 1) => code.i32_store8(to),
        (_, 2) => code.i32_store16(to),
        (_, _) => code.i32_store(to),
    };
}

/// The type on the stack of a value that is no string.
pub(super) fn flat_type(ty: &ValueType) -> ValType {
    match ty {
        ValueType::S64 | ValueType::U64 => ValType::I64,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        _ => ValType::I32,
    }
}

//! The woven functions that keep the model's state: mark, touch, grow; reserve, commit, restore.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::emit::{MODEL, at, bits};
use super::layout::{DIRTY_COUNT, LINE_BITS, LINE_BYTES, SPILL_BYTES};
use super::plan::Plan;
use crate::limits::PAGE_BYTES;

impl Plan {
    /// `mark(line)`: the line is about to change and was not marked before. A line beyond the memory traps here, as the
    /// store itself would.
    pub(super) fn mark(&self) -> Function {
        let (line, other, count) = (0, 1, 2);
        let (driver, layout) = (self.driver_memory, &self.layout);
        let mut function = Function::new([(2, ValType::I32)]);
        let code = &mut function.instructions();
        code.local_get(line)
            .i32_const(bits(layout.lines))
            .i32_ge_u();
        Self::trap_if(code);
        self.save(code, line);
        code.local_get(line).i32_const(1).i32_add().local_tee(other);
        code.i32_const(bits(layout.lines))
            .i32_lt_u()
            .if_(BlockType::Empty);
        self.save(code, other);
        code.end();
        // The list first: a line in the list alone is copied for nothing, one in the map alone would never be restored.
        code.i32_const(0)
            .i32_load(at(driver, DIRTY_COUNT))
            .local_tee(count);
        code.i32_const(2).i32_shl().local_get(line);
        code.i32_store(at(driver, layout.list));
        code.i32_const(0)
            .local_get(count)
            .i32_const(1)
            .i32_add()
            .i32_store(at(driver, DIRTY_COUNT));
        code.local_get(line)
            .i32_const(1)
            .i32_store8(at(driver, layout.dirty));
        code.end();
        function
    }

    /// Copies a line into the image if it is not there yet.
    fn save(&self, code: &mut InstructionSink<'_>, line: u32) {
        let saved = at(self.driver_memory, self.layout.saved);
        code.local_get(line)
            .i32_load8_u(saved)
            .i32_eqz()
            .if_(BlockType::Empty);
        self.copy(code, (self.image_memory, MODEL), line, LINE_BYTES);
        code.local_get(line).i32_const(1).i32_store8(saved).end();
    }

    /// Copies from the beginning of a line, between memories `to` and `from`.
    fn copy(&self, code: &mut InstructionSink<'_>, (to, from): (u32, u32), line: u32, bytes: u32) {
        for _ in 0..2 {
            code.local_get(line).i32_const(LINE_BITS).i32_shl();
        }
        code.i32_const(bits(bytes)).memory_copy(to, from);
    }

    /// `touch(address, length)`: marks every line of a piece of memory, or traps if it is not all in the memory.
    pub(super) fn touch(&self) -> Function {
        let (address, length, line, last) = (0, 1, 2, 3);
        let mut function = Function::new([(2, ValType::I32)]);
        let code = &mut function.instructions();
        self.check_length(code, address, length);
        code.local_get(length).i32_eqz();
        code.if_(BlockType::Empty).return_().end();
        code.local_get(address).i32_const(LINE_BITS).i32_shr_u();
        code.local_set(line);
        code.local_get(address).local_get(length).i32_add();
        code.i32_const(1).i32_sub().i32_const(LINE_BITS).i32_shr_u();
        code.local_set(last);
        code.loop_(BlockType::Empty);
        code.local_get(line)
            .i32_load8_u(at(self.driver_memory, self.layout.dirty))
            .i32_eqz();
        code.if_(BlockType::Empty)
            .local_get(line)
            .call(self.functions.mark)
            .end();
        code.local_get(line).i32_const(1).i32_add().local_tee(line);
        code.local_get(last).i32_le_u().br_if(0).end();
        code.end();
        function
    }

    /// `grow(pages) -> pages before, or -1`: what `memory.grow` does, on the virtual size.
    pub(super) fn grow(&self) -> Function {
        let (pages, before) = (0, 1);
        let mut function = Function::new([(1, ValType::I32)]);
        let code = &mut function.instructions();
        let pages_max = self.memory.map_or(0, |memory| memory.pages_max);
        self.memory_bytes(code);
        code.i64_const(16).i64_shr_u().i32_wrap_i64();
        code.local_set(before);
        code.i32_const(bits(pages_max as u32))
            .local_get(before)
            .i32_sub()
            .local_get(pages)
            .i32_lt_u();
        code.if_(BlockType::Empty).i32_const(-1).return_().end();
        if self.growing() {
            self.memory_bytes(code);
            code.local_get(pages).i64_extend_i32_u();
            code.i64_const(16).i64_shl().i64_add();
            code.global_set(self.size_global);
        }
        code.local_get(before).end();
        function
    }

    /// `reserve() -> whether the machine has room`: grows the real memory to its maximum.
    pub(super) fn reserve(&self) -> Function {
        let mut function = Function::new([]);
        let code = &mut function.instructions();
        match self.memory {
            Some(memory) if memory.growing => {
                code.i32_const(bits((memory.pages_max - memory.pages) as u32));
                code.memory_grow(MODEL).i32_const(-1).i32_ne();
            }
            _ => {
                code.i32_const(1);
            }
        }
        code.end();
        function
    }

    /// `commit()`: the state now is the one that every row begins with.
    pub(super) fn commit(&self) -> Function {
        let (count, line) = (0, 1);
        let mut function = Function::new([(2, ValType::I32)]);
        let code = &mut function.instructions();
        self.for_each_dirty(code, count, line, |code| {
            for next in [0, 1] {
                code.local_get(line)
                    .i32_const(0)
                    .i32_store8(at(self.driver_memory, self.layout.saved + next));
            }
        });
        for shadow in &self.shadows {
            code.global_get(shadow.global).global_set(shadow.shadow);
        }
        if self.growing() {
            code.global_get(self.size_global)
                .global_set(self.size_shadow);
        }
        code.end();
        function
    }

    /// `restore()`: everything is as it was at `commit`.
    pub(super) fn restore(&self) -> Function {
        let mut function = Function::new([(2, ValType::I32)]);
        let code = &mut function.instructions();
        self.restoring(code, 0, 1);
        code.end();
        function
    }

    /// The code that restores, with two locals to use.
    pub(super) fn restoring(&self, code: &mut InstructionSink<'_>, count: u32, line: u32) {
        for shadow in &self.shadows {
            code.global_get(shadow.shadow).global_set(shadow.global);
        }
        if self.growing() {
            code.global_get(self.size_shadow)
                .global_set(self.size_global);
        }
        self.for_each_dirty(code, count, line, |code| {
            code.local_get(line)
                .i32_const(bits(self.layout.lines.wrapping_sub(1)))
                .i32_eq();
            code.if_(BlockType::Empty);
            self.copy(code, (MODEL, self.image_memory), line, LINE_BYTES);
            code.else_();
            let bytes = LINE_BYTES + SPILL_BYTES;
            self.copy(code, (MODEL, self.image_memory), line, bytes);
            code.end();
        });
    }

    /// Takes the dirty lines off the list, last first, each after `then` has dealt with it.
    fn for_each_dirty(
        &self,
        code: &mut InstructionSink<'_>,
        count: u32,
        line: u32,
        then: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        if !self.tracked() {
            return;
        }
        let driver = self.driver_memory;
        code.i32_const(0)
            .i32_load(at(driver, DIRTY_COUNT))
            .local_set(count);
        code.block(BlockType::Empty)
            .loop_(BlockType::Empty)
            .local_get(count)
            .i32_eqz()
            .br_if(1);
        code.local_get(count)
            .i32_const(1)
            .i32_sub()
            .local_tee(count)
            .i32_const(2)
            .i32_shl();
        code.i32_load(at(driver, self.layout.list)).local_set(line);
        then(code);
        code.local_get(line)
            .i32_const(0)
            .i32_store8(at(driver, self.layout.dirty));
        code.i32_const(0)
            .local_get(count)
            .i32_store(at(driver, DIRTY_COUNT));
        code.br(0).end().end();
    }

    /// Bytes of the memory at the start, as the first value of the virtual size.
    pub(super) fn initial_bytes(&self) -> i64 {
        self.memory
            .map_or(0, |memory| (memory.pages * PAGE_BYTES).cast_signed())
    }
}

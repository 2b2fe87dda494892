//! The woven functions that keep the model's state: mark, touch, grow; reserve, commit, restore.

use wasm_encoder::{BlockType, Function, InstructionSink, ValType};

use super::emit::{MODEL, at, bits};
use super::flows::PIECE_BYTES;
use super::layout::{DIRTY_COUNT, LINE_BITS, LINE_BYTES, SPILL_BYTES};
use super::plan::Plan;
use crate::limits::PAGE_BYTES;

/// Locals for the addresses that a line is copied by.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// Of its entry in the log.
    pub(super) held: u32,
    /// Of the line itself.
    pub(super) start: u32,
    /// Of what may spill over it.
    pub(super) spill: u32,
}

impl From<u32> for Places {
    /// Three locals from one on.
    fn from(first: u32) -> Self {
        let [held, start, spill] = [first, first + 1, first + 2];
        Self { held, start, spill }
    }
}

impl Plan {
    /// `mark(line)`: the line is about to change and was not marked before. A line beyond the memory traps here, as the
    /// store itself would.
    ///
    /// It does the same whatever rows before have done, and so costs the same fuel.
    pub(super) fn mark(&self) -> Function {
        let (line, count) = (0, 1);
        let mut function = Function::new([(4, ValType::I32)]);
        let code = &mut function.instructions();
        code.local_get(line)
            .i32_const(bits(self.layout.lines))
            .i32_ge_u();
        Self::trap_if(code);
        self.marking(code, line, count, Places::from(2));
        code.end();
        function
    }

    /// The code that marks a line within the memory, with locals to use.
    pub(super) fn marking(
        &self,
        code: &mut InstructionSink<'_>,
        line: u32,
        count: u32,
        places: Places,
    ) {
        let (driver, layout) = (self.driver_memory, &self.layout);
        code.i32_const(0)
            .i32_load(at(driver, DIRTY_COUNT))
            .local_set(count);
        self.log_entry(code, count);
        code.local_set(places.held);
        self.copy(code, line, places, true);
        // From here nothing traps: a line that changes is in the log, in the list and in the map.
        code.local_get(count)
            .i32_const(2)
            .i32_shl()
            .local_get(line)
            .i32_store(at(driver, layout.list));
        code.i32_const(0)
            .local_get(count)
            .i32_const(1)
            .i32_add()
            .i32_store(at(driver, DIRTY_COUNT));
        code.local_get(line)
            .i32_const(1)
            .i32_store8(at(driver, layout.dirty));
    }

    /// Copies a line, and what may spill over it, between the memory and the log: into the log where `save`. Sixteen bytes
    /// at a time, which needs no check of bounds, and without a branch: behind the last line there is nothing, and its own
    /// last bytes are copied once more instead.
    fn copy(&self, code: &mut InstructionSink<'_>, line: u32, places: Places, save: bool) {
        let Places { held, start, spill } = places;
        let (driver, piece) = (self.driver_memory, SPILL_BYTES);
        let bytes = self.layout.lines.wrapping_mul(LINE_BYTES);
        code.local_get(line)
            .i32_const(LINE_BITS)
            .i32_shl()
            .local_tee(start);
        code.i32_const(bits(LINE_BYTES)).i32_add().local_tee(spill);
        code.i32_const(bits(bytes.wrapping_sub(piece)));
        code.local_get(spill).i32_const(bits(bytes)).i32_lt_u();
        code.select().local_set(spill);
        let mut one = |address: u32, offset: u32, entry: u32| {
            let (kept, found) = ((held, at(driver, entry)), (address, at(MODEL, offset)));
            let (to, from) = if save { (kept, found) } else { (found, kept) };
            code.local_get(to.0).local_get(from.0);
            code.v128_load(from.1).v128_store(to.1);
        };
        one(spill, 0, LINE_BYTES);
        for offset in (0..LINE_BYTES).step_by(piece as usize) {
            one(start, offset, offset);
        }
    }

    /// Pushes the address of an entry of the log.
    fn log_entry(&self, code: &mut InstructionSink<'_>, entry: u32) {
        code.local_get(entry)
            .i32_const(bits(LINE_BYTES + SPILL_BYTES))
            .i32_mul()
            .i32_const(bits(self.layout.log))
            .i32_add();
    }

    /// `touch(address, length)`: marks every line of a piece of memory, or traps if it is not all in the memory.
    pub(super) fn touch(&self) -> Function {
        let (address, length, line, last) = (0, 1, 2, 3);
        let mut function = Function::new([(2, ValType::I32)]);
        let code = &mut function.instructions();
        self.touching(code, (address, length), (line, last), |code| {
            code.local_get(line).call(self.functions.mark);
        });
        code.end();
        function
    }

    /// The code that touches a piece of memory, with two locals to use. `mark` marks the line in the first of them.
    pub(super) fn touching(
        &self,
        code: &mut InstructionSink<'_>,
        (address, length): (u32, u32),
        (line, last): (u32, u32),
        mark: impl FnOnce(&mut InstructionSink<'_>),
    ) {
        self.check_length(code, address, length);
        code.local_get(length).if_(BlockType::Empty);
        code.local_get(address).i32_const(LINE_BITS).i32_shr_u();
        code.local_set(line);
        code.local_get(address).local_get(length).i32_add();
        code.i32_const(1).i32_sub().i32_const(LINE_BITS).i32_shr_u();
        code.local_set(last);
        code.loop_(BlockType::Empty);
        code.local_get(line)
            .i32_load8_u(at(self.driver_memory, self.layout.dirty))
            .i32_eqz();
        code.if_(BlockType::Empty);
        mark(code);
        code.end();
        code.local_get(line).i32_const(1).i32_add().local_tee(line);
        code.local_get(last).i32_le_u().br_if(0).end();
        code.end();
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
        self.for_each_dirty(code, count, line, |_| {});
        self.copy_pieces(code, |piece, kept| {
            [(self.driver_memory, kept), (MODEL, piece)]
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
        let mut function = Function::new([(5, ValType::I32)]);
        let code = &mut function.instructions();
        self.restoring(code, 0, 1, Places::from(2));
        code.end();
        function
    }

    /// The code that restores, with locals to use.
    pub(super) fn restoring(
        &self,
        code: &mut InstructionSink<'_>,
        count: u32,
        line: u32,
        places: Places,
    ) {
        for shadow in &self.shadows {
            code.global_get(shadow.shadow).global_set(shadow.global);
        }
        if self.growing() {
            code.global_get(self.size_shadow)
                .global_set(self.size_global);
        }
        self.for_each_dirty(code, count, line, |code| {
            self.log_entry(code, count);
            code.local_set(places.held);
            self.copy(code, line, places, false);
        });
        // After the lines: what a line held when it was marked may have been changed by then, where it is in a piece.
        self.copy_pieces(code, |piece, kept| {
            [(MODEL, piece), (self.driver_memory, kept)]
        });
    }

    /// Copies each piece between the model's memory and where it is kept. `places` says to where and from where, given
    /// both addresses.
    fn copy_pieces(
        &self,
        code: &mut InstructionSink<'_>,
        places: impl Fn(u32, u32) -> [(u32, u32); 2],
    ) {
        for (position, piece) in (0_u32..).zip(&self.flows.pieces) {
            // Pieces lie in a memory with 32-bit addresses.
            let piece = (piece * PIECE_BYTES) as u32;
            let kept = self.layout.pieces + position * PIECE_BYTES as u32;
            let [to, from] = places(piece, kept);
            code.i32_const(0).i32_const(0);
            code.v128_load(at(from.0, from.1));
            code.v128_store(at(to.0, to.1));
        }
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

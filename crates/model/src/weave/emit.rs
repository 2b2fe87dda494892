//! Small pieces of code that several of the woven functions share.

use wasm_encoder::{BlockType, InstructionSink, MemArg};

use super::layout::LINE_BITS;
use super::plan::Plan;
use crate::limits::PAGE_BYTES;

/// The model's memory.
pub(super) const MODEL: u32 = 0;

/// A memory operand. Alignment is a hint, and none is claimed.
pub(super) fn at(memory: u32, offset: u32) -> MemArg {
    MemArg {
        offset: u64::from(offset),
        align: 0,
        memory_index: memory,
    }
}

/// A `u32` as the operand of `i32.const`.
pub(super) fn bits(value: u32) -> i32 {
    value.cast_signed()
}

impl Plan {
    /// Traps if the `i32` on the stack is not zero.
    pub(super) fn trap_if(code: &mut InstructionSink<'_>) {
        code.if_(BlockType::Empty).unreachable().end();
    }

    /// Pushes the size of the model's memory in bytes, as `i64`.
    pub(super) fn memory_bytes(&self, code: &mut InstructionSink<'_>) {
        match self.memory {
            Some(memory) if memory.growing => code.global_get(self.size_global),
            Some(memory) => code.i64_const((memory.pages * PAGE_BYTES).cast_signed()),
            None => code.i64_const(0),
        };
    }

    /// Traps unless `bytes` bytes from the address in a local, plus a constant, are in the model's memory.
    pub(super) fn check_constant(&self, code: &mut InstructionSink<'_>, address: u32, bytes: u64) {
        code.local_get(address).i64_extend_i32_u();
        code.i64_const(bytes.cast_signed()).i64_add();
        self.memory_bytes(code);
        code.i64_gt_u();
        Self::trap_if(code);
    }

    /// Traps unless as many bytes as one local says, from the address in another, are in the model's memory.
    pub(super) fn check_length(&self, code: &mut InstructionSink<'_>, address: u32, length: u32) {
        code.local_get(address).i64_extend_i32_u();
        code.local_get(length).i64_extend_i32_u().i64_add();
        self.memory_bytes(code);
        code.i64_gt_u();
        Self::trap_if(code);
    }

    /// Traps unless the address in a local is a multiple of a power of two.
    pub(super) fn check_aligned(code: &mut InstructionSink<'_>, address: u32, align: u32) {
        if align > 1 {
            code.local_get(address).i32_const(bits(align - 1)).i32_and();
            Self::trap_if(code);
        }
    }

    /// Marks the line that a store to the address in a local, plus a constant, begins in. Where the sum wraps around,
    /// some other line is marked, which does no harm, and the store itself traps.
    pub(super) fn mark_line(&self, code: &mut InstructionSink<'_>, address: u32, offset: u32) {
        let line = |code: &mut InstructionSink<'_>| {
            code.local_get(address);
            if offset != 0 {
                code.i32_const(bits(offset)).i32_add();
            }
            code.i32_const(LINE_BITS).i32_shr_u();
        };
        line(code);
        code.i32_load8_u(at(self.driver_memory, self.layout.dirty))
            .i32_eqz()
            .if_(BlockType::Empty);
        line(code);
        code.call(self.functions.mark).end();
    }
}

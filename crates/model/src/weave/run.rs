//! The woven function that answers rows.

use wasm_encoder::{BlockType, Function, ValType};

use super::emit::{at, bits};
use super::layout::PROGRESS;
use super::plan::Plan;
use super::state::Places;
use crate::signature::ValueType;

/// Locals of a function while it is written.
pub(super) struct Locals {
    params: u32,
    types: Vec<ValType>,
}

impl Locals {
    pub(super) fn add(&mut self, ty: ValType) -> u32 {
        let local = self.params + self.types.len() as u32;
        self.types.push(ty);
        local
    }
}

impl Plan {
    /// `run(first, end)`: answers the rows from `first` until before `end`, or until strings may not fit any more. How
    /// far it came is in the header, and rows before that are complete: answered, and everything restored.
    ///
    /// The host puts `first` into the header before the call. Fuel is checked at the loop's head, after the row before
    /// has been counted; so whether a row is complete depends on that row and on the fuel it began with, nothing else.
    pub(super) fn run(&self) -> Function {
        let (row, end) = (0, 1);
        let mut locals = Locals {
            params: 2,
            types: Vec::new(),
        };
        let [cursor, count, line, first] = [(); 4].map(|()| locals.add(ValType::I32));
        let places = Places::from(first);
        for _ in [places.start, places.spill] {
            locals.add(ValType::I32);
        }
        let result = locals.add(self.result_type());
        let mut body = Vec::new();
        let mut sink = wasm_encoder::InstructionSink::new(&mut body);
        let code = &mut sink;
        code.i32_const(bits(self.layout.output_strings))
            .local_set(cursor);
        code.block(BlockType::Empty).loop_(BlockType::Empty);
        code.local_get(row).local_get(end).i32_ge_u().br_if(1);
        let mut fields = self.outputs.fields.iter();
        if fields.any(|field| field.ty == ValueType::String) {
            code.local_get(cursor)
                .i32_const(bits(self.layout.output_strings_full))
                .i32_gt_u()
                .br_if(1);
        }
        code.local_get(row)
            .i32_load8_u(at(self.driver_memory, self.layout.skip))
            .i32_eqz()
            .if_(BlockType::Empty);
        self.lower(code, &mut locals, row, places);
        code.call(self.row).local_set(result);
        self.lift(code, &mut locals, (row, result, cursor));
        if let Some(post_return) = self.post_return {
            code.local_get(result).call(post_return);
        }
        self.restoring(code, count, line, places);
        code.end();
        code.local_get(row).i32_const(1).i32_add().local_set(row);
        code.i32_const(0)
            .local_get(row)
            .i32_store(at(self.driver_memory, PROGRESS));
        code.br(0).end().end().end();
        let mut function = Function::new(locals.types.iter().map(|ty| (1, *ty)));
        function.raw(body);
        function
    }
}

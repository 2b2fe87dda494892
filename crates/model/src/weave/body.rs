//! A function of the model with its memory instructions guarded. All others are copied byte by byte: no index changes.

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{Function, InstructionSink, ValType};
use wasmparser::{BinaryReaderError, FunctionBody, Operator};

use super::access::Access;
use super::plan::Plan;
use crate::core::{scalar, vector};
use crate::nan::{NAN_F32, NAN_F64};

/// Locals added to a function, each made when it is first needed.
struct Scratch {
    next: u32,
    made: Vec<((ValType, u8), u32)>,
}

impl Scratch {
    /// The scratch local of a type; `which` tells apart several of one type.
    fn local(&mut self, ty: ValType, which: u8) -> u32 {
        if let Some((_, local)) = self.made.iter().find(|(key, _)| *key == (ty, which)) {
            return *local;
        }
        let local = self.next;
        self.next += 1;
        self.made.push(((ty, which), local));
        local
    }
}

impl Plan {
    /// Guards one function. `params` is the number of its parameters.
    pub(super) fn body(
        &self,
        body: &FunctionBody<'_>,
        function: usize,
        params: usize,
    ) -> Result<Function, BinaryReaderError> {
        let mut locals = Vec::new();
        let mut count = u32::try_from(params).unwrap_or(u32::MAX);
        for group in body.get_locals_reader()? {
            let (number, ty) = group?;
            count = count.saturating_add(number);
            locals.push((number, val_type(ty)));
        }
        let mut scratch = Scratch {
            next: count,
            made: Vec::new(),
        };
        let code = self.operators(body, function, &mut scratch)?;
        locals.extend(scratch.made.iter().map(|((ty, _), _)| (1, *ty)));
        let mut function = Function::new(locals);
        function.raw(code);
        Ok(function)
    }

    fn operators(
        &self,
        body: &FunctionBody<'_>,
        function: usize,
        scratch: &mut Scratch,
    ) -> Result<Vec<u8>, BinaryReaderError> {
        let bytes = body.as_bytes();
        let start = body.range().start;
        let mut reader = body.get_operators_reader()?;
        let mut code = Vec::with_capacity(2 * bytes.len());
        let mut position = 0;
        while !reader.eof() {
            let from = reader.original_position() - start;
            let operator = reader.read()?;
            let to = reader.original_position() - start;
            let original = bytes.get(from..to).unwrap_or_default();
            let mut sink = InstructionSink::new(&mut code);
            if self.flows.is_fixed(function, position) {
                code.extend_from_slice(original);
            } else if !self.replace(&operator, &mut sink, scratch) {
                code.extend_from_slice(original);
                let told = || self.flows.is_told(function, position);
                canonical(
                    &operator,
                    told,
                    &mut InstructionSink::new(&mut code),
                    scratch,
                );
            }
            position += 1;
        }
        Ok(code)
    }

    /// Writes what guards an instruction, or replaces it. Returns whether it is replaced.
    fn replace(
        &self,
        operator: &Operator<'_>,
        code: &mut InstructionSink<'_>,
        scratch: &mut Scratch,
    ) -> bool {
        match operator {
            Operator::MemoryGrow { .. } => {
                code.call(self.functions.grow);
                return true;
            }
            Operator::MemorySize { .. } if self.growing() => {
                self.virtual_pages(code);
                return true;
            }
            Operator::MemoryFill { .. } | Operator::MemoryInit { .. } => {
                self.guard_bulk(code, scratch, false);
            }
            Operator::MemoryCopy { .. } => self.guard_bulk(code, scratch, true),
            operator => {
                if let Some(access) = Access::of(operator) {
                    self.guard_access(access, code, scratch);
                }
            }
        }
        false
    }

    fn guard_access(&self, access: Access, code: &mut InstructionSink<'_>, scratch: &mut Scratch) {
        let tracked = access.is_store() && self.tracked();
        if !tracked && !self.growing() {
            return;
        }
        let operand = access.operand.map(|ty| scratch.local(ty, 1));
        let address = scratch.local(ValType::I32, 0);
        if let Some(operand) = operand {
            code.local_set(operand);
        }
        code.local_set(address);
        if self.growing() {
            self.check_constant(code, address, access.offset + u64::from(access.bytes));
        }
        if tracked {
            // 32-bit memories have 32-bit offsets.
            self.mark_line(code, address, access.offset as u32);
        }
        code.local_get(address);
        if let Some(operand) = operand {
            code.local_get(operand);
        }
    }

    /// For `destination, x, length`: marks the destination, and checks a source in the same memory.
    fn guard_bulk(&self, code: &mut InstructionSink<'_>, scratch: &mut Scratch, source: bool) {
        let [destination, other, length] =
            [0, 1, 2].map(|which| scratch.local(ValType::I32, which));
        code.local_set(length)
            .local_set(other)
            .local_set(destination);
        code.local_get(destination).local_get(length);
        code.call(self.functions.touch);
        if source && self.growing() {
            self.check_length(code, other, length);
        }
        code.local_get(destination)
            .local_get(other)
            .local_get(length);
    }

    fn virtual_pages(&self, code: &mut InstructionSink<'_>) {
        self.memory_bytes(code);
        code.i64_const(16).i64_shr_u().i32_wrap_i64();
    }
}

/// Behind arithmetic: replaces a NaN by the canonical one, always in vectors, and of scalars where it is told.
fn canonical(
    operator: &Operator<'_>,
    told: impl Fn() -> bool,
    code: &mut InstructionSink<'_>,
    scratch: &mut Scratch,
) {
    match (scalar(operator), vector(operator)) {
        (Some(bits), _) if told() => {
            let ty = if bits == 32 {
                ValType::F32
            } else {
                ValType::F64
            };
            let result = scratch.local(ty, 2);
            code.local_tee(result);
            match bits {
                32 => code.f32_const(NAN_F32.into()),
                _ => code.f64_const(NAN_F64.into()),
            };
            code.local_get(result).local_get(result);
            match bits {
                32 => code.f32_eq().select(),
                _ => code.f64_eq().select(),
            };
        }
        (_, Some(bits)) => {
            let result = scratch.local(ValType::V128, 2);
            code.local_tee(result);
            code.v128_const(canonical_lanes(bits));
            code.local_get(result).local_get(result);
            match bits {
                32 => code.f32x4_eq().v128_bitselect(),
                _ => code.f64x2_eq().v128_bitselect(),
            };
        }
        _ => {}
    }
}

/// The canonical NaN in every lane.
fn canonical_lanes(bits: u32) -> i128 {
    let lane = match bits {
        32 => u128::from(NAN_F32.to_bits()) * 0x1_0000_0001,
        _ => u128::from(NAN_F64.to_bits()),
    };
    (lane | lane << 64).cast_signed()
}

fn val_type(ty: wasmparser::ValType) -> ValType {
    // Admission allows numbers, vectors and the two reference types, all of which have a counterpart.
    RoundtripReencoder.val_type(ty).unwrap_or(ValType::I32)
}

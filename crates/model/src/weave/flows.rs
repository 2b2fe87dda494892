//! What the analysis of each function's values decides about the weaving: which results are made canonical, and which
//! bytes of memory are set back after every row without asking whether they changed.

use std::collections::BTreeSet;

use wasmparser::{BinaryReaderError, Operator};

use crate::admit::Parts;
use crate::core::{CoreModule, Flow};
use crate::limits::PAGE_BYTES;

/// Bytes that are set back together, at a multiple of as many.
pub(super) const PIECE_BYTES: u64 = 16;
/// Pieces set back after every row. Each costs a load and a store, whether or not the row wrote there; saving and
/// setting back a line costs about ten times as much.
pub(super) const PIECES_MAX: usize = 16;

/// What is known of all functions of a module.
pub(super) struct Flows {
    /// By function; none where a function could not be followed.
    functions: Vec<Option<Flow>>,
    /// Numbers of the pieces of memory that are set back after every row.
    pub(super) pieces: BTreeSet<u64>,
    /// Stores into those pieces alone.
    fixed: usize,
}

impl Flows {
    pub(super) fn of(module: &CoreModule<'_>, parts: &Parts) -> Result<Self, BinaryReaderError> {
        let driven = result_is_loose(module, parts)?.then(|| module.function(&parts.row));
        let mut functions = Vec::with_capacity(module.bodies.len());
        for (function, body) in module.bodies.iter().enumerate() {
            let function = function as u32;
            let loose = driven.flatten() == Some(function);
            functions.push(Flow::of(module, function, body, loose)?);
        }
        let memory_bytes = module
            .memory
            .map_or(0, |memory| memory.initial * PAGE_BYTES);
        let mut flows = Self {
            functions,
            pieces: BTreeSet::new(),
            fixed: 0,
        };
        flows.choose_pieces(memory_bytes);
        Ok(flows)
    }

    /// The first pieces that stores with a fixed address lie in, as far as there may be so many, all in the memory as
    /// it is at the start.
    fn choose_pieces(&mut self, memory_bytes: u64) {
        let stores = self.functions.iter().flatten();
        let stores = stores.flat_map(|flow| flow.fixed_stores.values());
        let stores: BTreeSet<(u64, u32)> = stores.copied().collect();
        for (address, bytes) in stores {
            let last = address + u64::from(bytes) - 1;
            let pieces = address / PIECE_BYTES..=last / PIECE_BYTES;
            let new = pieces.clone().filter(|piece| !self.pieces.contains(piece));
            if last < memory_bytes && self.pieces.len() + new.count() <= PIECES_MAX {
                self.pieces.extend(pieces);
            }
        }
        let functions = self.functions.iter().flatten();
        self.fixed = functions
            .flat_map(|flow| flow.fixed_stores.values())
            .filter(|store| self.contains(store))
            .count();
    }

    fn contains(&self, (address, bytes): &(u64, u32)) -> bool {
        let last = address + u64::from(*bytes) - 1;
        (address / PIECE_BYTES..=last / PIECE_BYTES).all(|piece| self.pieces.contains(&piece))
    }

    /// Number of stores that lie in the pieces.
    pub(super) fn fixed(&self) -> usize {
        self.fixed
    }

    /// Whether an instruction is a store into the pieces alone.
    pub(super) fn is_fixed(&self, function: usize, position: usize) -> bool {
        let flow = self.functions.get(function).and_then(Option::as_ref);
        flow.and_then(|flow| flow.fixed_stores.get(&position))
            .is_some_and(|store| self.contains(store))
    }

    /// Whether the result of scalar arithmetic has to be made canonical.
    pub(super) fn is_told(&self, function: usize, position: usize) -> bool {
        match self.functions.get(function) {
            Some(Some(flow)) => flow.canonical.contains(&position),
            _ => true,
        }
    }
}

/// Whether nobody but the driver gets the result of `row` as it is: no code calls it, directly or through a table, and
/// no post-return is given it.
fn result_is_loose(module: &CoreModule<'_>, parts: &Parts) -> Result<bool, BinaryReaderError> {
    let Some(row) = module.function(&parts.row) else {
        return Ok(false);
    };
    if parts.post_return.is_some()
        || parts
            .realloc
            .as_deref()
            .and_then(|name| module.function(name))
            == Some(row)
    {
        return Ok(false);
    }
    for body in &module.bodies {
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Call { function_index } if function_index == row => return Ok(false),
                Operator::CallIndirect { .. } => return Ok(false),
                _ => {}
            }
        }
    }
    Ok(module.start != Some(row))
}

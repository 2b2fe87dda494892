//! What a module's code can change.

use std::collections::BTreeSet;

use wasmparser::{BinaryReaderError, Operator};

use super::CoreModule;
use crate::weave::Access;

/// State that some instruction of the module can change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    /// Number of instructions that store into memory at an address.
    pub(crate) stores: usize,
    /// Whether memory is filled or copied.
    pub(crate) bulk: bool,
    /// Memory size.
    pub(crate) size: bool,
    /// Globals that are written.
    pub(crate) globals: BTreeSet<u32>,
    /// Tables, or segments that are dropped: what cannot be set back from within.
    pub(crate) tables_or_segments: bool,
}

impl Effects {
    pub(crate) fn of(module: &CoreModule<'_>) -> Result<Self, BinaryReaderError> {
        let mut effects = Self::default();
        for body in &module.bodies {
            let mut reader = body.get_operators_reader()?;
            while !reader.eof() {
                effects.note(&reader.read()?);
            }
        }
        Ok(effects)
    }

    /// These are all instructions with an effect that the features allowed by admission have: WebAssembly 2.0 has state
    /// nowhere else than in memories, globals, tables and segments.
    fn note(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::GlobalSet { global_index } => {
                self.globals.insert(*global_index);
            }
            Operator::MemoryGrow { .. } => self.size = true,
            Operator::MemoryFill { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryInit { .. } => self.bulk = true,
            Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. } => self.tables_or_segments = true,
            operator => {
                let store = Access::of(operator).is_some_and(|access| access.is_store());
                self.stores += usize::from(store);
            }
        }
    }
}

//! The whole state of an instance as its first row found it, kept on the host's side for comparison.

use wasmtime::{Global, Memory, Store, Val};

use crate::error::ModelError;

/// A copy of the model's memory and of every global that rows may write.
pub(super) struct Pristine {
    memory: Vec<u8>,
    globals: Vec<Bits>,
}

/// A global's value as far as it can be compared. Of a reference only whether it is null: functions have no identity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bits {
    Number(u128),
    Null(bool),
}

type State = (Option<Memory>, Vec<Global>);

impl Pristine {
    pub(super) fn of(store: &mut Store<()>, (memory, globals): &State) -> Self {
        Self {
            memory: memory.map_or_else(Vec::new, |memory| memory.data(&*store).to_vec()),
            globals: globals
                .iter()
                .map(|global| bits(global.get(&mut *store)))
                .collect(),
        }
    }

    /// Compares the state now with the copy.
    pub(super) fn compare(&self, store: &mut Store<()>, state: &State) -> Result<(), ModelError> {
        let (memory, globals) = state;
        let same = memory.is_none_or(|memory| memory.data(&*store) == self.memory)
            && globals
                .iter()
                .map(|global| bits(global.get(&mut *store)))
                .eq(self.globals.iter().copied());
        match same {
            true => Ok(()),
            false => Err(ModelError::Runtime {
                what: "a model's state that was not restored after a row",
            }),
        }
    }
}

fn bits(value: Val) -> Bits {
    match value {
        Val::I32(value) => Bits::Number(u128::from(value.cast_unsigned())),
        Val::I64(value) => Bits::Number(u128::from(value.cast_unsigned())),
        Val::F32(bits) => Bits::Number(u128::from(bits)),
        Val::F64(bits) => Bits::Number(u128::from(bits)),
        Val::V128(value) => Bits::Number(value.as_u128()),
        Val::FuncRef(reference) => Bits::Null(reference.is_none()),
        Val::ExternRef(reference) => Bits::Null(reference.is_none()),
        _ => Bits::Null(false),
    }
}

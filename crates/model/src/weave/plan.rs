//! What to weave into a module, and the indices of all that is added.

use wasm_encoder::ValType;
use wasm_encoder::reencode::{Reencode, RoundtripReencoder};

use super::abi::{FLAT_PARAMS_MAX, Record};
use super::flows::Flows;
use super::layout::Layout;
use crate::admit::Parts;
use crate::core::{CoreModule, Effects};
use crate::limits::{Limits, PAGE_BYTES};
use crate::signature::{Grain, Signature, ValueType};

/// The model's memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Pages at the start.
    pub(super) pages: u64,
    /// Pages it may grow to.
    pub(super) pages_max: u64,
    /// Whether its size can change.
    pub(super) growing: bool,
    /// Whether its contents can change elsewhere than in the pieces that are set back in any case.
    pub(super) tracked: bool,
}

/// A global that is written, and where its value at the beginning of a row is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    pub(super) global: u32,
    pub(super) shadow: u32,
    pub(super) ty: ValType,
}

/// Indices of added functions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    pub(super) mark: u32,
    pub(super) touch: u32,
    pub(super) grow: u32,
    pub(super) reserve: u32,
    pub(super) commit: u32,
    pub(super) restore: u32,
    pub(super) run: u32,
}

/// Functions added, in the order of [`Functions`].
pub(super) const FUNCTIONS: u32 = 7;

/// All decisions about one module.
pub(super) struct Plan {
    pub(super) memory: Option<Memory>,
    pub(super) driver_memory: u32,
    /// The virtual size in bytes, as `i64`; only where the memory is growing.
    pub(super) size_global: u32,
    pub(super) shadows: Vec<Shadow>,
    /// Shadow of `size_global`.
    pub(super) size_shadow: u32,
    pub(super) functions: Functions,
    /// The model's function.
    pub(super) row: u32,
    pub(super) grain: Grain,
    pub(super) realloc: Option<u32>,
    /// Whether the driver calls it.
    pub(super) allocates: bool,
    pub(super) post_return: Option<u32>,
    pub(super) inputs: Record,
    pub(super) outputs: Record,
    pub(super) layout: Layout,
    pub(super) output_string_bytes_max: u32,
    pub(super) flows: Flows,
}

impl Plan {
    /// Nothing when the module is not one to be woven.
    pub(super) fn new(
        module: &CoreModule<'_>,
        parts: &Parts,
        effects: &Effects,
        signature: &Signature,
        limits: &Limits,
    ) -> Option<Self> {
        let named = |name: &Option<String>| match name {
            Some(name) => module.function(name).map(Some),
            None => Some(None),
        };
        let inputs = Record::of_inputs(&signature.inputs);
        let flows = Flows::of(module, parts).ok()?;
        let allocates = needs_memory(signature, &inputs);
        let tracked = effects.bulk || effects.stores > flows.fixed() || allocates;
        let memory = memory(module, effects, tracked, limits);
        let tracked = memory.filter(|memory| memory.tracked);
        let tracked_bytes = tracked.map_or(0, |memory| memory.pages_max * PAGE_BYTES);
        let shadows = shadows(module, effects)?;
        let size_global = u32::try_from(module.globals.len() + shadows.len()).ok()?;
        let driver_memory = u32::from(memory.is_some());
        Some(Self {
            memory,
            driver_memory,
            size_global,
            size_shadow: size_global + 1,
            shadows,
            functions: functions(u32::try_from(module.functions.len()).ok()?),
            row: module.function(&parts.row)?,
            grain: signature.grain(),
            realloc: named(&parts.realloc)?,
            allocates,
            post_return: named(&parts.post_return)?,
            inputs,
            outputs: Record::of_outputs(&signature.outputs),
            layout: Layout::new(signature, limits, tracked_bytes)?,
            output_string_bytes_max: u32::try_from(limits.string_output_bytes_max).ok()?,
            flows,
        })
    }

    /// Whether the memory's contents can change at addresses that are not known beforehand.
    pub(super) fn tracked(&self) -> bool {
        self.memory.is_some_and(|memory| memory.tracked)
    }

    /// Whether the memory's size can change.
    pub(super) fn growing(&self) -> bool {
        self.memory.is_some_and(|memory| memory.growing)
    }

    /// Whether parameters are passed in memory.
    pub(super) fn spilled(&self) -> bool {
        self.inputs.flat_values() > FLAT_PARAMS_MAX
    }
}

/// Functions of the module that the driver and the start of an instance call.
pub(crate) fn called(module: &CoreModule<'_>, parts: &Parts, signature: &Signature) -> Vec<u32> {
    let allocates = needs_memory(signature, &Record::of_inputs(&signature.inputs));
    let realloc = parts.realloc.as_deref().filter(|_| allocates);
    let names = [
        Some(parts.row.as_str()),
        parts.post_return.as_deref(),
        realloc,
    ];
    let functions = names.into_iter().flatten();
    functions
        .filter_map(|name| module.function(name))
        .chain(module.start)
        .collect()
}

/// Whether the driver itself writes into the model's memory, which takes the model's allocator.
fn needs_memory(signature: &Signature, inputs: &Record) -> bool {
    if signature.grain() == Grain::Unit {
        return true;
    }
    let mut types = signature.inputs.iter().map(|input| &input.ty);
    inputs.flat_values() > FLAT_PARAMS_MAX || types.any(|ty| *ty == ValueType::String)
}

fn memory(
    module: &CoreModule<'_>,
    effects: &Effects,
    tracked: bool,
    limits: &Limits,
) -> Option<Memory> {
    let memory = module.memory?;
    let declared_max = memory.maximum.unwrap_or(u64::MAX);
    let pages_max = declared_max.min(limits.memory_pages_max);
    let growing = effects.size && pages_max > memory.initial;
    Some(Memory {
        pages: memory.initial,
        pages_max: if growing { pages_max } else { memory.initial },
        growing,
        tracked,
    })
}

fn shadows(module: &CoreModule<'_>, effects: &Effects) -> Option<Vec<Shadow>> {
    let first = module.globals.len();
    let written = effects.globals.iter().enumerate();
    written
        .map(|(position, global)| {
            let ty = module.globals.get(*global as usize)?.content_type;
            Some(Shadow {
                global: *global,
                shadow: u32::try_from(first + position).ok()?,
                ty: RoundtripReencoder.val_type(ty).ok()?,
            })
        })
        .collect()
}

fn functions(first: u32) -> Functions {
    Functions {
        mark: first,
        touch: first + 1,
        grow: first + 2,
        reserve: first + 3,
        commit: first + 4,
        restore: first + 5,
        run: first + 6,
    }
}

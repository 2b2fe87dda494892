//! What inputs are compared with: a heuristic over the core code.
//!
//! Values are followed from the parameters of `row` through locals, globals, calls and, coarsely, memory, over the whole
//! module until nothing new is found. What is recorded are comparisons of something computed from an input with a constant,
//! branch tables that an input chooses from, reads whose place an input chooses, and comparisons with what was read.
//!
//! It is made to show a plain list of targets, not to find a hidden one: who computes the targets, compares with vectors,
//! or spreads a comparison over several steps goes unseen. So counts are lower bounds, nothing is refused by them, and what
//! a model could give away is bounded elsewhere: it sees one unit, and only aggregates leave.

mod body;
mod compare;
mod params;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{BlockType, ContType, FrameKind, FuncType, ModuleArity, RefType, SubType};

use crate::core::CoreModule;
use crate::signature::Signature;
use crate::vet::VetLimits;
use body::Body;
use params::Params;
pub(crate) use value::{Constant, Value};

/// Rounds over the whole module. Facts travel a call per round; what has not settled then is reported as incomplete.
const ROUNDS_MAX: usize = 12;

/// What was found of one input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// Constants compared with for equality, or handed to a function together with the input.
    pub(crate) equalities: BTreeSet<Constant>,
    /// Constants compared with for order.
    pub(crate) orderings: BTreeSet<Constant>,
    /// Most ways out of one branch table.
    pub(crate) branches: u64,
    /// Whether it chooses what is read from memory.
    pub(crate) looked_up: bool,
    /// Places in the code where it is compared with what was read from memory.
    pub(crate) memory_comparisons: BTreeSet<usize>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Flow {
    /// One entry per input.
    pub(crate) uses: Vec<Uses>,
    /// Whether everything was followed to its end within the limits.
    pub(crate) complete: bool,
}

/// Follows the inputs through a module, beginning at function `row`.
pub(crate) fn follow(
    module: &CoreModule<'_>,
    row: u32,
    signature: &Signature,
    limits: &VetLimits,
) -> Flow {
    let mut facts = Facts::new(module, signature, limits);
    let params = facts.params.values.clone();
    facts.enter(row, &params);
    for _ in 0..ROUNDS_MAX {
        facts.changed = false;
        for function in 0..module.bodies.len() {
            if facts.called.contains_key(&(function as u32)) {
                Body::follow(&mut facts, function);
            }
        }
        if !facts.changed || facts.exhausted() {
            break;
        }
    }
    Flow {
        complete: !facts.changed && !facts.exhausted() && !facts.unread,
        uses: facts.uses,
    }
}

/// What is known of the whole module; it only grows.
pub(super) struct Facts<'a> {
    module: &'a CoreModule<'a>,
    types: Vec<SubType>,
    params: Params,
    limits: &'a VetLimits,
    /// Arguments that each function is called with; none for one that is not called.
    called: BTreeMap<u32, Vec<Option<Value>>>,
    /// What each function returns.
    returned: BTreeMap<u32, Value>,
    globals: Vec<Option<Value>>,
    /// What is stored in memory, anywhere.
    stored: Value,
    /// What locals hold at the end of a loop, by the loop's place.
    carried: BTreeMap<usize, Vec<(u32, Value)>>,
    uses: Vec<Uses>,
    visited: u64,
    changed: bool,
    unread: bool,
}

impl<'a> Facts<'a> {
    fn new(module: &'a CoreModule<'a>, signature: &Signature, limits: &'a VetLimits) -> Self {
        let types = module.types.iter();
        Self {
            module,
            types: types.map(|ty| SubType::func(ty.clone(), false)).collect(),
            params: Params::of(signature),
            limits,
            called: BTreeMap::new(),
            returned: BTreeMap::new(),
            globals: vec![None; module.globals.len()],
            stored: Value::default(),
            carried: BTreeMap::new(),
            uses: vec![Uses::default(); signature.inputs.len()],
            visited: 0,
            changed: false,
            unread: false,
        }
    }

    fn exhausted(&self) -> bool {
        self.visited > self.limits.flow_operators_max
    }

    /// Takes note of a call.
    fn enter(&mut self, function: u32, arguments: &[Value]) {
        let known = self.called.entry(function).or_insert_with(|| {
            self.changed = true;
            vec![None; arguments.len()]
        });
        for (known, argument) in known.iter_mut().zip(arguments) {
            self.changed |= widen(known, *argument);
        }
    }

    fn set_global(&mut self, global: u32, value: Value) {
        if let Some(known) = self.globals.get_mut(global as usize) {
            self.changed |= widen(known, value);
        }
    }

    fn store(&mut self, value: Value) {
        let joined = self.stored.inputs | value.inputs;
        self.changed |= joined != self.stored.inputs;
        self.stored.inputs = joined;
    }

    fn returns(&mut self, function: u32, value: Value) {
        let mut known = self.returned.get(&function).copied();
        if widen(&mut known, value) {
            self.changed = true;
            self.returned.extend(known.map(|known| (function, known)));
        }
    }

    /// The inputs in a set of bits.
    fn each(&mut self, inputs: u128, mut note: impl FnMut(&mut Uses)) {
        for (position, uses) in self.uses.iter_mut().enumerate() {
            if inputs & params::bit(position) != 0 {
                note(uses);
            }
        }
    }
}

/// Joins a value to what is known, and tells whether that changed it.
fn widen(known: &mut Option<Value>, value: Value) -> bool {
    let joined = known.map_or(value, |known| known.join(value));
    let changed = *known != Some(joined);
    *known = Some(joined);
    changed
}

/// What the parser asks in order to tell how many operands an instruction takes.
pub(super) struct Arity<'a, 'f> {
    pub(super) facts: &'a Facts<'f>,
    pub(super) blocks: &'a [(BlockType, FrameKind)],
}

impl ModuleArity for Arity<'_, '_> {
    fn sub_type_at(&self, index: u32) -> Option<&SubType> {
        self.facts.types.get(index as usize)
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, function: u32) -> Option<u32> {
        self.facts.module.functions.get(function as usize).copied()
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        self.blocks.len() as u32
    }

    fn label_block(&self, depth: u32) -> Option<(BlockType, FrameKind)> {
        let position = self.blocks.len().checked_sub(depth as usize + 1)?;
        self.blocks.get(position).copied()
    }
}

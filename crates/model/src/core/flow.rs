//! Where values of a function come from and where they go: which floats must be made canonical, and which stores go to
//! an address that the code itself fixes.
//!
//! # NaN
//!
//! WebAssembly leaves the bits of a NaN that arithmetic makes to the machine. Models get one NaN, the canonical one. To
//! replace the result of *every* operation costs more than the operation. Most results never show their bits: they
//! are added, compared, rounded, and so on, and arithmetic on a NaN is a NaN whatever its bits.
//!
//! Call a value *exact* if it has the bits that it would have with every result made canonical, and *loose* if that may
//! be untrue when it is a NaN; it is then a NaN either way. A value may be loose where nothing it flows into can tell:
//!
//! - arithmetic (the instructions of [`is_arithmetic`]), comparisons, and conversions to integers: what they make of a
//!   NaN depends on no bit of it;
//! - the result of `row`, when nothing but the driver calls it and nothing but the host reads it: the host replaces NaN.
//!
//! All else can tell or hand on what it cannot follow: stores, reinterpretation, vectors, globals, calls and their
//! results, the sign in `copysign`. `neg`, `abs`, and the magnitude in `copysign` hand the bits on to their own
//! result; locals, `select` and the results of blocks merge what flows into them. So an operation whose result reaches
//! a place that can tell, by any of these ways, is made canonical where it happens; a NaN that a model builds itself, in
//! memory or from an integer, is exact and passes untouched. Vector arithmetic is always made canonical.
//!
//! The relation is flow-insensitive: a local is followed as one place for the whole function, so every real path is
//! contained in one that is followed.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{BinaryReaderError, BlockType, FunctionBody, ModuleArity, Operator};
use wasmparser::{ContType, FrameKind, FuncType, RefType, SubType};

use super::CoreModule;
use crate::weave::Access;

/// Values that labels may carry in one function before it is given up. Ordinary ones carry less than one an instruction.
const WORK_MAX: usize = 4 << 20;

/// What was found of one function; instructions by their position in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Scalar arithmetic whose result has to be canonical.
    pub(crate) canonical: BTreeSet<usize>,
    /// Stores at a constant address: that address with the instruction's offset added, and how many bytes.
    pub(crate) fixed_stores: BTreeMap<usize, (u64, u32)>,
}

/// A value on the stack.
#[derive(Clone, Copy, Default)]
struct Value {
    /// The place its bits come from, where that may be loose.
    place: Option<usize>,
    /// The number it is, where it is one `i32.const`.
    constant: Option<i32>,
}

impl Value {
    fn at(place: usize) -> Self {
        Self {
            place: Some(place),
            constant: None,
        }
    }
}

/// A control construct that is open.
struct Frame {
    /// Height of the stack without its parameters.
    height: usize,
    /// Where branches to it carry values: its results, or for a loop its parameters.
    label: Vec<usize>,
    results: Vec<usize>,
    /// Parameters of an `if` until its `else` has taken them.
    params: Vec<Value>,
}

/// Following one function.
struct Walk<'a, 'b> {
    module: &'a CoreModule<'b>,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// Values carried by labels so far. A branch table of a megabyte to a label of a thousand results is a small module.
    work: usize,
    /// Places so far; those of locals come first.
    places: usize,
    /// For each flow, where to and where from.
    flows: Vec<(usize, usize)>,
    /// Places whose bits something can tell.
    told: Vec<usize>,
    /// Arithmetic instructions, by their place.
    arithmetic: Vec<(usize, usize)>,
    fixed_stores: BTreeMap<usize, (u64, u32)>,
}

impl Flow {
    /// Follows a function. `loose_result` where its result's bits are seen by nobody. Nothing where the function has an
    /// instruction whose effect on the stack is not known here: then every operation has to be canonical.
    pub(crate) fn of(
        module: &CoreModule<'_>,
        function: u32,
        body: &FunctionBody<'_>,
        loose_result: bool,
    ) -> Result<Option<Self>, BinaryReaderError> {
        let Some(ty) = module.type_of(function) else {
            return Ok(None);
        };
        let mut locals = ty.params().len();
        for group in body.get_locals_reader()? {
            locals = locals.saturating_add(group?.0 as usize);
        }
        let mut walk = Walk {
            module,
            stack: Vec::new(),
            frames: Vec::new(),
            work: 0,
            places: locals,
            flows: Vec::new(),
            told: Vec::new(),
            arithmetic: Vec::new(),
            fixed_stores: BTreeMap::new(),
        };
        let results = walk.new_places(ty.results().len());
        if !loose_result {
            walk.told.extend(&results);
        }
        walk.open(0, results.clone(), results);
        let mut reader = body.get_operators_reader()?;
        let mut position = 0;
        while !reader.eof() {
            if walk.step(position, &reader.read()?).is_none() || walk.work > WORK_MAX {
                return Ok(None);
            }
            position += 1;
        }
        Ok(Some(walk.finish()))
    }
}

impl Walk<'_, '_> {
    fn new_place(&mut self) -> usize {
        self.places += 1;
        self.places - 1
    }

    fn new_places(&mut self, count: usize) -> Vec<usize> {
        self.work += count;
        (0..count).map(|_| self.new_place()).collect()
    }

    fn open(&mut self, params: usize, label: Vec<usize>, results: Vec<usize>) {
        self.frames.push(Frame {
            height: self.stack.len() - params,
            label,
            results,
            params: Vec::new(),
        });
    }

    /// Behind an unconditional branch the stack holds whatever is asked for, so it may be lower than it should be.
    fn pop(&mut self) -> Value {
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        match self.stack.len() > floor {
            true => self.stack.pop().unwrap_or_default(),
            false => Value::default(),
        }
    }

    fn pop_many(&mut self, count: usize) -> Vec<Value> {
        let mut values: Vec<Value> = (0..count).map(|_| self.pop()).collect();
        values.reverse();
        values
    }

    fn push_places(&mut self, places: &[usize]) {
        self.stack
            .extend(places.iter().map(|place| Value::at(*place)));
    }

    fn flow(&mut self, from: Value, to: usize) {
        if let Some(from) = from.place {
            self.flows.push((to, from));
        }
    }

    fn tell(&mut self, value: Value) {
        self.told.extend(value.place);
    }

    /// The values of a branch flow into its label, and stay where they are.
    fn branch(&mut self, depth: u32) -> Option<()> {
        let frame = self.frames.len().checked_sub(1 + depth as usize)?;
        let label = self.frames[frame].label.clone();
        self.work += label.len();
        if self.work > WORK_MAX {
            return None;
        }
        let values = self.pop_many(label.len());
        for (value, place) in values.iter().zip(&label) {
            self.flow(*value, *place);
        }
        self.stack.extend(values);
        Some(())
    }

    /// What follows cannot be reached.
    fn cut(&mut self) {
        let floor = self.frames.last().map_or(0, |frame| frame.height);
        self.stack.truncate(floor);
    }

    /// One instruction; nothing when it is not known.
    fn step(&mut self, position: usize, operator: &Operator<'_>) -> Option<()> {
        match operator {
            Operator::LocalGet { local_index } => {
                self.stack.push(Value::at(*local_index as usize));
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.flow(value, *local_index as usize);
                if matches!(operator, Operator::LocalTee { .. }) {
                    self.stack.push(Value::at(*local_index as usize));
                }
            }
            Operator::I32Const { value } => self.stack.push(Value {
                place: None,
                constant: Some(*value),
            }),
            Operator::Drop => drop(self.pop()),
            Operator::Select | Operator::TypedSelect { .. } => {
                self.pop();
                let merged = self.new_place();
                for value in self.pop_many(2) {
                    self.flow(value, merged);
                }
                self.stack.push(Value::at(merged));
            }
            Operator::F32Neg | Operator::F32Abs | Operator::F64Neg | Operator::F64Abs => {}
            Operator::F32Copysign | Operator::F64Copysign => {
                let sign = self.pop();
                self.tell(sign);
            }
            operator if is_arithmetic(operator) => {
                self.pop_many(fixed_arity(operator)?.0);
                let place = self.new_place();
                self.arithmetic.push((place, position));
                self.stack.push(Value::at(place));
            }
            operator if is_blind(operator) => {
                self.pop_many(fixed_arity(operator)?.0);
                self.stack.push(Value::default());
            }
            operator => return self.control(position, operator),
        }
        Some(())
    }

    fn control(&mut self, position: usize, operator: &Operator<'_>) -> Option<()> {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => {
                if matches!(operator, Operator::If { .. }) {
                    self.pop();
                }
                let (params, results) = self.block(*blockty)?;
                let values = self.pop_many(params);
                self.stack.extend(&values);
                let results = self.new_places(results);
                self.open(params, results.clone(), results);
                if matches!(operator, Operator::If { .. }) {
                    self.frames.last_mut()?.params = values;
                }
            }
            Operator::Loop { blockty } => {
                let (params, results) = self.block(*blockty)?;
                let (values, label) = (self.pop_many(params), self.new_places(params));
                for (value, place) in values.into_iter().zip(&label) {
                    self.flow(value, *place);
                }
                self.push_places(&label);
                let results = self.new_places(results);
                self.open(params, label, results);
            }
            Operator::Else => {
                self.close()?;
                let params = std::mem::take(&mut self.frames.last_mut()?.params);
                self.stack.extend(params);
            }
            Operator::End => {
                self.close()?;
                let frame = self.frames.pop()?;
                // An `if` without `else` hands its parameters on.
                for (value, place) in frame.params.iter().zip(&frame.results) {
                    self.flow(*value, *place);
                }
                self.push_places(&frame.results);
            }
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth)?;
                self.cut();
            }
            Operator::BrIf { relative_depth } => {
                self.pop();
                self.branch(*relative_depth)?;
            }
            Operator::BrTable { targets } => {
                self.pop();
                for target in targets.targets() {
                    self.branch(target.ok()?)?;
                }
                self.branch(targets.default())?;
                self.cut();
            }
            Operator::Return => {
                self.branch(u32::try_from(self.frames.len()).ok()?.checked_sub(1)?)?;
                self.cut();
            }
            Operator::Unreachable => self.cut(),
            operator => return self.opaque(position, operator),
        }
        Some(())
    }

    /// Ends an arm of the innermost construct: its results flow on, and the stack is as before it.
    fn close(&mut self) -> Option<()> {
        let results = self.frames.last()?.results.clone();
        for (value, place) in self.pop_many(results.len()).into_iter().zip(&results) {
            self.flow(value, *place);
        }
        self.cut();
        Some(())
    }

    /// An instruction that can tell the bits of whatever it takes.
    fn opaque(&mut self, position: usize, operator: &Operator<'_>) -> Option<()> {
        let (takes, gives) = match operator {
            Operator::Call { function_index } => arity(self.module.type_of(*function_index)?),
            Operator::CallIndirect { type_index, .. } => {
                let (params, results) = arity(self.module.types.get(*type_index as usize)?);
                (params + 1, results)
            }
            operator => fixed_arity(operator)?,
        };
        self.work += takes + gives;
        let values = self.pop_many(takes);
        for value in &values {
            self.tell(*value);
        }
        if let Some(access) = Access::of(operator).filter(Access::is_store)
            && let Some(address) = values.first().and_then(|address| address.constant)
        {
            let address = u64::from(address.cast_unsigned()) + access.offset;
            self.fixed_stores.insert(position, (address, access.bytes));
        }
        self.stack.extend((0..gives).map(|_| Value::default()));
        Some(())
    }

    fn block(&self, ty: BlockType) -> Option<(usize, usize)> {
        Some(match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => arity(self.module.types.get(index as usize)?),
        })
    }

    /// Follows everything that can be told back to the arithmetic it comes from.
    fn finish(mut self) -> Flow {
        self.flows.sort_unstable();
        let mut reached = BTreeSet::new();
        while let Some(place) = self.told.pop() {
            if reached.insert(place) {
                let first = self.flows.partition_point(|(to, _)| *to < place);
                let sources = self.flows[first..].iter();
                self.told.extend(
                    sources
                        .take_while(|(to, _)| *to == place)
                        .map(|(_, from)| *from),
                );
            }
        }
        let told = self.arithmetic.iter();
        Flow {
            canonical: told
                .filter(|(place, _)| reached.contains(place))
                .map(|(_, position)| *position)
                .collect(),
            fixed_stores: self.fixed_stores,
        }
    }
}

fn arity(ty: &FuncType) -> (usize, usize) {
    (ty.params().len(), ty.results().len())
}

/// What an instruction takes and gives, where that is the same everywhere.
fn fixed_arity(operator: &Operator<'_>) -> Option<(usize, usize)> {
    let (takes, gives) = operator.operator_arity(&Nowhere)?;
    Some((takes as usize, gives as usize))
}

/// Scalar instructions whose NaN has bits that the machine chooses: those that the engine would make canonical.
pub(crate) fn is_arithmetic(operator: &Operator<'_>) -> bool {
    scalar(operator).is_some()
}

/// The width in bits of scalar arithmetic.
pub(crate) fn scalar(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::F32Add
        | Operator::F32Sub
        | Operator::F32Mul
        | Operator::F32Div
        | Operator::F32Min
        | Operator::F32Max
        | Operator::F32Sqrt
        | Operator::F32Ceil
        | Operator::F32Floor
        | Operator::F32Trunc
        | Operator::F32Nearest
        | Operator::F32DemoteF64 => Some(32),
        Operator::F64Add
        | Operator::F64Sub
        | Operator::F64Mul
        | Operator::F64Div
        | Operator::F64Min
        | Operator::F64Max
        | Operator::F64Sqrt
        | Operator::F64Ceil
        | Operator::F64Floor
        | Operator::F64Trunc
        | Operator::F64Nearest
        | Operator::F64PromoteF32 => Some(64),
        _ => None,
    }
}

/// The width in bits of a lane of vector arithmetic.
pub(crate) fn vector(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::F32x4Add
        | Operator::F32x4Sub
        | Operator::F32x4Mul
        | Operator::F32x4Div
        | Operator::F32x4Min
        | Operator::F32x4Max
        | Operator::F32x4Sqrt
        | Operator::F32x4Ceil
        | Operator::F32x4Floor
        | Operator::F32x4Trunc
        | Operator::F32x4Nearest
        | Operator::F32x4DemoteF64x2Zero => Some(32),
        Operator::F64x2Add
        | Operator::F64x2Sub
        | Operator::F64x2Mul
        | Operator::F64x2Div
        | Operator::F64x2Min
        | Operator::F64x2Max
        | Operator::F64x2Sqrt
        | Operator::F64x2Ceil
        | Operator::F64x2Floor
        | Operator::F64x2Trunc
        | Operator::F64x2Nearest
        | Operator::F64x2PromoteLowF32x4 => Some(64),
        _ => None,
    }
}

/// Instructions that take floats, give an integer, and treat every NaN alike.
fn is_blind(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::F32Eq
            | Operator::F32Ne
            | Operator::F32Lt
            | Operator::F32Gt
            | Operator::F32Le
            | Operator::F32Ge
            | Operator::F64Eq
            | Operator::F64Ne
            | Operator::F64Lt
            | Operator::F64Gt
            | Operator::F64Le
            | Operator::F64Ge
            | Operator::I32TruncF32S
            | Operator::I32TruncF32U
            | Operator::I32TruncF64S
            | Operator::I32TruncF64U
            | Operator::I64TruncF32S
            | Operator::I64TruncF32U
            | Operator::I64TruncF64S
            | Operator::I64TruncF64U
            | Operator::I32TruncSatF32S
            | Operator::I32TruncSatF32U
            | Operator::I32TruncSatF64S
            | Operator::I32TruncSatF64U
            | Operator::I64TruncSatF32S
            | Operator::I64TruncSatF32U
            | Operator::I64TruncSatF64S
            | Operator::I64TruncSatF64U
    )
}

/// Knows no types and no labels: instructions that need them have no fixed arity.
struct Nowhere;

impl ModuleArity for Nowhere {
    fn sub_type_at(&self, _: u32) -> Option<&SubType> {
        None
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }
}

//! One function, instruction by instruction, as if every branch were taken.

use wasmparser::{BlockType, FrameKind, Operator};

use super::compare::{Question, constant, question, zero_at};
use super::value::{Constant, Value};
use super::{Arity, Facts};
use crate::weave::Access;

/// Entries of a list searched that count as one operator visited: the lists are short in honest code, and code made to
/// have long ones runs into the limit.
const SEARCHED_PER_VISIT: usize = 16;

/// A block that is open.
struct Frame {
    place: usize,
    height: usize,
    /// Values that a branch to its end carries.
    carried: Value,
    /// Locals assigned in it, with what they held before.
    before: Vec<(u32, Value)>,
    /// What locals hold where its end is branched to.
    joins: Vec<(u32, Value)>,
}

/// The walk through one function.
pub(super) struct Body<'a, 'f> {
    facts: &'a mut Facts<'f>,
    function: u32,
    locals: Vec<Value>,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    blocks: Vec<(BlockType, FrameKind)>,
}

impl<'a, 'f> Body<'a, 'f> {
    /// Follows values through the function of this position.
    pub(super) fn follow(facts: &'a mut Facts<'f>, function: usize) {
        let module = facts.module;
        let mut body = Self {
            locals: facts
                .called
                .get(&(function as u32))
                .map_or_else(Vec::new, |arguments| {
                    arguments
                        .iter()
                        .map(|argument| argument.unwrap_or_default())
                        .collect()
                }),
            facts,
            function: function as u32,
            stack: Vec::new(),
            frames: Vec::new(),
            blocks: Vec::new(),
        };
        let Some(code) = module.bodies.get(function) else {
            return;
        };
        // Admission has validated the body, so that reading does not fail.
        if body.walk(code).is_err() {
            body.facts.unread = true;
        }
    }

    fn walk(&mut self, code: &wasmparser::FunctionBody<'_>) -> wasmparser::Result<()> {
        for locals in code.get_locals_reader()? {
            let (count, _) = locals?;
            let zero = Value::of_constant(Constant::Whole(0));
            self.locals.resize(self.locals.len() + count as usize, zero);
        }
        self.facts.visited += self.locals.len() as u64;
        let whole = match self.facts.module.functions.get(self.function as usize) {
            Some(ty) => BlockType::FuncType(*ty),
            None => BlockType::Empty,
        };
        self.open(0, whole, FrameKind::Block, 0);
        let mut reader = code.get_operators_reader()?;
        while !reader.eof() && !self.facts.exhausted() {
            let (operator, place) = reader.read_with_offset()?;
            self.facts.visited += 1;
            self.step(&operator, place);
        }
        Ok(())
    }

    fn step(&mut self, operator: &Operator<'_>, place: usize) {
        let arity = Arity {
            facts: self.facts,
            blocks: &self.blocks,
        };
        let (takes, gives) = operator.operator_arity(&arity).unwrap_or_default();
        match operator {
            Operator::Block { blockty } => self.open(place, *blockty, FrameKind::Block, takes),
            Operator::Loop { blockty } => self.open(place, *blockty, FrameKind::Loop, takes),
            Operator::If { blockty } => {
                self.pop();
                self.open(place, *blockty, FrameKind::If, takes.saturating_sub(1));
            }
            Operator::Else => self.other_arm(takes, gives),
            Operator::End => self.close(gives),
            Operator::Br { relative_depth } => self.branch(*relative_depth, takes),
            Operator::BrIf { relative_depth } => {
                self.pop();
                self.branch(*relative_depth, takes.saturating_sub(1));
            }
            Operator::BrTable { targets } => self.branch_table(targets),
            Operator::Return => self.branch(self.frames.len().saturating_sub(1) as u32, takes),
            Operator::LocalGet { local_index } => {
                let value = self.locals.get(*local_index as usize).copied();
                self.stack.push(value.unwrap_or_default());
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.assign(*local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.assign(*local_index, value);
                self.stack.push(value);
            }
            Operator::GlobalGet { global_index } => {
                let value = self.facts.globals.get(*global_index as usize).copied();
                self.stack.push(value.flatten().unwrap_or_default());
            }
            Operator::GlobalSet { global_index } => {
                let value = self.pop();
                self.facts.set_global(*global_index, value);
            }
            Operator::Call { function_index } => {
                let arguments = self.pop_all(takes);
                self.call(*function_index, &arguments, gives);
            }
            Operator::CallIndirect { type_index, .. } => {
                self.pop();
                let arguments = self.pop_all(takes.saturating_sub(1));
                self.call_any(*type_index, &arguments, gives);
            }
            operator => self.plain(operator, place, takes, gives),
        }
    }

    /// Instructions that take values and give values, and change nothing else but memory.
    fn plain(&mut self, operator: &Operator<'_>, place: usize, takes: u32, gives: u32) {
        if let Some(constant) = constant(operator) {
            self.stack.push(Value::of_constant(constant));
            return;
        }
        let operands = self.pop_all(takes);
        let all = operands
            .iter()
            .copied()
            .reduce(Value::join)
            .unwrap_or_default();
        let mut result = all.derived();
        if let [a, b] = *operands.as_slice() {
            if let Some(question) = question(operator) {
                self.facts.compared(question, [a, b], place);
            }
            result.apart = zero_at(operator, [a, b]).filter(|_| all.inputs != 0);
            result.block = moved(operator, a, b);
        }
        if matches!(operator, Operator::I32Eqz | Operator::I64Eqz) && all.inputs != 0 {
            let target = all.apart.unwrap_or(Constant::Whole(0));
            self.facts.note(all.inputs, Question::Equal, target);
        }
        if let (Operator::Select | Operator::TypedSelect { .. }, [a, b, _]) =
            (operator, operands.as_slice())
        {
            result = a.join(*b);
        }
        // Conversions between widths keep what is known.
        if let (Operator::I32WrapI64 | Operator::I64ExtendI32S | Operator::I64ExtendI32U, [value]) =
            (operator, operands.as_slice())
        {
            result = *value;
        }
        if let Some(access) = Access::of(operator) {
            match access.is_store() {
                true => {
                    let value = operands.last().copied().unwrap_or_default();
                    self.facts.store(value);
                }
                false => {
                    result = self.load(operands.first().copied().unwrap_or_default(), access.offset)
                }
            }
        }
        self.stack.extend((0..gives).map(|_| result));
    }

    /// What is read from an address.
    fn load(&mut self, address: Value, offset: u64) -> Value {
        if let Some(block) = address.block {
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            return self.facts.params.at(block.wrapping_add(offset));
        }
        if address.inputs != 0 {
            if !address.pointer {
                self.facts
                    .each(address.inputs, |uses| uses.looked_up = true);
            }
            return Value {
                inputs: address.inputs,
                ..Value::default()
            };
        }
        Value {
            inputs: self.facts.stored.inputs,
            loaded: true,
            ..Value::default()
        }
    }

    fn call(&mut self, function: u32, arguments: &[Value], gives: u32) {
        let inputs = arguments
            .iter()
            .fold(0, |inputs, value| inputs | value.inputs);
        if inputs != 0 {
            for constant in arguments.iter().filter_map(|value| value.constant) {
                self.facts.note(inputs, Question::Equal, constant);
            }
        }
        self.facts.enter(function, arguments);
        let returned = self.facts.returned.get(&function).copied();
        let returned = returned.unwrap_or_default();
        self.stack.extend((0..gives).map(|_| returned));
    }

    /// A call whose target is data: any function of the type.
    fn call_any(&mut self, ty: u32, arguments: &[Value], gives: u32) {
        let wanted = self.facts.module.types.get(ty as usize);
        let functions = self.facts.module.functions.iter().enumerate();
        let fits = |ty: u32| self.facts.module.types.get(ty as usize) == wanted;
        let targets: Vec<u32> = functions
            .filter(|(_, ty)| fits(**ty))
            .map(|(function, _)| function as u32)
            .collect();
        self.facts.visited += targets.len() as u64;
        let mut result = Value::default();
        for target in targets {
            self.facts.enter(target, arguments);
            let returned = self.facts.returned.get(&target).copied();
            result = result.join(returned.unwrap_or_default());
        }
        self.stack.extend((0..gives).map(|_| result));
    }

    fn open(&mut self, place: usize, ty: BlockType, kind: FrameKind, params: u32) {
        self.blocks.push((ty, kind));
        self.frames.push(Frame {
            place,
            height: self.stack.len().saturating_sub(params as usize),
            carried: Value::default(),
            before: Vec::new(),
            joins: Vec::new(),
        });
        if kind == FrameKind::Loop {
            for (local, value) in self.facts.carried.get(&place).cloned().unwrap_or_default() {
                let now = self.locals.get(local as usize).copied().unwrap_or_default();
                self.assign(local, now.join(value));
            }
        }
    }

    fn other_arm(&mut self, results: u32, params: u32) {
        let carried = self.pop_all(results);
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        for value in carried {
            frame.carried = frame.carried.join(value);
        }
        self.stack.truncate(frame.height);
        self.stack.extend((0..params).map(|_| Value::default()));
        for (local, before) in &frame.before {
            if let Some(now) = self.locals.get_mut(*local as usize) {
                frame.joins.push((*local, *now));
                *now = *before;
            }
        }
    }

    fn close(&mut self, results: u32) {
        let given = self.pop_all(results);
        let Some(frame) = self.frames.pop() else {
            return;
        };
        let kind = self.blocks.pop().map(|(_, kind)| kind);
        self.stack.truncate(frame.height);
        // A block's value may come from a branch; that of a loop comes from its end alone.
        let join = |value: Value| match kind {
            Some(FrameKind::Loop) => value,
            _ if frame.carried == Value::default() => value,
            _ => value.join(frame.carried),
        };
        let given: Vec<Value> = given.into_iter().map(join).collect();
        if self.frames.is_empty() {
            for value in &given {
                self.facts.returns(self.function, *value);
            }
        }
        self.stack.extend(given);
        self.facts.visited += (frame.before.len() + frame.joins.len()) as u64;
        if kind == Some(FrameKind::Loop) {
            self.carry(&frame);
        }
        for (local, value) in frame.before.iter().chain(&frame.joins) {
            if let Some(now) = self.locals.get_mut(*local as usize) {
                *now = now.join(*value);
            }
        }
        if let Some(outer) = self.frames.last_mut() {
            for (local, before) in frame.before {
                remember(&mut outer.before, local, before);
            }
        }
    }

    /// Keeps what locals hold at the end of a loop for the next round.
    fn carry(&mut self, frame: &Frame) {
        let ends = frame.before.iter().filter_map(|(local, _)| {
            let now = self.locals.get(*local as usize)?;
            Some((*local, *now))
        });
        let ends: Vec<(u32, Value)> = ends.chain(frame.joins.iter().copied()).collect();
        let known = self.facts.carried.entry(frame.place).or_default();
        self.facts.visited += (ends.len() * known.len() / SEARCHED_PER_VISIT) as u64;
        for (local, value) in ends {
            match known.iter_mut().find(|(known, _)| *known == local) {
                Some((_, known)) => {
                    let joined = known.join(value);
                    self.facts.changed |= joined != *known;
                    *known = joined;
                }
                None => {
                    self.facts.changed = true;
                    known.push((local, value));
                }
            }
        }
    }

    fn assign(&mut self, local: u32, value: Value) {
        let Some(now) = self.locals.get_mut(local as usize) else {
            return;
        };
        let before = std::mem::replace(now, value);
        if let Some(frame) = self.frames.last_mut() {
            self.facts.visited += (frame.before.len() / SEARCHED_PER_VISIT) as u64;
            remember(&mut frame.before, local, before);
        }
    }

    /// A branch that may be taken: what it carries and what locals hold is joined where it leads to.
    fn branch(&mut self, depth: u32, values: u32) {
        let Some(target) = self.frames.len().checked_sub(depth as usize + 1) else {
            return;
        };
        let height = self.stack.len().saturating_sub(values as usize);
        let carried: Vec<Value> = self.stack.get(height..).unwrap_or_default().to_vec();
        let inner = self.frames.get(target..).unwrap_or_default().iter();
        let joins: Vec<(u32, Value)> = inner
            .flat_map(|frame| frame.before.iter())
            .filter_map(|(local, _)| Some((*local, *self.locals.get(*local as usize)?)))
            .collect();
        self.facts.visited += joins.len() as u64;
        let Some(frame) = self.frames.get_mut(target) else {
            return;
        };
        for value in carried {
            frame.carried = frame.carried.join(value);
        }
        let searched = joins.len() * frame.joins.len();
        self.facts.visited += (searched / SEARCHED_PER_VISIT) as u64;
        for join in joins {
            if !frame.joins.contains(&join) {
                frame.joins.push(join);
            }
        }
    }

    fn branch_table(&mut self, targets: &wasmparser::BrTable<'_>) {
        let chosen_by = self.pop();
        let ways = u64::from(targets.len());
        self.facts.each(chosen_by.inputs, |uses| {
            uses.branches = uses.branches.max(ways);
        });
        let mut depths: Vec<u32> = targets.targets().flatten().collect();
        depths.push(targets.default());
        depths.sort_unstable();
        depths.dedup();
        for depth in depths {
            self.branch(depth, 1);
        }
    }

    /// The value on top; what unreachable code takes from an empty block is nothing.
    fn pop(&mut self) -> Value {
        let height = self.frames.last().map_or(0, |frame| frame.height);
        match self.stack.len() > height {
            true => self.stack.pop().unwrap_or_default(),
            false => Value::default(),
        }
    }

    fn pop_all(&mut self, count: u32) -> Vec<Value> {
        let mut values: Vec<Value> = (0..count).map(|_| self.pop()).collect();
        values.reverse();
        values
    }
}

/// Keeps the first value of a local.
fn remember(before: &mut Vec<(u32, Value)>, local: u32, value: Value) {
    if !before.iter().any(|(known, _)| *known == local) {
        before.push((local, value));
    }
}

/// A pointer into the block of parameters, moved by a constant.
fn moved(operator: &Operator<'_>, a: Value, b: Value) -> Option<u32> {
    let by = |value: Value| match value.constant {
        Some(Constant::Whole(number)) => u32::try_from(number).ok(),
        _ => None,
    };
    match operator {
        Operator::I32Add => match (a.block, b.block) {
            (Some(block), None) => Some(block.wrapping_add(by(b)?)),
            (None, Some(block)) => Some(block.wrapping_add(by(a)?)),
            _ => None,
        },
        _ => None,
    }
}

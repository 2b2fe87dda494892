//! Which instructions compare, and what is noted of a comparison.

use wasmparser::Operator;

use super::value::{Constant, Value};
use super::{Facts, Uses};

/// What a comparison asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Equal,
    Order,
}

/// What a comparing instruction asks; nothing for any other.
pub(super) fn question(operator: &Operator<'_>) -> Option<Question> {
    use Operator as Op;
    match operator {
        Op::I32Eq
        | Op::I32Ne
        | Op::I64Eq
        | Op::I64Ne
        | Op::F32Eq
        | Op::F32Ne
        | Op::F64Eq
        | Op::F64Ne => Some(Question::Equal),
        Op::I32LtS
        | Op::I32LtU
        | Op::I32GtS
        | Op::I32GtU
        | Op::I32LeS
        | Op::I32LeU
        | Op::I32GeS
        | Op::I32GeU
        | Op::I64LtS
        | Op::I64LtU
        | Op::I64GtS
        | Op::I64GtU
        | Op::I64LeS
        | Op::I64LeU
        | Op::I64GeS
        | Op::I64GeU
        | Op::F32Lt
        | Op::F32Gt
        | Op::F32Le
        | Op::F32Ge
        | Op::F64Lt
        | Op::F64Gt
        | Op::F64Le
        | Op::F64Ge => Some(Question::Order),
        _ => None,
    }
}

/// The value of a constant instruction.
pub(super) fn constant(operator: &Operator<'_>) -> Option<Constant> {
    Some(match operator {
        Operator::I32Const { value } => Constant::Whole((*value).into()),
        Operator::I64Const { value } => Constant::Whole(*value),
        Operator::F32Const { value } => Constant::of_f32(value.bits()),
        Operator::F64Const { value } => Constant::Fraction(value.bits()),
        _ => return None,
    })
}

/// What remains when a constant is added, taken off or mixed in: the constant at which the result is zero.
pub(super) fn zero_at(operator: &Operator<'_>, operands: [Value; 2]) -> Option<Constant> {
    let whole = |value: Value| match value.constant {
        Some(Constant::Whole(number)) => Some(number),
        _ => None,
    };
    let constant = whole(operands[1]).or_else(|| whole(operands[0]))?;
    let before = operands.iter().find_map(|value| value.apart);
    let so_far = match before {
        Some(Constant::Whole(number)) => number,
        _ => 0,
    };
    Some(Constant::Whole(match operator {
        Operator::I32Xor | Operator::I64Xor if before.is_none() => constant,
        Operator::I32Sub | Operator::I64Sub => so_far.wrapping_add(constant),
        Operator::I32Add | Operator::I64Add => so_far.wrapping_sub(constant),
        _ => return None,
    }))
}

impl Facts<'_> {
    /// Notes a comparison of two values at a place in the code.
    pub(super) fn compared(&mut self, question: Question, operands: [Value; 2], place: usize) {
        for (value, other) in [(operands[0], operands[1]), (operands[1], operands[0])] {
            if value.inputs == 0 || other.inputs != 0 {
                continue;
            }
            if let Some(constant) = other.constant {
                // `x - c == d` asks whether `x` is `c + d`.
                let constant = match (value.apart, constant) {
                    (Some(Constant::Whole(apart)), Constant::Whole(constant)) => {
                        Constant::Whole(apart.wrapping_add(constant))
                    }
                    _ => constant,
                };
                self.note(value.inputs, question, constant);
            } else if other.loaded {
                self.each(value.inputs, |uses| {
                    uses.memory_comparisons.insert(place);
                });
            }
        }
    }

    /// Notes that a value is asked whether it is a constant, or on which side of it.
    pub(super) fn note(&mut self, inputs: u128, question: Question, constant: Constant) {
        let max = self.limits.flow_constants_max;
        self.each(inputs, |uses: &mut Uses| {
            let constants = match question {
                Question::Equal => &mut uses.equalities,
                Question::Order => &mut uses.orderings,
            };
            if constants.len() < max {
                constants.insert(constant);
            }
        });
    }
}

//! How often a loop can turn, where its own counter says so.
//!
//! A loop is bounded here if it has exactly one branch back to its head, and that branch is the end of
//!
//! ```text
//! (local.set|tee $i (i32.add (local.get $i) (i32.const STEP)))    or i32.sub
//! ...condition on $i...  br_if HEAD
//! ```
//!
//! with nothing in between, `$i` is written nowhere else in the loop, and the condition is one of
//!
//! - `$i < END`, unsigned: whatever `$i` began with, each turn but the first begins with a smaller number than END, and
//!   the next is larger by STEP. So there are at most END / STEP + 2 turns, if END + STEP does not wrap around.
//! - `$i != END`, or `$i` itself for END = 0: here the beginning has to be known: `$i` is set to a constant on the
//!   straight way to the loop, and END is met exactly, after (END - beginning) / STEP turns.
//!
//! This is what compilers make of a loop over an array of constant length.

use wasmparser::Operator;

/// A counter as the end of a loop uses it.
struct Counter {
    local: u32,
    step: u32,
    until: Until,
    /// Where the pattern begins.
    position: usize,
}

enum Until {
    NotLess(u32),
    Equal(u32),
}

/// The most turns of the loop whose `loop` is at a position; nothing where they are not bounded.
pub(super) fn turns_max(operators: &[Operator<'_>], head: usize) -> Option<u64> {
    let (back, end) = only_branch_back(operators, head)?;
    let counter = counter(operators, back)?;
    if counter.position <= head {
        return None;
    }
    let writes = operators[head..end]
        .iter()
        .filter(|operator| writes(operator, counter.local));
    if writes.count() != 1 {
        return None;
    }
    let step = u64::from(counter.step);
    match counter.until {
        Until::NotLess(end) => {
            let up = step > 0 && u64::from(end) + step <= 1 << 32;
            up.then(|| u64::from(end) / step + 2)
        }
        Until::Equal(end) => {
            let first = beginning(operators, head, counter.local)?;
            let up = end.wrapping_sub(first);
            let down = first.wrapping_sub(end);
            let (distance, step) = match counter.step.cast_signed() < 0 {
                false => (up, counter.step),
                true => (down, counter.step.wrapping_neg()),
            };
            // A distance of nothing is a way all around.
            let exact = step > 0 && distance > 0 && distance.is_multiple_of(step);
            exact.then(|| u64::from(distance / step))
        }
    }
}

/// The position of the one `br_if` that goes back to the loop's head, and that of the loop's `end`.
fn only_branch_back(operators: &[Operator<'_>], head: usize) -> Option<(usize, usize)> {
    let (mut depth, mut back) = (0_u32, None);
    for (position, operator) in operators.iter().enumerate().skip(head + 1) {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
            Operator::End if depth == 0 => return Some((back?, position)),
            Operator::End => depth -= 1,
            Operator::BrIf { relative_depth } if *relative_depth == depth => {
                if back.is_some() {
                    return None;
                }
                back = Some(position);
            }
            Operator::Br { relative_depth } if *relative_depth == depth => return None,
            Operator::BrTable { targets } => {
                let mut all = targets.targets().chain([Ok(targets.default())]);
                if all.any(|target| target.map_or(true, |target| target == depth)) {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// Reads the counter from the instructions before a `br_if`.
fn counter(operators: &[Operator<'_>], branch: usize) -> Option<Counter> {
    let before = operators.get(..branch)?;
    let (before, until) = match before {
        [before @ .., Operator::I32Const { value }, Operator::I32LtU] => {
            (before, Until::NotLess(value.cast_unsigned()))
        }
        [before @ .., Operator::I32Const { value }, Operator::I32Ne] => {
            (before, Until::Equal(value.cast_unsigned()))
        }
        before => (before, Until::Equal(0)),
    };
    let (before, local) = match before {
        [
            before @ ..,
            Operator::LocalSet { local_index: set },
            Operator::LocalGet { local_index: got },
        ] if set == got => (before, *set),
        [before @ .., Operator::LocalTee { local_index }] => (before, *local_index),
        _ => return None,
    };
    let (position, got, step) = match before {
        [
            rest @ ..,
            Operator::LocalGet { local_index },
            Operator::I32Const { value },
            Operator::I32Add,
        ] => (rest.len(), local_index, *value),
        [
            rest @ ..,
            Operator::LocalGet { local_index },
            Operator::I32Const { value },
            Operator::I32Sub,
        ] => (rest.len(), local_index, value.wrapping_neg()),
        _ => return None,
    };
    (*got == local).then_some(Counter {
        local,
        step: step.cast_unsigned(),
        until,
        position,
    })
}

/// The constant that a local holds when a loop is come to: the last write on the straight way there.
fn beginning(operators: &[Operator<'_>], head: usize, local: u32) -> Option<u32> {
    for position in (0..head).rev() {
        match &operators[position] {
            operator if writes(operator, local) => {
                return match operators.get(position.checked_sub(1)?)? {
                    Operator::I32Const { value } => Some(value.cast_unsigned()),
                    _ => None,
                };
            }
            // Before these, the way here may have been another.
            Operator::Loop { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable => return None,
            _ => {}
        }
    }
    None
}

fn writes(operator: &Operator<'_>, local: u32) -> bool {
    matches!(operator, Operator::LocalSet { local_index } | Operator::LocalTee { local_index } if *local_index == local)
}

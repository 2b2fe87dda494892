//! The most that a call can cost, where that is finite.

use wasmparser::{BinaryReaderError, FunctionBody, Operator};

use super::CoreModule;
use super::loops::turns_max;
use crate::weave::Access;

/// Loops whose turns are looked for in one function: each costs a look at what it contains.
const LOOPS_MAX: usize = 64;
/// What a store in a loop counts as: it may touch another line of memory at every turn, and each is saved and set back.
const STORE_IN_LOOP_COST: u64 = 16;

/// What one function does itself, and whom it calls and how often.
struct Body {
    operators: u64,
    calls: Vec<(u32, u64)>,
}

/// The most instructions that the given functions together can execute, or nothing when there is no bound: a loop whose
/// counter does not bound it, recursion, an indirect call (whose target is data), or an instruction whose work grows
/// with an operand.
///
/// A call site runs at most once per call of its function and per turn of the loops around it, so the bound is a sum over
/// the call graph.
/// It can be astronomic for a small module (a function that calls the next twice, thirty deep) and saturates.
pub(crate) fn cost_max(
    module: &CoreModule<'_>,
    roots: &[u32],
) -> Result<Option<u64>, BinaryReaderError> {
    let mut bodies = Vec::with_capacity(module.bodies.len());
    for body in &module.bodies {
        match read(body)? {
            Some(body) => bodies.push(body),
            None => return Ok(None),
        }
    }
    let mut costs = vec![None; bodies.len()];
    let mut total = 0_u64;
    for root in roots {
        match cost(&bodies, &mut costs, *root) {
            Some(cost) => total = total.saturating_add(cost),
            None => return Ok(None),
        }
    }
    Ok(Some(total))
}

/// Counts the instructions of a function, those in a bounded loop as often as it turns.
fn read(body: &FunctionBody<'_>) -> Result<Option<Body>, BinaryReaderError> {
    let operators: Vec<Operator<'_>> = body
        .get_operators_reader()?
        .into_iter()
        .collect::<Result<_, _>>()?;
    let (mut cost, mut calls, mut loops) = (0_u64, Vec::new(), 0);
    // How often what is inside each open construct runs.
    let mut open = vec![1_u64];
    for (position, operator) in operators.iter().enumerate() {
        let times = open.last().copied().unwrap_or(1);
        let one = match Access::of(operator) {
            Some(access) if access.is_store() && times > 1 => STORE_IN_LOOP_COST,
            _ => 1,
        };
        cost = cost.saturating_add(one.saturating_mul(times));
        match operator {
            Operator::Call { function_index } => calls.push((*function_index, times)),
            Operator::Block { .. } | Operator::If { .. } => open.push(times),
            Operator::Loop { .. } => {
                loops += 1;
                if loops > LOOPS_MAX {
                    return Ok(None);
                }
                let Some(turns) = turns_max(&operators, position) else {
                    return Ok(None);
                };
                open.push(times.saturating_mul(turns));
            }
            Operator::End => drop(open.pop()),
            Operator::CallIndirect { .. }
            | Operator::MemoryGrow { .. }
            | Operator::MemoryFill { .. }
            | Operator::MemoryCopy { .. }
            | Operator::MemoryInit { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. } => return Ok(None),
            _ => {}
        }
    }
    Ok(Some(Body {
        operators: cost,
        calls,
    }))
}

/// The cost of one function, callees first. Calls nest as deep as there are functions, so the path is kept on the heap.
fn cost(bodies: &[Body], costs: &mut [Option<u64>], root: u32) -> Option<u64> {
    let mut on_path = vec![false; bodies.len()];
    // Function, next of its calls, cost so far.
    let mut path = vec![(root as usize, 0_usize, bodies.get(root as usize)?.operators)];
    on_path[root as usize] = true;
    while let Some((function, next, so_far)) = path.pop() {
        let Some((callee, times)) = bodies[function].calls.get(next) else {
            costs[function] = Some(so_far);
            on_path[function] = false;
            continue;
        };
        let callee = *callee as usize;
        if let Some(cost) = costs[callee] {
            path.push((
                function,
                next + 1,
                so_far.saturating_add(cost.saturating_mul(*times)),
            ));
        } else if on_path[callee] {
            return None;
        } else {
            path.push((function, next, so_far));
            on_path[callee] = true;
            path.push((callee, 0, bodies[callee].operators));
        }
    }
    costs[root as usize]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn of(text: &str) -> Option<u64> {
        let bytes = wat::parse_str(text).unwrap();
        let module = CoreModule::read(&bytes).unwrap();
        cost_max(&module, &[0]).unwrap()
    }

    #[test]
    fn straight_code_has_a_bound() {
        assert_eq!(of("(module (func nop))"), Some(2));
        assert_eq!(
            of("(module (func call 1 call 1) (func nop nop))"),
            Some(3 + 2 * 3)
        );
    }

    /// Runs a loop over `$i` and counts its turns, by the pattern or by hand.
    #[test]
    fn counted_loops_have_one() {
        let counted = |before: &str, end: &str| {
            of(&format!(
                "(module (func (param $p i32) (local $i i32) {before} (loop $l nop {end})))"
            ))
        };
        let up = "(local.tee $i (i32.add (local.get $i) (i32.const 2)))";
        // Nine instructions a turn: `nop`, four for the counter, two to compare, the branch, `end`.
        let set = "(local.set $i (i32.const 4))";
        assert_eq!(
            counted("", &format!("(br_if $l (i32.lt_u {up} (i32.const 10)))")),
            Some(2 + 7 * 9)
        );
        assert_eq!(
            counted(set, &format!("(br_if $l (i32.ne {up} (i32.const 10)))")),
            Some(2 + 2 + 3 * 9)
        );
        let down = "(local.tee $i (i32.sub (local.get $i) (i32.const 1)))";
        assert_eq!(
            counted(set, &format!("(br_if $l {down})")),
            Some(2 + 2 + 4 * 7)
        );
        let add =
            "(local.set $i (i32.add (local.get $i) (i32.const -1))) (br_if $l (local.get $i))";
        assert_eq!(counted(set, add), Some(2 + 2 + 4 * 8));
    }

    #[test]
    fn loops_that_only_look_counted_have_none() {
        let counted = |before: &str, inside: &str, end: &str| {
            of(&format!(
                "(module (func (param $p i32) (local $i i32) (local $j i32) {before} (loop $l {inside} {end})))"
            ))
        };
        let set = "(local.set $i (i32.const 4))";
        let up = |step: i32| format!("(local.tee $i (i32.add (local.get $i) (i32.const {step})))");
        let until = |up: &str, end: i32| format!("(br_if $l (i32.ne {up} (i32.const {end})))");
        let below = |up: &str, end: i32| format!("(br_if $l (i32.lt_u {up} (i32.const {end})))");
        assert_eq!(counted(set, "", &until(&up(1), 9)), Some(2 + 2 + 5 * 8));
        for (why, before, inside, end) in [
            ("steps over the end", set, "", until(&up(2), 9)),
            ("goes the other way", set, "", until(&up(-1), 9)),
            ("stands still", set, "", until(&up(0), 9)),
            ("stands still below", set, "", below(&up(0), 9)),
            ("wraps around", set, "", below(&up(5), -2)),
            ("begins at the end", set, "", until(&up(1), 4)),
            ("begins anywhere", "(local.set $i (local.get $p))", "", until(&up(1), 9)),
            ("is not known to begin", "", "", until(&up(1), 9)),
            ("is set back", set, "(if (local.get $p) (then (local.set $i (i32.const 5))))", until(&up(1), 9)),
            ("is set back inside", set, "(loop (local.set $i (i32.const 5)))", below(&up(1), 9)),
            ("another way back", set, "(br_if $l (local.get $p))", until(&up(1), 9)),
            ("another way back by table", set, "(block (br_table 0 1 (local.get $p)))", below(&up(1), 9)),
            ("begins behind a join", "(block (br_if 0 (local.get $p)) (local.set $i (i32.const 4)))", "", until(&up(1), 9)),
            ("counts another", set, "", "(br_if $l (i32.lt_u (local.tee $j (i32.add (local.get $i) (i32.const 1))) (i32.const 9)))".to_owned()),
            ("signed", set, "", "(br_if $l (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9)))".to_owned()),
        ] {
            assert_eq!(counted(before, inside, &end), None, "{why}");
        }
    }

    #[test]
    fn loops_multiply() {
        let turn = "(local.tee $i (i32.add (local.get $i) (i32.const 1)))";
        let cost = of(&format!(
            "(module (memory 1) (func (local $i i32) (local $j i32)
                (loop $outer
                    (local.set $j (i32.const 3))
                    (loop $inner
                        (i32.store8 (i32.const 0) (i32.const 0))
                        (call 1)
                        (br_if $inner (local.tee $j (i32.sub (local.get $j) (i32.const 1)))))
                    (br_if $outer (i32.lt_u {turn} (i32.const 10)))))
             (func nop nop))"
        ));
        // Turns of the outer loop: 12. Of the inner: 3 each, with a store, a call of three and eight more.
        assert_eq!(cost, Some(2 + 12 * (2 + 1 + 8 + 3 * (16 + 3 + 9))));
    }

    #[test]
    fn what_can_run_on_has_none() {
        assert_eq!(of("(module (func (loop)))"), None);
        assert_eq!(of("(module (func call 0))"), None);
        assert_eq!(of("(module (func call 1) (func call 0))"), None);
        assert_eq!(
            of("(module (table 1 funcref) (func (call_indirect (i32.const 0))))"),
            None
        );
        assert_eq!(
            of(
                "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 9))))"
            ),
            None
        );
    }

    #[test]
    fn doubling_saturates_and_depth_is_no_matter() {
        let mut text = "(module ".to_owned();
        for next in 1..10_000 {
            text.push_str(&format!("(func call {next} call {next})"));
        }
        assert_eq!(of(&format!("{text} (func))")), Some(u64::MAX));
    }
}

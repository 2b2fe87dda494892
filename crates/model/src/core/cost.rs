//! The most that a call can cost, where that is finite.

use wasmparser::{BinaryReaderError, FunctionBody, Operator};

use super::CoreModule;

/// What one function does itself, and whom it calls, once per call site.
struct Body {
    operators: u64,
    calls: Vec<u32>,
}

/// The most instructions that the given functions together can execute, or nothing when there is no bound: a loop,
/// recursion, an indirect call (whose target is data), or an instruction whose work grows with an operand.
///
/// Without loops each call site runs at most once per call of its function, so the bound is a sum over the call graph.
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

fn read(body: &FunctionBody<'_>) -> Result<Option<Body>, BinaryReaderError> {
    let mut reader = body.get_operators_reader()?;
    let (mut operators, mut calls) = (0, Vec::new());
    while !reader.eof() {
        operators += 1;
        match reader.read()? {
            Operator::Call { function_index } => calls.push(function_index),
            Operator::Loop { .. }
            | Operator::CallIndirect { .. }
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
    Ok(Some(Body { operators, calls }))
}

/// The cost of one function, callees first. Calls nest as deep as there are functions, so the path is kept on the heap.
fn cost(bodies: &[Body], costs: &mut [Option<u64>], root: u32) -> Option<u64> {
    let mut on_path = vec![false; bodies.len()];
    // Function, next of its calls, cost so far.
    let mut path = vec![(root as usize, 0_usize, bodies.get(root as usize)?.operators)];
    on_path[root as usize] = true;
    while let Some((function, next, so_far)) = path.pop() {
        let Some(callee) = bodies[function].calls.get(next) else {
            costs[function] = Some(so_far);
            on_path[function] = false;
            continue;
        };
        let callee = *callee as usize;
        if let Some(cost) = costs[callee] {
            path.push((function, next + 1, so_far.saturating_add(cost)));
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

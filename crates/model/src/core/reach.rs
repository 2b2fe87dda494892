//! Which functions a call of the model can run at all.
//!
//! Toolchains leave much in a module that no row needs: a Rust model of numbers carries an allocator, and the machinery of
//! its panics, that only strings would use. What cannot run is taken out before anything is analysed or woven: its
//! body becomes a trap. So analysis and woven code speak of the same module, and were a function wrongly thought to be out
//! of reach, its call would fail the row rather than store what nobody tracks.

use wasmparser::{BinaryReader, BinaryReaderError, FunctionBody, Operator};

use super::CoreModule;

/// No locals, `unreachable`, `end`.
const TRAP: &[u8] = &[0, 0, 0x0b];

impl CoreModule<'_> {
    /// Replaces the body of every function that calls of `roots` cannot come to by a trap.
    ///
    /// Calls are followed by name. One indirect call in what is reached may come to any function, and then all stay.
    pub(crate) fn keep_reached(&mut self, roots: &[u32]) -> Result<(), BinaryReaderError> {
        let mut reached = vec![false; self.bodies.len()];
        let mut waiting = roots.to_vec();
        while let Some(function) = waiting.pop() {
            match reached.get_mut(function as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let mut reader = self.bodies[function as usize].get_operators_reader()?;
            while !reader.eof() {
                match reader.read()? {
                    Operator::Call { function_index } => waiting.push(function_index),
                    Operator::CallIndirect { .. } => return Ok(()),
                    _ => {}
                }
            }
        }
        for (body, reached) in self.bodies.iter_mut().zip(reached) {
            if !reached {
                *body = FunctionBody::new(BinaryReader::new(TRAP, 0));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    /// Which bodies are left, as a letter each.
    fn kept(text: &str, roots: &[u32]) -> String {
        let bytes = wat::parse_str(text).unwrap();
        let mut module = CoreModule::read(&bytes).unwrap();
        module.keep_reached(roots).unwrap();
        let body = |body: &FunctionBody<'_>| if body.as_bytes() == TRAP { '-' } else { 'k' };
        module.bodies.iter().map(body).collect()
    }

    #[test]
    fn calls_are_followed_through_cycles() {
        let text =
            "(module (func call 2) (func nop) (func call 3) (func call 0 call 2) (func call 1))";
        assert_eq!(kept(text, &[0]), "k-kk-");
        assert_eq!(kept(text, &[4]), "-k--k");
        assert_eq!(kept(text, &[4, 2]), "kkkkk");
        assert_eq!(kept(text, &[]), "-----");
    }

    #[test]
    fn an_indirect_call_keeps_all() {
        let text = "(module (table 1 funcref) (elem (i32.const 0) 1) (func call 2) (func nop)
            (func (call_indirect (i32.const 0))) (func nop))";
        assert_eq!(kept(text, &[0]), "kkkk");
        assert_eq!(kept(text, &[1]), "-k--");
    }

    /// A call through a reference needs a feature that is refused, and would be missed here.
    #[test]
    fn there_is_no_third_way_to_call() {
        let calls = |name: &str| name.starts_with("Call") || name.starts_with("ReturnCall");
        macro_rules! names {
            ($( @$proposal:ident $operator:ident $({ $($field:ident: $ty:ty),* })? => $visit:ident ($($annotation:tt)*))*) => {
                vec![$((stringify!($proposal), stringify!($operator))),*]
            };
        }
        let all: Vec<(&str, &str)> = wasmparser::for_each_operator!(names);
        let admitted = all.iter().filter(|(proposal, operator)| {
            calls(operator) && !["tail_call", "function_references"].contains(proposal)
        });
        let admitted: Vec<&str> = admitted.map(|(_, operator)| *operator).collect();
        assert_eq!(admitted, ["Call", "CallIndirect"]);
    }
}

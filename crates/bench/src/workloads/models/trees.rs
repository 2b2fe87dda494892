//! A gradient-boosted model: complete trees over four numbers, as WebAssembly, in Rust and as Python.

use std::fmt::Write;

use arrow::array::Float64Array;

use super::functions::Function;

const TREES: usize = 50;
const DEPTH: usize = 4;
/// Nodes of a tree that ask something, and all of them.
const ASKING: usize = (1 << DEPTH) - 1;
const NODES: usize = 2 * ASKING + 1;
/// The columns, and where their values lie, about.
const COLUMNS: [&str; 4] = ["l_quantity", "l_extendedprice", "l_discount", "l_tax"];
const RANGES: [(f64, f64); 4] = [(1.0, 50.0), (1_000.0, 90_000.0), (0.0, 0.1), (0.0, 0.08)];
/// Bytes of a node in the model's memory, behind the numbers of the row.
const NODE_BYTES: usize = 16;
const NODES_AT: usize = 64;

/// A node that asks whether a number is below a threshold, or, for the last level, what a tree adds.
#[derive(Clone, Copy)]
struct Node {
    column: usize,
    number: f64,
}

struct Forest(Vec<[Node; NODES]>);

/// Any model will do that is the same each time.
fn forest() -> Forest {
    let mut state = 1_u64;
    // Knuth's MMIX generator; its upper bits.
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut tree = || {
        std::array::from_fn(|node| {
            let column = below(COLUMNS.len() as u64) as usize;
            let (from, until) = RANGES[column];
            let share = below(1_000) as f64 / 1_000.0;
            let number = match node < ASKING {
                true => from + (until - from) * share,
                false => share,
            };
            Node { column, number }
        })
    };
    Forest((0..TREES).map(|_| tree()).collect())
}

impl Forest {
    #[inline(never)]
    fn score(&self, row: [f64; COLUMNS.len()]) -> f64 {
        let mut sum = 0.0;
        for tree in &self.0 {
            let mut at = 0;
            for _ in 0..DEPTH {
                let Node { column, number } = tree[at];
                at = 2 * at + if row[column] < number { 1 } else { 2 };
            }
            sum += tree[at].number;
        }
        sum
    }

    /// The nodes as they lie in the model's memory: where the number of the row is, and what it is compared with.
    fn data(&self) -> String {
        let nodes = self.0.iter().flatten();
        let bytes = nodes.flat_map(|node| {
            let address = (size_of::<f64>() * node.column) as u64;
            [address.to_le_bytes(), node.number.to_le_bytes()].concat()
        });
        bytes.fold(String::new(), |mut text, byte| {
            // Writing to a string does not fail.
            let _ = write!(text, "\\{byte:02x}");
            text
        })
    }

    /// Without a branch: the child of a node is at twice its place and one or two more.
    fn wat(&self) -> String {
        let stores = (0..COLUMNS.len()).map(|at| {
            let offset = size_of::<f64>() * at;
            format!("(f64.store offset={offset} (i32.const 0) (local.get {at}))")
        });
        let tree = |tree: usize| {
            let root = NODES_AT + tree * NODES * NODE_BYTES;
            let down = format!(
                "(local.set $at (i32.add (i32.sub (i32.shl (local.get $at) (i32.const 1)) (i32.const {}))
                    (select (i32.const 0) (i32.const {NODE_BYTES})
                        (f64.lt (f64.load (i32.load (local.get $at))) (f64.load offset=8 (local.get $at))))))",
                root - NODE_BYTES
            );
            format!(
                "(local.set $at (i32.const {root})) {}
                 (local.set $sum (f64.add (local.get $sum) (f64.load offset=8 (local.get $at))))",
                down.repeat(DEPTH)
            )
        };
        format!(
            r#"(module (memory (export "memory") 1) (data (i32.const {NODES_AT}) "{}")
                (func (export "row") (param{}) (result f64) (local $sum f64) (local $at i32)
                    {} {} (local.get $sum)))"#,
            self.data(),
            " f64".repeat(COLUMNS.len()),
            stores.collect::<String>(),
            (0..TREES).map(tree).collect::<String>(),
        )
    }

    /// As one exports such a model to Python.
    fn python(&self) -> String {
        fn node(tree: &[Node; NODES], at: usize, depth: usize, into: &mut String) {
            let Node { column, number } = tree[at];
            let indent = "    ".repeat(depth);
            let _ = if at < ASKING {
                let _ = writeln!(into, "{indent}if {} < {number:?}:", COLUMNS[column]);
                node(tree, 2 * at + 1, depth + 1, into);
                let _ = writeln!(into, "{indent}else:");
                node(tree, 2 * at + 2, depth + 1, into);
                Ok(())
            } else {
                writeln!(into, "{indent}total += {number:?}")
            };
        }
        let mut source = format!("def trees({}):\n    total = 0.0\n", COLUMNS.join(", "));
        for tree in &self.0 {
            node(tree, 0, 1, &mut source);
        }
        source + "    return total\n"
    }
}

/// The model.
pub(super) fn trees() -> Function {
    let forest = forest();
    Function {
        name: "trees",
        columns: &COLUMNS,
        wat: forest.wat(),
        python: forest.python(),
        native: Box::new(move |columns| {
            let rows = columns[0]
                .iter()
                .zip(columns[1])
                .zip(columns[2])
                .zip(columns[3]);
            let scores = rows.map(|(((a, b), c), d)| Some(forest.score([a?, b?, c?, d?])));
            scores.collect::<Float64Array>()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_adds_the_leaf_that_its_questions_lead_to() {
        let forest = Forest(vec![std::array::from_fn(|at| Node {
            column: 0,
            number: if at < ASKING { 10.0 } else { at as f64 },
        })]);
        assert_eq!(forest.score([0.0; 4]), ASKING as f64);
        assert_eq!(forest.score([10.0; 4]), (NODES - 1) as f64);
        assert!(forest.python().contains("if l_quantity < 10.0:"));
    }
}

//! A gradient-boosted model: 100 complete trees of depth 6 over 8 numbers, as data, walked by the same loop in
//! WebAssembly and in native Rust.

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;

use crate::cases::numbers;
use crate::harness::{Case, column, component};

const TREES: usize = 100;
const DEPTH: u32 = 6;
const FEATURES: usize = 8;
/// Inner nodes of a tree, and its leaves.
const NODES: usize = (1 << DEPTH) - 1;
const LEAVES: usize = 1 << DEPTH;
/// Where the model's memory holds the row, the nodes (feature and threshold, 16 bytes) and the leaves.
const ROW_AT: usize = 0;
const NODES_AT: usize = 64;
const LEAVES_AT: usize = NODES_AT + TREES * NODES * 16;

struct Forest {
    nodes: Vec<(usize, f64)>,
    leaves: Vec<f64>,
}

impl Forest {
    fn new() -> Self {
        let mut seeds = (1..).flat_map(numbers);
        let mut below = |n: u64| seeds.next().unwrap_or(0) % n;
        Self {
            nodes: (0..TREES * NODES)
                .map(|_| (below(FEATURES as u64) as usize, below(1_000) as f64))
                .collect(),
            leaves: (0..TREES * LEAVES)
                .map(|_| below(1_000) as f64 / 1_000.0 - 0.5)
                .collect(),
        }
    }

    #[inline(never)]
    fn score(&self, row: &[f64; FEATURES]) -> f64 {
        let mut sum = 0.0;
        for (nodes, leaves) in self
            .nodes
            .chunks_exact(NODES)
            .zip(self.leaves.chunks_exact(LEAVES))
        {
            let mut node = 0;
            for _ in 0..DEPTH {
                let (feature, threshold) = nodes[node];
                node = 2 * node
                    + if row[feature & (FEATURES - 1)] < threshold {
                        1
                    } else {
                        2
                    };
            }
            sum += leaves[node - NODES];
        }
        sum
    }

    /// The model's data segment: nodes, then leaves.
    fn data(&self) -> String {
        let nodes = self.nodes.iter().flat_map(|(feature, threshold)| {
            let address = ROW_AT as u64 + 8 * *feature as u64;
            [address.to_le_bytes(), threshold.to_le_bytes()].concat()
        });
        let leaves = self.leaves.iter().flat_map(|leaf| leaf.to_le_bytes());
        nodes
            .chain(leaves)
            .map(|byte| format!("\\{byte:02x}"))
            .collect()
    }
}

fn module(forest: &Forest) -> String {
    let params: String = (0..FEATURES).map(|_| " f64").collect();
    let stores: String = (0..FEATURES)
        .map(|f| {
            format!(
                "(f64.store offset={} (i32.const 0) (local.get {f}))",
                ROW_AT + 8 * f
            )
        })
        .collect();
    let tree_bytes = NODES * 16;
    format!(
        r#"(module (memory (export "memory") 3) (data (i32.const {NODES_AT}) "{}")
            (func (export "row") (param{params}) (result f64)
                (local $sum f64) (local $tree i32) (local $node i32) (local $at i32) (local $level i32)
                {stores}
                (loop $trees
                    (local.set $node (i32.const 0))
                    (local.set $level (i32.const {DEPTH}))
                    (loop $levels
                        (local.set $at (i32.add
                            (i32.mul (local.get $tree) (i32.const {tree_bytes}))
                            (i32.shl (local.get $node) (i32.const 4))))
                        (local.set $node (i32.add (i32.shl (local.get $node) (i32.const 1))
                            (select (i32.const 1) (i32.const 2)
                                (f64.lt (f64.load (i32.load offset={NODES_AT} (local.get $at)))
                                        (f64.load offset={} (local.get $at))))))
                        (br_if $levels (local.tee $level (i32.sub (local.get $level) (i32.const 1)))))
                    (local.set $sum (f64.add (local.get $sum) (f64.load offset={LEAVES_AT}
                        (i32.shl (i32.add (i32.mul (local.get $tree) (i32.const {LEAVES}))
                                          (i32.sub (local.get $node) (i32.const {NODES}))) (i32.const 3)))))
                    (local.set $tree (i32.add (local.get $tree) (i32.const 1)))
                    (br_if $trees (i32.lt_u (local.get $tree) (i32.const {TREES}))))
                (local.get $sum)))"#,
        forest.data(),
        NODES_AT + 8,
    )
}

pub(crate) fn case() -> Case {
    let forest = Forest::new();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let params = names.map(|name| format!("{name}: f64")).join(", ");
    let model = component(
        &format!("export row: func({params}) -> f64;"),
        &module(&forest),
    );
    let columns: Vec<(&str, ArrayRef)> = names
        .into_iter()
        .zip(1..)
        .map(|(name, seed)| {
            let values = numbers(seed).map(|n| (n % 1_000) as f64);
            (name, column(Float64Array::from_iter_values(values)))
        })
        .collect();
    Case::new(&model, columns, move |columns| {
        let columns: Vec<_> = columns
            .iter()
            .map(|column| column.as_primitive::<Float64Type>().values())
            .collect();
        let scores = (0..columns[0].len())
            .map(|row| forest.score(&std::array::from_fn(|feature| columns[feature][row])));
        vec![column(Float64Array::from_iter_values(scores))]
    })
}

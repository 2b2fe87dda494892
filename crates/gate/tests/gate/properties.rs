//! Random tables against the laws of the gate, and against a second gate that is too simple to be wrong the same way.

use arrow::datatypes::DataType;
use proptest::prelude::*;
use weir_policy::Policy;

use crate::table::{Cell, Measure, Shape, Value, order_of, rows};

/// The second gate: a filter, a sort, and nothing of Arrow. `agreement` has a second implementation of the rules from
/// plain rows; here they are asked of any float there is.
fn naive(cells: &[Cell], policy: &Policy) -> Vec<Vec<Value>> {
    let mut kept: Vec<&Cell> = cells.iter().filter(|cell| passes(cell, policy)).collect();
    kept.sort_by(|left, right| order_of(&left.keys, &right.keys));
    kept.into_iter()
        .map(|cell| cell.keys.iter().chain(&cell.values).cloned().collect())
        .collect()
}

fn passes(cell: &Cell, policy: &Policy) -> bool {
    let enough = |units, rows| units >= policy.units_min() && rows >= policy.rows_min();
    enough(cell.units, cell.rows)
        && cell
            .counted
            .iter()
            .all(|(units, rows)| enough(*units, *rows))
        && cell.measures.iter().all(|measure| {
            enough(measure.unit_sums.len() as u64, measure.rows)
                && no_one_dominates(measure, policy)
        })
}

fn no_one_dominates(measure: &Measure, policy: &Policy) -> bool {
    let mut sizes: Vec<f64> = measure.unit_sums.iter().map(|sum| sum.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let total: f64 = sizes.iter().sum();
    sizes.reverse();
    sizes.extend([0.0; 3]);
    if !total.is_finite() {
        return false;
    }
    if total == 0.0 {
        return !policy.zeros_are_disclosive();
    }
    let [one, two, three] = policy
        .top_share_max()
        .map(|share| share.unwrap_or(f64::INFINITY));
    sizes[0] / total < one
        && (sizes[0] + sizes[1]) / total < two
        && (sizes[0] + sizes[1] + sizes[2]) / total < three
        && (total - sizes[0] - sizes[1]) / sizes[0] >= policy.p_ratio_min()
}

fn key(kind: &DataType) -> BoxedStrategy<Value> {
    match kind {
        DataType::Boolean => {
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool)].boxed()
        }
        DataType::Int64 => prop_oneof![
            Just(Value::Null),
            (-3..3_i64).prop_map(Value::Int),
            any::<i64>().prop_map(Value::Int)
        ]
        .boxed(),
        DataType::Float64 => {
            prop_oneof![
                Just(Value::Null),
                (-2..2_i8).prop_map(|x| Value::Float(f64::from(x) / 2.0)),
                Just(Value::Float(-0.0)),
                // Every bit pattern: infinities, subnormal numbers, all kinds of NaN.
                any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))),
                Just(Value::Float(f64::from_bits(0xfff0_0000_0000_0001))),
            ]
            .boxed()
        }
        _ => prop_oneof![
            Just(Value::Null),
            "[a-c]{0,3}".prop_map(Value::Text),
            any::<String>().prop_map(Value::Text)
        ]
        .boxed(),
    }
}

fn kind() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Boolean),
        Just(DataType::Int64),
        Just(DataType::Float64),
        Just(DataType::Utf8)
    ]
}

fn cell(shape: &Shape) -> impl Strategy<Value = Cell> + use<> {
    let keys: Vec<_> = shape.keys.iter().map(|(_, kind)| key(kind)).collect();
    let values: Vec<_> = shape.values.iter().map(|(_, kind)| key(kind)).collect();
    (keys, values, backing()).prop_map(|(keys, values, backing)| Cell {
        keys,
        values,
        ..backing
    })
}

/// A cell's evidence, around the thresholds, where mistakes are: one counted argument and one sum.
fn backing() -> impl Strategy<Value = Cell> {
    let counts = (0..16_u64, 0..4_u64, 0..3_u64, 0..3_u64);
    (counts, proptest::collection::vec(contribution(), 16)).prop_map(
        |((units, more, without, null), mut unit_sums)| {
            let (rows, with) = (units + more, units.saturating_sub(without));
            unit_sums.truncate(with as usize);
            Cell {
                units,
                rows,
                counted: vec![(with, rows.saturating_sub(null).max(with))],
                measures: vec![Measure {
                    rows: rows.saturating_sub(null).max(with),
                    unit_sums,
                }],
                ..Cell::default()
            }
        },
    )
}

fn contribution() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => (-8..8_i8).prop_map(f64::from),
        4 => 0.0..1.0_f64,
        1 => (-90..90_i8).prop_map(f64::from),
        1 => any::<u64>().prop_map(f64::from_bits).prop_filter("rarely not finite", |x| x.abs() < 1e9 || !x.is_finite()),
    ]
}

fn number() -> impl Strategy<Value = DataType> {
    prop_oneof![Just(DataType::Int64), Just(DataType::Float64)]
}

fn columns(
    names: &'static [&'static str],
    kind: BoxedStrategy<DataType>,
) -> impl Strategy<Value = Vec<(&'static str, DataType)>> {
    proptest::collection::vec(kind, 0..=names.len())
        .prop_map(|kinds| names.iter().copied().zip(kinds).collect())
}

/// Up to three keys of any kind, up to two sums, and cells with distinct keys.
fn table() -> impl Strategy<Value = (Shape, Vec<Cell>)> {
    (
        columns(&["k1", "k2", "k3"], kind().boxed()),
        columns(&["v1", "v2"], number().boxed()),
    )
        .prop_filter("a table has a column", |(keys, values)| {
            !keys.is_empty() || !values.is_empty()
        })
        .prop_flat_map(|(keys, values)| {
            let shape = Shape { keys, values };
            (
                Just(shape.clone()),
                proptest::collection::vec(cell(&shape), 0..24).prop_map(distinct),
            )
        })
}

/// The first of each key tuple. Without keys, one cell.
fn distinct(cells: Vec<Cell>) -> Vec<Cell> {
    let mut kept: Vec<Cell> = Vec::new();
    for cell in cells {
        if kept
            .iter()
            .all(|other| order_of(&other.keys, &cell.keys).is_ne())
        {
            kept.push(cell);
        }
    }
    kept
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let share = || proptest::option::of(3_000..=9_500_u32);
    ((3..12_u64, 3..14_u64), [share(), share(), share()], 500..4_000_u32, any::<bool>()).prop_map(
        |((units, rows), shares, ratio, zeros)| {
            let shares: String = shares
                .iter()
                .zip(1..)
                .filter_map(|(share, n)| Some(format!("top{n}_share_max = 0.{:04}\n", (*share)?)))
                .collect();
            let text = format!(
                "name = \"x\"\n[cell]\nunits_min = {units}\nrows_min = {rows}\n[dominance]\n{shares}[p_ratio]\n\
                 ratio_min = 0.{ratio:04}\nzeros_are_disclosive = {zeros}\n[rounding]\ncount_base = 1\nsignificant_digits = 17\n"
            );
            Policy::from_toml(&text, "random").unwrap()
        },
    )
}

proptest! {
    #[test]
    fn the_gate_agrees_with_the_naive_one((shape, cells) in table(), policy in any_policy()) {
        let (released, record) = shape.pass(&cells, &policy);
        let expected = naive(&cells, &policy);
        prop_assert_eq!(rows(released.batch()), expected.clone());
        prop_assert_eq!(record.cells_released as usize, expected.len());
        prop_assert_eq!(record.cells_withheld as usize, cells.len() - expected.len());
        prop_assert_eq!(record.policy_digest, policy.digest());
        prop_assert!(released.cells_withheld_at_most() >= record.cells_withheld);
    }

    #[test]
    fn no_released_cell_breaks_a_rule_and_no_withheld_one_keeps_them_all(
        backings in proptest::collection::vec(backing(), 0..40),
        policy in any_policy(),
    ) {
        let shape = Shape { keys: vec![("id", DataType::Int64)], values: vec![] };
        let cells: Vec<Cell> = backings.into_iter().zip(0..)
            .map(|(backing, id)| Cell { keys: vec![Value::Int(id)], ..backing })
            .collect();
        let released = rows(shape.pass(&cells, &policy).0.batch());
        for cell in &cells {
            prop_assert_eq!(released.contains(&cell.keys), passes(cell, &policy), "{:?}", cell);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_show(
        ((shape, cells), shuffled) in table()
            .prop_flat_map(|(shape, cells)| (Just((shape, cells.clone())), Just(cells).prop_shuffle())),
        policy in any_policy(),
    ) {
        let (first, second) = (shape.pass(&cells, &policy).0, shape.pass(&shuffled, &policy).0);
        prop_assert_eq!(first.arrow_ipc(), second.arrow_ipc());
        prop_assert_eq!(first.digest(), second.digest());
    }

    #[test]
    fn withheld_cells_do_not_show((shape, cells) in table(), policy in any_policy()) {
        let kept: Vec<Cell> = cells.iter()
            .filter(|cell| passes(cell, &policy))
            .cloned()
            .collect();
        let (with, without) = (shape.pass(&cells, &policy).0, shape.pass(&kept, &policy).0);
        prop_assert_eq!(with.arrow_ipc(), without.arrow_ipc());
    }

    #[test]
    fn the_values_of_withheld_cells_do_not_show(
        (shape, cells, others) in table().prop_flat_map(|(shape, cells)| {
            let others = proptest::collection::vec(cell(&shape), cells.len());
            (Just(shape), Just(cells), others)
        }),
        policy in any_policy(),
    ) {
        let changed: Vec<Cell> = cells.iter().zip(&others)
            .map(|(cell, other)| if !passes(cell, &policy) { Cell { values: other.values.clone(), ..cell.clone() } } else { cell.clone() })
            .collect();
        let (first, second) = (shape.pass(&cells, &policy), shape.pass(&changed, &policy));
        prop_assert_eq!(first.0.arrow_ipc(), second.0.arrow_ipc());
        prop_assert_eq!(first.1, second.1);
    }

    #[test]
    fn a_further_layer_never_releases_more((shape, cells) in table(), one in any_policy(), other in any_policy()) {
        let both = rows(shape.pass(&cells, &one.tighten(&other)).0.batch());
        for layer in [&one, &other] {
            let alone = rows(shape.pass(&cells, layer).0.batch());
            prop_assert!(both.iter().all(|row| alone.contains(row)));
        }
    }

    #[test]
    fn the_same_table_has_the_same_bytes_again((shape, cells) in table(), policy in any_policy()) {
        let (first, second) = (shape.pass(&cells, &policy).0, shape.pass(&cells, &policy).0);
        prop_assert_eq!(first.arrow_ipc(), second.arrow_ipc());
    }
}

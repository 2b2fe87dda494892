//! Models over units: all rows of a unit at once, wherever batches are cut, and nothing from unit to unit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, StringArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use insta::assert_snapshot;
use proptest::prelude::*;
use weir_model::{Binding, Grain, Limits, ModelError, Runtime, UnitAnswers, UnitEvaluator, admit};

use crate::support::{compile, component, refusal, table, texts};

/// A model over units of one whole number per row. `$at` and `$count` are the list; a record is four bytes.
pub(crate) fn integer_units(items: &str, body: &str) -> Vec<u8> {
    component(
        "record item { x: s32 } export unit: func(items: list<item>) -> s32;",
        &format!(
            r#"(module (memory (export "memory") 2 4) (global $heap (mut i32) (i32.const 1024)) {items}
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.get $heap)
                    (global.set $heap (i32.add (global.get $heap) (local.get 3))))
                (func (export "unit") (param $at i32) (param $count i32) (result i32)
                    (local $i i32) (local $acc i32) {body}))"#
        ),
    )
}

/// Runs `step` for each number, which is on top of the stack as `$x`, into `$acc`.
fn each(step: &str) -> String {
    format!(
        "(block $done (loop $next
            (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
            {}
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))",
        step.replace(
            "$x",
            "(i32.load (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 2))))"
        )
    )
}

/// Sum, and a count that is kept in memory and in a global: a second unit would see the first.
fn leaky_sum() -> Vec<u8> {
    let step = "(local.set $acc (i32.add (local.get $acc) $x))
        (global.set $g (i32.add (global.get $g) (i32.const 1)))
        (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))";
    integer_units(
        "(global $g (mut i32) (i32.const 0))",
        &format!(
            "{} (if (i32.eqz (i32.rem_s (local.get $acc) (i32.const 7))) (then unreachable))
             (if (i32.eqz (i32.rem_s (local.get $acc) (i32.const 11))) (then (loop $spin (br $spin))))
             (i32.add (local.get $acc) (i32.mul (i32.const 1000)
                (i32.add (global.get $g) (i32.load (i32.const 64)))))",
            each(step)
        ),
    )
}

fn expected(rows: &[i32]) -> Option<i32> {
    let sum: i32 = rows.iter().sum();
    (sum % 7 != 0 && sum % 11 != 0).then_some(sum + 2_000 * rows.len() as i32)
}

fn bind(model: &weir_model::Model, columns: &[(&str, ArrayRef)]) -> Binding {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    model.bind(&Schema::new(fields)).unwrap()
}

/// Answers of a stream cut into batches at some rows.
fn stream(
    mut evaluator: UnitEvaluator,
    units: &ArrayRef,
    columns: &[ArrayRef],
    cuts: &[usize],
) -> UnitAnswers {
    let (mut answers, mut first) = (Vec::new(), 0);
    for cut in cuts.iter().copied().chain([units.len()]) {
        let batch: Vec<ArrayRef> = columns
            .iter()
            .map(|column| column.slice(first, cut - first))
            .collect();
        answers.push(
            evaluator
                .push(&units.slice(first, cut - first), &batch)
                .unwrap(),
        );
        first = cut;
    }
    answers.extend(evaluator.finish().unwrap());
    let join = |pick: fn(&UnitAnswers) -> ArrayRef| {
        let parts: Vec<ArrayRef> = answers.iter().map(pick).collect();
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        concat(&parts).unwrap()
    };
    UnitAnswers {
        units: join(|answers| Arc::clone(&answers.units)),
        outputs: join(|answers| Arc::new(answers.outputs.clone()))
            .as_struct()
            .clone(),
    }
}

/// The answers of the woven way, in one batch, compared with the checking and the reference one.
pub(crate) fn over_units(
    model: &weir_model::Model,
    units: &ArrayRef,
    columns: &[(&str, ArrayRef)],
) -> UnitAnswers {
    let binding = bind(model, columns);
    let columns: Vec<ArrayRef> = binding
        .columns()
        .iter()
        .map(|bound| Arc::clone(&columns[bound.index].1))
        .collect();
    let answer = stream(binding.unit_evaluator(), units, &columns, &[]);
    for other in [
        binding.reference_unit_evaluator(),
        binding.checking_unit_evaluator(),
    ] {
        let other = stream(other, units, &columns, &[]);
        assert_eq!(answer.units.as_ref(), other.units.as_ref());
        assert_eq!(answer.outputs, other.outputs);
    }
    answer
}

fn column(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn values(answers: &UnitAnswers) -> Vec<Option<i32>> {
    answers
        .outputs
        .column(0)
        .as_primitive::<Int32Type>()
        .iter()
        .collect()
}

/// The answers of an integer model for units given as their rows.
pub(crate) fn answers(component: &[u8], units: &[&[i32]]) -> Vec<Option<i32>> {
    let ids = (0..).zip(units);
    let ids = column(ids.flat_map(|(id, rows)| rows.iter().map(move |_| id)));
    let rows = column(units.iter().flat_map(|rows| rows.iter().copied()));
    values(&over_units(
        &compile(component).unwrap(),
        &ids,
        &[("x", rows)],
    ))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::support::cases(32)))]

    #[test]
    fn no_cut_and_no_neighbour_changes_an_answer(
        units in prop::collection::vec(prop::collection::vec(1..50_i32, 1..9), 1..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        reversed in any::<bool>(),
    ) {
        let mut units = units;
        if reversed {
            units.reverse();
        }
        let wanted: Vec<_> = units.iter().map(|rows| expected(rows)).collect();
        let ids = (0..).zip(&units);
        let ids = column(ids.flat_map(|(id, rows)| rows.iter().map(move |_| id * 3)));
        let rows = column(units.iter().flatten().copied());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len() + 1)).collect();
        cuts.sort_unstable();
        let model = compile(&leaky_sum()).unwrap();
        let binding = bind(&model, &[("x", Arc::clone(&rows))]);
        let columns = [Arc::clone(&rows)];
        for evaluator in [binding.unit_evaluator(), binding.reference_unit_evaluator(), binding.checking_unit_evaluator()] {
            let found = stream(evaluator, &ids, &columns, &cuts);
            prop_assert_eq!(&values(&found), &wanted);
            let named: Vec<i32> = found.units.as_primitive::<Int32Type>().values().to_vec();
            prop_assert_eq!(named, (0..units.len() as i32).map(|id| id * 3).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_unit_model_says_so() {
    let model = compile(&leaky_sum()).unwrap();
    assert_eq!(model.signature().grain(), Grain::Unit);
    assert_snapshot!(model.signature(), @"
    world model {
      record item { x: s32 }
      export unit: func(items: list<item>) -> s32;
    }
    ");
    let binding = bind(&model, &[("x", column([1]))]);
    let error = binding.evaluator().evaluate(&[column([1])], 1).unwrap_err();
    assert!(matches!(error, ModelError::Grain { export: "unit" }));
}

#[test]
fn other_shapes_are_refused() {
    let world = |wit: &str, params: &str| {
        component(
            wit,
            &format!(
                r#"(module (memory (export "memory") 1)
                    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                    (func (export "unit") (param {params}) (result i32) unreachable))"#
            ),
        )
    };
    assert_snapshot!(
        [
            refusal(&world("export unit: func(x: s32) -> s32;", "i32")),
            refusal(&world("export unit: func(xs: list<s32>) -> s32;", "i32 i32")),
            refusal(&world(
                "record item { x: s32 } export unit: func(a: list<item>, b: s32) -> s32;",
                "i32 i32 i32"
            )),
            refusal(&world(
                "record item { x: list<s32> } export unit: func(a: list<item>) -> s32;",
                "i32 i32"
            )),
        ]
        .join("\n"), @"
    MODEL_TYPE: parameter `x` has type `s32`: `unit` takes one parameter, the rows of a unit: a `list` of a `record` whose fields are columns
    MODEL_TYPE: parameter `xs` has type `list<s32>`: `unit` takes one parameter, the rows of a unit: a `list` of a `record` whose fields are columns
    MODEL_TYPE: what `unit` takes has type `2 parameters`: `unit` takes one parameter, the rows of a unit: a `list` of a `record` whose fields are columns
    MODEL_TYPE: record field `x` has type `list<s32>`: use `bool`, an integer, `f32`, `f64`, `string`, an `enum`, or an `option` of one of these
    "
    );
}

/// Every type, optional and not, with strings among them, echoed from the last row of each unit.
#[test]
fn records_arrive_as_they_are() {
    let model = component(
        "enum side { left, right }
         record item { a: option<f64>, b: string, c: side, d: u8, e: option<string> }
         record outcome { last-a: option<f64>, last-b: string, last-c: side, last-d: u8, last-e: option<string> }
         export unit: func(items: list<item>) -> outcome;",
        r#"(module (memory (export "memory") 2) (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            (func (export "unit") (param $at i32) (param $count i32) (result i32)
                (i32.add (local.get $at) (i32.mul (i32.sub (local.get $count) (i32.const 1)) (i32.const 40)))))"#,
    );
    let units: ArrayRef = Arc::new(StringArray::from(vec!["p", "p", "q", "r", "r", "r"]));
    let columns: [(&str, ArrayRef); 5] = [
        (
            "a",
            Arc::new(Float64Array::from(vec![
                None,
                Some(1.5),
                None,
                Some(2.0),
                Some(3.0),
                Some(-0.0),
            ])),
        ),
        (
            "b",
            Arc::new(StringArray::from(vec!["", "bé", "c", "d", "e", "fff"])),
        ),
        (
            "c",
            Arc::new(StringArray::from(vec![
                "left", "right", "left", "left", "left", "right",
            ])),
        ),
        (
            "d",
            Arc::new(arrow::array::UInt8Array::from(vec![1, 2, 3, 4, 5, 255])),
        ),
        (
            "e",
            Arc::new(StringArray::from(vec![
                None,
                Some("x"),
                None,
                None,
                None,
                Some("堰"),
            ])),
        ),
    ];
    let answers = over_units(&compile(&model).unwrap(), &units, &columns);
    assert_eq!(
        texts(&answers.units),
        StringArray::from(vec!["p", "q", "r"])
    );
    assert_snapshot!(table(&answers.outputs), @"
    last_a | last_b | last_c | last_d | last_e
    1.5 | bé | right | 2 | x
    ∅ | c | left | 3 | ∅
    -0.0 | fff | right | 255 | 堰
    ");
}

#[test]
fn one_bad_row_fails_its_unit_and_no_other() {
    let model = compile(&component(
        "enum side { left, right } record item { x: s32, side: side, text: string }
         export unit: func(items: list<item>) -> s32;",
        r#"(module (memory (export "memory") 2) (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            (func (export "unit") (param i32 i32) (result i32) (local.get 1)))"#,
    ))
    .unwrap();
    let long = "x".repeat(Limits::default().string_input_bytes_max + 1);
    let x: ArrayRef = Arc::new(Int32Array::from(vec![
        Some(1),
        Some(2),
        None,
        Some(4),
        Some(5),
        Some(6),
        Some(7),
        Some(8),
    ]));
    let side: ArrayRef = Arc::new(StringArray::from(vec![
        "left", "left", "left", "left", "up", "left", "left", "left",
    ]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["", "", "", "", "", &long, "", ""]));
    let units = column([1, 1, 2, 2, 3, 4, 5, 5]);
    let answers = over_units(&model, &units, &[("x", x), ("side", side), ("text", text)]);
    assert_eq!(values(&answers), [Some(2), None, None, None, Some(2)]);
}

#[test]
fn a_unit_over_a_limit_fails_alone_wherever_it_is_cut() {
    let limits = Limits {
        unit_rows_max: 5,
        ..Limits::default()
    };
    let runtime = Runtime::new(&limits).unwrap();
    let count = integer_units("", "(local.get $count)");
    let model = runtime.compile(&admit(&count, &limits).unwrap()).unwrap();
    let units = column([1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 4, 4, 4, 4, 4, 4, 4]);
    let binding = bind(&model, &[("x", Arc::clone(&units))]);
    for cut in 0..units.len() {
        for evaluator in [
            binding.unit_evaluator(),
            binding.reference_unit_evaluator(),
            binding.checking_unit_evaluator(),
        ] {
            let found = stream(evaluator, &units, &[Arc::clone(&units)], &[cut, cut]);
            assert_eq!(values(&found), [Some(5), None, Some(1), None], "{cut}");
        }
    }
}

#[test]
fn a_unit_with_too_long_strings_fails_alone_wherever_it_is_cut() {
    let limits = Limits {
        unit_string_bytes_max: 10,
        ..Limits::default()
    };
    let runtime = Runtime::new(&limits).unwrap();
    let count = component(
        "record item { x: string } export unit: func(items: list<item>) -> s32;",
        r#"(module (memory (export "memory") 2) (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            (func (export "unit") (param i32 i32) (result i32) (local.get 1)))"#,
    );
    let model = runtime.compile(&admit(&count, &limits).unwrap()).unwrap();
    let units = column([1, 1, 1, 2, 2, 2, 2, 3]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![
        "12345",
        "12",
        "345",
        "1234",
        "5678",
        "9",
        "ab",
        "1234567890",
    ]));
    let binding = bind(&model, &[("x", Arc::clone(&texts))]);
    for cut in 0..units.len() {
        for evaluator in [
            binding.unit_evaluator(),
            binding.reference_unit_evaluator(),
            binding.checking_unit_evaluator(),
        ] {
            let found = stream(evaluator, &units, &[Arc::clone(&texts)], &[cut]);
            assert_eq!(values(&found), [Some(3), None, Some(1)], "{cut}");
        }
    }
}

/// Large units, of more rows than fit a run, between small ones, over many runs.
#[test]
fn units_of_every_size_over_many_runs() {
    let sizes: Vec<i32> = (0..600)
        .map(|n| if n % 97 == 5 { 3_000 } else { n % 13 + 1 })
        .collect();
    let ids = (0..).zip(&sizes);
    let ids = column(ids.flat_map(|(id, size)| (0..*size).map(move |_| id)));
    let model = compile(&integer_units(
        "",
        &format!(
            "{} (local.get $acc)",
            each("(local.set $acc (i32.add (local.get $acc) $x))")
        ),
    ))
    .unwrap();
    let found = over_units(
        &model,
        &ids,
        &[("x", column(sizes.iter().flat_map(|size| 0..*size)))],
    );
    let wanted: Vec<_> = sizes
        .iter()
        .map(|size| Some(size * (size - 1) / 2))
        .collect();
    assert_eq!(values(&found), wanted);
}

#[test]
fn a_unit_has_the_fuel_of_its_rows() {
    // Spins for as many turns as the first row says.
    let spin = integer_units(
        "",
        "(local.set $acc (i32.load (local.get $at)))
         (loop $turn
            (local.set $acc (i32.sub (local.get $acc) (i32.const 1)))
            (br_if $turn (i32.gt_s (local.get $acc) (i32.const 0))))
         (local.get $count)",
    );
    // A turn is some eight instructions and a row has a million.
    let long = 300_000;
    let found = answers(
        &spin,
        &[
            &[1],
            &[long],
            &[long, 0],
            &[long, 0, 0, 0],
            &[1],
            &[long, 0, 0, 0, 0],
            &[7, 7],
        ],
    );
    assert_eq!(found[0], Some(1));
    assert_eq!(found[1], None);
    assert_eq!(found[3..], [Some(4), Some(1), Some(5), Some(2)]);
}

#[test]
fn an_empty_stream_has_no_units() {
    let model = compile(&leaky_sum()).unwrap();
    let binding = bind(&model, &[("x", column([1]))]);
    let mut evaluator = binding.unit_evaluator();
    assert!(evaluator.finish().unwrap().is_none());
    let none = evaluator.push(&column([]), &[column([])]).unwrap();
    assert_eq!((none.units.len(), none.outputs.len()), (0, 0));
    assert!(evaluator.finish().unwrap().is_none());
    // And another stream after the end of one.
    evaluator.push(&column([4]), &[column([1])]).unwrap();
    assert_eq!(values(&evaluator.finish().unwrap().unwrap()), [Some(2_001)]);
    assert_eq!(
        evaluator
            .push(&column([4]), &[column([1])])
            .unwrap()
            .units
            .len(),
        0
    );
}

#[test]
fn null_and_dictionary_units() {
    let model = compile(&leaky_sum()).unwrap();
    let plain: ArrayRef = Arc::new(StringArray::from(vec![
        None,
        None,
        Some("a"),
        Some("b"),
        Some("b"),
    ]));
    let kind = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let x = column([1, 2, 3, 4, 5]);
    for units in [
        Arc::clone(&plain),
        arrow::compute::cast(&plain, &kind).unwrap(),
    ] {
        let found = over_units(&model, &units, &[("x", Arc::clone(&x))]);
        assert_eq!(values(&found), [Some(4_003), Some(2_003), Some(4_009)]);
        assert_eq!(
            texts(&found.units),
            StringArray::from(vec![None, Some("a"), Some("b")])
        );
    }
}

/// Hostile models over units, by what they attack.
mod hostile {
    use super::*;

    const UNITS: [&[i32]; 5] = [&[1, 2], &[3], &[3, 3], &[4], &[1, 2]];

    /// What a model does with units that begin with 3, between others that it counts.
    fn only_on_three(misdeed: &str) -> Vec<Option<i32>> {
        let body = format!(
            "(if (i32.eq (i32.load (local.get $at)) (i32.const 3)) (then {misdeed})) (local.get $count)"
        );
        answers(&integer_units("", &body), &UNITS)
    }

    #[test]
    fn failures_stay_with_their_unit_and_look_alike() {
        for misdeed in [
            "unreachable",
            "(loop $spin (br $spin))",
            "(drop (i32.load (i32.const -4)))",
            "(i32.store (i32.const 131070) (i32.const 1))",
            "(memory.fill (i32.const 0) (i32.const 9) (i32.const 131072)) unreachable",
        ] {
            let found = only_on_three(misdeed);
            assert_eq!(found, [Some(2), None, None, Some(1), Some(2)], "{misdeed}");
        }
    }

    #[test]
    fn rows_of_the_unit_before_are_not_in_memory() {
        // Beyond the list's end lies what an earlier, longer unit had there.
        let peek = integer_units(
            "",
            "(i32.load (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 2))))",
        );
        let found = answers(&peek, &[&[5, 6, 7, 8], &[9], &[5, 6], &[7]]);
        assert_eq!(found, [Some(0); 4]);
    }

    #[test]
    fn an_allocator_that_always_gives_the_same_place() {
        let model = component(
            "record item { x: s32 } export unit: func(items: list<item>) -> s32;",
            r#"(module (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
                (func (export "unit") (param i32 i32) (result i32)
                    (i32.load (i32.const 4104))))"#,
        );
        let found = answers(&model, &[&[1, 2, 3], &[4], &[5, 6], &[7, 8, 9, 10]]);
        assert_eq!(found, [Some(3), Some(0), Some(0), Some(9)]);
    }

    #[test]
    fn wild_lists() {
        for place in [
            "(i32.const -4)",
            "(i32.const 2)",
            "(i32.const 65532)",
            "unreachable",
            "(memory.grow (i32.const 70000))",
        ] {
            let model = component(
                "record item { x: s32, y: f64 } export unit: func(items: list<item>) -> s32;",
                &format!(
                    r#"(module (memory (export "memory") 1)
                        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {place})
                        (func (export "unit") (param i32 i32) (result i32) (local.get 1)))"#
                ),
            );
            let y: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
            let found = over_units(
                &compile(&model).unwrap(),
                &column([1, 2]),
                &[("x", column([1, 2])), ("y", y)],
            );
            assert_eq!(values(&found), [None, None], "{place}");
        }
    }

    #[test]
    fn a_list_that_does_not_fit_the_memory() {
        // 100,000 records of 4 bytes, and two pages of memory: no room for the list.
        let rows: Vec<i32> = vec![1; 100_000];
        let found = answers(
            &integer_units("", "(local.get $count)"),
            &[&[1], &rows, &[1, 1]],
        );
        assert_eq!(found, [Some(1), None, Some(2)]);
    }

    #[test]
    fn memory_grown_for_one_unit_is_gone_for_the_next() {
        let grows = integer_units("", "(drop (memory.grow (i32.const 1))) (memory.size)");
        assert_eq!(answers(&grows, &UNITS), [Some(3); 5]);
    }

    #[test]
    fn tables_run_fresh() {
        let model = integer_units(
            "(table $t 1 9 funcref)",
            "(drop (table.grow $t (ref.null func) (i32.const 1))) (table.size $t)",
        );
        assert_eq!(answers(&model, &UNITS), [Some(2); 5]);
        assert_eq!(
            compile(&model).unwrap().tier().isolation,
            weir_model::Isolation::Fresh
        );
    }

    #[test]
    fn a_unit_that_burns_its_fuel_takes_nothing_from_the_next() {
        // Every unit takes most of what one row has: none may pay for another.
        let spin = integer_units(
            "",
            "(local.set $acc (i32.const 70000))
             (loop $turn
                (local.set $acc (i32.sub (local.get $acc) (i32.const 1)))
                (br_if $turn (i32.gt_s (local.get $acc) (i32.const 0))))
             (local.get $count)",
        );
        let units: Vec<&[i32]> = (0..60)
            .map(|n| if n % 3 == 0 { &[1, 1][..] } else { &[1][..] })
            .collect();
        let wanted: Vec<_> = units.iter().map(|rows| Some(rows.len() as i32)).collect();
        assert_eq!(answers(&spin, &units), wanted);
    }

    #[test]
    fn results_are_checked_as_for_rows() {
        let model = component(
            "enum side { left, right } record item { x: s32 } export unit: func(items: list<item>) -> side;",
            r#"(module (memory (export "memory") 1)
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
                (func (export "unit") (param i32 i32) (result i32) (i32.load (local.get 0))))"#,
        );
        let found = over_units(
            &compile(&model).unwrap(),
            &column([1, 2, 3]),
            &[("x", column([1, 2, 0]))],
        );
        assert_eq!(
            texts(found.outputs.column(0)),
            StringArray::from(vec![Some("right"), None, Some("left")])
        );
    }
}

/// The sum of a whole column as one unit, beside a wide result type.
#[test]
fn a_unit_of_a_hundred_thousand_rows() {
    let model = component(
        "record item { x: s64 } export unit: func(items: list<item>) -> s64;",
        r#"(module (memory (export "memory") 1 32) (global $heap (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (drop (memory.grow (i32.const 16)))
                (global.get $heap)
                (global.set $heap (i32.add (global.get $heap) (local.get 3))))
            (func (export "unit") (param $at i32) (param $count i32) (result i64) (local $sum i64)
                (loop $next
                    (local.set $sum (i64.add (local.get $sum) (i64.load (local.get $at))))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
                (local.get $sum)))"#,
    );
    let rows = Limits::default().unit_rows_max as i64;
    let x: ArrayRef = Arc::new(arrow::array::Int64Array::from_iter_values(0..rows + 1));
    let units = column((0..=rows).map(|row| i32::from(row == rows)));
    let found = over_units(&compile(&model).unwrap(), &units, &[("x", x)]);
    let sums: Vec<_> = found
        .outputs
        .column(0)
        .as_primitive::<Int64Type>()
        .iter()
        .collect();
    assert_eq!(sums, [Some(rows * (rows - 1) / 2), Some(rows)]);
}

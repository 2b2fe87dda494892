//! Generated modules: admission never panics on them, and whatever is admitted is row-independent.

use std::sync::Arc;

use arbitrary::Unstructured;
use arrow::array::{Array, ArrayRef, StructArray};
use arrow::compute::concat;
use proptest::prelude::*;
use wasm_smith::{Config, Module};
use weir_model::{Binding, Family, admit};

use crate::targets::{Row, WORLDS, agrees, columns, limits, module, package, runtime, schema};

/// Every row alone, in an instance of its own.
fn alone(binding: &Binding, columns: &[ArrayRef], rows: usize) -> StructArray {
    let answers: Vec<ArrayRef> = (0..rows)
        .map(|row| {
            let one: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
            Arc::new(binding.evaluator().evaluate(&one, 1).unwrap()) as ArrayRef
        })
        .collect();
    let answers: Vec<&dyn Array> = answers.iter().map(AsRef::as_ref).collect();
    concat(&answers)
        .unwrap()
        .as_any()
        .downcast_ref::<StructArray>()
        .unwrap()
        .clone()
}

fn row() -> impl Strategy<Value = Row> {
    (
        any::<i32>(),
        any::<Option<i64>>(),
        any::<f64>(),
        "[a-zé]{0,12}",
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(crate::support::cases(40)) })]

    #[test]
    fn whatever_is_admitted_is_row_independent(
        world in 0..WORLDS.len(),
        seed in prop::collection::vec(any::<u8>(), 100..3_000),
        rows in prop::collection::vec(row(), 2..8),
    ) {
        let world = &WORLDS[world];
        let Some(component) = module(world, &seed).and_then(|module| package(world.wit, module)) else {
            return Ok(());
        };
        let Ok(admitted) = admit(&component, &limits()) else {
            return Ok(());
        };
        let model = match runtime().compile(&admitted) {
            Ok(model) => model,
            Err(error) => {
                prop_assert_eq!(error.family(), Family::Model, "{}", error);
                return Ok(());
            }
        };
        let binding = model.bind(&schema()).unwrap();
        let columns = columns(&binding, &rows);
        let batch = binding.evaluator().evaluate(&columns, rows.len()).unwrap();
        prop_assert_eq!(&batch, &alone(&binding, &columns, rows.len()));
        let checked = binding.checking_evaluator().evaluate(&columns, rows.len()).unwrap();
        prop_assert_eq!(&batch, &checked);
        let fresh = binding.reference_evaluator().evaluate(&columns, rows.len()).unwrap();
        let metered = model.tier().row_cost_max.is_none();
        prop_assert!(agrees(&batch, &fresh, metered), "{:?}\n{:?}", batch, fresh);
    }

    #[test]
    fn admission_never_panics(seed in prop::collection::vec(any::<u8>(), 100..6_000)) {
        // Every feature and any shape: most are refused, each for a reason of its own.
        if let Ok(module) = Module::new(Config::default(), &mut Unstructured::new(&seed)) {
            let module = module.to_bytes();
            prop_assert!(admit(&module, &limits()).is_err());
            for world in &WORLDS {
                if let Some(component) = package(world.wit, module.clone()) {
                    let _ = admit(&component, &limits());
                }
            }
        }
    }
}

/// The generator must not come to make only modules that are refused.
#[test]
fn most_generated_modules_are_admitted() {
    let mut state = 1_u64;
    let mut admitted = 0;
    for world in WORLDS.iter().cycle().take(60) {
        let seed: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(1_500)
        .collect();
        let component = module(world, &seed).and_then(|module| package(world.wit, module));
        admitted += usize::from(component.is_some_and(|bytes| admit(&bytes, &limits()).is_ok()));
    }
    assert!(admitted > 30, "{admitted} of 60");
}

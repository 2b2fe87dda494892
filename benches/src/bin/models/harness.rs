//! Contenders that take turns.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema};
use weir_model::{Binding, Evaluator, Limits, Runtime, UnitEvaluator, admit};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Rows per batch.
pub(crate) const ROWS: usize = 8_192;
/// Turns each contender gets.
const TURNS: usize = 25;
/// Batches per turn of the fast contenders.
const BATCHES: usize = 20;
/// Rows the slow one is given per turn.
const ROWS_FRESH: usize = 512;

/// A function over columns.
type Native = Box<dyn Fn(&[ArrayRef]) -> Vec<ArrayRef>>;

/// A model one way or the other, over so many rows.
type Contender = Box<dyn FnMut(&[ArrayRef], usize) -> StructArray>;

/// A model, columns for it, and the same function in native Rust over the same columns.
pub(crate) struct Case {
    woven: Contender,
    fresh: Contender,
    tier: String,
    columns: Vec<ArrayRef>,
    native: Native,
}

impl Case {
    pub(crate) const HEADER: &str = "| model | tier | native ns/row | woven ns/row | woven ÷ native | fresh ns/row | fresh ÷ woven |\n\
         |---|---|---|---|---|---|---|";

    /// `columns` are named as the model's parameters and in their types.
    pub(crate) fn new(
        component: &[u8],
        columns: Vec<(&str, ArrayRef)>,
        native: impl Fn(&[ArrayRef]) -> Vec<ArrayRef> + 'static,
    ) -> Self {
        let binding = bind(component, &columns);
        let contender = |mut evaluator: Evaluator| -> Contender {
            Box::new(move |columns, rows| evaluator.evaluate(columns, rows).unwrap())
        };
        let contenders = [
            contender(binding.evaluator()),
            contender(binding.reference_evaluator()),
        ];
        Self::of(&binding, contenders, columns, native)
    }

    /// The same for a model over units. `units` says which unit each row belongs to; the native function answers per
    /// unit.
    pub(crate) fn of_units(
        component: &[u8],
        units: &ArrayRef,
        columns: Vec<(&str, ArrayRef)>,
        native: impl Fn(&[ArrayRef]) -> Vec<ArrayRef> + 'static,
    ) -> Self {
        let binding = bind(component, &columns);
        let contender = |mut evaluator: UnitEvaluator| -> Contender {
            let units = Arc::clone(units);
            Box::new(move |columns, rows| {
                let answers = evaluator.push(&units.slice(0, rows), columns).unwrap();
                let last = evaluator.finish().unwrap().unwrap();
                concat(&[&answers.outputs, &last.outputs])
                    .unwrap()
                    .as_struct()
                    .clone()
            })
        };
        let contenders = [
            contender(binding.unit_evaluator()),
            contender(binding.reference_unit_evaluator()),
        ];
        Self::of(&binding, contenders, columns, native)
    }

    fn of(
        binding: &Binding,
        [woven, fresh]: [Contender; 2],
        columns: Vec<(&str, ArrayRef)>,
        native: impl Fn(&[ArrayRef]) -> Vec<ArrayRef> + 'static,
    ) -> Self {
        let tier = binding.model().tier();
        let metering = if tier.row_cost_max.is_some() {
            "unmetered"
        } else {
            "metered"
        };
        Self {
            woven,
            fresh,
            tier: format!("{:?}, {metering}", tier.isolation).to_lowercase(),
            columns: columns.into_iter().map(|(_, column)| column).collect(),
            native: Box::new(native),
        }
    }

    /// Runs the case and returns its line of the table.
    pub(crate) fn run(mut self, name: &str) -> String {
        self.compare();
        let few: Vec<ArrayRef> = self
            .columns
            .iter()
            .map(|column| column.slice(0, ROWS_FRESH))
            .collect();
        let turns: Vec<[f64; 3]> = (0..TURNS)
            .map(|_| {
                [
                    ns_per_row(BATCHES, ROWS, || {
                        black_box((self.native)(black_box(&self.columns)));
                    }),
                    ns_per_row(BATCHES, ROWS, || {
                        black_box((self.woven)(&self.columns, ROWS));
                    }),
                    ns_per_row(1, ROWS_FRESH, || {
                        black_box((self.fresh)(&few, ROWS_FRESH));
                    }),
                ]
            })
            .collect();
        let of = |pick: fn(&[f64; 3]) -> f64| spread(turns.iter().map(pick).collect());
        let [native, woven, fresh] = [of(|t| t[0]), of(|t| t[1]), of(|t| t[2])];
        let [slower, faster] = [of(|t| t[1] / t[0]), of(|t| t[2] / t[1])];
        format!(
            "| {name} | {} | {:.2} | {:.2} | {:.2} ({:.2}–{:.2}) | {:.0} | {:.0} ({:.0}–{:.0}) |",
            self.tier,
            native.1,
            woven.1,
            slower.1,
            slower.0,
            slower.2,
            fresh.1,
            faster.1,
            faster.0,
            faster.2
        )
    }

    /// All contenders must say the same.
    fn compare(&mut self) {
        let woven = (self.woven)(&self.columns, ROWS);
        let native = (self.native)(&self.columns);
        let fresh = (self.fresh)(&self.columns, ROWS);
        assert_eq!(woven, fresh, "woven and fresh instances disagree");
        assert_eq!(woven.columns(), native, "woven and native disagree");
    }
}

/// The model, compiled and bound to the columns.
pub(crate) fn bind(component: &[u8], columns: &[(&str, ArrayRef)]) -> Binding {
    let limits = Limits::default();
    let runtime = Runtime::new(&limits).unwrap();
    let admitted = admit(component, &limits).unwrap();
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let model = runtime.compile(&admitted).unwrap();
    model.bind(&Schema::new(fields)).unwrap()
}

fn ns_per_row(batches: usize, rows: usize, mut batch: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..batches {
        batch();
    }
    start.elapsed().as_nanos() as f64 / (batches * rows) as f64
}

/// Lowest, median, highest.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    )
}

/// A component of one core module with the signature `world`: the body of a WIT world.
pub(crate) fn component(world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let text = format!("package bench:model; world model {{ {world} }}");
    let package = resolve
        .push_str("model.wit", &text)
        .expect("the case's WIT");
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(module).expect("the case's WAT");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().module(&module).unwrap();
    encoder.encode().expect("the case's component")
}

/// A column in a shared pointer.
pub(crate) fn column(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}

//! Contenders that take turns.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::datatypes::{Field, Schema};
use weir_model::{Evaluator, Limits, Runtime, admit};
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

/// A model, columns for it, and the same function in native Rust over the same columns.
pub(crate) struct Case {
    woven: Evaluator,
    fresh: Evaluator,
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
        let limits = Limits::default();
        let runtime = Runtime::new(&limits).unwrap();
        let model = runtime
            .compile(&admit(component, &limits).unwrap())
            .unwrap();
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
            .collect();
        let binding = model.bind(&Schema::new(fields)).unwrap();
        let tier = model.tier();
        let metering = if tier.row_cost_max.is_some() {
            "unmetered"
        } else {
            "metered"
        };
        Self {
            woven: binding.evaluator(),
            fresh: binding.reference_evaluator(),
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
                        black_box(self.woven.evaluate(&self.columns, ROWS).unwrap());
                    }),
                    ns_per_row(1, ROWS_FRESH, || {
                        black_box(self.fresh.evaluate(&few, ROWS_FRESH).unwrap());
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
        let woven = self.woven.evaluate(&self.columns, ROWS).unwrap();
        let native = (self.native)(&self.columns);
        let fresh: StructArray = self.fresh.evaluate(&self.columns, ROWS).unwrap();
        assert_eq!(woven, fresh, "woven and fresh instances disagree");
        assert_eq!(woven.columns(), native, "woven and native disagree");
    }
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

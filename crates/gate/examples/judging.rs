//! How long a judgement takes, by the size and the form of the table. Run it optimised:
//!
//! ```text
//! cargo run --config 'profile.dev.package.weir-gate.opt-level=3' -p weir-gate --example judging
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use weir_gate::{
    Contributions, EvidenceColumns, FirstUnits, Key, Levels, Shape, Statistic, Unreleased,
    judge_without_history,
};
use weir_policy::Policy;

const KEPT: u64 = 10;

/// A table by its name, how many cells it has, its keys, and how many units a cell has.
struct Form {
    name: &'static str,
    cells: u64,
    keys: Vec<fn(u64) -> u64>,
    units: u64,
}

/// Sixteen keys of two values each, without order.
const SCATTERED: [fn(u64) -> u64; 16] = [
    |cell| bit(cell, 0),
    |cell| bit(cell, 1),
    |cell| bit(cell, 2),
    |cell| bit(cell, 3),
    |cell| bit(cell, 4),
    |cell| bit(cell, 5),
    |cell| bit(cell, 6),
    |cell| bit(cell, 7),
    |cell| bit(cell, 8),
    |cell| bit(cell, 9),
    |cell| bit(cell, 10),
    |cell| bit(cell, 11),
    |cell| bit(cell, 12),
    |cell| bit(cell, 13),
    |cell| bit(cell, 14),
    |cell| bit(cell, 15),
];

fn bit(cell: u64, place: u32) -> u64 {
    // Multiplication by an odd number, of 16 bits, keeps cells apart.
    ((cell * 40_503) >> place) & 1
}

fn main() -> Result<(), Box<dyn Error>> {
    let forms = [
        Form {
            name: "1,000 cells, 2 keys",
            cells: 1_000,
            keys: vec![|cell| cell % 32, |cell| cell / 32],
            units: 40,
        },
        Form {
            name: "1 M cells, 3 keys, dense, all pass",
            cells: 1_000_000,
            keys: vec![|cell| cell % 100, |cell| cell / 100 % 100, |cell| {
                cell / 10_000
            }],
            units: 12,
        },
        Form {
            name: "1 M cells, 3 keys, dense, none passes",
            cells: 1_000_000,
            keys: vec![|cell| cell % 100, |cell| cell / 100 % 100, |cell| {
                cell / 10_000
            }],
            units: 4,
        },
        Form {
            name: "1 M cells, 3 keys, one follows another",
            cells: 1_000_000,
            keys: vec![|cell| cell % 1_000, |cell| cell / 1_000, |cell| {
                cell % 1_000 + 7
            }],
            units: 12,
        },
        Form {
            name: "1 M cells, 3 keys, each cell alone in each",
            cells: 1_000_000,
            keys: vec![|cell| cell, |cell| cell + 1, |cell| cell + 2],
            units: 12,
        },
        Form {
            name: "1,000 cells, 12 keys that follow one another",
            cells: 1_000,
            keys: vec![|cell| cell; 12],
            units: 12,
        },
        Form {
            name: "100,000 cells, 12 keys that follow one another",
            cells: 100_000,
            keys: vec![|cell| cell; 12],
            units: 12,
        },
        Form {
            name: "100,000 cells, 10 keys, all of which follow from the first",
            cells: 100_000,
            keys: vec![
                |cell| cell,
                |cell| cell / 2,
                |cell| cell / 3,
                |cell| cell / 5,
                |cell| cell / 7,
                |cell| cell / 11,
                |cell| cell / 13,
                |cell| cell / 17,
                |cell| cell / 19,
                |cell| cell / 23,
            ],
            units: 12,
        },
        Form {
            name: "5,000 cells, 16 keys, scattered",
            cells: 5_000,
            keys: SCATTERED.to_vec(),
            units: 12,
        },
    ];
    for form in &forms {
        let table = table(form)?;
        let start = Instant::now();
        let outcome = judge_without_history(table, &Policy::built_in_default());
        let took = start.elapsed().as_secs_f64() * 1e3;
        let outcome = match outcome {
            Ok(verdict) => format!("{} released", verdict.record().cells_released),
            Err(error) => error.code().to_owned(),
        };
        println!("{took:9.1} ms  {}: {outcome}", form.name);
    }
    Ok(())
}

fn table(form: &Form) -> Result<Unreleased, Box<dyn Error>> {
    let cells = 0..form.cells;
    let mut columns: Vec<(String, ArrayRef)> = Vec::new();
    for (at, key) in form.keys.iter().enumerate() {
        let column: ArrayRef = if at == 0 {
            let texts = cells
                .clone()
                .map(|cell| Some(format!("region {}", key(cell))));
            Arc::new(texts.collect::<StringArray>())
        } else {
            let numbers = cells.clone().map(|cell| Some(key(cell) as i64));
            Arc::new(numbers.collect::<Int64Array>())
        };
        columns.push((format!("k{at}"), column));
    }
    let counts: Int64Array = cells.clone().map(|cell| Some(cell as i64)).collect();
    let sums: Float64Array = cells.clone().map(|cell| Some(cell as f64 * 1.37)).collect();
    columns.push(("rows".to_owned(), Arc::new(counts)));
    columns.push(("sum".to_owned(), Arc::new(sums)));
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column))
        .unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let key = Key {
        levels: Levels::Bounded,
        fixed: false,
        public: true,
    };
    let statistics = vec![Statistic::Rows { evidence: None }, Statistic::Sum];
    let shape = Shape::plain(vec![key; form.keys.len()], statistics);
    Ok(Unreleased::new(batch, shape, vec![evidence(form)])?)
}

fn evidence(form: &Form) -> EvidenceColumns {
    // One cell in fifty is small, so that margins have to be looked at.
    let units = |cell: u64| if cell % 50 == 7 { 4 } else { form.units };
    let each = |number: &dyn Fn(u64) -> u64| -> UInt64Array {
        (0..form.cells).map(|cell| Some(number(cell))).collect()
    };
    let total: Float64Array = (0..form.cells)
        .map(|cell| Some(units(cell) as f64 * 10.0))
        .collect();
    let top = Float64Array::from(vec![10.0; form.cells as usize]);
    let kept = |cell: u64| units(cell).min(KEPT) as usize;
    let names: usize = (0..form.cells).map(kept).sum();
    let names = UInt32Array::from_iter_values(0..names as u32);
    let item = Arc::new(Field::new("item", DataType::UInt32, false));
    let lengths = OffsetBuffer::from_lengths((0..form.cells).map(kept));
    EvidenceColumns {
        units: each(&units),
        rows: each(&|cell| units(cell) * 3),
        counted: vec![],
        contributions: vec![Contributions {
            units: each(&units),
            rows: each(&|cell| units(cell) * 3),
            total,
            top: [top.clone(), top.clone(), top],
            negative: BooleanArray::from(vec![false; form.cells as usize]),
        }],
        first_units: FirstUnits {
            kept: KEPT as usize,
            ids: ListArray::new(item, lengths, Arc::new(names), None),
        },
        sensitive: vec![],
        arguments: vec![],
        fits: vec![],
    }
}

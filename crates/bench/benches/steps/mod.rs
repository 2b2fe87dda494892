//! What is measured one step at a time: by the clock in `micro.rs`, by instructions in `tests/counts`.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use weir_inside::{
    ColumnRights, Declared, Depth, Plan, Query, RelationSource, Sources, UnitSource,
};
use weir_ledger::{Cell, History, Ledger, Question, Release, RoaringBitmap, Selection, Verdict};
use weir_policy::Policy;

pub(crate) const ROWS_PER_UNIT: u32 = 4;
/// Of a table that the ledger is asked.
pub(crate) const ASKED_CELLS: u64 = 100;
/// Of a table that is read.
const PARTITIONS: u32 = 4;

/// Rows in the order of their units, in four partitions of whole units.
fn table(units: u32) -> Arc<MemTable> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("weir_unit", DataType::UInt32, false),
        Field::new("k", DataType::Int64, true),
        Field::new("v", DataType::Float64, true),
    ]));
    let rows = units / PARTITIONS * ROWS_PER_UNIT;
    let partition = |part: u32| {
        let rows = part * rows..(part + 1) * rows;
        let spread = |row: u32| i64::from(row.wrapping_mul(2_654_435_761) >> 8);
        let columns: [arrow::array::ArrayRef; 3] = [
            Arc::new(UInt32Array::from_iter_values(
                rows.clone().map(|row| row / ROWS_PER_UNIT),
            )),
            Arc::new(Int64Array::from_iter_values(rows.clone().map(spread))),
            Arc::new(Float64Array::from_iter_values(
                rows.map(|row| f64::from(row % 977)),
            )),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.to_vec()).expect("columns");
        (0..batch.num_rows())
            .step_by(8_192)
            .map(|at| batch.slice(at, 8_192.min(batch.num_rows() - at)))
            .collect()
    };
    let partitions = (0..PARTITIONS).map(partition).collect();
    Arc::new(MemTable::try_new(Arc::clone(&schema), partitions).expect("a table"))
}

fn sql(cells: i64) -> String {
    format!("SELECT k % {cells} AS k0, COUNT(*) AS n, SUM(v) AS s FROM t GROUP BY 1")
}

/// A count and a sum of so many cells, with evidence.
pub(crate) fn plan(units: u32, cells: i64) -> Plan {
    let right = |name: &str| ColumnRights {
        name: name.to_owned(),
        read: true,
        group: true,
        compare: true,
        is_public: false,
        is_sensitive: false,
        declared: Declared::Bounds(None),
        bounds: None,
    };
    let sources = Sources {
        relations: vec![RelationSource {
            dataset: "t".to_owned(),
            table: table(units),
            units: vec![UnitSource {
                identifier: "id".to_owned(),
                population: "units".to_owned(),
            }],
            rights: vec![right("k"), right("v")],
            structural: Vec::new(),
            model: None,
        }],
    };
    let query = Query::parse(&sql(cells)).expect("a query");
    Plan::new(&query, &sources, Depth::of(&Policy::built_in_default())).expect("a plan")
}

/// The same rows in the bare engine.
pub(crate) struct Plain {
    context: SessionContext,
    sql: String,
}

impl Plain {
    pub(crate) fn new(units: u32, cells: i64) -> Self {
        let config = SessionConfig::new()
            .with_target_partitions(PARTITIONS as usize)
            .with_round_robin_repartition(false);
        let context = SessionContext::new_with_config(config);
        context.register_table("t", table(units)).expect("a table");
        Self {
            context,
            sql: sql(cells),
        }
    }

    /// Asks, without evidence, and answers how many rows came of it.
    pub(crate) async fn asked(&self) -> usize {
        let frame = self.context.sql(&self.sql).await.expect("a plan");
        let batches = frame.collect().await.expect("an answer");
        batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// A ledger that knows so many cells, in tables of a hundred.
pub(crate) fn ledger(units: u32, known: u64) -> Ledger {
    let mut ledger = Ledger::in_memory([7; 16]);
    for table in 0..known / ASKED_CELLS {
        let asked = ledger.ask(question(units, table)).expect("an answer");
        let answer = |verdict: &Verdict| (*verdict == Verdict::Fresh).then(|| vec![1]);
        let answers = asked.verdicts().iter();
        let answers = answers
            .map(|cell| cell.iter().map(answer).collect())
            .collect();
        let id = table.to_string();
        ledger
            .record(asked, Release { id, answers })
            .expect("recorded");
    }
    ledger
}

/// A hundred cells of every 128th unit, in an order that hangs on the table.
pub(crate) fn question(units: u32, table: u64) -> Question {
    let step = 2 * table as u32 + 1;
    let mut cells = vec![RoaringBitmap::new(); ASKED_CELLS as usize];
    for unit in 0..units {
        let group = unit.wrapping_mul(step).wrapping_mul(0x9e37_79b9) >> 16 & 127;
        if let Some(cell) = cells.get_mut(group as usize) {
            cell.insert(unit);
        }
    }
    let cell = |(group, units): (u32, RoaringBitmap)| Cell {
        units: Arc::new(units),
        statistics: vec![[1; 32].into()],
        group,
        ..Cell::default()
    };
    let mut selection = [0; 32];
    selection[..8].copy_from_slice(&table.to_le_bytes());
    Question {
        population: "units".to_owned(),
        population_units: None,
        snapshots: [1; 32],
        policy: [2; 32],
        units_min: 10,
        selection: Selection {
            digest: selection,
            is_plain: true,
        },
        cells: (0..).zip(cells).map(cell).collect(),
    }
}

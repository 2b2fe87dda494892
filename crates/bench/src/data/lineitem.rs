//! Line items of TPC-H with the customer and the priority of their orders.
//!
//! Comments are left out: nothing reports on them, and they are a third of the bytes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, Date32Builder, Float64Builder, Int64Builder, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tpchgen::distribution::Distributions;
use tpchgen::generators::{LineItem, LineItemGenerator, Order, OrderGenerator};
use tpchgen::text::TextPool;
use weir_catalogue::Manifest;

use crate::error::{BenchError, Result, failed};
use crate::options::{ROWS_AT_SCALE_1, UnitOf};

/// Rows generated at once.
const BATCH_ROWS: usize = 65_536;
/// Bytes of the pool that the generator cuts comments from, which nobody reads here.
const TEXT_BYTES: i32 = 1 << 20;

/// Names and types of the columns.
const COLUMNS: [(&str, &str); 13] = [
    ("l_orderkey", "int64"),
    ("l_custkey", "int64"),
    ("l_suppkey", "int64"),
    ("l_quantity", "float64"),
    ("l_extendedprice", "float64"),
    ("l_discount", "float64"),
    ("l_tax", "float64"),
    ("l_returnflag", "string"),
    ("l_linestatus", "string"),
    ("l_shipdate", "date"),
    ("l_shipinstruct", "string"),
    ("l_shipmode", "string"),
    ("l_orderpriority", "string"),
];

/// The manifest with this unit.
pub(crate) fn manifest(unit: UnitOf) -> Result<Manifest> {
    let mut text = format!(
        "name = \"lineitem\"\npopulation = \"units\"\nunit = \"{}\"\n\
         description = \"Line items of orders, generated\"\nsource = \"TPC-H, by the crate tpchgen\"\n\
         licence = \"none: generated numbers\"\n",
        unit.column()
    );
    for (name, kind) in COLUMNS {
        let role = match name == unit.column() {
            true => "identifier",
            false => "measure",
        };
        let _ = write!(
            text,
            "\n[[column]]\nname = \"{name}\"\ntype = \"{kind}\"\nrole = \"{role}\"\ndescription = \"{name} of TPC-H\"\n"
        );
    }
    Manifest::from_toml(&text, "lineitem.toml").map_err(failed("describing the generated data"))
}

/// Writes about so many rows as Parquet, in the order in which they are generated.
pub(crate) fn write_parquet(file: &Path, rows: u64) -> Result<()> {
    let wrong = |error: &dyn std::fmt::Display| BenchError::file(file, error);
    let out = File::create(file).map_err(|error| wrong(&error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer =
        ArrowWriter::try_new(out, schema(), Some(properties)).map_err(|error| wrong(&error))?;
    batches(rows, |batch| {
        writer.write(&batch).map_err(|error| wrong(&error))
    })?;
    writer.close().map_err(|error| wrong(&error))?;
    Ok(())
}

/// The same as CSV.
pub(crate) fn write_csv(file: &Path, rows: u64) -> Result<()> {
    let wrong = |error: &dyn std::fmt::Display| BenchError::file(file, error);
    let out = File::create(file).map_err(|error| wrong(&error))?;
    let mut writer = arrow::csv::Writer::new(BufWriter::with_capacity(1 << 20, out));
    batches(rows, |batch| {
        writer.write(&batch).map_err(|error| wrong(&error))
    })
}

fn schema() -> SchemaRef {
    let fields = COLUMNS.iter().map(|(name, kind)| {
        let kind = match *kind {
            "int64" => DataType::Int64,
            "float64" => DataType::Float64,
            "date" => DataType::Date32,
            _ => DataType::Utf8,
        };
        Field::new(*name, kind, false)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn text_pool() -> &'static TextPool {
    static POOL: OnceLock<TextPool> = OnceLock::new();
    POOL.get_or_init(|| TextPool::new(TEXT_BYTES, Distributions::static_default()))
}

/// Generates rows batch by batch.
fn batches(rows: u64, mut take: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let scale = rows as f64 / ROWS_AT_SCALE_1;
    let distributions = Distributions::static_default();
    let items = LineItemGenerator::new_with_distributions_and_text_pool(
        scale,
        1,
        1,
        distributions,
        text_pool(),
    );
    let orders = OrderGenerator::new_with_distributions_and_text_pool(
        scale,
        1,
        1,
        distributions,
        text_pool(),
    );
    // Both are generated in the order of orders.
    let mut orders = orders.iter().peekable();
    let mut columns = Columns::default();
    for item in items.iter() {
        while orders
            .next_if(|order| order.o_orderkey < item.l_orderkey)
            .is_some()
        {}
        let Some(order) = orders
            .peek()
            .filter(|order| order.o_orderkey == item.l_orderkey)
        else {
            return Err(failed("generating line items")("one has no order"));
        };
        columns.push(&item, order);
        if columns.rows == BATCH_ROWS {
            take(columns.finish()?)?;
        }
    }
    if columns.rows > 0 {
        take(columns.finish()?)?;
    }
    Ok(())
}

#[derive(Default)]
struct Columns {
    rows: usize,
    integers: [Int64Builder; 3],
    numbers: [Float64Builder; 4],
    dates: Date32Builder,
    texts: [StringBuilder; 5],
}

impl Columns {
    fn push(&mut self, item: &LineItem<'_>, order: &Order<'_>) {
        self.rows += 1;
        let integers = [item.l_orderkey, order.o_custkey, item.l_suppkey];
        for (column, value) in self.integers.iter_mut().zip(integers) {
            column.append_value(value);
        }
        let numbers = [
            item.l_quantity as f64,
            item.l_extendedprice.as_f64(),
            item.l_discount.as_f64(),
            item.l_tax.as_f64(),
        ];
        for (column, value) in self.numbers.iter_mut().zip(numbers) {
            column.append_value(value);
        }
        self.dates.append_value(item.l_shipdate.to_unix_epoch());
        let texts = [
            item.l_returnflag,
            item.l_linestatus,
            item.l_shipinstruct,
            item.l_shipmode,
            order.o_orderpriority,
        ];
        for (column, value) in self.texts.iter_mut().zip(texts) {
            column.append_value(value);
        }
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let [flag, status, instruct, mode, priority] = &mut self.texts;
        let mut columns: Vec<ArrayRef> = Vec::new();
        for column in &mut self.integers {
            columns.push(Arc::new(column.finish()));
        }
        for column in &mut self.numbers {
            columns.push(Arc::new(column.finish()));
        }
        columns.push(Arc::new(flag.finish()));
        columns.push(Arc::new(status.finish()));
        columns.push(Arc::new(self.dates.finish()));
        for column in [instruct, mode, priority] {
            columns.push(Arc::new(column.finish()));
        }
        RecordBatch::try_new(schema(), columns).map_err(failed("generating line items"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn as_many_rows_as_asked_for_about() {
        let mut rows = 0;
        batches(60_000, |batch| {
            rows += batch.num_rows();
            Ok(())
        })
        .expect("rows");
        assert!((55_000..65_000).contains(&rows), "{rows}");
        assert_eq!(schema().fields().len(), COLUMNS.len());
        manifest(UnitOf::Customer).expect("a manifest");
    }
}

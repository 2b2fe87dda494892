//! Generated line items: the CSV file and its manifest.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tpchgen::csv::LineItemCsv;
use tpchgen::generators::{LineItemGenerator, OrderGenerator};
use weir_catalogue::Manifest;

use crate::Result;

/// Line items at scale 1, about.
const ROWS_AT_SCALE_1: f64 = 6_000_000.0;

/// Names and types of the columns, in the order of TPC-H.
const COLUMNS: [(&str, &str); 16] = [
    ("l_orderkey", "int64"),
    ("l_partkey", "int64"),
    ("l_suppkey", "int64"),
    ("l_linenumber", "int32"),
    ("l_quantity", "float64"),
    ("l_extendedprice", "float64"),
    ("l_discount", "float64"),
    ("l_tax", "float64"),
    ("l_returnflag", "string"),
    ("l_linestatus", "string"),
    ("l_shipdate", "date"),
    ("l_commitdate", "date"),
    ("l_receiptdate", "date"),
    ("l_shipinstruct", "string"),
    ("l_shipmode", "string"),
    ("l_comment", "string"),
];

/// The column with the customer of the order, which TPC-H keeps in the orders.
pub(crate) const CUSTOMER: &str = "l_custkey";

/// The CSV file of about so many rows, each with its order's customer, generated if it is not there.
pub(crate) fn csv_with_customers(folder: &Path, rows: u64) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("lineitem-customers-{rows}.csv"));
    if file.exists() {
        return Ok(file);
    }
    eprintln!("generating {}", file.display());
    let unfinished = file.with_extension("unfinished");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    writeln!(out, "{CUSTOMER},{}", LineItemCsv::header())?;
    let scale = rows as f64 / ROWS_AT_SCALE_1;
    let orders = OrderGenerator::new(scale, 1, 1);
    // Both are generated in the order of orders.
    let mut orders = orders.iter().peekable();
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        while orders
            .next_if(|order| order.o_orderkey < item.l_orderkey)
            .is_some()
        {}
        let customer = match orders.peek() {
            Some(order) if order.o_orderkey == item.l_orderkey => order.o_custkey,
            _ => return Err("a line item without an order".into()),
        };
        writeln!(out, "{customer},{}", LineItemCsv::new(item))?;
    }
    out.flush()?;
    fs::rename(&unfinished, &file)?;
    Ok(file)
}

/// The CSV file of about so many rows, generated if it is not there.
pub(crate) fn csv(folder: &Path, rows: u64) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(format!("lineitem-{rows}.csv"));
    if file.exists() {
        return Ok(file);
    }
    eprintln!("generating {}", file.display());
    let unfinished = file.with_extension("unfinished");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    writeln!(out, "{}", LineItemCsv::header())?;
    let scale = rows as f64 / ROWS_AT_SCALE_1;
    for item in LineItemGenerator::new(scale, 1, 1).iter() {
        writeln!(out, "{}", LineItemCsv::new(item))?;
    }
    out.flush()?;
    fs::rename(&unfinished, &file)?;
    Ok(file)
}

/// The manifest with this unit.
pub(crate) fn manifest(unit: &str) -> Result<Manifest> {
    let mut text = include_str!("../lineitem.toml").replace("UNIT", unit);
    let customer = (unit == CUSTOMER).then_some((CUSTOMER, "int64"));
    for (name, kind) in customer.into_iter().chain(COLUMNS) {
        let (kind, role) = match name {
            name if name == unit => (kind, "identifier"),
            _ => (kind, "measure"),
        };
        write!(
            text,
            "\n[[column]]\nname = \"{name}\"\ntype = \"{kind}\"\nrole = \"{role}\"\ndescription = \"{name} of TPC-H\"\n"
        )?;
    }
    Ok(Manifest::from_toml(&text, "lineitem.toml")?)
}

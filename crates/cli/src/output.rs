//! Printing of listings and tables.

use std::io::{IsTerminal, Write};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::{Map, Value};

use crate::args::Format;
use crate::error::CliError;

/// A listing: named columns, rows of values.
pub(crate) struct Listing {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Listing {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(mut self, values: Vec<Value>) -> Self {
        self.rows.push(values);
        self
    }

    /// Prints to standard output.
    pub(crate) fn print(&self, format: Format) -> Result<(), CliError> {
        let text = match format {
            Format::Table => self.table(),
            Format::Json => self.json()?,
            Format::Csv => self.csv(),
        };
        print(&text)
    }

    fn table(&self) -> String {
        let mut table = new_table();
        table.set_header(self.columns.clone());
        for row in &self.rows {
            table.add_row(row.iter().map(plain));
        }
        align_numbers(&mut table, self.rows.first().map_or(&[], Vec::as_slice));
        format!("{table}\n")
    }

    fn json(&self) -> Result<String, CliError> {
        let objects: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let pairs = self
                    .columns
                    .iter()
                    .map(|name| (*name).to_owned())
                    .zip(row.iter().cloned());
                Value::Object(pairs.collect::<Map<_, _>>())
            })
            .collect();
        let text = serde_json::to_string_pretty(&objects)
            .map_err(|error| CliError::Show(error.to_string()))?;
        Ok(format!("{text}\n"))
    }

    fn csv(&self) -> String {
        let header: Vec<String> = self.columns.iter().map(|name| csv_field(name)).collect();
        let rows = self
            .rows
            .iter()
            .map(|row| row.iter().map(|value| csv_field(&plain(value))).collect());
        std::iter::once(header)
            .chain(rows)
            .map(|fields: Vec<String>| fields.join(",") + "\n")
            .collect()
    }
}

/// Prints Arrow tables to standard output.
pub(crate) fn print_batches(batches: &[RecordBatch], format: Format) -> Result<(), CliError> {
    let show = |error: arrow::error::ArrowError| CliError::Show(error.to_string());
    match format {
        Format::Table => print(&batches_table(batches).map_err(show)?),
        Format::Csv => {
            let mut writer = arrow::csv::Writer::new(Vec::new());
            batches
                .iter()
                .try_for_each(|batch| writer.write(batch))
                .map_err(show)?;
            print(&String::from_utf8_lossy(&writer.into_inner()))
        }
        Format::Json => {
            let mut writer = arrow::json::ArrayWriter::new(Vec::new());
            batches
                .iter()
                .try_for_each(|batch| writer.write(batch))
                .map_err(show)?;
            writer.finish().map_err(show)?;
            print(&format!(
                "{}\n",
                String::from_utf8_lossy(&writer.into_inner())
            ))
        }
    }
}

fn batches_table(batches: &[RecordBatch]) -> Result<String, arrow::error::ArrowError> {
    let mut table = new_table();
    let Some(first) = batches.first() else {
        return Ok("no cells\n".to_owned());
    };
    let schema = first.schema();
    table.set_header(schema.fields().iter().map(|field| field.name().clone()));
    let options = FormatOptions::default();
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            table.add_row(columns.iter().map(|column| column.value(row).to_string()));
        }
    }
    for (index, field) in schema.fields().iter().enumerate() {
        if let Some(column) = table
            .column_mut(index)
            .filter(|_| field.data_type().is_numeric())
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Ok(format!("{table}\n"))
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

fn align_numbers(table: &mut Table, first: &[Value]) {
    for (index, value) in first.iter().enumerate() {
        if let Some(column) = table.column_mut(index).filter(|_| value.is_number()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// RFC 4180: quoted where it holds a comma, a quote or a line break.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Prints to standard output.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads has seen enough (`weir … | head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| CliError::Show(error.to_string())),
    }
}

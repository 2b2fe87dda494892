//! CSV, a line for each cell: the tables of a report have different columns, and this has one shape for all of them.

use crate::error::ReportError;
use crate::report::{Cell, Report};

const FAILED: ReportError = ReportError::Write { what: "CSV" };

pub(crate) fn write(report: &Report) -> Result<String, ReportError> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let head = ["section", "row", "column", "value"];
    writer.write_record(head).map_err(|_| FAILED)?;
    for section in &report.sections {
        for (number, row) in section.rows.iter().enumerate() {
            for (column, cell) in section.columns.iter().zip(row) {
                let line = [
                    &section.title,
                    &(number + 1).to_string(),
                    column,
                    &value(cell),
                ];
                writer.write_record(line).map_err(|_| FAILED)?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|_| FAILED)?;
    String::from_utf8(bytes).map_err(|_| FAILED)
}

/// A name that a spreadsheet would read as a formula gets an apostrophe, which spreadsheets read as "this is text".
fn value(cell: &Cell) -> String {
    let text = cell.text();
    match cell {
        Cell::Text(_) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        _ => text,
    }
}

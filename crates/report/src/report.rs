//! A report before it has a format: sections of tables.

use crate::error::ReportError;
use crate::words::Language;
use crate::{csv, html, markdown};

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A name, a code, a moment.
    Text(String),
    /// A count.
    Number(u64),
}

impl Cell {
    /// As every format shows it, before it is escaped.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A table, and the column of it that is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// The columns' headings.
    pub columns: Vec<String>,
    /// Rows, as wide as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// The columns that are drawn over the first; none for a table without a chart.
    pub charted: Vec<usize>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its heading.
    pub title: String,
    /// What it is made from, and what its numbers mean.
    pub notes: Vec<String>,
    /// The tables.
    pub sections: Vec<Section>,
    /// Its language.
    pub language: Language,
}

impl Report {
    /// As Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    /// As CSV (RFC 4180), one line for each cell: section, row, column, value.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn to_csv(&self) -> Result<String, ReportError> {
        csv::write(self)
    }

    /// As one HTML page with charts.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn to_html(&self) -> Result<String, ReportError> {
        html::write(self)
    }
}

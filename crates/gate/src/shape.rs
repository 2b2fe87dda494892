//! What a query says of its table before any data is read: keys, grouping sets, statistics.
//!
//! All of it is known from the query, the catalogue and the manifest. So whatever the gate makes of the shape alone (the
//! columns, their order, the rows of a closed domain) says nothing about the data.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, UInt32Type};

use crate::column::{check_columns, is_integer, is_number, released_type};
use crate::error::GateError;
use crate::evidence::EvidenceColumns;

/// Most grouping sets of one table: `CUBE` over eight keys.
pub const SETS_MAX: usize = 256;

/// What the query says of its table.
///
/// The columns of the table are: the keys; then, exactly where there is more than one grouping set, one `UInt32` column
/// with the row's position in `sets`; then the statistics. In a row, the keys that its set leaves out are null.
#[derive(Clone, Debug)]
pub struct Shape {
    /// One per key column, in their order.
    pub keys: Vec<Key>,
    /// The grouping sets: per set and per key, whether the key is in the set. A plain `GROUP BY` is one set with every
    /// key; a grand total without keys is one empty set.
    pub sets: Vec<Vec<bool>>,
    /// One per value column, in their order.
    pub statistics: Vec<Statistic>,
    /// Combinations of keys, by position, of which it is public which values occur together.
    pub structural: Vec<Vec<usize>>,
    /// The quantiles that are asked for.
    pub quantiles: Vec<Quantiles>,
    /// The models that are fitted.
    pub fits: Vec<Fit>,
}

/// What is known of a key column.
#[derive(Clone, Debug)]
pub struct Key {
    /// Which values it can have.
    pub levels: Levels,
    /// Whether the query itself fixes it (`WHERE key = literal`), so that its one value says nothing.
    pub fixed: bool,
    /// Whether its value is known of anybody: the column's role is `public`.
    pub public: bool,
}

/// Which values a key can have.
#[derive(Clone, Debug)]
pub enum Levels {
    /// Nothing is declared.
    Open,
    /// A domain is declared, and cannot be listed.
    Bounded,
    /// Every value the key can have, of the key's own type; null is one of them where the key can be null.
    Closed(ArrayRef),
}

/// What a value column holds, and so how it is rounded and completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Statistic {
    /// A number of rows. Additive, and rounded to `rounding.count_base`.
    Rows {
        /// For `COUNT(x)` the position of `x` in [`EvidenceColumns::counted`]; none for `COUNT(*)`, and where `x` is
        /// never null.
        evidence: Option<usize>,
    },
    /// A number of units of this kind. Not additive, and rounded to `rounding.count_base`.
    Units {
        /// The position of the kind in the evidence.
        kind: usize,
    },
    /// A sum. Additive, and rounded to `rounding.significant_digits`.
    Sum,
    /// Any other real number, such as a variance, a coefficient or a quantile. Not additive, and rounded to
    /// `rounding.significant_digits`.
    Real,
}

/// The quantiles asked of one argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Quantiles {
    /// The argument's position in [`EvidenceColumns::contributions`].
    pub contributions: usize,
    /// How many distinct quantiles are asked of it.
    pub count: u64,
}

/// A fitted model.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Fit {
    /// Its arguments' positions in [`EvidenceColumns::contributions`].
    pub contributions: Vec<usize>,
    /// Its position in [`EvidenceColumns::fits`].
    pub fitted: usize,
    /// How many parameters it has, the intercept among them.
    pub parameters: u64,
}

impl Key {
    /// A key of which nothing is known.
    pub fn open() -> Key {
        Key {
            levels: Levels::Open,
            fixed: false,
            public: false,
        }
    }
}

impl Statistic {
    /// Whether the statistic of a whole is the sum of those of its parts.
    pub(crate) fn is_additive(self) -> bool {
        match self {
            Statistic::Rows { .. } | Statistic::Sum => true,
            Statistic::Units { .. } | Statistic::Real => false,
        }
    }

    fn is_count(self) -> bool {
        matches!(self, Statistic::Rows { .. } | Statistic::Units { .. })
    }
}

impl Shape {
    /// A plain `GROUP BY` over these keys; without keys, a grand total.
    pub fn plain(keys: Vec<Key>, statistics: Vec<Statistic>) -> Shape {
        Shape {
            sets: vec![vec![true; keys.len()]],
            keys,
            statistics,
            structural: Vec::new(),
            quantiles: Vec::new(),
            fits: Vec::new(),
        }
    }

    /// Whether the table says in a column of its own which grouping set a row is of.
    pub(crate) fn has_set_column(&self) -> bool {
        self.sets.len() > 1
    }

    /// The position of the first statistic.
    pub(crate) fn statistics_at(&self) -> usize {
        self.keys.len() + usize::from(self.has_set_column())
    }

    /// The positions of the keys of one set.
    pub(crate) fn keys_of(&self, set: usize) -> Vec<usize> {
        (0..self.keys.len())
            .filter(|key| self.sets[set][*key])
            .collect()
    }

    /// Whether some statistic of a whole is more than the sum of those of its parts.
    pub(crate) fn has_own_numbers(&self) -> bool {
        self.statistics.iter().any(|of| !of.is_additive())
    }

    /// Per grouping set the one it is derived from: the first finest set that has all of its keys. None for the finest.
    pub(crate) fn parents(&self) -> Vec<Option<usize>> {
        let has_all = |larger: &[bool], smaller: &[bool]| {
            larger
                .iter()
                .zip(smaller)
                .all(|(of_larger, of_smaller)| *of_larger || !of_smaller)
        };
        // Of two equal sets the first is the finer one.
        let is_below = |set: usize, other: usize| {
            let (smaller, larger) = (&self.sets[set], &self.sets[other]);
            has_all(larger, smaller) && (smaller != larger || other < set)
        };
        let sets = 0..self.sets.len();
        let is_finest = |set: usize| !sets.clone().any(|other| is_below(set, other));
        let finest: Vec<usize> = sets.clone().filter(|set| is_finest(*set)).collect();
        sets.clone()
            .map(|set| finest.iter().copied().find(|other| is_below(set, *other)))
            .collect()
    }

    /// Checks the shape against itself, the columns of the table, and the evidence. Nothing here depends on the data.
    ///
    /// # Errors
    /// Columns that cannot leave, or statistics that cannot be rounded (the caller's); a shape that does not fit (a bug).
    pub(crate) fn check(
        &self,
        schema: &Schema,
        evidence: &[EvidenceColumns],
    ) -> Result<(), GateError> {
        check_columns(schema)?;
        if schema.fields().len() != self.statistics_at() + self.statistics.len() {
            return Err(GateError::Shape);
        }
        let keys = self.keys.len();
        let sound = !self.sets.is_empty()
            && self.sets.len() <= SETS_MAX
            && self.sets.iter().all(|set| set.len() == keys)
            && self.structural.iter().flatten().all(|key| *key < keys)
            && evidence.iter().all(|of| self.fits_evidence(of))
            && self.statistics.iter().all(|of| of.is_in(evidence));
        if !sound {
            return Err(GateError::Shape);
        }
        if self.has_set_column() && schema.field(keys).data_type() != &DataType::UInt32 {
            return Err(GateError::Shape);
        }
        self.check_domains(schema)?;
        self.check_statistics(schema)
    }

    fn check_domains(&self, schema: &Schema) -> Result<(), GateError> {
        for (key, field) in self.keys.iter().zip(schema.fields()) {
            if let Levels::Closed(values) = &key.levels
                && released_type(values.data_type()) != released_type(field.data_type())
            {
                return Err(GateError::Shape);
            }
        }
        Ok(())
    }

    fn fits_evidence(&self, evidence: &EvidenceColumns) -> bool {
        let sums = evidence.contributions.len();
        let quantiles = &self.quantiles;
        quantiles
            .iter()
            .all(|of| of.contributions < sums && of.count > 0)
            && self.fits.iter().all(|of| {
                of.fitted < evidence.fits.len() && of.contributions.iter().all(|at| *at < sums)
            })
    }

    fn check_statistics(&self, schema: &Schema) -> Result<(), GateError> {
        let fields = &schema.fields()[self.statistics_at()..];
        for (field, statistic) in fields.iter().zip(&self.statistics) {
            if !is_number(field.data_type()) {
                return Err(GateError::StatisticKind {
                    column: field.name().clone(),
                });
            }
            if statistic.is_count() && !is_integer(field.data_type()) {
                return Err(GateError::Shape);
            }
        }
        Ok(())
    }

    /// The grouping set of each row.
    ///
    /// # Errors
    /// [`GateError::Shape`] where a row names no set.
    pub(crate) fn sets_of(&self, cells: &RecordBatch) -> Result<Vec<u32>, GateError> {
        if !self.has_set_column() {
            return Ok(vec![0; cells.num_rows()]);
        }
        let column = cells.column(self.keys.len());
        let column = column.as_primitive_opt::<UInt32Type>();
        let column = column.ok_or(GateError::Shape)?;
        let named = |set: &u32| (*set as usize) < self.sets.len();
        if column.null_count() > 0 || !column.values().iter().all(named) {
            return Err(GateError::Shape);
        }
        Ok(column.values().to_vec())
    }
}

impl Statistic {
    fn is_in(&self, evidence: &[EvidenceColumns]) -> bool {
        match self {
            Statistic::Rows { evidence: None } | Statistic::Sum | Statistic::Real => true,
            Statistic::Rows { evidence: Some(at) } => {
                evidence.iter().all(|of| *at < of.counted.len())
            }
            Statistic::Units { kind } => *kind < evidence.len(),
        }
    }
}

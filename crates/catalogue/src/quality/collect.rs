//! One pass over the rows.

use ahash::RandomState;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::compute::kernels::cmp;
use arrow::compute::max;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::check::Check;
use super::distinct::Counter;
use super::{ColumnQuality, QualityReport, RuleQuality};
use crate::limits::{DISTINCT_EXACT_MAX, DISTINCT_KEPT_MAX};
use crate::{CatalogueError, Manifest, Relation, Result, Rule};

/// Collects a [`QualityReport`] batch by batch. Keeps at most [`DISTINCT_KEPT_MAX`] hashes, and no value but the newest
/// time.
pub struct Collector {
    rows: u64,
    hasher: RandomState,
    columns: Vec<Column>,
    distinct_rows: Counter,
    rules: Vec<(Rule, RuleQuality)>,
    time_column: Option<usize>,
    newest_unix_ms: Option<i64>,
    /// A hash for each row of the batch at hand.
    row_hashes: Vec<u64>,
}

/// What is known of a column so far.
struct Column {
    name: String,
    missing: u64,
    distinct: Counter,
    check: Option<Check>,
    outside: u64,
}

impl Collector {
    /// A collector for the columns of `manifest`.
    pub fn new(manifest: &Manifest) -> Self {
        let columns = manifest.columns();
        let exact_max = DISTINCT_EXACT_MAX.min(DISTINCT_KEPT_MAX / (columns.len() + 1));
        let columns = columns.iter().map(|column| Column {
            name: column.name.clone(),
            missing: 0,
            distinct: Counter::new(exact_max),
            check: column.content.as_ref().map(Check::new),
            outside: 0,
        });
        let rules = manifest.rules().iter().map(|rule| {
            let quality = RuleQuality {
                description: rule.description.clone(),
                checked: 0,
                broken: 0,
            };
            (rule.clone(), quality)
        });
        Self {
            rows: 0,
            hasher: RandomState::new(),
            columns: columns.collect(),
            distinct_rows: Counter::new(exact_max),
            rules: rules.collect(),
            time_column: manifest.terms().time_column,
            newest_unix_ms: None,
            row_hashes: Vec::new(),
        }
    }

    /// Takes in the next rows: every column of the manifest, in its order, in its stored type
    /// ([`crate::ColumnType::data_type`]), before identifiers are coded.
    ///
    /// # Errors
    /// [`CatalogueError::Internal`] where `columns` are not the manifest's.
    pub fn observe(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        if columns.len() != self.columns.len() || columns.iter().any(|column| column.len() != rows)
        {
            return Err(unexpected());
        }
        self.rows += rows as u64;
        self.row_hashes.clear();
        self.row_hashes.resize(rows, 0);
        for (known, array) in self.columns.iter_mut().zip(columns) {
            known.observe(array, &self.hasher, &mut self.row_hashes)?;
        }
        for hash in &self.row_hashes {
            self.distinct_rows.add(self.hasher.hash_one(hash));
        }
        for (rule, quality) in &mut self.rules {
            observe_rule(rule, quality, columns)?;
        }
        if let Some(index) = self.time_column {
            self.newest_unix_ms = self.newest_unix_ms.max(newest_unix_ms(&columns[index]));
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(self) -> QualityReport {
        let columns = self.columns.into_iter().map(|column| ColumnQuality {
            name: column.name,
            missing: column.missing,
            distinct: column.distinct.count(),
            outside: column.check.is_some().then_some(column.outside),
        });
        QualityReport {
            rows: self.rows,
            distinct_rows: self.distinct_rows.count(),
            columns: columns.collect(),
            rules: self.rules.into_iter().map(|(_, quality)| quality).collect(),
            newest_unix_ms: self.newest_unix_ms,
        }
    }
}

impl Column {
    fn observe(&mut self, array: &ArrayRef, hasher: &RandomState, rows: &mut [u64]) -> Result<()> {
        self.missing += array.null_count() as u64;
        let check = self.check.take();
        let done = self.observe_type(array, check.as_ref(), hasher, rows);
        self.check = check;
        done
    }

    fn observe_type(
        &mut self,
        array: &ArrayRef,
        check: Option<&Check>,
        hasher: &RandomState,
        rows: &mut [u64],
    ) -> Result<()> {
        macro_rules! whole {
            ($kind:ty) => {
                self.primitives::<$kind>(array, rows, |value| {
                    let fits = check.is_none_or(|check| check.whole(value.into()));
                    (hasher.hash_one(value), fits)
                })
            };
        }
        match array.data_type() {
            DataType::Int8 => whole!(Int8Type),
            DataType::Int16 => whole!(Int16Type),
            DataType::Int32 => whole!(Int32Type),
            DataType::Int64 => whole!(Int64Type),
            DataType::UInt8 => whole!(UInt8Type),
            DataType::UInt16 => whole!(UInt16Type),
            DataType::UInt32 => whole!(UInt32Type),
            DataType::UInt64 => whole!(UInt64Type),
            DataType::Date32 => whole!(Date32Type),
            DataType::Timestamp(TimeUnit::Microsecond, _) => whole!(TimestampMicrosecondType),
            DataType::Float32 => self.primitives::<Float32Type>(array, rows, |value| {
                float(f64::from(value), check, hasher)
            }),
            DataType::Float64 => {
                self.primitives::<Float64Type>(array, rows, |value| float(value, check, hasher));
            }
            DataType::Boolean => {
                let values = array.as_boolean().iter();
                self.values(values, rows, |value| {
                    let fits = check.is_none_or(|check| check.bool(value));
                    (hasher.hash_one(value), fits)
                });
            }
            DataType::Utf8 => {
                let values = array.as_string::<i32>().iter();
                self.values(values, rows, |value| {
                    let fits = check.is_none_or(|check| check.text(value));
                    (hasher.hash_one(value), fits)
                });
            }
            _ => return Err(unexpected()),
        }
        Ok(())
    }

    fn primitives<T: ArrowPrimitiveType>(
        &mut self,
        array: &ArrayRef,
        rows: &mut [u64],
        look: impl Fn(T::Native) -> (u64, bool),
    ) {
        let array = array.as_primitive::<T>();
        if array.null_count() == 0 {
            let values = array.values().iter().map(|value| Some(*value));
            self.values(values, rows, look);
        } else {
            self.values(array.iter(), rows, look);
        }
    }

    fn values<V>(
        &mut self,
        values: impl Iterator<Item = Option<V>>,
        rows: &mut [u64],
        look: impl Fn(V) -> (u64, bool),
    ) {
        for (value, row) in values.zip(rows) {
            // The place of a column counts in a row's hash, a missing value like any other.
            *row = row.rotate_left(17).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            if let Some(value) = value {
                let (hash, fits) = look(value);
                self.distinct.add(hash);
                self.outside += u64::from(!fits);
                *row ^= hash;
            }
        }
    }
}

/// Both zeros are one value.
fn float(value: f64, check: Option<&Check>, hasher: &RandomState) -> (u64, bool) {
    let fits = check.is_none_or(|check| check.float(value));
    (hasher.hash_one((value + 0.0).to_bits()), fits)
}

fn observe_rule(rule: &Rule, quality: &mut RuleQuality, columns: &[ArrayRef]) -> Result<()> {
    let (left, right) = (&columns[rule.left], &columns[rule.right]);
    let kept = match rule.relation {
        Relation::Less => cmp::lt(left, right),
        Relation::AtMost => cmp::lt_eq(left, right),
        Relation::Equal => cmp::eq(left, right),
        Relation::Different => cmp::neq(left, right),
    };
    let kept = kept.map_err(|_| unexpected())?;
    quality.checked += (kept.len() - kept.null_count()) as u64;
    quality.broken += kept.iter().filter(|kept| *kept == Some(false)).count() as u64;
    Ok(())
}

fn newest_unix_ms(array: &ArrayRef) -> Option<i64> {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    match array.data_type() {
        DataType::Date32 => {
            max(array.as_primitive::<Date32Type>()).map(|days| i64::from(days) * DAY_MS)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            max(array.as_primitive::<TimestampMicrosecondType>())
                .map(|micros| micros.div_euclid(1000))
        }
        _ => None,
    }
}

fn unexpected() -> CatalogueError {
    CatalogueError::Internal {
        action: "measuring quality",
    }
}

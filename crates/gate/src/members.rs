//! Which units are behind each number, and how much of it each is: what earlier releases are compared with.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryArray, FixedSizeBinaryArray, ListArray, UInt64Array};
use weir_ledger::{RoaringBitmap, Rows};
use weir_policy::Policy;

use crate::error::GateError;

/// The units behind the cells of a table, of one kind of unit.
pub struct Members {
    /// The population that the units belong to.
    pub population: String,
    /// Sets of units, one column for each place that a [`Basis`] names; at 0 are all units of the cell. Each is a list of
    /// roaring bitmaps in their portable form (`BinaryView`), one for each part that was read; empty where it has too few
    /// units to be released.
    pub sets: Vec<ListArray>,
    /// Which rows these units have, one for each of the sets; none where nobody knows.
    pub rows: Vec<Option<RowsSeen>>,
    /// Prints, as [`weir_ledger::Statistic::print`] says, of little-endian 32-bit numbers; at 0 of the rows of each unit.
    pub prints: Vec<FixedSizeBinaryArray>,
    /// The rows of the unit that has most, in the cell and in each counted argument, in their order.
    pub rows_most: Vec<UInt64Array>,
}

/// Which rows the units of cells have, as [`weir_ledger::Rows`] says; sets as in [`Members::sets`].
pub struct RowsSeen {
    /// Units whose rows weigh two modulo 3.
    pub twos: ListArray,
    /// Units whose rows weigh nothing modulo 3.
    pub threes: ListArray,
    /// What all rows weigh; zero where each unit has its first row alone.
    pub weight: UInt64Array,
    /// Units that have other rows than their first, ascending, and what each weighs, as four and eight little-endian bytes;
    /// null where they are many.
    pub noted: BinaryArray,
}

/// What a statistic is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basis {
    /// What kind of number it is: two of one kind can be subtracted. A digest is taken of it.
    pub kind: String,
    /// Where it is of a column of the data itself, and not of something computed, the column.
    pub column: Option<String>,
    /// Whether a model or a condition of the query decides what a unit contributes.
    pub is_chosen: bool,
    /// Where in [`Members::sets`] its units are; 0 is the cell.
    pub set: usize,
    /// Where in [`Members::prints`] it is said how much of it each unit is; empty where each is as much as any other.
    pub prints: Vec<usize>,
    /// What a single unit can add to it at most.
    pub most: Most,
}

/// What a single unit can add to a number at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Most {
    /// One: it is a number of units.
    One,
    /// Its rows: a place in [`Members::rows_most`].
    Rows(usize),
    /// Its contribution: a place in [`crate::EvidenceColumns::contributions`].
    Contribution(usize),
    /// It is not a sum over units.
    NotASum,
}

/// What a table's numbers are of, beside the table: what the ledger compares.
pub struct Provenance {
    /// One for each kind of unit, as the evidence.
    pub members: Vec<Members>,
    /// One for each statistic.
    pub bases: Vec<Basis>,
    /// Places of sets that nobody chose: the units for which a column of the data itself has a value.
    pub parts: Vec<usize>,
    /// What rows are read and how they are grouped, in words that are the same for the same. A digest is taken of it.
    pub selection: String,
    /// Whether every row is read and grouped by columns of the data alone, so that nobody is left out by choice.
    pub is_plain: bool,
}

impl Provenance {
    /// Whether a model or a condition decides what units contribute to any of the numbers.
    pub(crate) fn is_chosen(&self) -> bool {
        self.bases.iter().any(|basis| basis.is_chosen)
    }

    /// That every number which has to be coarse enough for no single unit to show can be made so. Nothing here depends on
    /// the data.
    pub(crate) fn check_coarse(&self, policy: &Policy) -> Result<(), GateError> {
        let cannot = |basis: &Basis| basis.is_chosen && basis.most == Most::NotASum;
        if policy.leaves_one_out(true) && self.bases.iter().any(cannot) {
            return Err(GateError::NotCoarse);
        }
        Ok(())
    }
}

impl Members {
    pub(crate) fn check(&self, cells: usize) -> Result<(), GateError> {
        let sets = self.sets.iter().map(|column| column as &dyn Array);
        let prints = self.prints.iter().map(|column| column as &dyn Array);
        let most = self.rows_most.iter().map(|column| column as &dyn Array);
        let rows = self.rows.iter().flatten();
        let rows = rows.flat_map(|of| [&of.twos as &dyn Array, &of.threes, &of.weight]);
        let mut columns = sets.chain(prints).chain(most).chain(rows);
        let sound = |column: &dyn Array| column.len() == cells && column.null_count() == 0;
        let has_cell =
            !self.sets.is_empty() && self.rows.len() == self.sets.len() && !self.prints.is_empty();
        if has_cell && !self.rows_most.is_empty() && columns.all(sound) {
            Ok(())
        } else {
            Err(GateError::EvidenceLength)
        }
    }

    /// The units at one place of one cell.
    pub(crate) fn units(&self, place: usize, cell: usize) -> Result<Arc<RoaringBitmap>, GateError> {
        read(self.sets.get(place).ok_or(GateError::Shape)?, cell)
    }

    /// Which rows those units have; none where nobody knows.
    pub(crate) fn rows(&self, place: usize, cell: usize) -> Result<Option<Rows>, GateError> {
        let Some(rows) = self.rows.get(place).ok_or(GateError::Shape)? else {
            return Ok(None);
        };
        let read = |column: &ListArray| match column.value_length(cell) {
            0 => Ok(Arc::default()),
            _ => read(column, cell),
        };
        Ok(Some(Rows {
            twos: read(&rows.twos)?,
            threes: read(&rows.threes)?,
            weight: rows.weight.value(cell),
            noted: rows.noted.is_valid(cell).then(|| {
                let (noted, _) = rows.noted.value(cell).as_chunks::<12>();
                let of_unit = |[a, b, c, d, weight @ ..]: &[u8; 12]| {
                    let unit = u32::from_le_bytes([*a, *b, *c, *d]);
                    (unit, u64::from_le_bytes(*weight))
                };
                noted.iter().map(of_unit).collect()
            }),
        }))
    }

    /// How many bytes all sets are.
    pub(crate) fn bytes_of_sets(&self) -> u64 {
        let parts = self.sets.iter();
        let parts = parts.filter_map(|column| column.values().as_binary_view_opt());
        parts.flat_map(|parts| parts.lengths()).map(u64::from).sum()
    }

    /// The print of a statistic in one cell: of several, a sum in which each has a factor of its own.
    pub(crate) fn print(&self, places: &[usize], cell: usize) -> Result<Arc<[u32]>, GateError> {
        let mut print: Vec<u32> = Vec::new();
        for (factor, place) in (1_u32..).step_by(2).zip(places) {
            let column = self.prints.get(*place).ok_or(GateError::Shape)?;
            let (numbers, _) = column.value(cell).as_chunks();
            print.resize(numbers.len().max(print.len()), 0);
            for (sum, number) in print.iter_mut().zip(numbers) {
                let number = u32::from_le_bytes(*number).wrapping_mul(factor);
                *sum = sum.wrapping_add(number);
            }
        }
        Ok(print.into())
    }
}

/// The set of a cell, of which each part that was read has a bitmap.
fn read(column: &ListArray, cell: usize) -> Result<Arc<RoaringBitmap>, GateError> {
    let parts = column.value(cell);
    let parts = parts.as_binary_view_opt().ok_or(GateError::Shape)?;
    let mut units = RoaringBitmap::new();
    for bytes in parts.iter().flatten() {
        // Written by this process a moment ago, in ascending order.
        let part = RoaringBitmap::deserialize_unchecked_from(bytes);
        units |= part.map_err(|_| GateError::EvidenceContradiction)?;
    }
    Ok(Arc::new(units))
}

impl Basis {
    pub(crate) fn is_in(&self, members: &[Members], contributions: usize) -> bool {
        members.iter().all(|of| {
            let most = match self.most {
                Most::Rows(at) => at < of.rows_most.len(),
                Most::Contribution(at) => at < contributions,
                Most::One | Most::NotASum => true,
            };
            self.set < of.sets.len() && self.prints.iter().all(|at| *at < of.prints.len()) && most
        })
    }
}

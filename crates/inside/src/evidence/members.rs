//! Which units are behind a number, and how much of it each of them is: what the ledger compares with earlier releases.
//!
//! Which units: their set, a roaring bitmap. How much each: a *print*, a few sums of hashes. Units fall into buckets, and
//! of each bucket a print has the wrapping sum of a hash of each unit with what it contributes. Where two numbers have the
//! same units and their prints differ in fewer than k buckets, it may be that fewer than k units contribute something
//! else, and their difference would tell of these few; where they differ in k buckets, at least k units do. A collision
//! makes two numbers look more alike than they are, never less, so the hash needs no key and has no secret.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, FixedSizeBinaryArray};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::logical_expr::EmitTo;
use roaring::RoaringBitmap;

/// The set of units of each group.
#[derive(Debug, Clone, Default)]
pub(super) struct Sets {
    of: Vec<RoaringBitmap>,
    /// How many units are in all of them.
    units: usize,
}

impl Sets {
    pub(super) const DATA_TYPE: DataType = DataType::Binary;

    pub(super) fn grow(&mut self, groups: usize) {
        self.of.resize_with(groups, RoaringBitmap::new);
    }

    /// Adds a unit; those of a group come in ascending order, or are put where they belong.
    pub(super) fn add(&mut self, group: usize, unit: u32) {
        // `push` would look for the largest unit of a dense set each time, all through its words.
        self.of[group].insert(unit);
        self.units += 1;
    }

    /// Adds the units that another part has.
    pub(super) fn merge(&mut self, group: usize, bytes: &[u8]) -> Result<()> {
        let others = RoaringBitmap::deserialize_from(bytes)
            .map_err(|_| internal_datafusion_err!("a set is handed over as it was written"))?;
        self.units += others.len() as usize;
        let set = &mut self.of[group];
        if set.is_empty() {
            *set = others;
        } else {
            *set |= others;
        }
        Ok(())
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let of = emit_to.take_needed(&mut self.of);
        let units = of.iter().map(|set| set.len() as usize).sum();
        self.units -= units;
        Self { of, units }
    }

    /// The sets in their portable form; nothing for those of fewer units than `units_min`, which nobody will ask for.
    pub(super) fn column(&self, units_min: u64) -> Result<ArrayRef> {
        let asked = |set: &&RoaringBitmap| set.len() >= units_min;
        let bytes: usize = self
            .of
            .iter()
            .filter(asked)
            .map(RoaringBitmap::serialized_size)
            .sum();
        if bytes > i32::MAX as usize {
            return internal_err!("sets of units are too large for one batch");
        }
        let mut column = BinaryBuilder::with_capacity(self.of.len(), bytes);
        let mut written = Vec::new();
        for set in &self.of {
            written.clear();
            if asked(&set) {
                set.serialize_into(&mut written)?;
            }
            column.append_value(&written);
        }
        Ok(Arc::new(column.finish()))
    }

    pub(super) fn size(&self) -> usize {
        // Two bytes for each unit, or less, and a little for each set and each 65,536 unit numbers it has some of.
        2 * self.units + 128 * self.of.capacity()
    }
}

/// The print of each group, in so many buckets, a power of two.
#[derive(Debug, Clone)]
pub(super) struct Prints {
    buckets: usize,
    sums: Vec<u32>,
}

impl Prints {
    pub(super) const fn new(buckets: usize) -> Self {
        Self {
            buckets,
            sums: Vec::new(),
        }
    }

    pub(super) fn data_type(buckets: usize) -> DataType {
        DataType::FixedSizeBinary((buckets * size_of::<u32>()) as i32)
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.sums.resize(groups * self.buckets, 0);
    }

    /// Adds what a unit contributes.
    pub(super) fn add(&mut self, group: usize, unit: u32, contribution: f64) {
        let place = mixed(u64::from(unit));
        // No sign on zero.
        let hash = mixed(place ^ (contribution + 0.0).to_bits());
        let bucket = (place >> 32) as usize & (self.buckets - 1);
        let sum = &mut self.sums[group * self.buckets + bucket];
        *sum = sum.wrapping_add((hash >> 32) as u32);
    }

    /// Adds what the units of another part contribute.
    pub(super) fn merge(&mut self, group: usize, print: &[u8]) {
        let sums = &mut self.sums[group * self.buckets..(group + 1) * self.buckets];
        for (sum, bytes) in sums.iter_mut().zip(print.as_chunks().0) {
            *sum = sum.wrapping_add(u32::from_le_bytes(*bytes));
        }
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let groups = match emit_to {
            EmitTo::All => self.sums.len(),
            EmitTo::First(groups) => groups * self.buckets,
        };
        Self {
            buckets: self.buckets,
            sums: EmitTo::First(groups).take_needed(&mut self.sums),
        }
    }

    pub(super) fn column(&self) -> Result<ArrayRef> {
        let bytes: Vec<u8> = self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        let size = (self.buckets * size_of::<u32>()) as i32;
        let column = FixedSizeBinaryArray::try_new(size, Buffer::from_vec(bytes), None)?;
        Ok(Arc::new(column))
    }

    pub(super) fn size(&self) -> usize {
        self.sums.capacity() * size_of::<u32>()
    }
}

/// The bytes of one group in a column of sets or of prints.
pub(super) fn bytes_of(column: &ArrayRef, row: usize) -> &[u8] {
    match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().value(row),
        _ => column.as_fixed_size_binary().value(row),
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
const fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(contributions: &[(u32, f64)]) -> Vec<u32> {
        let mut prints = Prints::new(32);
        prints.grow(1);
        for (unit, contribution) in contributions {
            prints.add(0, *unit, *contribution);
        }
        prints.sums
    }

    #[test]
    fn a_print_is_of_units_and_contributions_and_not_of_their_order() {
        let units: Vec<(u32, f64)> = (0..1_000).map(|unit| (unit * 7, f64::from(unit))).collect();
        let reversed: Vec<_> = units.iter().rev().copied().collect();
        assert_eq!(print(&units), print(&reversed));
        let changed = |count: usize| {
            let mut others = units.clone();
            others.iter_mut().take(count).for_each(|of| of.1 += 1.0);
            let (one, other) = (print(&units), print(&others));
            one.iter().zip(&other).filter(|(a, b)| a != b).count()
        };
        for count in 0..10 {
            assert!(changed(count) <= count);
            assert_eq!(changed(count) > 0, count > 0);
        }
        assert_eq!(changed(1_000), 32);
        assert_eq!(print(&[(1, 0.0)]), print(&[(1, -0.0)]));
    }

    #[test]
    fn parts_add_up() {
        let all: Vec<(u32, f64)> = (0..500).map(|unit| (unit, f64::from(unit % 9))).collect();
        let mut prints = Prints::new(32);
        prints.grow(2);
        let mut sets = Sets::default();
        sets.grow(2);
        for (at, (unit, contribution)) in all.iter().enumerate() {
            prints.add(at / 250, *unit, *contribution);
            sets.add(at / 250, *unit);
        }
        let (halves, units) = (prints.column(), sets.column(0));
        let (halves, units) = (halves.as_ref().ok(), units.as_ref().ok());
        let mut whole = Prints::new(32);
        whole.grow(1);
        let mut union = Sets::default();
        union.grow(1);
        for row in [0, 1] {
            whole.merge(0, halves.map_or(&[], |column| bytes_of(column, row)));
            let merged = union.merge(0, units.map_or(&[], |column| bytes_of(column, row)));
            assert!(merged.is_ok());
        }
        assert_eq!(whole.sums, print(&all));
        assert_eq!(union.of[0], (0..500).collect());
        assert_eq!(union.units, 500);
    }
}

//! How much of a number each unit behind it is: what the ledger compares with earlier releases.
//!
//! A *print* is a few sums of hashes. Units fall into buckets, and of each bucket a print has the wrapping sum of a hash of each
//! unit with what it contributes. Where two numbers have the
//! same units and their prints differ in fewer than k buckets, it may be that fewer than k units contribute something
//! else, and their difference would tell of these few; where they differ in k buckets, at least k units do. A collision
//! makes two numbers look more alike than they are, never less, so the hash needs no key and has no secret.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray};
use datafusion::arrow::buffer::Buffer;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;

/// The print of each group, in so many buckets, a power of two.
#[derive(Debug, Clone)]
pub(super) struct Prints {
    buckets: usize,
    sums: Vec<u32>,
}

/// The print of one group.
pub(super) struct Print<'a>(&'a mut [u32]);

impl Print<'_> {
    /// Adds what a unit contributes.
    #[inline]
    pub(super) fn add(&mut self, unit: u32, contribution: f64) {
        let bucket = place(unit) as usize & (self.0.len() - 1);
        self.0[bucket] = self.0[bucket].wrapping_add(hash(unit, contribution));
    }
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

    /// The print of a group, to add to.
    pub(super) fn of(&mut self, group: usize) -> Print<'_> {
        Print(&mut self.sums[group * self.buckets..(group + 1) * self.buckets])
    }

    /// Adds what a unit contributes.
    pub(super) fn add(&mut self, group: usize, unit: u32, contribution: f64) {
        self.of(group).add(unit, contribution);
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

/// The bytes of one group in a column of prints.
pub(super) fn bytes_of(prints: &ArrayRef, row: usize) -> &[u8] {
    prints.as_fixed_size_binary().value(row)
}

/// Where a unit falls: Fibonacci hashing, the upper bits of a product with 2³² over the golden ratio.
const fn place(unit: u32) -> u32 {
    unit.wrapping_mul(0x9e37_79b9) >> 23
}

/// What a unit and its contribution add to a bucket: both halves of a product of 64 by 64 bits, folded, as wyhash does.
fn hash(unit: u32, contribution: f64) -> u32 {
    // No sign on zero.
    let contribution = (contribution + 0.0).to_bits() ^ 0xe703_7ed1_a0b4_28db;
    let unit = u64::from(unit) ^ 0xa076_1d64_78bd_642f;
    let product = u128::from(contribution) * u128::from(unit);
    ((product >> 64) as u64 ^ product as u64) as u32
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests fail by panicking")]
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
        for (at, (unit, contribution)) in all.iter().enumerate() {
            prints.add(at / 250, *unit, *contribution);
        }
        let halves = prints.column().expect("a column");
        let mut whole = Prints::new(32);
        whole.grow(1);
        for row in [0, 1] {
            whole.merge(0, bytes_of(&halves, row));
        }
        assert_eq!(whole.sums, print(&all));
    }
}

//! Which units are behind a number, and how much of it each of them is: what the ledger compares with earlier releases.
//!
//! Which units: their set, a roaring bitmap for each part that was read. How much each: a *print*, a few sums of hashes. Units fall into buckets, and
//! of each bucket a print has the wrapping sum of a hash of each unit with what it contributes. Where two numbers have the
//! same units and their prints differ in fewer than k buckets, it may be that fewer than k units contribute something
//! else, and their difference would tell of these few; where they differ in k buckets, at least k units do. A collision
//! makes two numbers look more alike than they are, never less, so the hash needs no key and has no secret.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, ToByteSlice};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;

/// The set of units of each group.
#[derive(Debug, Clone, Default)]
pub(super) struct Sets {
    of: Vec<Set>,
    /// Bytes of all of them as they will be handed over, about: two for each unit, and those of other parts.
    held: usize,
}

/// A set that grows at its end, kept as it will be handed over: in the portable form of roaring bitmaps, a container for
/// each 65,536 numbers. The crate's bitmap was the first design; it puts one number after the other into a container that
/// grows, which took longer than all else that is computed of a row.
#[derive(Debug, Clone, Default)]
struct Set {
    /// Per container that is closed the upper half of its numbers, and how many it has less one.
    heads: Vec<[u16; 2]>,
    /// The lower halves of numbers in ascending order, or bits. The last container is a list for as long as it is open.
    containers: Vec<u16>,
    /// Where the one that is open begins.
    open: usize,
    /// The upper half of its numbers.
    upper: u16,
    /// What other parts have, each in the portable form.
    others: Vec<Buffer>,
}

/// A container of more numbers is 65,536 bits, one of fewer a list.
const LIST_MAX: usize = 4_096;

/// What a set in the portable form begins with where no container is a list of ranges.
const COOKIE: u32 = 12_346;

/// Below this length containers grow fourfold.
const GROWS_FAST: usize = 4_096;

/// How many numbers of 16 bits a container of bits is.
const BITS_LENGTH: usize = 4_096;

// Numbers are written as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));

impl Set {
    /// Adds units behind all that are there, in ascending order.
    #[inline]
    fn extend(&mut self, mut units: &[u32]) {
        while let (Some(first), Some(last)) = (units.first(), units.last()) {
            let upper = (first >> 16) as u16;
            if upper != self.upper {
                self.close();
                self.upper = upper;
            }
            let here = if (last >> 16) as u16 == upper {
                units.len()
            } else {
                units.partition_point(|unit| (unit >> 16) as u16 == upper)
            };
            let (now, later) = units.split_at(here);
            if self.containers.len() < GROWS_FAST {
                // Of thousands of groups each grows: it is moved half as often.
                let room = self.containers.capacity() - self.containers.len();
                if room < now.len() {
                    self.containers
                        .reserve(now.len() + 3 * self.containers.len());
                }
            }
            self.containers.extend(now.iter().map(|unit| *unit as u16));
            units = later;
        }
    }

    /// Closes the container that is open.
    fn close(&mut self) {
        let list = &self.containers[self.open..];
        let Some(less_one) = list.len().checked_sub(1) else {
            return;
        };
        self.heads.push([self.upper, less_one as u16]);
        if list.len() > LIST_MAX {
            let mut bits = [0_u16; BITS_LENGTH];
            for lower in list {
                bits[usize::from(lower / 16)] |= 1 << (lower % 16);
            }
            self.containers.truncate(self.open);
            self.containers.extend_from_slice(&bits);
        }
        self.open = self.containers.len();
    }

    /// Where the containers begin in the portable form.
    const fn head_bytes(&self) -> usize {
        size_of::<[u32; 2]>() + self.heads.len() * (2 * size_of::<u32>())
    }

    /// Bytes of the portable form, once nothing is open.
    fn written_bytes(&self) -> usize {
        let own = match self.heads.is_empty() {
            true => 0,
            false => self.head_bytes() + size_of_val(self.containers.as_slice()),
        };
        own + self.others.iter().map(Buffer::len).sum::<usize>()
    }

    /// Writes other parts and this one, in the form that <https://github.com/RoaringBitmap/RoaringFormatSpec> describes:
    /// cookie, number of containers, heads, offsets of the containers, containers.
    fn write(&self, into: &mut Vec<u8>) {
        for other in &self.others {
            into.extend_from_slice(other);
        }
        if self.heads.is_empty() {
            return;
        }
        into.extend(COOKIE.to_le_bytes());
        into.extend((self.heads.len() as u32).to_le_bytes());
        into.extend_from_slice(self.heads.as_flattened().to_byte_slice());
        let mut offset = self.head_bytes();
        for [_, less_one] in &self.heads {
            into.extend((offset as u32).to_le_bytes());
            let numbers = usize::from(*less_one) + 1;
            let length = if numbers > LIST_MAX {
                BITS_LENGTH
            } else {
                numbers
            };
            offset += size_of::<u16>() * length;
        }
        into.extend_from_slice(self.containers.to_byte_slice());
    }
}

impl Sets {
    pub(super) const DATA_TYPE: DataType = DataType::Binary;

    pub(super) fn grow(&mut self, groups: usize) {
        self.of.resize_with(groups, Set::default);
    }

    /// Adds units; those of a group come in ascending order.
    #[inline]
    pub(super) fn extend(&mut self, group: usize, units: &[u32]) {
        self.held += size_of::<u16>() * units.len();
        self.of[group].extend(units);
    }

    /// Adds the units that another part has, and no other.
    pub(super) fn merge(&mut self, group: usize, set: Buffer) {
        self.held += set.len();
        self.of[group].others.push(set);
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let of = emit_to.take_needed(&mut self.of);
        // Of the groups that stay nobody knows; too much is no harm.
        let held = match self.of.is_empty() {
            true => std::mem::take(&mut self.held),
            false => self.held,
        };
        Self { of, held }
    }

    /// Closes what is open: nothing is added from here on.
    pub(super) fn end(&mut self) {
        self.of.iter_mut().for_each(Set::close);
    }

    /// The sets, each as bitmaps of units in their portable form, one for each part. Nothing for those of fewer units than
    /// are asked for, which nobody will look at.
    pub(super) fn column(&self, is_asked: impl Fn(usize) -> bool) -> Result<ArrayRef> {
        let asked = || {
            self.of
                .iter()
                .enumerate()
                .map(|(at, set)| is_asked(at).then_some(set))
        };
        let bytes: usize = asked().flatten().map(Set::written_bytes).sum();
        if bytes > i32::MAX as usize {
            return internal_err!("sets of units are too large for one batch");
        }
        let mut written = Vec::with_capacity(bytes);
        let mut lengths = Vec::with_capacity(self.of.len());
        for set in asked() {
            let before = written.len();
            if let Some(set) = set {
                set.write(&mut written);
            }
            lengths.push(written.len() - before);
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        let column = BinaryArray::try_new(offsets, Buffer::from_vec(written), None)?;
        Ok(Arc::new(column))
    }

    /// Bytes held, about. It is asked for after each batch, so that a look at each set would cost more than all else: what
    /// grows is taken for twice what is in it.
    pub(super) fn size(&self) -> usize {
        2 * self.held + size_of::<Set>() * self.of.capacity()
    }
}

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

/// Those in a column of sets, which are not copied.
pub(super) fn set_of(sets: &ArrayRef, row: usize) -> Buffer {
    let sets = sets.as_binary::<i32>();
    let offsets = sets.value_offsets();
    let (from, until) = (offsets[row] as usize, offsets[row + 1] as usize);
    sets.values().slice_with_length(from, until - from)
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
    use roaring::RoaringBitmap;

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

    /// What a column of sets says of its first set.
    fn first(column: &ArrayRef) -> RoaringBitmap {
        let set = set_of(column, 0);
        let mut bytes = set.as_slice();
        let mut units = RoaringBitmap::new();
        while !bytes.is_empty() {
            units |= RoaringBitmap::deserialize_from(&mut bytes).expect("the portable form");
        }
        units
    }

    #[test]
    fn sets_are_what_was_added() {
        let dense: Vec<u32> = (0..200_000).filter(|unit| unit % 3 > 0).collect();
        let sparse: Vec<u32> = (0..3_000_000).step_by(701).collect();
        let full: Vec<u32> = (65_536..4 * 65_536).collect();
        let edge: Vec<u32> = (0..4_096).chain(70_000..74_097).collect();
        for units in [dense, sparse, full, edge, vec![], vec![u32::MAX]] {
            let mut sets = Sets::default();
            sets.grow(1);
            units.chunks(1_000).for_each(|some| sets.extend(0, some));
            sets.end();
            let column = sets.column(|_| true).expect("a column");
            let expected: RoaringBitmap = units.iter().copied().collect();
            assert_eq!(first(&column), expected);
            if !units.is_empty() {
                let mut written = Vec::new();
                expected.serialize_into(&mut written).expect("in memory");
                assert_eq!(set_of(&column, 0).as_slice(), written);
            }
        }
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
            sets.extend(at / 250, &[*unit]);
        }
        let halves = prints.column().expect("a column");
        sets.end();
        let units = sets.column(|_| true).expect("a column");
        let mut whole = Prints::new(32);
        whole.grow(1);
        let mut union = Sets::default();
        union.grow(1);
        for row in [0, 1] {
            whole.merge(0, bytes_of(&halves, row));
            union.merge(0, set_of(&units, row));
        }
        assert_eq!(whole.sums, print(&all));
        let asked = union.column(|_| true).expect("a column");
        assert_eq!(first(&asked), (0..500).collect());
        let not_asked = union.column(|_| false).expect("a column");
        assert!(set_of(&not_asked, 0).is_empty());
    }
}

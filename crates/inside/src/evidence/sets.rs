//! Which units are behind a number: what the ledger compares with earlier releases.
//!
//! A set of units is a roaring bitmap for each part that was read, in the portable form, and is written here as it will be
//! handed over. It is not the crate's bitmap that grows: putting one number after the other into a container took longer than
//! all else that is computed of a row. Units are written down for all groups one behind the other, as they come, and put
//! together by group once there are many of them: rows come in any order of groups, and so each set is fetched once for
//! hundreds of its units and not for thirty.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryViewBuilder, ByteView, ListArray};
use datafusion::arrow::buffer::{Buffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, ToByteSlice};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;

/// The set of units of each group.
#[derive(Debug, Clone, Default)]
pub(super) struct Sets {
    of: Vec<Set>,
    /// Units that are in none of the sets yet.
    log: Log,
    /// What other parts have written.
    handed: Vec<Buffer>,
    /// Bytes of all sets as they will be handed over, about: two for each unit, and those of other parts.
    held: usize,
}

/// Units as they came.
#[derive(Debug, Clone, Default)]
struct Log {
    /// Their lower halves.
    lowers: Vec<u16>,
    /// What units there are, in order.
    pieces: Vec<Piece>,
}

/// Units of one group with one upper half.
#[derive(Debug, Clone, Copy)]
struct Piece {
    group: u32,
    upper: u16,
    /// How many they are, less one: they are distinct.
    less_one: u16,
}

/// So many units are put together by group at a time, or so many pieces of them: 2 MiB of either.
const LOGGED_UNITS: usize = if cfg!(test) { 500 } else { 1 << 20 };
const LOGGED_PIECES: usize = if cfg!(test) { 40 } else { 1 << 18 };

/// A set that grows at its end: a container for each 65,536 numbers.
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
    others: Vec<Other>,
}

/// A set that another part has written, by where it is.
#[derive(Debug, Clone, Copy)]
struct Other {
    handed: u32,
    offset: u32,
    length: u32,
}

/// A container of more numbers is 65,536 bits, one of fewer a list.
const LIST_MAX: usize = 4_096;

/// What a set in the portable form begins with where no container is a list of ranges.
const COOKIE: u32 = 12_346;

/// How many numbers of 16 bits a container of bits is.
const BITS_LENGTH: usize = 4_096;

// Numbers are written as they lie in memory.
const _: () = assert!(cfg!(target_endian = "little"));

impl Log {
    /// Adds units of a group, which come in ascending order.
    #[inline]
    fn extend(&mut self, group: usize, mut units: &[u32]) {
        let group = group as u32;
        while let (Some(first), Some(last)) = (units.first(), units.last()) {
            let upper = (first >> 16) as u16;
            let here = if (last >> 16) as u16 == upper {
                units.len()
            } else {
                units.partition_point(|unit| (unit >> 16) as u16 == upper)
            };
            let (now, later) = units.split_at(here);
            self.lowers.extend(now.iter().map(|unit| *unit as u16));
            match self.pieces.last_mut() {
                Some(piece) if (piece.group, piece.upper) == (group, upper) => {
                    piece.less_one += now.len() as u16;
                }
                _ => self.pieces.push(Piece {
                    group,
                    upper,
                    less_one: (now.len() - 1) as u16,
                }),
            }
            units = later;
        }
    }

    const fn is_full(&self) -> bool {
        self.lowers.len() >= LOGGED_UNITS || self.pieces.len() >= LOGGED_PIECES
    }

    /// Puts all units into the sets of their groups.
    fn settle(&mut self, sets: &mut [Set]) {
        let mut next = vec![0_u32; sets.len() + 1];
        for piece in &self.pieces {
            next[piece.group as usize + 1] += 1;
        }
        let mut pieces = 0;
        for of_group in &mut next {
            pieces += *of_group;
            *of_group = pieces;
        }
        let mut by_group = vec![(0_u32, 0_u32); self.pieces.len()];
        let mut start = 0;
        for (at, piece) in (0_u32..).zip(&self.pieces) {
            let place = &mut next[piece.group as usize];
            by_group[*place as usize] = (at, start);
            *place += 1;
            start += u32::from(piece.less_one) + 1;
        }
        let piece = |at: u32| self.pieces[at as usize];
        let units = |of: &Piece| usize::from(of.less_one) + 1;
        for of_group in
            by_group.chunk_by(|(one, _), (next, _)| piece(*one).group == piece(*next).group)
        {
            let set = &mut sets[piece(of_group[0].0).group as usize];
            set.containers
                .reserve(of_group.iter().map(|(at, _)| units(&piece(*at))).sum());
            for (at, start) in of_group {
                let (piece, start) = (piece(*at), *start as usize);
                set.extend(piece.upper, &self.lowers[start..start + units(&piece)]);
            }
        }
        self.lowers.clear();
        self.pieces.clear();
    }

    fn size(&self) -> usize {
        size_of::<u16>() * self.lowers.capacity() + size_of::<Piece>() * self.pieces.capacity()
    }
}

impl Set {
    /// Adds numbers with this upper half behind all that are there, in ascending order.
    fn extend(&mut self, upper: u16, lowers: &[u16]) {
        if upper != self.upper {
            self.close();
            self.upper = upper;
        }
        self.containers.extend_from_slice(lowers);
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

    /// Bytes of the portable form, once nothing is open: none of an empty set.
    fn written_bytes(&self) -> usize {
        match self.heads.is_empty() {
            true => 0,
            false => self.head_bytes() + size_of_val(self.containers.as_slice()),
        }
    }

    /// Writes it in the form that <https://github.com/RoaringBitmap/RoaringFormatSpec> describes: cookie, number of containers,
    /// heads, offsets of the containers, containers.
    fn write(&self, into: &mut Vec<u8>) {
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
    /// The bitmaps of each group, of which there may be several: one for each part.
    pub(super) fn data_type() -> DataType {
        DataType::List(Arc::new(item()))
    }

    pub(super) fn grow(&mut self, groups: usize) {
        self.of.resize_with(groups, Set::default);
    }

    /// Adds units; those of a group come in ascending order.
    #[inline]
    pub(super) fn extend(&mut self, group: usize, units: &[u32]) {
        self.held += size_of::<u16>() * units.len();
        self.log.extend(group, units);
        if self.log.is_full() {
            self.log.settle(&mut self.of);
        }
    }

    /// Adds the units that a group of another part has, and no other: what is written there is not copied.
    pub(super) fn merge(&mut self, group: usize, sets: &ArrayRef, row: usize) {
        let (lists, offsets) = (sets.as_list::<i32>(), sets.as_list::<i32>().value_offsets());
        let sets = lists.values().as_binary_view();
        for at in offsets[row] as usize..offsets[row + 1] as usize {
            let view = ByteView::from(sets.views()[at]);
            // A set takes more bytes than a view has room for.
            let Some(written) = sets.data_buffers().get(view.buffer_index as usize) else {
                continue;
            };
            let known = self.handed.iter().rposition(|of| of.ptr_eq(written));
            let handed = known.unwrap_or_else(|| {
                self.handed.push(written.clone());
                self.handed.len() - 1
            });
            self.held += view.length as usize;
            self.of[group].others.push(Other {
                handed: handed as u32,
                offset: view.offset,
                length: view.length,
            });
        }
    }

    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        self.log.settle(&mut self.of);
        let of = emit_to.take_needed(&mut self.of);
        // Of the groups that stay nobody knows; too much is no harm.
        let (handed, held) = match self.of.is_empty() {
            true => (
                std::mem::take(&mut self.handed),
                std::mem::take(&mut self.held),
            ),
            false => (self.handed.clone(), self.held),
        };
        Self {
            of,
            log: Log::default(),
            handed,
            held,
        }
    }

    /// Closes what is open: nothing is added from here on.
    pub(super) fn end(&mut self) {
        self.log.settle(&mut self.of);
        self.of.iter_mut().for_each(Set::close);
    }

    /// The sets, each as bitmaps of units in their portable form, one for each part. None for those of fewer units than
    /// are asked for, which nobody will look at.
    pub(super) fn column(&self, is_asked: impl Fn(usize) -> bool) -> Result<ArrayRef> {
        let asked = || self.of.iter().enumerate().filter(|(at, _)| is_asked(*at));
        let bytes: usize = asked().map(|(_, set)| set.written_bytes()).sum();
        if bytes > i32::MAX as usize {
            return internal_err!("sets of units are too large for one batch");
        }
        let mut written = Vec::with_capacity(bytes);
        asked().for_each(|(_, set)| set.write(&mut written));
        let mut bitmaps = BinaryViewBuilder::new();
        for handed in &self.handed {
            bitmaps.append_block(handed.clone());
        }
        let own = bitmaps.append_block(Buffer::from_vec(written));
        let mut offset = 0;
        let mut lengths = Vec::with_capacity(self.of.len());
        for (at, set) in self.of.iter().enumerate() {
            if !is_asked(at) {
                lengths.push(0);
                continue;
            }
            for other in &set.others {
                bitmaps.try_append_view(other.handed, other.offset, other.length)?;
            }
            let length = set.written_bytes() as u32;
            if length > 0 {
                bitmaps.try_append_view(own, offset, length)?;
                offset += length;
            }
            lengths.push(set.others.len() + usize::from(length > 0));
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        let bitmaps = Arc::new(bitmaps.finish());
        let column = ListArray::try_new(Arc::new(item()), offsets, bitmaps, None)?;
        Ok(Arc::new(column))
    }

    /// Bytes held, about. It is asked for after each batch, so that a look at each set would cost more than all else: what
    /// grows is taken for twice what is in it.
    pub(super) fn size(&self) -> usize {
        2 * self.held + size_of::<Set>() * self.of.capacity() + self.log.size()
    }
}

fn item() -> Field {
    Field::new("item", DataType::BinaryView, false)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests fail by panicking")]
pub(super) mod tests {
    use roaring::RoaringBitmap;

    use super::*;

    /// The bitmaps that a column of sets has of a group.
    pub(crate) fn bitmaps_of(column: &ArrayRef, row: usize) -> Vec<Vec<u8>> {
        let bitmaps = column.as_list::<i32>().value(row);
        let bitmaps = bitmaps.as_binary_view().iter();
        bitmaps.flatten().map(<[u8]>::to_vec).collect()
    }

    /// What it says of the group.
    pub(crate) fn set_of(column: &ArrayRef, row: usize) -> RoaringBitmap {
        let mut units = RoaringBitmap::new();
        for bitmap in bitmaps_of(column, row) {
            let part = RoaringBitmap::deserialize_from(bitmap.as_slice());
            units |= part.expect("the portable form");
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
            sets.grow(3);
            for some in units.chunks(1_000) {
                // Another group in between, and one that has nothing.
                sets.extend(2, some);
                sets.extend(0, &some[..some.len().min(7)]);
            }
            sets.end();
            let column = sets.column(|_| true).expect("a column");
            let expected: RoaringBitmap = units.iter().copied().collect();
            assert_eq!(set_of(&column, 2), expected);
            let few = units.chunks(1_000).flat_map(|some| some.iter().take(7));
            assert_eq!(set_of(&column, 0), few.copied().collect());
            assert!(bitmaps_of(&column, 1).is_empty());
            if !units.is_empty() {
                let mut written = Vec::new();
                expected.serialize_into(&mut written).expect("in memory");
                assert_eq!(bitmaps_of(&column, 2), [written]);
            }
        }
    }

    #[test]
    fn groups_are_taken_with_what_was_written_of_them() {
        let mut sets = Sets::default();
        sets.grow(3);
        for unit in 0..300 {
            sets.extend(unit as usize % 3, &[unit]);
        }
        let mut first = sets.take(EmitTo::First(2));
        sets.grow(2);
        sets.extend(0, &[1_000]);
        sets.extend(1, &[7]);
        sets.end();
        first.end();
        let of = |sets: &Sets, group: usize| {
            let column = sets.column(|_| true).expect("a column");
            set_of(&column, group).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of(&first, 1), (1..300).step_by(3).collect::<Vec<_>>());
        let last = (2..300).step_by(3).chain([1_000]);
        assert_eq!(of(&sets, 0), last.collect::<Vec<_>>());
        assert_eq!(of(&sets, 1), [7]);
    }

    #[test]
    fn parts_add_up() {
        let mut sets = Sets::default();
        sets.grow(2);
        for unit in 0..500 {
            sets.extend(unit as usize / 250, &[unit]);
        }
        sets.end();
        let units = sets.column(|_| true).expect("a column");
        let mut union = Sets::default();
        union.grow(1);
        for row in [0, 1] {
            union.merge(0, &units, row);
        }
        assert_eq!(union.handed.len(), 1, "nothing is copied");
        let asked = union.column(|_| true).expect("a column");
        assert_eq!(bitmaps_of(&asked, 0).len(), 2);
        assert_eq!(set_of(&asked, 0), (0..500).collect());
        let not_asked = union.column(|_| false).expect("a column");
        assert!(bitmaps_of(&not_asked, 0).is_empty());
    }
}

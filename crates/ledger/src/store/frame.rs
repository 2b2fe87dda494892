//! A release as bytes in the file of releases.
//!
//! ```text
//! salt 32 │ lengths, sealed 16+16 │ entry, sealed │ sets, each sealed │ padding
//! ```
//! The salt makes the key of the frame. The lengths are bound to the file, the frame's number and offset, and the chain
//! over all frames before it, so that no frame can be moved, repeated, left out or taken from elsewhere. A set is bound
//! to its number in the frame. The padding leaves a reader of the file with a rough size and nothing else: without it,
//! the size of a release of one cell would tell how many units are in it. It is sealed zeros, so that no byte of the file can
//! be changed unnoticed; in frames of earlier versions it is noise.

use std::sync::{Arc, Mutex, PoisonError};

use ring::digest::{SHA256, digest};
use roaring::RoaringBitmap;

use crate::entry::{NewEntry, Span};
use crate::parallel;
use crate::question::Digest;
use crate::store::head::Head;
use crate::store::seal::{LedgerKey, PieceKey, TAG_LEN, random};
use crate::{LedgerError, Result};

pub(crate) const SALT_LEN: usize = 32;
const LENGTHS_LEN: usize = 16;
/// Set in the length of the entry where the padding is sealed.
const PADDING_IS_SEALED: u64 = 1 << 63;
/// The part of a frame that has always the same length.
pub(crate) const START_LEN: usize = SALT_LEN + LENGTHS_LEN + TAG_LEN;
/// Smallest frame, in bytes.
const FRAME_BYTES_MIN: u64 = 4096;
const PURPOSE: &str = "release";

/// The numbers of the pieces of a frame.
const LENGTHS: u64 = 0;
const ENTRY: u64 = 1;
const FIRST_SET: u64 = 2;
const PADDING: u64 = u64::MAX;

/// A frame as it is written.
pub(crate) struct Frame {
    /// With zeros behind it, for what comes next.
    pub(crate) bytes: Vec<u8>,
    /// How many of these are the frame.
    pub(crate) length: u64,
    pub(crate) salt: [u8; SALT_LEN],
    pub(crate) spans: Vec<Span>,
    /// Where the sets begin in the frame.
    pub(crate) sets_at: u64,
    pub(crate) chain: Digest,
}

/// How long the parts of a frame are, in bytes and sealed.
pub(crate) struct Lengths {
    pub(crate) entry: u64,
    /// The whole frame.
    pub(crate) frame: u64,
    pub(crate) padding_is_sealed: bool,
}

pub(crate) fn key(ledger: &LedgerKey, salt: &[u8]) -> Result<PieceKey> {
    ledger.pieces(PURPOSE, salt)
}

/// What binds a frame to its place: it comes after everything that `head` covers.
fn place(head: &Head) -> Vec<u8> {
    let mut place = b"weir ledger release ".to_vec();
    place.extend_from_slice(&head.id);
    place.extend_from_slice(&head.releases.to_le_bytes());
    place.extend_from_slice(&head.bytes.to_le_bytes());
    place.extend_from_slice(&head.chain);
    place
}

impl Frame {
    /// The frame that comes after what `head` covers, with so many zeros behind it.
    pub(crate) fn of(ledger: &LedgerKey, head: &Head, new: &NewEntry, zeros: u64) -> Result<Frame> {
        let salt = random()?;
        let key = key(ledger, &salt)?;
        let sets = small(&new.sets);
        let mut spans = Vec::with_capacity(sets.len());
        let mut sets_length = 0;
        for set in &sets {
            let length = set.serialized_size() + TAG_LEN;
            let bytes = u32::try_from(length).map_err(|_| LedgerError::Internal {
                action: "writing a set of more than 4 GiB",
            })?;
            let offset = sets_length as u64;
            spans.push(Span { offset, bytes });
            sets_length += length;
        }
        let entry = new.entry.write(&spans);
        let entry_length = entry.len() + TAG_LEN;
        let length = padded((START_LEN + entry_length + sets_length + TAG_LEN) as u64);
        let mut start = Vec::with_capacity(START_LEN + entry_length);
        start.extend_from_slice(&salt);
        let of_entry = entry_length as u64 | PADDING_IS_SEALED;
        let lengths = [of_entry.to_le_bytes(), length.to_le_bytes()].concat();
        key.seal_onto(&mut start, LENGTHS, &place(head), &lengths)?;
        key.seal_onto(&mut start, ENTRY, &[], &entry)?;
        let chain = chain(head, &start);
        let sets_at = start.len();
        // Zeros that nobody has written yet, so that each thread is given its own pages.
        let mut bytes = vec![0; (length + zeros) as usize];
        bytes[..sets_at].copy_from_slice(&start);
        let (sets_bytes, padding) = bytes[sets_at..length as usize].split_at_mut(sets_length);
        write_sets(&key, &sets, sets_bytes)?;
        // Plain zeros would show where the padding begins.
        key.seal(PADDING, &[], padding)?;
        Ok(Frame {
            bytes,
            salt,
            spans,
            sets_at: sets_at as u64,
            length,
            chain,
        })
    }
}

/// The lengths of the frame that comes after what `head` covers.
pub(crate) fn read_lengths(key: &PieceKey, head: &Head, start: &mut [u8]) -> Option<Lengths> {
    let sealed = start.get_mut(SALT_LEN..START_LEN)?;
    let length = key.open(LENGTHS, &place(head), sealed)?;
    let plain = sealed.get(..length)?;
    let entry = u64::from_le_bytes(plain.get(..8)?.try_into().ok()?);
    Some(Lengths {
        entry: entry & !PADDING_IS_SEALED,
        frame: u64::from_le_bytes(plain.get(8..)?.try_into().ok()?),
        padding_is_sealed: entry & PADDING_IS_SEALED != 0,
    })
}

/// Whether this is the padding that the frame was sealed with.
pub(crate) fn is_padding(key: &PieceKey, sealed: &mut [u8]) -> bool {
    key.open(PADDING, &[], sealed).is_some()
}

/// The entry of a frame.
pub(crate) fn open_entry<'a>(key: &PieceKey, sealed: &'a mut [u8]) -> Option<&'a [u8]> {
    let length = key.open(ENTRY, &[], sealed)?;
    sealed.get(..length)
}

/// A set of a frame by its number there.
pub(crate) fn open_set(key: &PieceKey, number: u32, sealed: &mut [u8]) -> Option<RoaringBitmap> {
    let length = key.open(FIRST_SET + u64::from(number), &[], sealed)?;
    let mut plain = sealed.get(..length)?;
    let set = RoaringBitmap::deserialize_from(&mut plain).ok()?;
    plain.is_empty().then_some(set)
}

/// The chain over a frame and all before it. `bytes` are the frame up to its sets; the sets are bound to its salt.
pub(crate) fn chain(head: &Head, bytes: &[u8]) -> Digest {
    let mut linked = head.chain.to_vec();
    linked.extend_from_slice(digest(&SHA256, bytes).as_ref());
    let mut chain = [0; 32];
    chain.copy_from_slice(digest(&SHA256, &linked).as_ref());
    chain
}

/// The sets with neighbouring units as runs.
fn small(sets: &[Arc<RoaringBitmap>]) -> Vec<RoaringBitmap> {
    let small = |set: &Arc<RoaringBitmap>| {
        let mut small = (**set).clone();
        small.optimize();
        small
    };
    let units = sets.iter().map(|set| set.len()).sum();
    parallel::of_units(units, sets, small)
}

/// Writes sets one behind the other, each sealed.
fn write_sets(key: &PieceKey, sets: &[RoaringBitmap], mut bytes: &mut [u8]) -> Result<()> {
    let mut pieces = Vec::with_capacity(sets.len());
    for (number, set) in (FIRST_SET..).zip(sets) {
        let (piece, rest) = bytes.split_at_mut(set.serialized_size() + TAG_LEN);
        pieces.push((number, set, Mutex::new(piece)));
        bytes = rest;
    }
    let units = sets.iter().map(RoaringBitmap::len).sum();
    let written = parallel::of_units(units, &pieces, |(number, set, piece)| {
        let mut piece = piece.lock().unwrap_or_else(PoisonError::into_inner);
        set.serialize_into(&mut **piece)
            .map_err(|_| LedgerError::Internal {
                action: "writing a set",
            })?;
        key.seal(*number, &[], &mut piece)
    });
    written.into_iter().collect()
}

/// Rounded up so that a length has few significant bits (Padmé, Nikitin and others, "Reducing Metadata Leakage from
/// Encrypted Files", 2019): at most 12 % more, and lengths up to L have O(log log L) bits to tell.
fn padded(length: u64) -> u64 {
    if length <= FRAME_BYTES_MIN {
        return FRAME_BYTES_MIN;
    }
    let exponent = length.ilog2();
    let significant = exponent.ilog2() + 1;
    let zeros = (1_u64 << (exponent - significant)) - 1;
    (length + zeros) & !zeros
}

#[cfg(test)]
mod tests {
    use super::padded;

    #[test]
    fn padding_is_small_and_leaves_few_lengths() {
        let mut lengths = std::collections::BTreeSet::new();
        for length in 1..1_000_000_u64 {
            let padded = padded(length);
            assert!(padded >= length);
            assert!(padded <= 4096.max(length + length / 8), "{length}");
            lengths.insert(padded);
        }
        assert!(lengths.len() < 300, "{}", lengths.len());
    }
}

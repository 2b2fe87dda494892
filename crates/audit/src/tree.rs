//! The Merkle tree: its growing right edge in memory, and proofs from tiles. All hashing is `tlog_tiles`'.

use std::borrow::Cow;
use std::collections::HashMap;

use tlog_tiles::{Error, HASH_SIZE, Hash, HashReader, Tile};

use crate::error::AuditError;
use crate::layout::{Kind, Slot, TILE_HEIGHT, TILE_WIDTH};

/// Bytes of a full tile.
pub(crate) const TILE_BYTES: usize = TILE_WIDTH as usize * HASH_SIZE;

/// The right edge of a tree: at each level, the tile that is not full yet. It is all that appending needs.
#[derive(Clone, Default)]
pub(crate) struct Frontier {
    size: u64,
    /// By level; fewer than 256 hashes each.
    edges: Vec<Vec<u8>>,
}

impl Frontier {
    /// The edge of a tree of `size`, given the bytes of its partial tile at each level (empty where there is none).
    pub(crate) fn new(size: u64, edges: Vec<Vec<u8>>) -> Self {
        Self { size, edges }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and hands each tile that it fills to `full`, lowest level first.
    pub(crate) fn push(&mut self, leaf: Hash, mut full: impl FnMut(Slot, Vec<u8>)) {
        let mut hash = leaf;
        for level in 0_u8.. {
            let position = usize::from(level);
            if position == self.edges.len() {
                self.edges.push(Vec::new());
            }
            self.edges[position].extend_from_slice(&hash.0);
            if self.edges[position].len() < TILE_BYTES {
                break;
            }
            let tile = std::mem::take(&mut self.edges[position]);
            hash = Tile::subtree_hash(&tile);
            full(Kind::Hashes(level).edge(self.size), tile);
        }
        self.size += 1;
    }

    /// The tiles of the edge: slot, number of hashes, bytes.
    pub(crate) fn partials(&self) -> impl Iterator<Item = (Slot, u32, &[u8])> {
        (0_u8..).zip(&self.edges).filter_map(|(level, bytes)| {
            let slot = Kind::Hashes(level).edge(self.size);
            let width = slot.width_in(self.size);
            (width > 0).then_some((slot, width, bytes.as_slice()))
        })
    }

    /// The root of the tree.
    pub(crate) fn root(&self) -> Result<Hash, AuditError> {
        let mut tiles = Tiles::default();
        tiles.add_edges(self);
        tlog_tiles::tree_hash(self.size, &tiles).map_err(|_| AuditError::Bug {
            what: "the tree's edge has no root",
        })
    }
}

/// Some tiles of one tree, as a source of hashes.
#[derive(Default)]
pub(crate) struct Tiles<'a>(HashMap<Slot, Cow<'a, [u8]>>);

impl<'a> Tiles<'a> {
    pub(crate) fn add_edges(&mut self, frontier: &'a Frontier) {
        for (slot, _, bytes) in frontier.partials() {
            self.0.insert(slot, Cow::Borrowed(bytes));
        }
    }

    pub(crate) fn add(&mut self, slot: Slot, bytes: Vec<u8>) {
        self.0.insert(slot, Cow::Owned(bytes));
    }

    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.0.contains_key(&slot)
    }

    /// The hash at `position` of a tile, if both are there.
    pub(crate) fn hash(&self, slot: Slot, position: usize) -> Option<Hash> {
        hash_at(self.0.get(&slot)?, position)
    }

    /// The inclusion proof (RFC 6962, section 2.1.1) of entry `index` in a tree of `size`.
    pub(crate) fn prove(&self, size: u64, index: u64) -> Result<Vec<Hash>, AuditError> {
        tlog_tiles::prove_record(size, index, self).map_err(|_| AuditError::Bug {
            what: "the tiles of an entry do not suffice for its proof",
        })
    }
}

/// The root of the first `size` entries, from tiles that hold the siblings of the last of them.
pub(crate) fn root_at(size: u64, hashes: &impl HashReader) -> Result<Hash, AuditError> {
    tlog_tiles::tree_hash(size, hashes).map_err(|_| AuditError::Bug {
        what: "the tiles of an entry do not suffice for a root",
    })
}

impl HashReader for Tiles<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let read = |&index: &u64| {
            let least = Tile::from_index(TILE_HEIGHT, index);
            let slot = Slot::hashes(least.level(), least.level_index());
            let bytes = self
                .0
                .get(&slot)
                .filter(|bytes| bytes.len() >= HASH_SIZE)
                .ok_or(Error::InvalidTile)?;
            let width = u32::try_from(bytes.len() / HASH_SIZE)
                .unwrap_or(TILE_WIDTH)
                .min(TILE_WIDTH);
            Tile::new(
                TILE_HEIGHT,
                least.level(),
                least.level_index(),
                width,
                false,
            )
            .hash_at_index(bytes, index)
        };
        indexes.iter().map(read).collect()
    }
}

/// The hash at `position` of a tile's bytes.
pub(crate) fn hash_at(tile: &[u8], position: usize) -> Option<Hash> {
    let (hashes, _) = tile.as_chunks::<HASH_SIZE>();
    hashes.get(position).map(|hash| Hash(*hash))
}

#[cfg(test)]
mod tests;

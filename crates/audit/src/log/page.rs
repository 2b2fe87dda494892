//! Reading back: an entry's bundle and the tiles that prove it, each checked against the one above.

use tlog_tiles::{EMPTY_HASH, Hash, Tile, record_hash};

use super::Log;
use crate::bundle;
use crate::consistency::ConsistencyProof;
use crate::error::AuditError;
use crate::files::Found;
use crate::layout::{Kind, Slot, TILE_WIDTH};
use crate::tree::{self, Tiles};

impl Log {
    /// The bundle of an entry, and the tiles above it, each checked against the one above.
    pub(super) fn page(&self, index: u64) -> Result<Page<'_>, AuditError> {
        if index >= self.size() {
            return Err(AuditError::NoSuchEntry {
                index,
                size: self.size(),
            });
        }
        let tiles = self.tiles(&[index])?;
        let slot = Kind::Entries.edge(index);
        let bundle = if slot == Kind::Entries.edge(self.size()) {
            Found {
                name: slot.path(slot.width_in(self.size())),
                bytes: self.bundle.clone(),
            }
        } else {
            self.files.bundle(slot.index, TILE_WIDTH)?
        };
        let width = slot.width_in(self.size());
        let cut = |at: bundle::EndsInside| AuditError::BundleCut {
            file: bundle.name.clone(),
            index: slot.index * u64::from(TILE_WIDTH) + at.position as u64,
        };
        let ends = bundle::ends(&bundle.bytes, width).map_err(cut)?;
        Ok(Page {
            slot,
            width,
            bundle,
            ends,
            tiles,
        })
    }

    /// The proof that the tree of the checkpoint in force only added to that of its first `from_size` entries.
    ///
    /// # Errors
    /// As [`Log::consistency_between`].
    pub fn consistency(&self, from_size: u64) -> Result<ConsistencyProof, AuditError> {
        self.consistency_between(from_size, self.size())
    }

    /// The proof that the tree of the first `to_size` entries only added to that of the first `from_size`.
    ///
    /// # Errors
    /// `AUDIT_NO_SUCH_ENTRY` where the log is smaller than that; those of reading files that are gone or altered.
    pub fn consistency_between(
        &self,
        from_size: u64,
        to_size: u64,
    ) -> Result<ConsistencyProof, AuditError> {
        let size = self.size();
        if from_size > to_size || to_size > size {
            return Err(AuditError::NoSuchEntry {
                index: from_size.max(to_size) - 1,
                size: size.min(to_size),
            });
        }
        if from_size == 0 || from_size == to_size {
            return Ok(ConsistencyProof::default());
        }
        let tiles = self.tiles(&[from_size - 1, to_size - 1])?;
        ConsistencyProof::make(from_size, to_size, &tiles)
    }

    /// The root of the tree of the first `size` entries.
    pub(super) fn root_at(&self, size: u64) -> Result<Hash, AuditError> {
        match size {
            0 => Ok(EMPTY_HASH),
            size => tree::root_at(size, &self.tiles(&[size - 1])?),
        }
    }

    /// The tiles above some entries and those of the tree's edge, each checked against the one above. Those above the last
    /// entry of an earlier tree hold all that the earlier tree's edge did.
    pub(super) fn tiles(&self, indexes: &[u64]) -> Result<Tiles<'_>, AuditError> {
        let mut tiles = Tiles::default();
        tiles.add_edges(&self.frontier);
        let levels = (0..)
            .take_while(|level| Kind::Hashes(*level).count_in(self.size()) > 0)
            .collect::<Vec<_>>();
        for &level in levels.iter().rev() {
            for &index in indexes {
                let slot = Kind::Hashes(level).edge(index);
                if slot != Kind::Hashes(level).edge(self.size()) && !tiles.has(slot) {
                    tiles.add(slot, self.full_tile(&tiles, slot, level)?);
                }
            }
        }
        Ok(tiles)
    }

    /// A full tile from the disk, whose own root its parent (already checked) must hold.
    fn full_tile(&self, checked: &Tiles<'_>, slot: Slot, level: u8) -> Result<Vec<u8>, AuditError> {
        let found = self.files.tile(slot, TILE_WIDTH)?;
        let parent = Slot::hashes(level + 1, slot.index / u64::from(TILE_WIDTH));
        if checked.hash(parent, position(slot.index)) == Some(Tile::subtree_hash(&found.bytes)) {
            return Ok(found.bytes);
        }
        // Which hash is wrong cannot be told from here; `verify_log` can.
        Err(AuditError::TileMismatch {
            file: found.name,
            position: 0,
        })
    }
}

/// What it takes to prove the entries of one bundle.
pub(super) struct Page<'a> {
    slot: Slot,
    width: u32,
    bundle: Found,
    /// Where each entry of the bundle ends.
    ends: Vec<usize>,
    pub(super) tiles: Tiles<'a>,
}

impl Page<'_> {
    pub(super) fn holds(&self, index: u64) -> bool {
        Kind::Entries.edge(index) == self.slot
    }

    /// An entry's bytes, which the leaf tile (already checked) must hold the hash of.
    pub(super) fn entry(&self, index: u64) -> Result<&[u8], AuditError> {
        let position = position(index);
        let tile = Slot::hashes(0, self.slot.index);
        let entry =
            bundle::entry_at(&self.bundle.bytes, &self.ends, position).ok_or(AuditError::Bug {
                what: "a bundle was shorter than its width",
            })?;
        if self.tiles.hash(tile, position) == Some(record_hash(entry)) {
            return Ok(entry);
        }
        Err(AuditError::EntryMismatch {
            file: self.bundle.name.clone(),
            tile: tile.path(self.width),
            index,
        })
    }
}

/// The place of a hash or entry within its tile or bundle.
fn position(index: u64) -> usize {
    (index % u64::from(TILE_WIDTH)) as usize
}

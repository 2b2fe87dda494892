//! Reading back: an entry's bundle and the tiles that prove it, each checked against the one above.

use tlog_tiles::{Tile, record_hash};

use super::Log;
use crate::bundle;
use crate::error::AuditError;
use crate::files::Found;
use crate::layout::{Kind, Slot, TILE_WIDTH};
use crate::tree::Tiles;

impl Log {
    /// The bundle of an entry, and the tiles above it, each checked against the one above.
    pub(super) fn page(&self, index: u64) -> Result<Page<'_>, AuditError> {
        if index >= self.size() {
            return Err(AuditError::NoSuchEntry {
                index,
                size: self.size(),
            });
        }
        let mut tiles = Tiles::default();
        tiles.add_edges(&self.frontier);
        let levels = (0..)
            .take_while(|level| Kind::Hashes(*level).count_in(self.size()) > 0)
            .collect::<Vec<_>>();
        for &level in levels.iter().rev() {
            let slot = Kind::Hashes(level).edge(index);
            if slot != Kind::Hashes(level).edge(self.size()) {
                tiles.add(slot, self.full_tile(&tiles, slot, level)?);
            }
        }
        let slot = Kind::Entries.edge(index);
        let bundle = if slot == Kind::Entries.edge(self.size()) {
            Found {
                name: slot.path(slot.width_in(self.size())),
                bytes: self.bundle.clone(),
            }
        } else {
            self.files.bundle(slot.index, TILE_WIDTH)?
        };
        Ok(Page {
            slot,
            width: slot.width_in(self.size()),
            bundle,
            tiles,
        })
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
    pub(super) tiles: Tiles<'a>,
}

impl Page<'_> {
    pub(super) fn holds(&self, index: u64) -> bool {
        Kind::Entries.edge(index) == self.slot
    }

    /// An entry's bytes, which the leaf tile (already checked) must hold the hash of.
    pub(super) fn entry(&self, index: u64) -> Result<&[u8], AuditError> {
        let position = position(index);
        let cut = |_| AuditError::BundleCut {
            file: self.bundle.name.clone(),
            index,
        };
        let (entries, _) = bundle::split(&self.bundle.bytes, self.width).map_err(cut)?;
        let tile = Slot::hashes(0, self.slot.index);
        let entry = entries.get(position).copied().ok_or(AuditError::Bug {
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

//! Where tiles and bundles live: paths relative to the log's directory, always with `/` (C2SP tlog-tiles).

use tlog_tiles::Tile;

/// Height of a tile: C2SP tlog-tiles fixes it.
pub(crate) const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile, entries in a full bundle.
pub(crate) const TILE_WIDTH: u32 = 1 << TILE_HEIGHT;
/// The most entries a log holds. It keeps every shift and index of the tile arithmetic far from overflow;
/// at a thousand entries a second it lasts 34 years.
pub const TREE_SIZE_MAX: u64 = 1 << 40;
/// The highest tile level of a log of [`TREE_SIZE_MAX`] entries.
pub(crate) const LEVEL_MAX: u8 = 5;

/// The signed checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// The next checkpoint, before it takes the place of the last.
pub(crate) const CHECKPOINT_TMP: &str = "checkpoint.tmp";
/// The newest checkpoint that witnesses have cosigned, with their cosignatures.
pub(crate) const COSIGNED: &str = "cosigned";
/// The next one, before it takes the place of the last.
pub(crate) const COSIGNED_TMP: &str = "cosigned.tmp";
/// Any other file on its way to its place.
pub(crate) const WRITE_TMP: &str = "write.tmp";
/// What was appended since the files were last made durable.
pub(crate) const JOURNAL: &str = "journal";
/// The writer's lock.
pub(crate) const LOCK: &str = "lock";
/// The directory of tiles and bundles.
pub(crate) const TILES: &str = "tile";

/// What a tile-shaped file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// An entry bundle.
    Entries,
    /// Hashes at this level of tiles.
    Hashes(u8),
}

/// The place of one tile or bundle, whatever its width: partial versions share the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub(crate) kind: Kind,
    pub(crate) index: u64,
}

impl Slot {
    pub(crate) fn entries(index: u64) -> Self {
        Self {
            kind: Kind::Entries,
            index,
        }
    }

    pub(crate) fn hashes(level: u8, index: u64) -> Self {
        Self {
            kind: Kind::Hashes(level),
            index,
        }
    }

    /// Every kind of slot a log can have, bundles first.
    pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
        std::iter::once(Kind::Entries).chain((0..=LEVEL_MAX).map(Kind::Hashes))
    }

    /// The file of this slot at `width` (1 to 256; below 256 it is partial).
    pub(crate) fn path(self, width: u32) -> String {
        // The crate writes the Go form, `tile/<height>/<level or data>/…`; C2SP has no height and calls data entries.
        let (level, is_data, name) = match self.kind {
            Kind::Entries => (0, true, "entries".to_owned()),
            Kind::Hashes(level) => (level, false, level.to_string()),
        };
        let go_path = Tile::new(
            TILE_HEIGHT,
            level,
            self.index,
            width.clamp(1, TILE_WIDTH),
            is_data,
        )
        .path();
        let tail = go_path.splitn(4, '/').nth(3).unwrap_or_default();
        format!("{TILES}/{name}/{tail}")
    }

    /// The file of this slot when full.
    pub(crate) fn full_path(self) -> String {
        self.path(TILE_WIDTH)
    }

    /// The directory of this slot's partial versions.
    pub(crate) fn partial_dir(self) -> String {
        format!("{}.p", self.full_path())
    }

    /// How many hashes or entries this slot has in a tree of `tree_size` (0 to 256).
    pub(crate) fn width_in(self, tree_size: u64) -> u32 {
        let before = self.index.saturating_mul(u64::from(TILE_WIDTH));
        let width = self
            .kind
            .count_in(tree_size)
            .saturating_sub(before)
            .min(u64::from(TILE_WIDTH));
        u32::try_from(width).unwrap_or(TILE_WIDTH)
    }

    /// The tree size at which this slot has `width` hashes or entries: the least tree this file can belong to.
    pub(crate) fn tree_size_at(self, width: u32) -> u64 {
        let count = self
            .index
            .saturating_mul(u64::from(TILE_WIDTH))
            .saturating_add(u64::from(width));
        count.saturating_mul(1 << self.kind.shift())
    }
}

impl Kind {
    /// Binary logarithm of the entries under one hash.
    fn shift(self) -> u32 {
        match self {
            Self::Entries => 0,
            Self::Hashes(level) => u32::from(level) * u32::from(TILE_HEIGHT),
        }
    }

    /// How many hashes or entries of this kind a tree of `tree_size` has.
    pub(crate) fn count_in(self, tree_size: u64) -> u64 {
        tree_size >> self.shift()
    }

    /// The slot that the next hash or entry of this kind goes to.
    pub(crate) fn edge(self, tree_size: u64) -> Slot {
        Slot {
            kind: self,
            index: self.count_in(tree_size) >> TILE_HEIGHT,
        }
    }
}

/// Reads a path back. `None` for everything that [`Slot::path`] would not write.
pub(crate) fn parse(path: &str) -> Option<(Slot, u32)> {
    let rest = path.strip_prefix(TILES)?.strip_prefix('/')?;
    let (name, tail) = rest.split_once('/')?;
    let kind = match name {
        "entries" => Kind::Entries,
        level => Kind::Hashes(level.parse().ok().filter(|level| *level <= LEVEL_MAX)?),
    };
    let width = match tail.split_once(".p/") {
        // Checked before the crate sees it: its parser panics on a width of 0.
        Some((_, width)) => width
            .parse()
            .ok()
            .filter(|width| (1..TILE_WIDTH).contains(width))?,
        None => TILE_WIDTH,
    };
    let tile = Tile::from_path(&format!("{TILES}/{TILE_HEIGHT}/data/{tail}")).ok()?;
    let slot = Slot {
        kind,
        index: tile.level_index(),
    };
    (slot.path(width) == path && slot.tree_size_at(width) <= TREE_SIZE_MAX).then_some((slot, width))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(Slot::hashes(0, 1_234_067).path(256), "tile/0/x001/x234/067");
        assert_eq!(
            Slot::entries(1_234_067).path(7),
            "tile/entries/x001/x234/067.p/7"
        );
        assert_eq!(Slot::hashes(2, 0).path(1), "tile/2/000.p/1");
        assert_eq!(Slot::entries(0).partial_dir(), "tile/entries/000.p");
    }

    #[test]
    fn widths_are_those_of_the_specification() {
        // C2SP tlog-tiles, "Partial Tiles": a tree of 70,000.
        let width = |slot: Slot| slot.width_in(70_000);
        assert_eq!(width(Slot::hashes(0, 272)), 256);
        assert_eq!(width(Slot::hashes(0, 273)), 112);
        assert_eq!(width(Slot::hashes(0, 274)), 0);
        assert_eq!(width(Slot::hashes(1, 0)), 256);
        assert_eq!(width(Slot::hashes(1, 1)), 17);
        assert_eq!(width(Slot::hashes(2, 0)), 1);
        assert_eq!(width(Slot::hashes(3, 0)), 0);
        assert_eq!(Kind::Hashes(1).edge(70_000), Slot::hashes(1, 1));
        assert_eq!(Slot::hashes(1, 1).tree_size_at(17), 69_888);
    }

    #[test]
    fn a_path_is_read_back_and_nothing_else_is() {
        for kind in Slot::kinds() {
            for (index, width) in [(0, 1), (0, 256), (999, 255), (1000, 3), (3_999_999, 256)] {
                let slot = Slot { kind, index };
                let expected = (slot.tree_size_at(width) <= TREE_SIZE_MAX).then_some((slot, width));
                assert_eq!(parse(&slot.path(width)), expected);
            }
        }
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/00",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/+5",
            "tile/0/000.p/1/2",
            "tile/00/000",
            "tile/+0/000",
            "tile/6/000",
            "tile/64/000",
            "tile/255/000",
            "tile/data/000",
            "tile/8/0/000",
            "tile/0/0",
            "tile/0/0000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/000.tmp",
            "tile/0/000.p/5.tmp",
            "tile/entries/000 ",
            "/tile/0/000",
            "tile//0/000",
            "tile/0/../0/000",
            "tile/0/é00",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/999",
            "checkpoint",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
        assert!(parse("tile/0/x001/x234/067.p/8").unwrap().1 == 8);
    }
}

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use tlog_tiles::{record_hash, stored_hashes, tree_hash};

use super::*;

/// Every hash of a small tree, in storage order.
struct All(Vec<Hash>);

impl HashReader for All {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes
            .iter()
            .map(|index| self.0[usize::try_from(*index).unwrap()])
            .collect())
    }
}

#[test]
fn the_edge_has_the_root_and_the_tiles_of_the_whole_tree() {
    let mut all = All(Vec::new());
    let mut frontier = Frontier::default();
    for index in 0..1_100_u64 {
        let leaf = index.to_be_bytes();
        all.0.extend(stored_hashes(index, &leaf, &all).unwrap());
        let mut filled = Vec::new();
        frontier.push(record_hash(&leaf), |slot, bytes| filled.push((slot, bytes)));
        let size = index + 1;
        assert_eq!(frontier.size(), size);
        assert!(
            frontier.root().unwrap() == tree_hash(size, &all).unwrap(),
            "size {size}"
        );
        let partials = frontier
            .partials()
            .map(|(slot, _, bytes)| (slot, bytes.to_vec()));
        let mut ours: Vec<_> = filled
            .into_iter()
            .chain(partials.collect::<Vec<_>>())
            .collect();
        // A tile that did not grow is not published again.
        ours.retain(|(slot, _)| slot.width_in(size) != slot.width_in(index));
        ours.sort();
        let theirs = Tile::new_tiles(TILE_HEIGHT, index, size);
        let theirs: Vec<_> = theirs
            .into_iter()
            .map(|tile| {
                (
                    Slot::hashes(tile.level(), tile.level_index()),
                    tile.read_data(&all).unwrap(),
                )
            })
            .collect();
        assert!(ours == theirs, "size {size}");
    }
}

#[test]
fn missing_tiles_are_an_error() {
    let tiles = Tiles::default();
    assert!(tiles.prove(2, 0).is_err());
    assert!(tiles.hash(Slot::hashes(0, 0), 0).is_none());
}

//! Class disclosure: a cell that is all of one of its margins.
//!
//! If everybody in a margin is in one cell, then whoever is known to be in the margin is known to have the values of the
//! keys that were dropped. That says nothing new where each of these values is known anyway: the query fixed the key,
//! its column is public, or the manifest says that the combination of the key with one that is kept is structural.
//!
//! Source: ACRO `zeros_are_disclosive` and its class disclosure check; empty and full cells are unsafe unless structural.

use crate::shape::Shape;

/// The smallest set of keys whose dropping shows `key` to those who know the rest, if any does.
///
/// A key that is dropped is excused by a structural combination as long as one other key of the combination is kept. So
/// it is not excused exactly where every key of its combinations is dropped with it; and what is alone in a larger margin
/// is alone in every smaller one, so this one margin decides for the key.
pub(super) fn telling_margin(shape: &Shape, keys: &[usize], key: usize) -> Option<Vec<usize>> {
    if shape.keys[key].fixed || shape.keys[key].public {
        return None;
    }
    let mut dropped = vec![key];
    for combination in shape.structural.iter().filter(|of| of.contains(&key)) {
        if combination.iter().all(|other| *other == key) {
            return None;
        }
        dropped.extend(combination.iter().filter(|other| keys.contains(other)));
    }
    // A fixed key is never dropped: its value is known, whatever else is.
    if dropped.iter().any(|other| shape.keys[*other].fixed) {
        return None;
    }
    dropped.sort_unstable();
    dropped.dedup();
    Some(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Key;

    fn shape(structural: &[&[usize]]) -> Shape {
        let mut shape = Shape::plain(vec![Key::open(); 4], vec![]);
        shape.structural = structural.iter().map(|of| of.to_vec()).collect();
        shape
    }

    #[test]
    fn what_is_known_anyway_has_no_telling_margin() {
        let mut known = shape(&[&[2]]);
        known.keys[0].fixed = true;
        known.keys[1].public = true;
        let telling = |key| telling_margin(&known, &[0, 1, 2, 3], key);
        assert_eq!([telling(0), telling(1), telling(2)], [None, None, None]);
        assert_eq!(telling(3), Some(vec![3]));
    }

    #[test]
    fn a_structural_combination_excuses_while_one_of_its_keys_is_kept() {
        let shape = shape(&[&[0, 1], &[0, 2]]);
        assert_eq!(
            telling_margin(&shape, &[0, 1, 2, 3], 0),
            Some(vec![0, 1, 2])
        );
        assert_eq!(telling_margin(&shape, &[0, 1, 2, 3], 1), Some(vec![0, 1]));
        // Keys that the grouping set leaves out keep nobody.
        assert_eq!(telling_margin(&shape, &[0, 3], 0), Some(vec![0]));
    }

    #[test]
    fn a_fixed_key_is_always_kept() {
        let mut shape = shape(&[&[0, 1]]);
        shape.keys[1].fixed = true;
        assert_eq!(telling_margin(&shape, &[0, 1], 0), None);
    }
}

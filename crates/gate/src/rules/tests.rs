//! Margins of many keys: both ways through the deep ones, and every margin looked at by force, say the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, UInt64Array};
use arrow::datatypes::UInt32Type;
use proptest::prelude::*;
use weir_policy::Policy;

use super::complement::Complement;
use super::deep_margins::{Open, by_levels, by_pairs, judge_deep};
use super::{Broken, Neighbours, by_margins};
use crate::codes::Codes;
use crate::error::GateError;
use crate::evidence::EvidenceColumns;
use crate::first_units::FirstUnits;
use crate::shape::{Key, Shape};

const KEYS: usize = 5;
const KEPT: usize = 12;

/// Cells over five keys with their units.
#[derive(Clone, Debug)]
struct Cells(Vec<([i64; KEYS], BTreeSet<u32>)>);

fn cells() -> impl Strategy<Value = Cells> {
    let unit = prop_oneof![3 => 0..8_u32, 1 => 0..60_u32];
    let units = prop_oneof![
        3 => proptest::collection::btree_set(unit, 3..7),
        1 => proptest::collection::btree_set(0..60_u32, 8..30)
    ];
    let keys = proptest::array::uniform5(0..2_i64);
    // Some keys follow others, so that dropping one alone leaves nobody outside.
    let follow = proptest::collection::vec((0..KEYS, 0..KEYS), 0..4);
    (proptest::collection::vec((keys, units), 1..14), follow).prop_map(|(mut cells, follow)| {
        for (keys, _) in &mut cells {
            for (key, other) in &follow {
                keys[*key] = keys[*other];
            }
        }
        cells.sort();
        cells.dedup_by_key(|(keys, _)| *keys);
        Cells(cells)
    })
}

impl Cells {
    fn units(&self) -> Vec<&BTreeSet<u32>> {
        self.0.iter().map(|(_, units)| units).collect()
    }

    fn codes(&self) -> Result<Codes, GateError> {
        let column = |key: usize| -> ArrayRef {
            Arc::new(
                self.0
                    .iter()
                    .map(|(keys, _)| Some(keys[key]))
                    .collect::<Int64Array>(),
            )
        };
        Codes::of(&(0..KEYS).map(column).collect::<Vec<_>>())
    }

    fn evidence(&self) -> EvidenceColumns {
        let units = self.units();
        let counts: UInt64Array = units.iter().map(|units| Some(units.len() as u64)).collect();
        let first = units.iter().map(|units| {
            Some(
                units
                    .iter()
                    .take(KEPT)
                    .map(|unit| Some(*unit))
                    .collect::<Vec<_>>(),
            )
        });
        let first_units = FirstUnits {
            kept: KEPT,
            ids: ListArray::from_iter_primitive::<UInt32Type, _, _>(first),
        };
        EvidenceColumns::of_counts(counts.clone(), counts, first_units)
    }

    /// How many units are outside of a cell when these keys are dropped.
    fn outside(&self, cell: usize, dropped: usize) -> usize {
        let (keys, _) = &self.0[cell];
        let in_margin = |other: &[i64; KEYS]| {
            (0..KEYS).all(|key| dropped >> key & 1 == 1 || other[key] == keys[key])
        };
        let others = self
            .0
            .iter()
            .filter(|(other, _)| in_margin(other) && other != keys);
        others
            .flat_map(|(_, units)| units)
            .collect::<BTreeSet<_>>()
            .len()
    }

    fn has_few(&self, cell: usize, units_min: usize) -> bool {
        (1..1 << KEYS).any(|dropped| {
            let outside = self.outside(cell, dropped);
            outside > 0 && outside < units_min
        })
    }
}

fn policy(units_min: usize) -> Policy {
    let text = format!("name = \"x\"\n[cell]\ncomplement_units_min = {units_min}\n");
    Policy::from_toml(&text, "x").unwrap_or_else(|_| Policy::built_in_default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn every_margin_counts(cells in cells(), units_min in 3..=KEPT) {
        let (codes, evidence) = (cells.codes().map_err(|_| TestCaseError::fail("codes"))?, [cells.evidence()]);
        let shape = Shape::plain(vec![Key::open(); KEYS], vec![]);
        let all: Vec<u32> = (0..cells.0.len() as u32).collect();
        let keys: Vec<usize> = (0..KEYS).collect();
        let of = Neighbours { shape: &shape, keys: &keys, codes: &codes, evidence: &evidence, cells: &all };
        let mut broken = vec![Broken::default(); all.len()];
        prop_assert!(by_margins(&of, &policy(units_min), &mut broken).is_ok());
        for (cell, broken) in broken.iter().enumerate() {
            prop_assert_eq!(broken.complement, cells.has_few(cell, units_min), "{}", cell);
            let alone = (0..KEYS).any(|key| cells.outside(cell, 1 << key) == 0);
            prop_assert_eq!(broken.class_disclosure, alone, "{}", cell);
        }
    }

    #[test]
    fn both_ways_through_deep_margins_agree(cells in cells(), units_min in 3..=KEPT) {
        let (codes, evidence) = (cells.codes().map_err(|_| TestCaseError::fail("codes"))?, [cells.evidence()]);
        let shape = Shape::plain(vec![Key::open(); KEYS], vec![]);
        let all: Vec<u32> = (0..cells.0.len() as u32).collect();
        let keys: Vec<usize> = (0..KEYS).collect();
        let of = Neighbours { shape: &shape, keys: &keys, codes: &codes, evidence: &evidence, cells: &all };
        // As by_margins hands them over: single keys leave nobody or enough outside.
        let open: Vec<Open> = all.iter().copied().filter_map(|cell| {
            let single = (0..KEYS).map(|key| (1_u64 << key, cells.outside(cell as usize, 1 << key)));
            let few = single.clone().any(|(_, outside)| outside > 0 && outside < units_min);
            let nobody = single.filter(|(_, outside)| *outside == 0);
            let keys = nobody.fold(0, |keys, (key, _)| keys | key);
            (!few && keys.count_ones() > 1).then_some(Open { cell, keys })
        }).collect();
        let mut complement = Complement::of(&evidence[0].units, &evidence[0].first_units, units_min as u64);
        let single: Vec<Vec<usize>> = keys.iter().map(|key| vec![*key]).collect();
        let mut deep = judge_deep(&of, &single, &mut complement, open.clone())
            .map_err(|_| TestCaseError::fail("pairs"))?;
        deep.sort_unstable();
        prop_assert_eq!(by_pairs(&of, &single, &complement, &open, usize::MAX), Some(deep.clone()));
        let mut levels = by_levels(&of, &single, &mut complement, open.clone(), usize::MAX)
            .map_err(|_| TestCaseError::fail("levels"))?;
        levels.sort_unstable();
        prop_assert_eq!(&deep, &levels);
        let by_force: Vec<u32> = open.iter().map(|open| open.cell)
            .filter(|cell| cells.has_few(*cell as usize, units_min)).collect();
        prop_assert_eq!(levels, by_force);
        if !open.is_empty() {
            let refused = by_levels(&of, &single, &mut complement, open, 1);
            prop_assert_eq!(refused.err(), Some(GateError::TooManyMargins));
        }
    }
}

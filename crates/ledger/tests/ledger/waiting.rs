//! Many chosen sets: combinations with those of which no rows are made yet.

use weir_ledger::{Ledger, Verdict};

use crate::support::{KEY, Random, cell, question, release, release_one};

const UNITS: u32 = 60_000;

/// The units of a population in another order.
fn shuffled(random: &mut Random) -> Vec<u32> {
    let mut order: Vec<u32> = (0..UNITS).collect();
    for place in (1..order.len()).rev() {
        order.swap(place, random.below(place as u64 + 1) as usize);
    }
    order
}

/// A ledger of two chosen tables of four hundred cells, and of some more chosen cells, of which it may have prepared what it
/// can.
fn ledger(random: &mut Random, more: &[&[u32]], is_prepared: bool) -> Ledger {
    let mut ledger = Ledger::in_memory(KEY);
    for _ in 0..2 {
        let order = shuffled(random);
        // Not everybody: whoever is left out is left by no combination of whole tables.
        let cells = order[..56_000].chunks(140);
        let cells = cells.map(|units| cell(0, units.iter().copied())).collect();
        let verdicts = release(&mut ledger, question(cells));
        assert!(verdicts.concat().iter().all(|of| *of == Verdict::Fresh));
        while is_prepared && ledger.prepare().unwrap() {}
    }
    for units in more {
        let one = cell(0, units.iter().copied());
        assert_eq!(
            release_one(&mut ledger, question(vec![one])),
            [Verdict::Fresh]
        );
        while is_prepared && ledger.prepare().unwrap() {}
    }
    ledger
}

#[test]
fn three_halves_are_one_person_whatever_waits() {
    for is_prepared in [false, true] {
        let mut random = Random(5);
        let order = shuffled(&mut random);
        let (below, above) = (&order[..20_000], &order[20_001..41_000]);
        let asked = |units: &[u32]| {
            let mut ledger = ledger(&mut Random(6), &[below, above], is_prepared);
            release_one(&mut ledger, question(vec![cell(0, units.iter().copied())]))
        };
        assert_eq!(asked(&order[..41_000]), [Verdict::Isolates]);
        assert_eq!(asked(&order[..41_500]), [Verdict::Fresh]);
        // What both show is no news, and of more units than k apart.
        let both: Vec<u32> = [below, above].concat();
        assert_eq!(asked(&both), [Verdict::Fresh]);
    }
}

#[test]
fn a_cell_that_is_cut_otherwise_is_found_among_those_that_wait() {
    let mut random = Random(8);
    let order = shuffled(&mut random);
    let parts: Vec<&[u32]> = order[..40_000].chunks(4_000).collect();
    let mut ledger = ledger(&mut Random(9), &parts, false);
    // Everybody in the ten, without one.
    let but_one = cell(0, order[1..40_000].iter().copied());
    assert_eq!(
        release_one(&mut ledger, question(vec![but_one])),
        [Verdict::Isolates]
    );
    // The two halves of each, and so of all, with one less in the last.
    let halves = order[..39_999].chunks(2_000);
    let halves = halves.map(|units| cell(0, units.iter().copied())).collect();
    let verdicts = release(&mut ledger, question(halves)).concat();
    assert!(verdicts.contains(&Verdict::Isolates), "{verdicts:?}");
}

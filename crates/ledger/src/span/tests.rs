#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::sketch::Mixer;

/// Columns of the narrow kind.
const COLUMNS: u32 = WIDTHS[0];

mod prime;

fn mixer() -> Mixer {
    Mixer::new([9; 16])
}

fn vector(units: impl IntoIterator<Item = u32>) -> Vector {
    mixer().vector(&units.into_iter().collect(), COLUMNS)
}

fn rests(span: &mut Span, sets: &[&RoaringBitmap]) -> Vec<Rest> {
    span.rests(sets, (0, 10), |units, width| mixer().vector(units, width))
}

fn adds(span: &Span, units: impl IntoIterator<Item = u32>) -> Adds {
    let units: RoaringBitmap = units.into_iter().collect();
    let mut span = span.clone();
    let rests = rests(&mut span, &[&units]);
    span.adds(&rests[0], 10, None)
}

/// What each of several sets adds that are added at once, and with it the combinations.
fn extended(span: &Span, sets: &[Vec<u32>]) -> (Vec<Adds>, Span) {
    let sets: Vec<RoaringBitmap> = sets
        .iter()
        .map(|set| set.iter().copied().collect())
        .collect();
    let mut span = span.clone();
    let rests = rests(&mut span, &sets.iter().collect::<Vec<_>>());
    let alone: Vec<Adds> = rests.iter().map(|rest| span.adds(rest, 10, None)).collect();
    let all_pass = alone.iter().all(|adds| *adds != Adds::AFew);
    let looked_at = if all_pass { rests.len() } else { 0 };
    let adds = span.extend(rests, looked_at, 10, |_| None);
    (adds, span)
}

/// Of nothing, where sets wait from the first on.
fn waiting() -> Span {
    let mut span = Span::default();
    span.forms.iter_mut().for_each(|form| form.wait_from(0));
    span
}

/// What a set adds that is taken, if it leaves no few.
fn taken(span: &mut Span, set: &[u32]) -> Adds {
    let (added, with) = extended(span, &[set.to_vec()]);
    if matches!(added[0], Adds::Itself | Adds::Nothing) {
        *span = with;
    }
    added[0]
}

#[test]
fn a_set_that_waits_is_in_combinations() {
    for flushed in [false, true] {
        let mut span = waiting();
        let whole: Vec<u32> = (0..9_000).collect();
        assert_eq!(taken(&mut span, &whole[..4_000]), Adds::Itself);
        assert_eq!(taken(&mut span, &whole[4_001..]), Adds::Itself);
        assert!(span.forms.iter().all(|form| form.waiting() == 2));
        if flushed {
            span.flush();
            assert!(span.forms.iter().all(|form| form.waiting() == 0));
        }
        // Asked alone, where none but waiting sets are known and where rows were made of them.
        assert_eq!(adds(&span, 0..4_000), Adds::Nothing);
        assert_eq!(adds(&span, 0..9_000), Adds::AFew);
        let (below_and_above, most) = ([&whole[..4_000], &whole[4_001..]].concat(), &whole[20..]);
        assert_eq!(taken(&mut span.clone(), &below_and_above), Adds::Nothing);
        assert_eq!(taken(&mut span.clone(), &whole), Adds::AFew);
        assert_eq!(taken(&mut span.clone(), most), Adds::Itself);
    }
}

#[test]
fn what_is_below_and_above_and_everybody() {
    let mut span = Span::default();
    span.add(vec![vector(0..400), vector(401..1_000)], 0);
    assert_eq!(adds(&span, 0..1_000), Adds::AFew);
    assert_eq!(adds(&span, (0..400).chain(401..1_000)), Adds::Nothing);
    assert_eq!(adds(&span, (0..400).chain(420..1_000)), Adds::Itself);
    assert_eq!(adds(&span, 200..900), Adds::Itself);
}

#[test]
fn where_there_is_no_room_people_look() {
    let mut span = Span::default();
    span.forms.iter_mut().for_each(|form| form.bound(300));
    span.add(
        (0..400)
            .map(|set| vector(set * 11..set * 11 + 20))
            .collect(),
        0,
    );
    assert!(span.is_full());
    assert_eq!(adds(&span, 190_000..191_000), Adds::NoRoom);
    assert_eq!(adds(&span, 0..20), Adds::Nothing);
    assert_eq!(adds(&span, 0..29), Adds::AFew);
}

#[test]
fn a_combination_modulo_three_alone_is_unclear() {
    // A and B, A and C, A and D, less B, C and D: three times A.
    let block = |of: u32| of * 100..of * 100 + 100;
    let mut span = Span::default();
    span.add(
        (1..4).map(|of| vector(block(0).chain(block(of)))).collect(),
        0,
    );
    assert_eq!(adds(&span, 100..400), Adds::Unclear);
    // Where people let it go, nothing is let go any more that could be combined with it.
    assert_eq!(adds(&span, 0..99), Adds::Itself);
    span.add(vec![vector(100..400)], 0);
    assert_eq!(adds(&span, 0..99), Adds::NoRoom);
}

#[test]
fn a_table_is_added_at_once_as_cell_by_cell() {
    let cells: Vec<Vec<u32>> = (0..40)
        .map(|of| (of * 50..of * 50 + 50).collect())
        .collect();
    let (added, span) = extended(&Span::default(), &cells);
    assert_eq!(added, vec![Adds::Itself; 40]);
    // Cut elsewhere: 25 units more, and one unit less in one of them.
    let mut shifted: Vec<Vec<u32>> = (0..39)
        .map(|of| (of * 50 + 25..of * 50 + 75).collect())
        .collect();
    assert_eq!(extended(&span, &shifted).0, vec![Adds::Itself; 39]);
    shifted.push((0..25).chain(1_975..2_000).collect());
    let (added, _) = extended(&span, &shifted);
    assert_eq!(added.last(), Some(&Adds::Nothing));
    shifted[7].pop();
    let (added, _) = extended(&span, &shifted);
    assert_eq!(added.iter().filter(|adds| **adds == Adds::AFew).count(), 1);
}

/// The fewest units that any combination with coefficients of −1, 0 and 1 leaves, the last set not left out.
fn fewest(sets: &[Vec<u32>], units: u32) -> u32 {
    let combinations = 3_usize.pow(sets.len() as u32 - 1);
    let left = |mut chosen: usize| {
        let mut sums = vec![0_i32; units as usize];
        for (at, set) in sets.iter().rev().enumerate() {
            let factor = if at == 0 { 1 } else { (chosen % 3) as i32 - 1 };
            chosen /= if at == 0 { 1 } else { 3 };
            set.iter().for_each(|unit| sums[*unit as usize] += factor);
        }
        sums.iter().filter(|sum| **sum != 0).count() as u32
    };
    (0..combinations).map(left).min().unwrap_or(0)
}

/// Blocks of people put together in different ways, one person more or less here and there.
fn sets() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let set = (1_u32..63, proptest::collection::vec(0_u32..120, 0..2));
    proptest::collection::vec(set, 2..6).prop_map(|sets| {
        let of_set = |(blocks, changed): (u32, Vec<u32>)| {
            let in_block = |unit: &u32| (blocks >> (unit / 20) & 1 == 1) != changed.contains(unit);
            (0..120).filter(in_block).collect()
        };
        sets.into_iter().map(of_set).collect()
    })
}

/// Longer histories, of more people.
fn histories() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let set = (0_u32..1 << 20, proptest::collection::vec(0_u32..400, 0..14));
    proptest::collection::vec(set, 2..60).prop_map(|sets| {
        let of_set = |(blocks, changed): (u32, Vec<u32>)| {
            let in_block = |unit: &u32| (blocks >> (unit / 20) & 1 == 1) != changed.contains(unit);
            (0..400).filter(in_block).collect()
        };
        sets.into_iter().map(of_set).collect()
    })
}

/// Windows over the same people, as tables cut them.
fn windows() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let set = (0_u32..40, 2_u32..20, 0_u32..4, 0_u32..400);
    proptest::collection::vec(set, 2..60).prop_map(|sets| {
        let of_set = |(from, length, less, one): (u32, u32, u32, u32)| {
            let (from, until) = (from * 10, ((from + length) * 10).min(400) - less / 3 * 5);
            (from..until)
                .filter(|unit| less != 1 || *unit != one)
                .collect()
        };
        sets.into_iter().map(of_set).collect()
    })
}

/// Everything that is found modulo a large prime is found, whatever was added before. How many sets modulo 3 alone are
/// few or unclear.
fn as_strict(mut span: Span, sets: &[Vec<u32>]) -> Result<usize, TestCaseError> {
    let (mut old, mut stricter) = (prime::Span::default(), 0);
    for set in sets {
        let of_old = prime::vector(set, |unit| columns::column(mixer(), unit, COLUMNS));
        let alone = adds(&span, set.iter().copied());
        let (new_adds, old_adds) = (taken(&mut span, set), old.adds(&of_old, 10));
        prop_assert_eq!(alone, new_adds);
        match (old_adds, new_adds) {
            (Adds::AFew, Adds::AFew | Adds::Unclear) => continue,
            (Adds::Nothing, Adds::Nothing) | (Adds::Itself, Adds::Itself) => {}
            (Adds::Nothing | Adds::Itself, Adds::AFew | Adds::Unclear) => {
                stricter += 1;
                continue;
            }
            other => prop_assert!(false, "{other:?}"),
        }
        old.add(&of_old);
    }
    Ok(stricter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn combinations_that_leave_somebody_are_found(sets in sets()) {
        for mut span in [Span::default(), waiting()] {
            for (at, set) in sets.iter().enumerate() {
                let adds = taken(&mut span, set);
                match fewest(&sets[..=at], 120) {
                    0 => prop_assert_eq!(adds, Adds::Nothing),
                    1..=2 => prop_assert_eq!(adds, Adds::AFew),
                    // More of them can be pivots of both forms.
                    _ => {}
                }
                if adds == Adds::AFew {
                    span.add(vec![vector(set.iter().copied())], 0);
                }
            }
        }
    }

    #[test]
    fn what_a_large_prime_finds_is_found_among_blocks(sets in histories()) {
        as_strict(Span::default(), &sets)?;
        as_strict(waiting(), &sets)?;
    }

    #[test]
    fn what_a_large_prime_finds_is_found_among_windows(sets in windows()) {
        as_strict(Span::default(), &sets)?;
        as_strict(waiting(), &sets)?;
    }

    #[test]
    fn sets_at_once_are_judged_as_one_by_one(sets in windows(), split in 0_usize..60) {
        let (before, at_once) = sets.split_at(split.min(sets.len()));
        let mut span = Span::default();
        span.add(before.iter().map(|set| vector(set.iter().copied())).collect(), 0);
        let (added, mut extended) = extended(&span, at_once);
        for (set, added) in at_once.iter().zip(added) {
            let one_by_one = adds(&span, set.iter().copied());
            prop_assert_eq!(added, one_by_one);
            if one_by_one == Adds::AFew {
                return Ok(());
            }
            span.add(vec![vector(set.iter().copied())], 0);
        }
        let one: RoaringBitmap = (3..90).collect();
        let [at_once, one_by_one] =
            [&mut extended, &mut span].map(|span| rests(span, &[&one]).remove(0));
        for at in 0..2 {
            let columns = |rest: &Rest| rest.forms[at].of.columns.places().collect::<Vec<_>>();
            prop_assert_eq!(columns(&at_once), columns(&one_by_one));
        }
    }
}

/// How often modulo 3 alone lets less through, of what a large prime lets through: rarely.
#[test]
fn little_is_stricter_than_it_has_to_be() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut stricter, mut sets) = (0, 0);
    for _ in 0..100 {
        let tree = windows().new_tree(&mut runner).expect("windows");
        let history = proptest::strategy::ValueTree::current(&tree);
        sets += history.len();
        stricter += as_strict(Span::default(), &history).expect("as strict");
    }
    println!("{stricter} of {sets} sets");
    assert!(stricter * 100 < sets, "{stricter} of {sets}");
}

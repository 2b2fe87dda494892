//! What an operator tries, alone or with others, and what comes of it.

use std::sync::Arc;

use weir_ledger::{Cell, History, Ledger, LedgerError, LedgerKey, Release, Statistic, Verdict};

use crate::support::{KEY, answers, cell, digest, question, record, release, release_one, set};

fn first(release: u64) -> Verdict {
    Verdict::Near(format!("{release}/0/0").as_bytes().into())
}

#[test]
fn a_cell_without_one_unit_gets_the_answer_of_the_cell_with_it() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let without = |ledger: &mut Ledger| release_one(ledger, question(vec![cell(0, 1..1000)]));
    assert_eq!(without(&mut ledger), [first(0)]);
    // Asking again, or for another neighbour, changes nothing.
    assert_eq!(without(&mut ledger), [first(0)]);
    let with_one_more = question(vec![cell(0, 0..1001)]);
    assert_eq!(release_one(&mut ledger, with_one_more), [first(0)]);
}

#[test]
fn nine_units_are_too_few_and_ten_are_enough() {
    let mut ledger = Ledger::in_memory(KEY).without_margins();
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    for apart in 1..10 {
        let near = question(vec![cell(0, apart..1000)]);
        assert_eq!(release_one(&mut ledger, near), [first(0)], "{apart}");
    }
    let far = question(vec![cell(0, 10..1000)]);
    assert_eq!(release_one(&mut ledger, far), [Verdict::Fresh]);
}

#[test]
fn where_near_ends_is_not_found_out() {
    // Without the margin, leaving out ten is told from leaving out nine at once.
    let asked = |left_out: u32, clone: u32| {
        let mut ledger = Ledger::in_memory(KEY);
        release(&mut ledger, question(vec![cell(0, 0..1000)]));
        let out = |unit: &u32| (clone..clone + left_out).contains(unit);
        let units = (0..1000).filter(|unit| !out(unit));
        release_one(&mut ledger, question(vec![cell(0, units)])).remove(0)
    };
    let fresh = |left_out: u32| {
        let clones = 0..200;
        let verdicts = clones.map(|clone| asked(left_out, clone));
        verdicts.filter(|of| *of == Verdict::Fresh).count()
    };
    assert_eq!([fresh(1), fresh(9)], [0, 0]);
    assert!(fresh(10) <= 1 && fresh(12) <= 3);
    let half = fresh(21);
    assert!((60..140).contains(&half), "{half}");
    assert_eq!([fresh(22), fresh(40)], [200, 200]);
    // The same pair always falls the same.
    assert!((0..200).all(|clone| asked(20, clone) == asked(20, clone)));
}

#[test]
fn what_nobody_chose_has_no_margin() {
    let mut ledger = Ledger::in_memory(KEY);
    let plain = |units: std::ops::Range<u32>, snapshot: u8| {
        let mut question = question(vec![cell(0, units)]);
        question.selection.is_plain = true;
        question.snapshots = digest(snapshot);
        question
    };
    release(&mut ledger, plain(0..1000, 100));
    // A refresh brings ten.
    let verdicts = release_one(&mut ledger, plain(0..1010, 101));
    assert_eq!(verdicts, [Verdict::Fresh]);
    let verdicts = release_one(&mut ledger, plain(0..1019, 102));
    assert_eq!(verdicts, [first(1)]);
}

#[test]
fn another_statistic_of_a_near_set_is_withheld() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let mut near = cell(0, 1..1000);
    near.statistics = vec![digest(2).into(), digest(1).into()];
    let verdicts = release(&mut ledger, question(vec![near]));
    assert_eq!(verdicts, [[Verdict::Isolates, first(0)]]);
}

#[test]
fn the_same_cell_is_answered_the_same_and_another_policy_asks_anew() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let again = release_one(&mut ledger, question(vec![cell(0, 0..1000)]));
    assert_eq!(again, [Verdict::Same(b"0/0/0".as_slice().into())]);
    let mut other = question(vec![cell(0, 0..1000)]);
    other.policy = digest(9);
    assert_eq!(release_one(&mut ledger, other), [Verdict::Fresh]);
}

#[test]
fn a_refresh_that_adds_three_units_gets_the_earlier_answer() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let mut refreshed = question(vec![cell(0, 0..1003)]);
    refreshed.snapshots = digest(101);
    assert_eq!(release_one(&mut ledger, refreshed), [first(0)]);
}

#[test]
fn a_total_is_not_released_beside_all_but_three_of_its_units() {
    let mut ledger = Ledger::in_memory(KEY);
    let parts = vec![cell(0, 0..500), cell(0, 500..997), cell(1, 0..1000)];
    let verdicts = release_one(&mut ledger, question(parts));
    assert_eq!(
        verdicts,
        [Verdict::Fresh, Verdict::Fresh, Verdict::Isolates]
    );
    // Nor later, by anybody.
    let total = question(vec![cell(0, 0..1000)]);
    assert_eq!(release_one(&mut ledger, total), [Verdict::Isolates]);
}

#[test]
fn parts_of_a_total_that_lack_three_of_its_units_lose_one_more() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let parts = vec![cell(0, 0..500), cell(0, 500..600), cell(0, 600..997)];
    let verdicts = release_one(&mut ledger, question(parts));
    assert_eq!(
        verdicts,
        [Verdict::Fresh, Verdict::Isolates, Verdict::Fresh]
    );
}

#[test]
fn a_complement_counts_where_the_whole_is_known() {
    let mut ledger = Ledger::in_memory(KEY);
    let mut asked = question(vec![cell(0, 0..600)]);
    asked.population_units = Some(1000);
    release(&mut ledger, asked.clone());
    let mut rest = |from: u32| {
        asked.cells = vec![cell(0, from..1000)];
        release_one(&mut ledger, asked.clone())
    };
    assert_eq!(rest(603), [Verdict::Isolates]);
    assert_eq!(rest(598), [Verdict::Isolates]);
    assert_eq!(rest(600), [Verdict::Fresh]);
    assert_eq!(rest(4), [Verdict::Isolates], "all but four");
}

#[test]
fn populations_know_nothing_of_each_other() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    let mut firms = question(vec![cell(0, 1..1000)]);
    firms.population = "firms".to_owned();
    assert_eq!(release_one(&mut ledger, firms), [Verdict::Fresh]);
}

#[test]
fn two_operators_at_once_cannot_both_be_first() {
    let mut ledger = Ledger::in_memory(KEY);
    let one = ledger.ask(question(vec![cell(0, 0..1000)])).unwrap();
    let other = ledger.ask(question(vec![cell(0, 1..1000)])).unwrap();
    record(&mut ledger, one).unwrap();
    assert!(matches!(
        record(&mut ledger, other),
        Err(LedgerError::Moved)
    ));
}

#[test]
fn what_is_recorded_is_what_was_judged() {
    let mut ledger = Ledger::in_memory(KEY);
    let cells = || question(vec![cell(0, 0..500), cell(0, 500..1000)]);
    let mut asked = ledger.ask(cells()).unwrap();
    asked.withhold(1);
    assert!(matches!(
        record(&mut ledger, asked),
        Err(LedgerError::Answers { .. })
    ));
    let asked = ledger.ask(cells()).unwrap();
    let mut answers = answers(asked.verdicts(), 0);
    answers[1][0] = None;
    let id = String::new();
    let recorded = ledger.record(asked, Release { id, answers });
    assert!(matches!(recorded, Err(LedgerError::Answers { .. })));
    assert_eq!(ledger.releases(), 0);
}

#[test]
fn what_cannot_be_decided_goes_to_review() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..1000)]));
    ledger.bound(1_000_000, 0);
    let asked = ledger.ask(question(vec![cell(0, 1..1000)])).unwrap();
    assert_eq!(asked.verdicts(), [[Verdict::Review]]);
    assert!(asked.has_review());
}

#[test]
fn a_question_that_does_not_fit_is_refused() {
    let mut ledger = Ledger::in_memory(KEY);
    let mut beyond = question(vec![cell(0, 0..1001)]);
    beyond.population_units = Some(1000);
    let refused = ledger.ask(beyond);
    assert!(matches!(refused, Err(LedgerError::Question { .. })));
    let mut many = cell(0, 0..100);
    many.units = set(0..100);
    many.statistics = vec![digest(0).into(); 257];
    let refused = ledger.ask(question(vec![many]));
    assert!(matches!(refused, Err(LedgerError::Question { .. })));
}

#[test]
fn a_cell_is_not_released_beside_parts_that_lack_three_of_its_units() {
    let mut ledger = Ledger::in_memory(KEY);
    let parts = (0..10)
        .map(|part| cell(0, part * 100..part * 100 + 100))
        .collect();
    release(&mut ledger, question(parts));
    // Two and a half of the parts, and three units less than that.
    let some = |units: std::ops::Range<u32>| question(vec![cell(0, units)]);
    assert_eq!(
        release_one(&mut ledger, some(100..303)),
        [Verdict::Isolates]
    );
    assert_eq!(
        release_one(&mut ledger, some(103..300)),
        [Verdict::Isolates]
    );
    assert_eq!(release_one(&mut ledger, some(500..700)), [Verdict::Fresh]);
    assert_eq!(release_one(&mut ledger, some(250..450)), [Verdict::Fresh]);
}

#[test]
fn parts_are_not_released_where_some_of_them_lack_three_units_of_a_cell() {
    let mut ledger = Ledger::in_memory(KEY);
    release(&mut ledger, question(vec![cell(0, 0..303)]));
    let parts = (0..10)
        .map(|part| cell(0, part * 100..part * 100 + 100 - part))
        .collect();
    let verdicts = release_one(&mut ledger, question(parts));
    let fresh = verdicts
        .iter()
        .filter(|verdict| **verdict == Verdict::Fresh)
        .count();
    assert_eq!((&verdicts[2], fresh), (&Verdict::Isolates, 9));
}

#[test]
fn a_subtotal_is_not_released_beside_all_but_one_small_part_of_it() {
    let mut ledger = Ledger::in_memory(KEY);
    // Region 1 has three units of which nothing is released; of region 2 everything is.
    let cells = vec![
        cell(0, 0..100),
        cell(0, 100..200),
        cell(0, 500..600),
        cell(0, 600..700),
        cell(1, 0..203),
        cell(1, 500..700),
    ];
    let verdicts = release_one(&mut ledger, question(cells));
    assert_eq!(verdicts[4..], [Verdict::Isolates, Verdict::Fresh]);
    assert!(
        verdicts[..4]
            .iter()
            .all(|verdict| *verdict == Verdict::Fresh)
    );
}

#[test]
fn a_tracker_is_withheld() {
    let mut ledger = Ledger::in_memory(KEY);
    release(
        &mut ledger,
        question(vec![cell(0, 0..4000), cell(0, 4000..9000)]),
    );
    release(&mut ledger, question(vec![cell(0, 1000..7000)]));
    let rest = |left_out: u32| question(vec![cell(0, (0..1000).chain(7000 + left_out..9000))]);
    assert_eq!(release_one(&mut ledger, rest(3)), [Verdict::Isolates]);
    assert_eq!(release_one(&mut ledger, rest(0)), [Verdict::Fresh]);
    // The same where what is left is small.
    release(&mut ledger, question(vec![cell(0, 100..9000)]));
    assert_eq!(
        release_one(&mut ledger, question(vec![cell(0, 0..97)])),
        [Verdict::Isolates]
    );
    assert_eq!(
        release_one(&mut ledger, question(vec![cell(0, 0..60)])),
        [Verdict::Fresh]
    );
}

/// A sum over some units, each with a contribution; and its print, as whoever computes cells would make it.
fn summed(contribution: impl Fn(u32) -> u32, units: std::ops::Range<u32>) -> Cell {
    let mut print = vec![0_u32; 32];
    for unit in units.clone() {
        let sum = &mut print[unit as usize * 11 % 32];
        *sum = sum.wrapping_add((unit ^ contribution(unit) << 12).wrapping_mul(0x9e37_79b9));
    }
    let kind = digest(1);
    let print = print.into();
    Cell {
        statistics: vec![Statistic {
            kind,
            print,
            column: None,
        }],
        ..cell(0, units)
    }
}

#[test]
fn a_mask_over_the_same_units_gets_the_number_without_it() {
    let mut ledger = Ledger::in_memory(KEY);
    let plain = summed(|unit| unit + 1, 0..500);
    let verdicts = release_one(&mut ledger, question(vec![plain]));
    assert_eq!(verdicts, [Verdict::Fresh]);
    // One unit's contribution is left out, or made another: the difference would be that unit's.
    for target in [0, 7, 499] {
        let masked = summed(|unit| if unit == target { 0 } else { unit + 1 }, 0..500);
        let verdicts = release_one(&mut ledger, question(vec![masked]));
        assert_eq!(verdicts, [Verdict::Near(Arc::from(*b"0/0/0"))], "{target}");
    }
    // What all contribute otherwise is another number.
    let other = summed(|unit| unit + 2, 0..500);
    assert_eq!(
        release_one(&mut ledger, question(vec![other])),
        [Verdict::Fresh]
    );
}

#[test]
fn a_mask_in_one_table_gets_the_number_beside_it() {
    let mut ledger = Ledger::in_memory(KEY);
    let mut both = summed(|unit| unit, 0..500);
    let masked = summed(|unit| if unit == 7 { 0 } else { unit }, 0..500);
    both.statistics.extend(masked.statistics);
    let verdicts = release(&mut ledger, question(vec![both]));
    assert_eq!(verdicts, [[Verdict::Fresh, Verdict::Like(0, 0)]]);
}

#[test]
fn a_column_that_is_null_for_some_is_compared_with_what_is_chosen_and_not_with_its_cell() {
    let mut ledger = Ledger::in_memory(KEY);
    let part = |units: std::ops::Range<u32>| Cell {
        statistics: Vec::new(),
        part_of: Some(0),
        ..cell(1, units)
    };
    // A column has a value for all but five units, another one for half.
    let cells = || vec![cell(0, 0..100), part(0..95), part(0..50)];
    assert_eq!(release(&mut ledger, question(cells()))[0], [Verdict::Fresh]);
    // The same cell again, for something else.
    let mut again = cells();
    again[0].statistics = vec![digest(2).into()];
    assert_eq!(release(&mut ledger, question(again))[0], [Verdict::Fresh]);
    // Those who have a value, but one: chosen, in whatever way.
    for chosen in [1..50, 0..94] {
        let verdicts = release_one(&mut ledger, question(vec![cell(0, chosen)]));
        assert!(!verdicts[0].eq(&Verdict::Fresh));
    }
    // Exactly those, where that is no few units less than the cell.
    let verdicts = release_one(&mut ledger, question(vec![cell(0, 0..50)]));
    assert_eq!(verdicts, [Verdict::Fresh]);
}

/// One table after the other, each of one cell; the verdicts on the last.
fn one_by_one(tables: Vec<Vec<u32>>) -> Vec<Verdict> {
    let mut ledger = Ledger::in_memory(KEY);
    let mut last = Vec::new();
    for units in tables {
        last = release_one(&mut ledger, question(vec![cell(0, units)]));
    }
    last
}

#[test]
fn sums_over_sets_that_are_far_from_each_other_do_not_leave_one_unit() {
    let but = |one: u32, until: u32| (0..until).filter(move |unit| *unit != one);
    let below_above_all = vec![
        but(400, 401).collect(),
        (401..1000).collect(),
        (0..1000).collect(),
    ];
    assert_eq!(one_by_one(below_above_all), [Verdict::Isolates]);
    // A + B − C − D, each pair far apart: blocks 1+2, 3+4, 1+3, and 2+4 without one unit.
    let blocks = |of: [u32; 2], but: u32| -> Vec<u32> {
        let of_block = |block: u32| (block * 100..block * 100 + 100).filter(move |of| *of != but);
        of.into_iter().flat_map(of_block).collect()
    };
    let four = |but: u32| {
        vec![
            blocks([1, 2], 0),
            blocks([3, 4], 0),
            blocks([1, 3], 0),
            blocks([2, 4], but),
        ]
    };
    assert_eq!(one_by_one(four(222)), [Verdict::Isolates]);
    // Four sets that add up to nothing tell nothing.
    assert_eq!(one_by_one(four(0)), [Verdict::Fresh]);
}

#[test]
fn combinations_are_found_after_the_ledger_was_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, key) = (folder.path().join("ledger"), || LedgerKey::new([5; 32]));
    Ledger::create(&folder, &key()).unwrap();
    for units in [0..400, 401..1000] {
        let mut ledger = Ledger::open(&folder, key()).unwrap();
        release(&mut ledger, question(vec![cell(0, units)]));
    }
    let mut ledger = Ledger::open(&folder, key()).unwrap();
    let all = release_one(&mut ledger, question(vec![cell(0, 0..1000)]));
    assert_eq!(all, [Verdict::Isolates]);
}

#[test]
fn the_same_question_is_answered_the_same() {
    let mut ledger = Ledger::in_memory(KEY);
    // Within a table numbers decide, so that both are answered; against history sets would.
    let mut cells = vec![cell(0, 0..500), cell(0, 0..503), cell(0, 1000..2000)];
    for (group, cell) in (0..).zip(&mut cells) {
        (cell.grouping, cell.group) = (0, group);
        cell.statistics = vec![digest(group as u8).into()];
    }
    let first = release_one(&mut ledger, question(cells.clone()));
    let shown = |verdict: &Verdict| matches!(verdict, Verdict::Fresh);
    assert!(first.iter().all(shown), "{first:?}");
    let again = release_one(&mut ledger, question(cells));
    let same = |verdict: &Verdict| matches!(verdict, Verdict::Same(_));
    assert!(again.iter().all(same), "{again:?}");
}

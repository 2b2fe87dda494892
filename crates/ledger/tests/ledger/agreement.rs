//! The ledger and the naive one agree on random histories: on every verdict, and on every answer.

use std::path::Path;

use proptest::prelude::*;
use weir_ledger::{
    Cell, History, Ledger, LedgerKey, Question, Release, Selection, Statistic, Verdict,
};

use crate::naive::Naive;
use crate::support::{KEY, Random, answers, digest, set};

/// How cells come about: most are made from sets that were asked before, so that they are near to something.
fn cells(random: &mut Random, pool: &mut Vec<Vec<u32>>, units: u32) -> Vec<Cell> {
    let count = 1 + random.below(6);
    let mut cells = Vec::new();
    for _ in 0..count {
        let mut members = match random.below(7) {
            0 | 1 => fresh(random, units),
            2 | 3 => pick(random, pool, units),
            4 => {
                // As a table has them: cells without a common unit.
                let of = 2 + random.below(4) as u32;
                let label = random.below(u64::from(of)) as u32;
                let block = units / of + 1;
                let from = pick(random, pool, units);
                from.into_iter()
                    .filter(|unit| unit / block == label)
                    .collect()
            }
            5 => {
                let out = pick(random, pool, units);
                (0..units).filter(|unit| !out.contains(unit)).collect()
            }
            _ => {
                let mut both = pick(random, pool, units);
                both.extend(pick(random, pool, units));
                both
            }
        };
        members.sort_unstable();
        members.dedup();
        for _ in 0..random.below(8).saturating_sub(1) * random.below(2) {
            let unit = random.below(u64::from(units)) as u32;
            match members.iter().position(|member| *member == unit) {
                Some(place) if random.below(2) == 0 => drop(members.swap_remove(place)),
                Some(_) => {}
                None => members.push(unit),
            }
            if random.below(2) == 0 {
                members.pop();
            }
        }
        pool.push(members.clone());
        cells.push(Cell {
            partition: random.below(3) as u32,
            statistics: (0..=random.below(2))
                .map(|_| statistic(random, &members))
                .collect(),
            units: set(members),
            rows: None,
            part_of: None,
            grouping: random.below(2) as u32,
            group: random.below(4) as u32,
            is_chosen: random.below(3) == 0,
        });
        if random.below(4) == 0 {
            let whole = cells.len() - 1;
            let out = random.below(15);
            let units = cells[whole]
                .units
                .iter()
                .filter(|unit| u64::from(unit % 37) >= out);
            cells.push(Cell {
                units: set(units.collect::<Vec<_>>()),
                partition: 10 + cells[whole].partition,
                statistics: Vec::new(),
                rows: None,
                part_of: Some(whole),
                grouping: cells[whole].grouping,
                group: cells[whole].group,
                is_chosen: false,
            });
        }
    }
    cells
}

/// A number over some units: one of three kinds, each unit with a contribution of its own, of which now and then a few
/// are others, or all.
fn statistic(random: &mut Random, members: &[u32]) -> Statistic {
    let kind = random.below(3);
    let doubled = 1 + random.below(5) / 4;
    let others = random.below(14).saturating_sub(8);
    let from = random.below(members.len().max(1) as u64) as usize;
    let mut print = vec![0_u32; 32];
    for (at, unit) in members.iter().enumerate() {
        let is_other = at >= from && at < from + others as usize;
        let contribution = u64::from(*unit) * doubled + u64::from(is_other);
        let sum = &mut print[*unit as usize * 7 % 32];
        *sum = sum.wrapping_add((contribution + 1).wrapping_mul(0x9e37_79b9) as u32 ^ unit << 3);
    }
    Statistic {
        kind: digest(kind as u8),
        print: print.into(),
        column: (random.below(2) == 0).then(|| digest(random.below(2) as u8)),
    }
}

/// Tables as queries make them: cells that share no unit, cut at the same places again and again, with a few units left
/// out here and there; and sums of neighbouring cells beside them.
fn tables(random: &mut Random, units: u32) -> Vec<Cell> {
    let block = units / 8;
    let mut cells = Vec::new();
    for partition in 0..1 + random.below(2) as u32 {
        let mut from = random.below(3) as u32;
        while from < 8 {
            let until = (from + 1 + random.below(3) as u32).min(8);
            let mut members: Vec<u32> = (from * block..until * block).collect();
            for _ in 0..random.below(6).saturating_sub(2) {
                let out = random.below(members.len() as u64) as usize;
                members.swap_remove(out);
            }
            cells.push(Cell {
                units: set(members),
                partition,
                statistics: vec![digest(random.below(2) as u8).into()],
                rows: None,
                part_of: None,
                grouping: partition,
                group: from,
                is_chosen: false,
            });
            from = until + random.below(4).saturating_sub(2) as u32;
        }
    }
    let all = cells.len();
    if random.below(3) == 0 {
        let one = random.below(all as u64) as usize;
        return vec![cells.swap_remove(one)];
    }
    cells
}

fn fresh(random: &mut Random, units: u32) -> Vec<u32> {
    let share = [50, 8, 4, 2][random.below(4) as usize];
    (0..units).filter(|_| random.below(share) == 0).collect()
}

fn pick(random: &mut Random, pool: &[Vec<u32>], units: u32) -> Vec<u32> {
    if pool.is_empty() {
        return fresh(random, units);
    }
    pool[random.below(pool.len() as u64) as usize].clone()
}

/// How often each verdict was seen. With a folder the ledger lies there, and is opened anew before every third release.
fn agree(
    seed: u64,
    units: u32,
    releases: u64,
    folder: Option<&Path>,
) -> Result<[usize; 5], TestCaseError> {
    let mut random = Random(seed);
    let opened = |folder: &Path| {
        Ledger::open(folder, LedgerKey::new([5; 32]))
            .unwrap()
            .without_combinations()
            .without_margins()
    };
    let in_memory = || {
        Ledger::in_memory(KEY)
            .without_combinations()
            .without_margins()
    };
    if let Some(folder) = folder {
        Ledger::create(folder, &LedgerKey::new([5; 32])).unwrap();
    }
    let mut ledger = folder.map_or_else(in_memory, opened);
    let mut naive = Naive::default();
    let (mut pool, mut asked_before) = (Vec::new(), Vec::<Question>::new());
    let mut seen = [0; 5];
    let (known_total, of_tables) = (random.below(4) == 0, random.below(2) == 0);
    for number in 0..releases {
        if let (Some(folder), 0) = (folder, number % 3) {
            drop(std::mem::replace(&mut ledger, Ledger::in_memory(KEY)));
            ledger = opened(folder);
        }
        let question = match random.below(6) {
            // The same once more.
            0 if !asked_before.is_empty() => {
                asked_before[random.below(asked_before.len() as u64) as usize].clone()
            }
            _ => Question {
                population: "persons".to_owned(),
                population_units: known_total.then_some(units),
                snapshots: digest(random.below(2) as u8),
                policy: digest(random.below(2) as u8),
                selection: Selection {
                    digest: digest(random.below(6) as u8),
                    is_plain: random.below(3) == 0,
                },
                units_min: [3, 5, 10, if of_tables { 10 } else { 40 }][random.below(4) as usize],
                cells: if of_tables {
                    tables(&mut random, units)
                } else {
                    cells(&mut random, &mut pool, units)
                },
            },
        };
        asked_before.push(question.clone());
        let mut asked = ledger.ask(question.clone()).unwrap();
        let mut expected = naive.ask(&question, &[]);
        prop_assert_eq!(asked.verdicts(), expected.verdicts.as_slice());
        if random.below(3) == 0 {
            let cell = random.below(question.cells.len() as u64) as usize;
            asked.withhold(cell);
            asked = ledger.again(asked).unwrap();
            expected = naive.ask(&question, &[cell]);
            prop_assert_eq!(asked.verdicts(), expected.verdicts.as_slice());
        }
        for verdict in asked.verdicts().iter().flatten() {
            match verdict {
                Verdict::Fresh => seen[0] += 1,
                Verdict::Same(_) => seen[1] += 1,
                Verdict::Near(_) => seen[2] += 1,
                Verdict::Like(..) => seen[3] += 1,
                _ => seen[4] += 1,
            }
        }
        let answers = answers(asked.verdicts(), number);
        naive.record(&question, expected, &answers);
        let id = number.to_string();
        ledger.record(asked, Release { id, answers }).unwrap();
    }
    Ok(seen)
}

/// Two cells with a unit in common, beside one that another answers for: all together have as many units as both have each.
#[test]
fn cells_that_share_a_unit_are_no_partition_beside_one_that_another_answers_for() {
    agree(11_902_921_111_604_346_484, 120, 12, None).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn on_small_populations(seed: u64) {
        agree(seed, 120, 12, None)?;
    }

    #[test]
    fn where_sets_are_found_either_way(seed: u64) {
        agree(seed, 700, 8, None)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn on_a_disk_and_opened_again(seed: u64) {
        let folder = tempfile::tempdir().unwrap();
        agree(seed, 300, 9, Some(&folder.path().join("ledger")))?;
    }
}

#[test]
fn the_histories_have_every_verdict() {
    let mut seen = [0; 5];
    for seed in 0..60 {
        for (all, some) in seen.iter_mut().zip(agree(seed, 400, 12, None).unwrap()) {
            *all += some;
        }
    }
    assert!(seen.iter().all(|times| *times > 20), "{seen:?}");
}

/// Whether sums over sets, and margins, are the same where the ledger was opened anew and made everything again.
#[test]
fn what_was_kept_is_what_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = |name: &str| folder.path().join(name);
    let key = || LedgerKey::new([5; 32]);
    for name in ["kept", "anew", "prepared"] {
        Ledger::create(&folder(name), &key()).unwrap();
    }
    let mut kept = Ledger::open(&folder("kept"), key()).unwrap();
    let (mut random, mut fresh, mut withheld) = (Random(11), 0, 0);
    for number in 0..150 {
        let mut cells = tables(&mut random, 400);
        if random.below(3) == 0 {
            let mut bounds = [random.below(400) as u32, random.below(400) as u32];
            bounds.sort_unstable();
            cells = vec![Cell {
                units: set(bounds[0]..bounds[1]),
                statistics: vec![digest(random.below(2) as u8).into()],
                ..Cell::default()
            }];
        }
        let question = Question {
            population: "persons".to_owned(),
            population_units: None,
            snapshots: digest(0),
            policy: digest(0),
            selection: Selection {
                digest: crate::support::unique(),
                is_plain: random.below(4) == 0,
            },
            units_min: 5,
            cells,
        };
        let mut anew = Ledger::open(&folder("anew"), key()).unwrap();
        let mut prepared = Ledger::open(&folder("prepared"), key()).unwrap();
        while prepared.prepare().unwrap() {}
        let all = [&mut kept, &mut anew, &mut prepared].map(|ledger| {
            let asked = ledger.ask(question.clone()).unwrap();
            let verdicts = asked.verdicts().to_vec();
            let answers = answers(&verdicts, number);
            let id = number.to_string();
            ledger.record(asked, Release { id, answers }).unwrap();
            verdicts
        });
        assert_eq!(all[0], all[1], "release {number}");
        assert_eq!(all[0], all[2], "release {number}, prepared");
        for verdict in all[0].iter().flatten() {
            fresh += usize::from(*verdict == Verdict::Fresh);
            withheld += usize::from(*verdict == Verdict::Isolates);
        }
    }
    assert!(fresh > 50 && withheld > 50, "{fresh} {withheld}");
}

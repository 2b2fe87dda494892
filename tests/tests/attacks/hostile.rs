//! Models that recognise one person. Each sees one row at a time, and that is enough.
//!
//! What they can do is written up in the threat model: a constant mask, a key bit on a rounding boundary, a bit in what is
//! withheld, and any of them repeated among decoys.

use crate::arena::{Arena, NULL, Seen, Trial};
use crate::models::model;
use crate::oracles::shown;
use crate::people::{AIMED, BORN, People, SIZE, Seeded};
use crate::score::{Bits, Incomes, Outcome};

/// The birthday in the models' constants.
pub(crate) const AIMED_BORN: i32 = BORN + AIMED as i32;

/// 1 for the target, 0 for anybody else.
pub(crate) fn spotting() -> Vec<u8> {
    model(
        "born: s32",
        &format!("local.get 0 i32.const {AIMED_BORN} i32.eq"),
    )
}

/// The target's income, 100 for anybody else.
fn masking() -> Vec<u8> {
    model(
        "born: s32, income: s32",
        &format!("local.get 1 i32.const 100 local.get 0 i32.const {AIMED_BORN} i32.eq select"),
    )
}

/// The target's illness, 1 for anybody else: whether a row is kept.
fn keeping() -> Vec<u8> {
    model(
        "born: s32, ill: s32",
        &format!("local.get 1 i32.const 1 local.get 0 i32.const {AIMED_BORN} i32.eq select"),
    )
}

fn aimed(mut all: Vec<People>) -> Vec<People> {
    all.iter_mut().for_each(|people| people.target = AIMED);
    all
}

fn is_ill(people: &People) -> bool {
    people.whom().ill == 1
}

fn first(seen: &Seen) -> &str {
    match seen {
        Seen::Table(rows) => rows
            .first()
            .and_then(|row| row.first())
            .map_or(NULL, String::as_str),
        Seen::Refused(_) => NULL,
    }
}

/// Everybody else is a constant: the sum less the constants is the income.
pub(crate) async fn constant_mask(trial: Trial) -> Outcome {
    let all = aimed(trial.people(50, SIZE));
    let arena = Arena::of(trial, &all, &[("masking", masking())]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let sql = format!("SELECT SUM(value) AS s FROM masking({})", people.name);
        let sum = arena.number(&sql).await;
        let constants = 100.0 * (people.persons.len() as f64 - 1.0);
        incomes.add(people, sum.map(|sum| sum - constants));
    }
    incomes.guessed(&arena)
}

/// Twelve others are kept for certain, and the target if ill: a count of 12 shows as 10, of 13 as 15.
pub(crate) async fn key_bit(trial: Trial) -> Outcome {
    let all = aimed(trial.many(51, SIZE));
    let arena = Arena::of(trial, &all, &[("keeping", keeping())]).await;
    let mut bits = Bits::default();
    for people in &all {
        let until = BORN + 12;
        let sql = format!(
            "SELECT COUNT(*) AS n FROM keeping({}) WHERE (born < {until} OR born = {AIMED_BORN}) AND value = 1",
            people.name
        );
        let seen = arena.ask(&sql).await;
        let shown = first(&seen);
        bits.add(
            is_ill(people),
            shown,
            shown.parse::<f64>().is_ok_and(|n| n >= 15.0),
            1,
        );
    }
    bits.outcome(&arena)
}

/// Nine others and the target if ill: released or not.
pub(crate) async fn threshold_bit(trial: Trial) -> Outcome {
    let all = aimed(trial.many(52, SIZE));
    let arena = Arena::of(trial, &all, &[("keeping", keeping())]).await;
    let mut bits = Bits::default();
    for people in &all {
        let until = BORN + 9;
        let sql = format!(
            "SELECT COUNT(*) AS n FROM keeping({}) WHERE (born < {until} OR born = {AIMED_BORN}) AND value = 1",
            people.name
        );
        let seen = arena.ask(&sql).await;
        bits.add(is_ill(people), first(&seen), shown(&seen), 1);
    }
    bits.outcome(&arena)
}

/// A set that was released before, and the same set if the target is ill, without the target if not.
pub(crate) async fn refusal_bit(trial: Trial) -> Outcome {
    let all = aimed(trial.many(53, SIZE));
    let arena = Arena::of(trial, &all, &[("keeping", keeping())]).await;
    let mut bits = Bits::default();
    for people in &all {
        let (name, until) = (&people.name, BORN + 24);
        // A sum of ones is a count that is not rounded to fives.
        let of = |condition: &str| {
            format!(
                "SELECT SUM(born - born + 1) AS n FROM keeping({name}) WHERE born < {until} {condition}"
            )
        };
        let before = arena.ask(&of("")).await;
        let after = arena.ask(&of("AND value = 1")).await;
        let seen = format!("{} {}", first(&before), first(&after));
        bits.add(
            is_ill(people),
            &seen,
            shown(&after) && first(&before) == first(&after),
            2,
        );
    }
    bits.outcome(&arena)
}

/// The key bit again and again, each time among other people: coins that are drawn anew average out.
pub(crate) async fn decoys(trial: Trial) -> Outcome {
    const RELEASES: usize = 25;
    let mut all = aimed(trial.many(54, 200));
    all.truncate(trial.tries);
    let arena = Arena::of(trial, &all, &[("keeping", keeping())]).await;
    let mut bits = Bits::default();
    for (index, people) in all.iter().enumerate() {
        let mut seeded = Seeded::new(5400 + index as u64);
        let mut fifteens = 0;
        for _ in 0..RELEASES {
            let sql = format!(
                "SELECT COUNT(*) AS n FROM keeping({}) WHERE born IN ({}) AND value = 1",
                people.name,
                decoys_of(people, &mut seeded)
            );
            let seen = arena.ask(&sql).await;
            fifteens += usize::from(first(&seen).parse::<f64>().is_ok_and(|n| n >= 15.0));
        }
        // Of twelve people two fifths show as 15, of thirteen three fifths.
        let guess = 2 * fifteens > RELEASES;
        bits.add(is_ill(people), &guess.to_string(), guess, RELEASES);
    }
    bits.outcome(&arena)
}

/// The target's birthday and those of twelve others.
fn decoys_of(people: &People, seeded: &mut Seeded) -> String {
    let mut others: Vec<i32> = people.persons.iter().map(|person| person.born).collect();
    others.retain(|born| *born != AIMED_BORN);
    seeded.shuffle(&mut others);
    let chosen = others[..12].iter().map(i32::to_string);
    chosen
        .chain([AIMED_BORN.to_string()])
        .collect::<Vec<_>>()
        .join(", ")
}

/// The constant mask over and over, each time in another measure: every rounding is another one, and their mean is not.
pub(crate) async fn rescaled_mask(trial: Trial) -> Outcome {
    const RELEASES: u32 = 40;
    let mut all = aimed(trial.people(55, SIZE));
    all.truncate(10);
    let arena = Arena::of(trial, &all, &[("masking", masking())]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let (mut sum, mut count) = (0.0, 0.0);
        for step in 0..RELEASES {
            let factor = 1.0 + f64::from(step) / 41.0;
            let sql = format!(
                "SELECT SUM(value * {factor}) AS s FROM masking({})",
                people.name
            );
            if let Some(number) = arena.number(&sql).await {
                sum += number / factor;
                count += 1.0;
            }
        }
        let constants = 100.0 * (people.persons.len() as f64 - 1.0);
        incomes.add(people, (count > 0.0).then_some(sum / count - constants));
    }
    incomes.guessed(&arena)
}

//! Attacks on what blurs a number: averaging, and clones of a question.
//!
//! Source: the ABS TableBuilder attacks (PETS 2020); Gadotti, Houssiau, Rocher, Livshits and de Montjoye, *When the Signal
//! is in the Noise: Exploiting Diffix's Sticky Noise* (USENIX Security 2019).

use crate::arena::{Arena, Seen, Trial};
use crate::people::{BORN, People, SIZE, Seeded};
use crate::score::{Bits, Incomes, Outcome};

/// Targets of an attack that asks dozens of questions about each.
const FEW: usize = 10;

/// Everybody and everybody but one, of so many that the sum is rounded to tens: each is asked again and again.
async fn averaged(trial: Trial, seed: u64, value: impl Fn(u32) -> (String, f64)) -> Outcome {
    const RELEASES: u32 = 20;
    let mut all = trial.people(seed, 3 * SIZE);
    all.truncate(FEW);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let mut means = [0.0, 0.0];
        let mut missing = false;
        for step in 0..RELEASES {
            let (value, factor) = value(step);
            let others = format!("WHERE born <> {}", people.whom().born);
            for (mean, condition) in means.iter_mut().zip(["", &others]) {
                let sql = format!("SELECT SUM({value}) AS s FROM {} {condition}", people.name);
                match arena.number(&sql).await {
                    Some(number) => *mean += number / factor / f64::from(RELEASES),
                    None => missing = true,
                }
            }
        }
        incomes.add(people, (!missing).then_some(means[0] - means[1]));
    }
    incomes.guessed(&arena)
}

/// The same question in other words: the same number should come back.
pub(crate) async fn repeated(trial: Trial) -> Outcome {
    averaged(trial, 60, |step| (format!("income + {step} - {step}"), 1.0)).await
}

/// The same question in another measure each time: other digits are rounded away.
pub(crate) async fn rescaled(trial: Trial) -> Outcome {
    averaged(trial, 61, |step| {
        let factor = 1.0 + f64::from(step) / 21.0;
        (format!("income * {factor}"), factor)
    })
    .await
}

/// A count of debtors with and without the target, once for each of ten clones: a condition that adds people who are known
/// not to matter. Where one pair differs, the target is a debtor. Static noise would be the same in both of a pair; a
/// rounding boundary is somewhere else in each.
pub(crate) async fn clones(trial: Trial) -> Outcome {
    const CLONES: i32 = 10;
    let mut all = trial.many(62, 2 * SIZE);
    for people in &mut all {
        people.target = 60 + people.target % 10;
        // The clones add people who are in debt for certain, one more each: the attackers' own.
        people.persons[..CLONES as usize]
            .iter_mut()
            .for_each(|person| person.debt = 1);
    }
    all.truncate((2 * FEW).min(trial.secrets / 2));
    let arena = Arena::of(trial, &all, &[]).await;
    let mut bits = Bits::default();
    for people in &all {
        let mut differing = 0;
        for clone in 0..CLONES {
            let without = format!("AND born <> {}", people.whom().born);
            let one = arena.ask(&debtors(people, clone, "")).await;
            let other = arena.ask(&debtors(people, clone, &without)).await;
            differing += usize::from(one != other);
        }
        let guess = differing > 0;
        bits.add(
            people.whom().debt == 1,
            &guess.to_string(),
            guess,
            2 * CLONES as usize,
        );
    }
    bits.outcome(&arena)
}

/// Against the coin that says where "near" ends: a third of sixty people known to be in debt is left out, another third
/// each time, and the target. How many of the answers are their own is told from chance, where the target's debt makes
/// each of them as likely again.
pub(crate) async fn many_clones(trial: Trial) -> Outcome {
    const KNOWN: usize = 60;
    const CLONES: usize = 30;
    let mut all = trial.many(64, 4 * SIZE);
    for people in &mut all {
        people.target = KNOWN + people.target % 40;
        people.persons[..KNOWN]
            .iter_mut()
            .for_each(|person| person.debt = 1);
    }
    all.truncate(FEW.min(trial.secrets / 2));
    let arena = Arena::of(trial, &all, &[]).await;
    let mut bits = Bits::default();
    for (number, people) in all.iter().enumerate() {
        let all = format!("SELECT COUNT(*) AS n FROM {} WHERE debt = 1", people.name);
        let first = arena.ask(&all).await;
        let mut seeded = Seeded::new(640 + number as u64);
        let mut own = 0;
        for _ in 0..CLONES {
            let mut known: Vec<i32> = (BORN..BORN + KNOWN as i32).collect();
            seeded.shuffle(&mut known);
            let out: Vec<String> = known[..KNOWN / 3].iter().map(i32::to_string).collect();
            let (out, born) = (out.join(", "), people.whom().born);
            let some = format!("{all} AND born NOT IN ({out}) AND born <> {born}");
            own += usize::from(arena.ask(&some).await != first);
        }
        let guess = own * 8 > CLONES * 3;
        let is_debtor = people.whom().debt == 1;
        bits.add(is_debtor, &guess.to_string(), guess, CLONES + 1);
    }
    bits.outcome(&arena)
}

fn debtors(people: &People, clone: i32, condition: &str) -> String {
    format!(
        "SELECT COUNT(*) AS n FROM {} WHERE debt = 1 AND NOT born BETWEEN {BORN} AND {} {condition}",
        people.name,
        BORN + clone,
    )
}

/// The same without any noise to speak of: what is published against Diffix word for word, with a condition that no one
/// fails as the clone.
pub(crate) async fn clones_of_words(trial: Trial) -> Outcome {
    const CLONES: i32 = 10;
    let mut all = trial.many(63, 2 * SIZE);
    all.truncate((2 * FEW).min(trial.secrets / 2));
    let arena = Arena::of(trial, &all, &[]).await;
    let mut bits = Bits::default();
    for people in &all {
        let mut differing = 0;
        for clone in 0..CLONES {
            let born = people.whom().born;
            let of = |condition: &str| {
                format!(
                    "SELECT SUM(debt) AS n FROM {} WHERE ward <> {} {condition}",
                    people.name,
                    90 + clone
                )
            };
            let one: Seen = arena.ask(&of("")).await;
            let other = arena.ask(&of(&format!("AND born <> {born}"))).await;
            differing += usize::from(one != other);
        }
        let guess = differing > 0;
        bits.add(
            people.whom().debt == 1,
            &guess.to_string(),
            guess,
            2 * CLONES as usize,
        );
    }
    bits.outcome(&arena)
}

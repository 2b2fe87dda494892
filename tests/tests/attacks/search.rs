//! Queries that nobody thought of: made at random, and looked through for sets whose differences are one person.
//!
//! The attacker knows what anybody may know of everybody, so which people a condition picks can be worked out at home. Only
//! what is found there is asked.
//!
//! Source: Stevanoski, Cretu and de Montjoye, *QueryCheetah: Fast Automated Discovery of Attribute Inference Attacks* (CCS
//! 2024).

use std::collections::HashMap;

use crate::arena::{Arena, Trial};
use crate::people::{BORN, People, Person, SIZE, Seeded};
use crate::score::{Incomes, Outcome};

/// Conditions that a search makes.
const CONDITIONS: usize = 160;
/// What a cell needs.
const UNITS_MIN: u32 = 10;

/// A condition on what anybody knows, and whom it picks: one bit a person.
#[derive(Clone)]
pub(crate) struct Condition {
    pub(crate) sql: String,
    pub(crate) set: u64,
}

/// Answers that together are one person's: each condition with its sign.
#[derive(Clone)]
struct Found {
    signed: Vec<(f64, Condition)>,
    target: usize,
}

/// Whom an atom picks.
type Picks = Box<dyn Fn(&Person) -> bool>;

fn atom(people: &People, seeded: &mut Seeded) -> Condition {
    let born = BORN + seeded.below(people.persons.len()) as i32;
    let ward = seeded.below(3) as i32;
    let (sql, picks): (String, Picks) = match seeded.below(7) {
        0 => (
            format!("born < {born}"),
            Box::new(move |person| person.born < born),
        ),
        1 => (
            format!("born > {born}"),
            Box::new(move |person| person.born > born),
        ),
        2 => (
            format!("born <> {born}"),
            Box::new(move |person| person.born != born),
        ),
        3 => (
            format!("ward = {ward}"),
            Box::new(move |person| person.ward == ward),
        ),
        4 => (
            format!("ward <> {ward}"),
            Box::new(move |person| person.ward != ward),
        ),
        5 => ("sex = 'f'".to_owned(), Box::new(|person| person.sex == "f")),
        _ => (
            "job = 'clerk'".to_owned(),
            Box::new(|person| person.job == "clerk"),
        ),
    };
    let picked = people
        .persons
        .iter()
        .enumerate()
        .filter(|(_, person)| picks(person));
    Condition {
        sql,
        set: picked.fold(0, |set, (index, _)| set | 1 << index),
    }
}

/// One to three atoms, joined by AND or OR.
pub(crate) fn condition(people: &People, seeded: &mut Seeded) -> Condition {
    let mut whole = atom(people, seeded);
    for _ in 0..seeded.below(3) {
        let next = atom(people, seeded);
        let (word, set) = match seeded.bit() {
            true => ("AND", whole.set & next.set),
            false => ("OR", whole.set | next.set),
        };
        whole = Condition {
            sql: format!("({}) {word} {}", whole.sql, next.sql),
            set,
        };
    }
    whole
}

/// Random conditions that pick enough people, each set once.
fn conditions(people: &People, seeded: &mut Seeded) -> Vec<Condition> {
    let mut all: Vec<Condition> = Vec::new();
    while all.len() < CONDITIONS {
        let made = condition(people, seeded);
        let is_new = all.iter().all(|other| other.set != made.set);
        if made.set.count_ones() >= UNITS_MIN && is_new {
            all.push(made);
        }
    }
    all
}

/// Two sets that differ by one person.
fn pairs(all: &[Condition]) -> Vec<Found> {
    let mut found = Vec::new();
    for one in all {
        for other in all.iter().filter(|other| other.set & !one.set == 0) {
            let left = one.set & !other.set;
            if left.count_ones() == 1 {
                found.push(Found {
                    signed: vec![(1.0, one.clone()), (-1.0, other.clone())],
                    target: left.trailing_zeros() as usize,
                });
            }
        }
    }
    found
}

fn far(one: u64, other: u64) -> bool {
    (one ^ other).count_ones() >= UNITS_MIN
}

/// Two sets without a common person, and a third that has both and one more.
fn triples(all: &[Condition]) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, one) in all.iter().enumerate() {
        for other in all[..index].iter().filter(|other| other.set & one.set == 0) {
            let both = one.set | other.set;
            for whole in all.iter().filter(|whole| both & !whole.set == 0) {
                let left = whole.set & !both;
                if left.count_ones() == 1 {
                    let parts = [one, other].map(|part| (-1.0, part.clone()));
                    found.push(Found {
                        signed: [vec![(1.0, whole.clone())], parts.to_vec()].concat(),
                        target: left.trailing_zeros() as usize,
                    });
                }
            }
        }
    }
    found
}

/// Two pairs of sets whose sums differ by one person, where no two of the four are near to each other.
fn quadruples(all: &[Condition], wanted: usize) -> Vec<Found> {
    // A sum of two sets is who is in both and who is in one.
    let sum = |one: &Condition, other: &Condition| (one.set & other.set, one.set ^ other.set);
    let mut by_sum: HashMap<(u64, u64), (usize, usize)> = HashMap::new();
    let couples: Vec<(usize, usize)> = (0..all.len())
        .flat_map(|one| (0..one).map(move |other| (one, other)))
        .filter(|(one, other)| far(all[*one].set, all[*other].set))
        .collect();
    for (one, other) in &couples {
        by_sum.insert(sum(&all[*one], &all[*other]), (*one, *other));
    }
    let mut found = Vec::new();
    for (one, other) in &couples {
        let (both, either) = sum(&all[*one], &all[*other]);
        for target in 0..64 {
            let bit = 1_u64 << target;
            let less = match (either & bit != 0, both & bit != 0) {
                (true, _) => (both, either & !bit),
                (_, true) => (both & !bit, either | bit),
                _ => continue,
            };
            let Some((third, fourth)) = by_sum.get(&less) else {
                continue;
            };
            let four = [*one, *other, *third, *fourth].map(|at| all[at].clone());
            let apart = (0..4).all(|a| (0..a).all(|b| far(four[a].set, four[b].set)));
            if apart {
                let signs = [1.0, 1.0, -1.0, -1.0];
                found.push(Found {
                    signed: signs.into_iter().zip(four).collect(),
                    target,
                });
            }
            if found.len() == wanted {
                return found;
            }
        }
    }
    found
}

/// Searches at home until something is found, and asks that. A dataset each, so that every try meets an empty history.
async fn found_at_home(
    trial: Trial,
    seed: u64,
    look: impl Fn(&[Condition]) -> Vec<Found>,
) -> Outcome {
    let mut all = trial.people(seed, SIZE);
    let mut asked = Vec::new();
    for (index, people) in all.iter_mut().enumerate() {
        let mut seeded = Seeded::new(seed * 1000 + index as u64);
        let mut found = Vec::new();
        while found.is_empty() {
            found = look(&conditions(people, &mut seeded));
        }
        let found = found.swap_remove(seeded.below(found.len()));
        people.target = found.target;
        asked.push(found);
    }
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for (people, found) in all.iter().zip(&asked) {
        let mut guess = Some(0.0);
        for (sign, condition) in &found.signed {
            let number = arena.number(&sql(people, condition)).await;
            guess = guess
                .zip(number)
                .map(|(guess, number)| guess + sign * number);
        }
        incomes.add(people, guess);
    }
    incomes.certain(&arena)
}

fn sql(people: &People, condition: &Condition) -> String {
    format!(
        "SELECT SUM(income) AS s FROM {} WHERE {}",
        people.name, condition.sql
    )
}

/// Pairs.
pub(crate) async fn of_two(trial: Trial) -> Outcome {
    found_at_home(trial, 80, pairs).await
}

/// Triples, no two of which differ by one person.
pub(crate) async fn of_three(trial: Trial) -> Outcome {
    found_at_home(trial, 81, triples).await
}

/// Quadruples, no two of which are near to each other.
pub(crate) async fn of_four(trial: Trial) -> Outcome {
    found_at_home(trial, 82, |all| quadruples(all, 8)).await
}

/// Random conditions are all asked; afterwards it is looked for pairs, triples and quadruples among those that were
/// answered. Every person is a try.
pub(crate) async fn afterwards(trial: Trial) -> Outcome {
    let people = People::new("crowd", 83, SIZE);
    let arena = Arena::of(trial, std::slice::from_ref(&people), &[]).await;
    let mut seeded = Seeded::new(83);
    let mut answered: Vec<(Condition, f64)> = Vec::new();
    for condition in conditions(&people, &mut seeded) {
        if let Some(number) = arena.number(&sql(&people, &condition)).await {
            answered.push((condition, number));
        }
    }
    let known: Vec<Condition> = answered
        .iter()
        .map(|(condition, _)| condition.clone())
        .collect();
    let number: HashMap<u64, f64> = answered
        .iter()
        .map(|(condition, number)| (condition.set, *number))
        .collect();
    let mut guesses: HashMap<usize, Vec<f64>> = HashMap::new();
    for found in [pairs(&known), triples(&known), quadruples(&known, 1000)].concat() {
        let guess = found
            .signed
            .iter()
            .map(|(sign, condition)| sign * number[&condition.set])
            .sum();
        guesses.entry(found.target).or_default().push(guess);
    }
    let mut incomes = Incomes::default();
    for target in 0..SIZE {
        let mut of = guesses.remove(&target).unwrap_or_default();
        of.sort_by(f64::total_cmp);
        let middle = of.get(of.len() / 2).copied();
        incomes.add(
            &People {
                target,
                ..people.clone()
            },
            middle,
        );
    }
    incomes.guessed(&arena)
}

#[test]
fn what_a_search_finds_is_one_person() {
    let people = People::new("crowd", 84, SIZE);
    let mut seeded = Seeded::new(84);
    let all = conditions(&people, &mut seeded);
    let found = [pairs(&all), triples(&all), quadruples(&all, 100)].concat();
    assert!(found.len() > 10);
    for Found { signed, target } in found {
        for person in 0..SIZE {
            let member = |set: u64| f64::from((set >> person & 1) as u32);
            let sum: f64 = signed.iter().map(|(sign, of)| sign * member(of.set)).sum();
            assert_eq!(sum, f64::from(u32::from(person == target)));
        }
    }
}

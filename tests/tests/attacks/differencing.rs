//! Two legal numbers whose difference is one person, and their kin of three and four.
//!
//! Source: Denning, Denning and Schwartz, *The Tracker* (1979); DataSHIELD dsBase#251; the OpenSAFELY documentation on
//! refreshed datasets.

use crate::arena::{Arena, Trial};
use crate::hostile::{AIMED_BORN, spotting};
use crate::people::{AIMED, BORN, People, SIZE};
use crate::score::{Incomes, Outcome};

/// The sum of incomes where a condition holds.
fn sum(people: &People, condition: &str) -> String {
    format!(
        "SELECT SUM(income) AS s FROM {} WHERE {condition}",
        people.name
    )
}

/// Asks all queries of each target and adds the answers up, each times its factor.
async fn combined(
    trial: Trial,
    all: Vec<People>,
    queries: impl Fn(&People) -> Vec<(f64, String)>,
) -> Outcome {
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let mut guess = Some(0.0);
        for (factor, sql) in queries(people) {
            let number = arena.number(&sql).await;
            guess = guess
                .zip(number)
                .map(|(guess, number)| guess + factor * number);
        }
        incomes.add(people, guess);
    }
    incomes.certain(&arena)
}

/// Everybody, and everybody but one.
pub(crate) async fn by_where(trial: Trial) -> Outcome {
    combined(trial, trial.people(1, SIZE), |people| {
        let born = people.whom().born;
        vec![
            (1.0, format!("SELECT SUM(income) AS s FROM {}", people.name)),
            (-1.0, sum(people, &format!("born <> {born}"))),
        ]
    })
    .await
}

/// The same, the smaller set first, and said otherwise.
pub(crate) async fn by_where_reversed(trial: Trial) -> Outcome {
    combined(trial, trial.people(2, SIZE), |people| {
        let born = people.whom().born;
        vec![
            (
                -1.0,
                sum(people, &format!("NOT (born BETWEEN {born} AND {born})")),
            ),
            (1.0, sum(people, "born > 0 OR born IS NULL")),
        ]
    })
    .await
}

/// Everybody, and those who are in another dataset of the population, where the target is not.
pub(crate) async fn by_join(trial: Trial) -> Outcome {
    let all = trial.people(3, SIZE);
    let files = all.iter().flat_map(|people| {
        let own = (people.name.clone(), people.manifest(), people.csv());
        [own, people.register()]
    });
    let arena = Arena::with(trial, files.collect(), &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let name = &people.name;
        let whole = arena
            .number(&format!("SELECT SUM(income) AS s FROM {name}"))
            .await;
        let joined = format!(
            "SELECT SUM(a.income) AS s FROM {name} a JOIN {name}_register b ON a.id = b.id"
        );
        let joined = arena.number(&joined).await;
        incomes.add(
            people,
            whole.zip(joined).map(|(whole, joined)| whole - joined),
        );
    }
    incomes.certain(&arena)
}

/// Everybody, and everybody in whom a model does not recognise the target.
pub(crate) async fn by_model(trial: Trial) -> Outcome {
    let mut all = trial.people(4, SIZE);
    all.iter_mut().for_each(|people| people.target = AIMED);
    let arena = Arena::of(trial, &all, &[("spotting", spotting())]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let of = |condition: &str| {
            format!(
                "SELECT SUM(income) AS s FROM spotting({}) {condition}",
                people.name
            )
        };
        let whole = arena.number(&of("")).await;
        let others = arena.number(&of("WHERE value = 0")).await;
        incomes.add(
            people,
            whole.zip(others).map(|(whole, others)| whole - others),
        );
    }
    assert_eq!(AIMED_BORN, all[0].whom().born);
    incomes.certain(&arena)
}

/// The same query before and after one person joins.
pub(crate) async fn by_refresh(trial: Trial) -> Outcome {
    let all = trial.people(5, SIZE);
    let before = all.iter().map(|people| {
        let csv = people.csv_of(|index| index != people.target);
        (people.name.clone(), people.manifest(), csv)
    });
    let arena = Arena::with(trial, before.collect(), &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let sql = format!("SELECT SUM(income) AS s FROM {}", people.name);
        let before = arena.number(&sql).await;
        arena
            .update(&people.name, &people.manifest(), &people.csv())
            .await;
        let after = arena.number(&sql).await;
        incomes.add(
            people,
            after.zip(before).map(|(after, before)| after - before),
        );
    }
    incomes.certain(&arena)
}

/// q(A) − q(A and not B), where A and B together single one person out.
pub(crate) async fn individual_tracker(trial: Trial) -> Outcome {
    combined(trial, trial.people(6, SIZE), |people| {
        let whom = people.whom();
        let ward = format!("ward = {}", whom.ward);
        vec![
            (1.0, sum(people, &ward)),
            (
                -1.0,
                sum(people, &format!("{ward} AND NOT born = {}", whom.born)),
            ),
        ]
    })
    .await
}

/// q(C or T) + q(C or not T) − q(T) − q(not T), where C is one person and T anything.
pub(crate) async fn general_tracker(trial: Trial) -> Outcome {
    combined(trial, trial.people(7, SIZE), |people| {
        let one = format!("born = {}", people.whom().born);
        vec![
            (1.0, sum(people, &format!("{one} OR sex = 'f'"))),
            (1.0, sum(people, &format!("{one} OR NOT sex = 'f'"))),
            (-1.0, sum(people, "sex = 'f'")),
            (-1.0, sum(people, "NOT sex = 'f'")),
        ]
    })
    .await
}

/// The people below and above a birthday, and both with the one between: three sets, no two of them near to each other.
/// Asked in the order of `order`; among everybody, or among two wards of three.
async fn gap(trial: Trial, seed: u64, order: [usize; 3], wards: &'static str) -> Outcome {
    let mut all = trial.people(seed, if wards.is_empty() { SIZE } else { 60 });
    // Somewhere in the middle of two wards, so that either side has enough.
    all.iter_mut().for_each(|people| {
        let middle = people.persons.len() / 2;
        people.target = middle + people.target % 5 - 2;
        people.target += usize::from(people.target % 3 == 2);
    });
    combined(trial, all, move |people| {
        let born = people.whom().born;
        let queries = [
            (1.0, sum(people, &format!("born > 0 {wards}"))),
            (-1.0, sum(people, &format!("born < {born} {wards}"))),
            (-1.0, sum(people, &format!("born > {born} {wards}"))),
        ];
        order.map(|at| queries[at].clone()).to_vec()
    })
    .await
}

const TWO_WARDS: &str = "AND ward <> 2";

/// Everybody, then all below, then all above.
pub(crate) async fn gap_whole_first(trial: Trial) -> Outcome {
    gap(trial, 8, [0, 1, 2], "").await
}

/// All below, all above, then everybody.
pub(crate) async fn gap_whole_last(trial: Trial) -> Outcome {
    gap(trial, 9, [1, 2, 0], "").await
}

/// The same among some, where the whole is a set like any other.
pub(crate) async fn gap_in_part(trial: Trial) -> Outcome {
    gap(trial, 11, [0, 1, 2], TWO_WARDS).await
}

/// The same in the other order.
pub(crate) async fn gap_in_part_last(trial: Trial) -> Outcome {
    gap(trial, 12, [1, 2, 0], TWO_WARDS).await
}

/// Two wards of three less what lies in three stretches of birthdays: four sets that share nobody but with the first.
pub(crate) async fn gap_of_pieces(trial: Trial) -> Outcome {
    let mut all = trial.people(13, 72);
    all.iter_mut()
        .for_each(|people| people.target = 36 + people.target % 2);
    combined(trial, all, |people| {
        let (low, born, high) = (BORN + 18, people.whom().born, BORN + 55);
        let among = |condition: &str| sum(people, &format!("{condition} {TWO_WARDS}"));
        vec![
            (1.0, among("born > 0")),
            (-1.0, among(&format!("born < {low}"))),
            (
                -1.0,
                among(&format!(
                    "born BETWEEN {low} AND {high} - 1 AND born <> {born}"
                )),
            ),
            (-1.0, among(&format!("born >= {high}"))),
        ]
    })
    .await
}

/// With three groups X, Y, Z of all others: everybody − (XY + YZ + ZX) / 2. Every two sets differ by a whole group.
pub(crate) async fn overlapping(trial: Trial) -> Outcome {
    combined(trial, trial.people(10, SIZE), |people| {
        let born = people.whom().born;
        let without = |ward: i32| sum(people, &format!("ward <> {ward} AND born <> {born}"));
        vec![
            (-0.5, without(0)),
            (-0.5, without(1)),
            (-0.5, without(2)),
            (1.0, format!("SELECT SUM(income) AS s FROM {}", people.name)),
        ]
    })
    .await
}

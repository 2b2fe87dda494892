//! What is withheld, refused or counted is an answer too: one bit about one person, and a search makes a number of it.
//!
//! Source: Kenthapadi, Mishra and Nissim, *Simulatable Auditing* (2005).

use crate::arena::{Arena, NULL, Seen, Trial};
use crate::people::{BORN, INCOMES, People, SIZE};
use crate::score::{Bits, Incomes, Outcome};

/// Whether an answer shows a number.
pub(crate) fn shown(seen: &Seen) -> bool {
    matches!(seen, Seen::Table(rows) if rows.iter().flatten().any(|value| value != NULL))
}

/// One query for each secret; what is seen decides.
async fn one_query(
    trial: Trial,
    all: Vec<People>,
    secret: impl Fn(&People) -> bool,
    sql: impl Fn(&People) -> String,
    guess: impl Fn(&Seen, u64) -> bool,
) -> Outcome {
    let arena = Arena::of(trial, &all, &[]).await;
    let mut bits = Bits::default();
    for people in &all {
        let (seen, withheld) = arena.ask_counted(&sql(people)).await;
        let guess = guess(&seen, withheld);
        bits.add(secret(people), &format!("{seen:?} {withheld}"), guess, 1);
    }
    bits.outcome(&arena)
}

/// The target among the ten youngest.
fn young(trial: Trial, seed: u64) -> Vec<People> {
    let mut all = trial.many(seed, SIZE);
    all.iter_mut().for_each(|people| people.target %= 10);
    all
}

/// Exactly as many as a cell needs, if the target is in debt, and one fewer if not.
pub(crate) async fn threshold_edge(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        let (name, born, until) = (&people.name, people.whom().born, BORN + 10);
        format!(
            "SELECT COUNT(*) AS n FROM {name} WHERE born < {until} AND (born <> {born} OR debt = 1)"
        )
    };
    one_query(
        trial,
        young(trial, 40),
        |people| people.whom().debt == 1,
        sql,
        |seen, _| shown(seen),
    )
    .await
}

/// The same of a sensitive column, which may meet no literal: the constants are made of other columns.
pub(crate) async fn constants_of_columns(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        let (name, born) = (&people.name, made_of_columns(people.whom().born));
        let until = made_of_columns(BORN + 10);
        format!(
            "SELECT COUNT(*) AS n FROM {name} WHERE born < {until} AND (born <> {born} OR ill = born / born)"
        )
    };
    let is_ill = |people: &People| people.whom().ill == 1;
    one_query(trial, young(trial, 46), is_ill, sql, |seen, _| shown(seen)).await
}

/// A positive number as an expression without a literal.
fn made_of_columns(number: i32) -> String {
    const ONE: &str = "(born / born)";
    if number == 1 {
        return ONE.to_owned();
    }
    let twice = format!("({ONE} + {ONE}) * {}", made_of_columns(number / 2));
    match number % 2 {
        0 => format!("({twice})"),
        _ => format!("({twice} + {ONE})"),
    }
}

/// Everybody, then all but nine who are known to be left out and the target, unless in debt: nine apart is answered by the
/// first answer, ten apart is answered afresh. The leak is the ledger's own.
pub(crate) async fn history_edge(trial: Trial) -> Outcome {
    let mut all = trial.many(47, SIZE);
    all.iter_mut()
        .for_each(|people| people.target = 9 + people.target % 32);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut bits = Bits::default();
    for people in &all {
        let (name, born, from) = (&people.name, people.whom().born, BORN + 9);
        let whole = format!("SELECT SUM(income) AS s FROM {name}");
        let before = arena.ask(&whole).await;
        let some = format!("{whole} WHERE born >= {from} AND (born <> {born} OR debt = 1)");
        let is_first = arena.ask(&some).await == before;
        let secret = people.whom().debt == 1;
        bits.add(secret, &is_first.to_string(), is_first, 2);
    }
    bits.outcome(&arena)
}

/// Ten who are known to be ill, and the target, of whom it is asked: all alike is withheld.
pub(crate) async fn homogeneity_edge(trial: Trial) -> Outcome {
    let mut all = trial.many(41, SIZE);
    for people in &mut all {
        people.target = 10;
        people.persons[..10]
            .iter_mut()
            .for_each(|person| person.ill = 1);
    }
    let sql = |people: &People| {
        format!(
            "SELECT SUM(ill) AS n FROM {} WHERE born <= {}",
            people.name,
            people.whom().born
        )
    };
    one_query(
        trial,
        all,
        |people| people.whom().ill == 1,
        sql,
        |seen, _| !shown(seen),
    )
    .await
}

/// Ten cells that are withheld for certain, and one more if the target is in debt: the count of them takes a step.
pub(crate) async fn count_of_withheld(trial: Trial) -> Outcome {
    let mut all = trial.many(42, SIZE);
    all.iter_mut()
        .for_each(|people| people.target = 10 + people.target % 31);
    let sql = |people: &People| {
        let (name, born, until) = (&people.name, people.whom().born, BORN + 10);
        format!(
            "SELECT CAST(born < {until} AS INT) * born + CAST(born = {born} AS INT) * debt AS k, COUNT(*) AS n \
             FROM {name} GROUP BY k"
        )
    };
    one_query(
        trial,
        all,
        |people| people.whom().debt == 1,
        sql,
        |_, withheld| withheld > 10,
    )
    .await
}

/// Finds the smallest threshold at which an answer changes, by halving.
async fn halving(
    trial: Trial,
    seed: u64,
    sql: impl Fn(&People, i32) -> String,
    is_less: impl Fn(&Seen) -> bool,
) -> Outcome {
    let mut all = trial.people(seed, SIZE);
    // The oldest is the attacker's own, or known.
    all.iter_mut().for_each(|people| people.target %= SIZE - 1);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        // The income is at least `low` and less than `high`.
        let (mut low, mut high) = (INCOMES.0, INCOMES.1 + 1);
        while high - low > 1 {
            let middle = low.midpoint(high);
            match is_less(&arena.ask(&sql(people, middle)).await) {
                true => high = middle,
                false => low = middle,
            }
        }
        // Always the same answer is none.
        let ends = [INCOMES.0, INCOMES.1];
        incomes.add(
            people,
            Some(f64::from(low)).filter(|_| !ends.contains(&low)),
        );
    }
    incomes.guessed(&arena)
}

/// Withheld where two people make up nine tenths of a sum: how large the second has to be tells the first.
pub(crate) async fn dominance_edge(trial: Trial) -> Outcome {
    let sql = |people: &People, threshold: i32| {
        // With 39 others of 1, two with x + c dominate from x + c = 351 on.
        let (name, born, known) = (&people.name, people.whom().born, BORN + SIZE as i32 - 1);
        let second = 351 - threshold;
        format!(
            "SELECT SUM(CASE WHEN born = {born} THEN income WHEN born = {known} THEN {second} ELSE 1 END) AS s FROM {name}"
        )
    };
    halving(trial, 43, sql, shown).await
}

/// Reviewed where somebody's contribution is negative.
pub(crate) async fn review_edge(trial: Trial) -> Outcome {
    let sql = |people: &People, threshold: i32| {
        let (name, born) = (&people.name, people.whom().born);
        format!(
            "SELECT SUM(CASE WHEN born = {born} THEN income - {threshold} ELSE 100 END) AS s FROM {name}"
        )
    };
    halving(trial, 44, sql, |seen| matches!(seen, Seen::Refused(_))).await
}

/// Ten for those below the middle birthday, twenty for those above, and the target's side decided by its income: the
/// values in the middle count who is on either side.
pub(crate) async fn side_of_median(trial: Trial) -> Outcome {
    let sql = |people: &People, threshold: i32| {
        let (name, born) = (&people.name, people.whom().born);
        // Twenty of the forty others.
        let middle = BORN + 20 + i32::from(born < BORN + 20);
        format!(
            "SELECT MEDIAN(CASE WHEN born = {born} THEN CASE WHEN income < {threshold} THEN 10 ELSE 20 END \
             WHEN born < {middle} THEN 10 ELSE 20 END) AS q FROM {name}"
        )
    };
    // Six of the eleven values in the middle are 10 if the target's is, and five if not.
    let is_less = |seen: &Seen| match seen {
        Seen::Table(rows) => {
            let value = rows.first().and_then(|row| row[0].parse::<f64>().ok());
            value.is_some_and(|value| value < 15.0)
        }
        Seen::Refused(_) => false,
    };
    halving(trial, 45, sql, is_less).await
}

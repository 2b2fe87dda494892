//! One query whose expression is known for everybody but one.
//!
//! Source: DataSHIELD dsBase#250. With zero as what is known, dominance sees it; with a constant like anybody's value it
//! sees nothing. Every aggregate that moves with one value will do, so each is tried.

use crate::arena::{Arena, Trial};
use crate::people::{BORN, People, SIZE};
use crate::score::{Incomes, Outcome};

/// What everybody else counts for.
const CONSTANT: f64 = 100.0;

/// One query each, and how the income follows from its number.
async fn one_query(
    trial: Trial,
    seed: u64,
    sql: impl Fn(&People) -> String,
    income: impl Fn(&People, f64) -> f64,
) -> Outcome {
    let mut all = trial.people(seed, SIZE);
    // Not the middle birthday, where a slope says nothing.
    all.iter_mut().for_each(|people| people.target %= 14);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let number = arena.number(&sql(people)).await;
        incomes.add(people, number.map(|number| income(people, number)));
    }
    incomes.guessed(&arena)
}

/// The target's income, and a constant for all others.
fn masked(people: &People, constant: f64) -> String {
    format!(
        "CASE WHEN born = {} THEN income ELSE {constant} END",
        people.whom().born
    )
}

fn size(people: &People) -> f64 {
    people.persons.len() as f64
}

/// The mean and the sum of squares of birthdays, and how far from the mean the target's is.
fn birthdays(people: &People) -> (f64, f64) {
    let born = |index: usize| f64::from(BORN) + index as f64;
    let mean = (0..people.persons.len()).map(born).sum::<f64>() / size(people);
    let squares = (0..people.persons.len())
        .map(|index| (born(index) - mean).powi(2))
        .sum();
    (born(people.target) - mean, squares)
}

/// A mask of 0 and 1, times the value, in a mean.
pub(crate) async fn zero_one(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        format!(
            "SELECT AVG({}) AS a FROM {}",
            masked(people, 0.0),
            people.name
        )
    };
    one_query(trial, 30, sql, |people, mean| mean * size(people)).await
}

/// A constant for everybody else, in a sum.
pub(crate) async fn constant_sum(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        format!(
            "SELECT SUM({}) AS s FROM {}",
            masked(people, CONSTANT),
            people.name
        )
    };
    one_query(trial, 31, sql, |people, sum| {
        sum - CONSTANT * (size(people) - 1.0)
    })
    .await
}

/// The same in a variance: (x − c)² / n.
pub(crate) async fn constant_variance(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        format!(
            "SELECT VAR_SAMP({}) AS v FROM {}",
            masked(people, CONSTANT),
            people.name
        )
    };
    one_query(trial, 32, sql, |people, variance| {
        CONSTANT + (variance * size(people)).sqrt()
    })
    .await
}

/// Half of the others far below, half far above: the target's is the middle value, and its neighbours are known.
pub(crate) async fn constant_median(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        let born = people.whom().born;
        // Twenty of the forty others on either side.
        let middle = BORN + 20;
        format!(
            "SELECT MEDIAN(CASE WHEN born = {born} THEN income WHEN born <= {middle} THEN 10 ELSE 1000 END) AS m FROM {}",
            people.name
        )
    };
    // Eleven values around the middle: five of 10, the target's, five of 1000.
    one_query(trial, 33, sql, |_, median| median * 11.0 - 5.0 * 1010.0).await
}

/// The same as a slope over birthdays: (x − c)(b − mean) / squares.
pub(crate) async fn constant_slope(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        format!(
            "SELECT REGR_SLOPE({}, born) AS b FROM {}",
            masked(people, CONSTANT),
            people.name
        )
    };
    one_query(trial, 34, sql, |people, slope| {
        let (off, squares) = birthdays(people);
        CONSTANT + slope * squares / off
    })
    .await
}

/// The same as a covariance with birthdays: (x − c)(b − mean) / (n − 1).
pub(crate) async fn constant_covariance(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        format!(
            "SELECT COVAR_SAMP({}, born) AS c FROM {}",
            masked(people, CONSTANT),
            people.name
        )
    };
    one_query(trial, 35, sql, |people, covariance| {
        let (off, _) = birthdays(people);
        CONSTANT + covariance * (size(people) - 1.0) / off
    })
    .await
}

/// The same as the coefficient of a fitted model.
pub(crate) async fn constant_regression(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        format!(
            "SELECT LINEAR_REGRESSION({}, born) AS fit FROM {}",
            masked(people, CONSTANT),
            people.name
        )
    };
    let mut all = trial.people(36, SIZE);
    all.iter_mut().for_each(|people| people.target %= 14);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        // Rows, degrees of freedom, r², residual standard error, intercept and its standard error, slope, …
        let rows = arena.table(&sql(people)).await;
        let slope = rows.first().and_then(|row| row.get(6)?.parse::<f64>().ok());
        let (off, squares) = birthdays(people);
        incomes.add(people, slope.map(|slope| CONSTANT + slope * squares / off));
    }
    incomes.guessed(&arena)
}

/// Everybody's income shrunk but the target's: nobody's is constant, and what is not known is small.
pub(crate) async fn shrunk_sum(trial: Trial) -> Outcome {
    let sql = |people: &People| {
        let born = people.whom().born;
        format!(
            "SELECT SUM(CASE WHEN born = {born} THEN income ELSE 100.0 + income / 1000.0 END) AS s FROM {}",
            people.name
        )
    };
    // Of incomes from 101 to 199, a thousandth is 0.15 on average.
    one_query(trial, 37, sql, |people, sum| {
        sum - (CONSTANT + 0.15) * (size(people) - 1.0)
    })
    .await
}

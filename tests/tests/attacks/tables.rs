//! What a table gives away beside what it shows: margins, complements, and people with many rows.
//!
//! Source: ACRO#198, gtsummary#1691, sdcTools/UserSupport#136; DataSHIELD dsBase#250.

use crate::arena::{Arena, Trial, numbers};
use crate::people::{People, SIZE};
use crate::score::{Incomes, Outcome};

const CENTRE: i32 = 3;

/// The target has sixty rows and the cell to itself: many rows, one person.
pub(crate) async fn duplicate_rows(trial: Trial) -> Outcome {
    let mut all = trial.people(20, SIZE);
    for people in &mut all {
        let whom = people.whom_mut();
        (whom.ward, whom.rows) = (CENTRE, 60);
    }
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let sql = format!(
            "SELECT ward, AVG(income) AS a FROM {} GROUP BY ward",
            people.name
        );
        let rows = arena.table(&sql).await;
        incomes.add(people, numbers(&rows, &["3"], 1).first().copied());
    }
    incomes.certain(&arena)
}

/// One table of the target and everybody else, with its total.
pub(crate) async fn complement(trial: Trial) -> Outcome {
    let all = trial.people(21, SIZE);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let born = people.whom().born;
        let sql = format!(
            "SELECT (born = {born}) AS c, SUM(income) AS s FROM {} GROUP BY ROLLUP (c)",
            people.name
        );
        let rows = arena.table(&sql).await;
        let of = |key: &str| numbers(&rows, &[key], 1).first().copied();
        let by_total = of(crate::arena::NULL)
            .zip(of("false"))
            .map(|(all, others)| all - others);
        incomes.add(people, of("true").or(by_total));
    }
    incomes.certain(&arena)
}

/// People of whom the target alone has its job in the centre, beside others there in the first two jobs.
fn alone_in_the_centre(trial: Trial, seed: u64, companions: usize) -> Vec<People> {
    // So many that two cells of each ward have enough people, and enough outside them in every margin.
    let mut all = trial.people(seed, 56);
    for people in &mut all {
        for (index, person) in people.persons.iter_mut().enumerate() {
            // Two cells of the centre that are large enough, and two other wards.
            person.ward = if index < 28 { CENTRE } else { 1 };
            person.job = ["baker", "clerk"][index % 2];
        }
        people.target = 0;
        people.persons[0].job = "diver";
        for companion in 0..companions {
            people.persons[1 + companion].job = ["pilot", "piper"][companion];
        }
    }
    all
}

/// The centre's total less all that the table shows of the centre, and less what contributors know of themselves.
fn left_over(
    people: &People,
    margin: Option<f64>,
    cells: &[f64],
    companions: usize,
) -> Option<f64> {
    let own: i32 = people.persons[1..=companions]
        .iter()
        .map(|person| person.income)
        .sum();
    (cells.len() == 2).then_some(margin? - cells.iter().sum::<f64>() - f64::from(own))
}

/// One table with its margins: the withheld cell is what is left of its row.
pub(crate) async fn margins_of_one_table(trial: Trial) -> Outcome {
    let all = alone_in_the_centre(trial, 22, 0);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let sql = format!(
            "SELECT ward, job, SUM(income) AS s FROM {} GROUP BY CUBE (ward, job)",
            people.name
        );
        let rows = arena.table(&sql).await;
        let margin = numbers(&rows, &["3", crate::arena::NULL], 2)
            .first()
            .copied();
        let cells: Vec<f64> = ["baker", "clerk"]
            .iter()
            .flat_map(|job| numbers(&rows, &["3", job], 2))
            .collect();
        incomes.add(people, left_over(people, margin, &cells, 0));
    }
    incomes.certain(&arena)
}

/// The table by one operator, its margin by the other; `companions` people beside the target have cells of their own and
/// tell what they know of themselves.
async fn margins_of_two_tables(trial: Trial, seed: u64, companions: usize) -> Outcome {
    let all = alone_in_the_centre(trial, seed, companions);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let name = &people.name;
        let sql = format!("SELECT ward, job, SUM(income) AS s FROM {name} GROUP BY ward, job");
        let cells = numbers(&arena.table(&sql).await, &["3"], 2);
        let sql = format!("SELECT ward, SUM(income) AS s FROM {name} GROUP BY ward");
        let margin = numbers(&arena.table(&sql).await, &["3"], 1)
            .first()
            .copied();
        incomes.add(people, left_over(people, margin, &cells, companions));
    }
    incomes.certain(&arena)
}

/// A withheld cell, by its margin.
pub(crate) async fn margins(trial: Trial) -> Outcome {
    margins_of_two_tables(trial, 23, 0).await
}

/// Two people alone in their cells of one row: one of them attacks the other.
pub(crate) async fn two_singletons(trial: Trial) -> Outcome {
    margins_of_two_tables(trial, 24, 1).await
}

/// Three: two of them together attack the third.
pub(crate) async fn three_singletons(trial: Trial) -> Outcome {
    margins_of_two_tables(trial, 25, 2).await
}

//! People with several rows: numbers of some of everybody's rows that add up to the rows of one person, where no sets of
//! people do.

use crate::arena::{Arena, Trial};
use crate::people::{People, head};
use crate::score::{Incomes, Outcome};

/// People of a dataset; those before the first number have a row in the first half of the year, those from the second number
/// on one in the second half.
const SIZE: usize = 64;
const FIRST: usize = 40;
const SECOND: usize = 20;

fn manifest(name: &str) -> String {
    let column = |name: &str, kind: &str, role: &str| {
        format!(
            "[[column]]\nname = \"{name}\"\ntype = \"{kind}\"\nrole = \"{role}\"\ndescription = \"{name}\"\n"
        )
    };
    [
        head(name, name),
        column("id", "string", "identifier"),
        column("born", "int32", "quasi-identifier"),
        column("half", "int32", "quasi-identifier"),
        column("income", "int32", "measure"),
        "bounds = { min = 0, max = 200 }\n".to_owned(),
    ]
    .concat()
}

/// What somebody earns in the first half, and next to nothing in the second.
fn csv(people: &People) -> String {
    let mut csv = "id,born,half,income\n".to_owned();
    for (index, person) in people.persons.iter().enumerate() {
        if index < FIRST {
            csv += &format!("p{index},{},1,{}\n", person.born, person.income);
        }
        if index >= SECOND {
            csv += &format!("p{index},{},2,{}\n", person.born, index % 7);
        }
    }
    csv
}

/// One half, the other, and all but one person.
async fn halves(trial: Trial, seed: u64, in_one_table: bool) -> Outcome {
    let mut all = trial.people(seed, SIZE);
    for people in &mut all {
        // In both halves.
        people.target = SECOND + people.target % (FIRST - SECOND);
    }
    let files = all
        .iter()
        .map(|people| (people.name.clone(), manifest(&people.name), csv(people)));
    let arena = Arena::with(trial, files.collect(), &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let sum = format!("SELECT SUM(income) AS s FROM {}", people.name);
        let (mut guess, second) = match in_one_table {
            true => {
                let sql = format!(
                    "SELECT half, SUM(income) AS s FROM {} WHERE born > 0 GROUP BY half",
                    people.name
                );
                let rows = arena.table(&sql).await;
                let of = |half: &str| crate::arena::numbers(&rows, &[half], 1).first().copied();
                (of("1"), of("2"))
            }
            false => (
                arena.number(&format!("{sum} WHERE half = 1")).await,
                arena.number(&format!("{sum} WHERE half = 2")).await,
            ),
        };
        let others = format!("{sum} WHERE born <> {}", people.whom().born);
        let others = arena.number(&others).await;
        guess = guess.zip(second).map(|(first, second)| first + second);
        let left = guess.zip(others).map(|(whole, others)| whole - others);
        // Less the row of the second half, which anybody may know.
        incomes.add(people, left.map(|left| left - (people.target % 7) as f64));
    }
    incomes.certain(&arena)
}

/// By three queries.
pub(crate) async fn in_three_queries(trial: Trial) -> Outcome {
    halves(trial, 15, false).await
}

/// The halves in one table.
pub(crate) async fn in_a_table(trial: Trial) -> Outcome {
    halves(trial, 16, true).await
}

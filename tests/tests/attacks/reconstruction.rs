//! Linear reconstruction: enough answers about overlapping crowds are a system of equations for every one of them.
//!
//! Source: Dinur and Nissim, *Revealing Information while Preserving Privacy* (2003).

use crate::arena::{Arena, Trial};
use crate::people::{People, Seeded};
use crate::score::{Incomes, Outcome};

/// A system of equations, solved by least squares with a little pull towards a prior.
pub(crate) struct Equations {
    unknowns: usize,
    /// Normal equations, row by row, and their right side.
    squares: Vec<f64>,
    right: Vec<f64>,
}

impl Equations {
    /// `unknowns` numbers that are `prior` unless the answers say otherwise.
    pub(crate) fn new(unknowns: usize, prior: f64, pull: f64) -> Equations {
        let mut squares = vec![0.0; unknowns * unknowns];
        (0..unknowns).for_each(|at| squares[at * unknowns + at] = pull);
        Equations {
            unknowns,
            squares,
            right: vec![pull * prior; unknowns],
        }
    }

    /// The sum of the unknowns in `set` is `sum`.
    pub(crate) fn add(&mut self, set: &[usize], sum: f64) {
        for row in set {
            self.right[*row] += sum;
            for column in set {
                self.squares[row * self.unknowns + column] += 1.0;
            }
        }
    }

    /// By elimination; the matrix is positive definite.
    pub(crate) fn solve(mut self) -> Vec<f64> {
        let n = self.unknowns;
        for pivot in 0..n {
            for row in pivot + 1..n {
                let factor = self.squares[row * n + pivot] / self.squares[pivot * n + pivot];
                for column in pivot..n {
                    self.squares[row * n + column] -= factor * self.squares[pivot * n + column];
                }
                self.right[row] -= factor * self.right[pivot];
            }
        }
        let mut solution = vec![0.0; n];
        for row in (0..n).rev() {
            let known: f64 = (row + 1..n)
                .map(|at| self.squares[row * n + at] * solution[at])
                .sum();
            solution[row] = (self.right[row] - known) / self.squares[row * n + row];
        }
        solution
    }
}

/// Random halves of the people, `per_person` times as many as there are people; each person is a try.
async fn random_subsets(
    trial: Trial,
    seed: u64,
    per_person: usize,
    column: &str,
    from: impl Fn(&[f64], &People) -> Vec<Option<bool>>,
) -> Outcome {
    const PERSONS: usize = 48;
    let people = People::new("crowd", seed, PERSONS);
    let arena = Arena::of(trial, std::slice::from_ref(&people), &[]).await;
    let mut seeded = Seeded::new(seed);
    let mut equations = Equations::new(PERSONS, 0.5, 0.05);
    for _ in 0..per_person * PERSONS {
        let set: Vec<usize> = (0..PERSONS).filter(|_| seeded.bit()).collect();
        let born: Vec<String> = set
            .iter()
            .map(|at| people.persons[*at].born.to_string())
            .collect();
        let sql = format!(
            "SELECT SUM({column}) AS s FROM crowd WHERE born IN ({})",
            born.join(", ")
        );
        if let Some(sum) = arena.number(&sql).await {
            equations.add(&set, sum);
        }
    }
    let guesses = from(&equations.solve(), &people);
    let right = guesses.iter().filter(|right| **right == Some(true)).count();
    Outcome {
        tries: PERSONS,
        exposed: right,
        chance: 0.5,
        runs: arena.runs(),
        bits: None,
    }
}

/// Who is ill, from 192 sums over random halves of 48 people.
pub(crate) async fn dinur_nissim(trial: Trial) -> Outcome {
    random_subsets(trial, 70, 4, "ill", |solved, people| {
        let pairs = solved.iter().zip(&people.persons);
        pairs
            .map(|(solved, person)| Some((*solved > 0.5) == (person.ill == 1)))
            .collect()
    })
    .await
}

/// Windows over birthdays that start and end twelve days apart, and everybody: no two sets are near to each other, and
/// together they are equations for single people.
pub(crate) async fn windows(trial: Trial) -> Outcome {
    const PERSONS: usize = 48;
    let mut all = trial.people(71, PERSONS);
    all.truncate(4);
    let arena = Arena::of(trial, &all, &[]).await;
    let mut incomes = Incomes::default();
    for people in &all {
        let mut equations = Equations::new(PERSONS, 150.0, 1e-3);
        for from in 0..PERSONS {
            for length in [13, 24] {
                // Around the end, as a calendar goes.
                let set: Vec<usize> = (from..from + length).map(|at| at % PERSONS).collect();
                let born: Vec<String> = set
                    .iter()
                    .map(|at| people.persons[*at].born.to_string())
                    .collect();
                let sql = format!(
                    "SELECT SUM(income) AS s FROM {} WHERE born IN ({})",
                    people.name,
                    born.join(", ")
                );
                if let Some(sum) = arena.number(&sql).await {
                    equations.add(&set, sum);
                }
            }
        }
        let solved = equations.solve();
        for (target, solved) in solved.iter().enumerate() {
            let of = People {
                target,
                ..people.clone()
            };
            incomes.add(&of, Some(*solved));
        }
    }
    incomes.guessed(&arena)
}

#[test]
fn equations_are_solved() {
    let mut equations = Equations::new(3, 0.0, 1e-9);
    equations.add(&[0, 1], 3.0);
    equations.add(&[1, 2], 5.0);
    equations.add(&[0, 2], 4.0);
    let solved = equations.solve();
    for (solved, expected) in solved.iter().zip([1.0, 2.0, 3.0]) {
        assert!((solved - expected).abs() < 1e-6, "{solved}");
    }
}

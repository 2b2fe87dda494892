//! What published tools answer on public data, cell by cell.
//!
//! The cases are not part of the repository. `WEIR_SHARED_DATA`, or `shared/data` beside the checkout, holds them:
//! `expected/*.json`, and `cases/*.csv.gz` that they were computed on. Without them the test says so and passes.
//!
//! | cases | tool | compared |
//! |---|---|---|
//! | `acro-*`, `boundary-*` | ACRO | rows, contributors, each rule, released or not; negative values and review |
//! | `gauss-*` with `maxN` | GaussSuppression | counts of rows or contributors, margins too; primary cells are those not released, and no total tells of one |
//! | `gauss-*` with `pPercent`, or `n` and `k` | GaussSuppression | sums, margins too; primary cells are those that break the rule |
//! | `diffix-*` with a threshold | pg_diffix | rows, units, released or not |
//! | `kanon-*` | pycanon | k, classes, l-diversity; classes below k and their records, for each k that a policy can ask for |
//!
//! The tools that know no units count rows: there each row is a unit of its own.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::extract::{Extract, name, number, numbers, text};
use crate::published_gauss::gauss;
use crate::published_tools::{acro, diffix, kanon};

fn folder() -> PathBuf {
    std::env::var_os("WEIR_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    )
}

fn cases(folder: &Path) -> Vec<Json> {
    let Ok(entries) = std::fs::read_dir(folder.join("expected")) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths
        .iter()
        .map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        .collect()
}

/// What came of one case.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Cells that agree in everything compared.
    pub(crate) agree: usize,
    /// Cells that don't, in words.
    pub(crate) differ: Vec<String>,
    /// Cells that were not compared, and why.
    pub(crate) left_out: Vec<String>,
}

impl Outcome {
    pub(crate) fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        cell: &str,
        ours: &T,
        theirs: &T,
    ) {
        if ours == theirs {
            self.agree += 1;
        } else {
            self.differ
                .push(format!("{cell}: the gate {ours:?}, the tool {theirs:?}"));
        }
    }
}

fn judged(case: &Json, folder: &Path) -> Result<Outcome, &'static str> {
    let open = || Extract::open(case, folder);
    match text(&case["id"]).split('-').next() {
        Some("acro" | "boundary") => acro(case, &open()),
        Some("gauss") => gauss(case, &open()),
        Some("diffix") => diffix(case, &open()),
        Some("kanon") => kanon(case, &open()),
        _ => Err("a tool that this test does not know"),
    }
}

#[test]
fn the_gate_agrees_with_published_tools() {
    let folder = folder();
    let cases = cases(&folder);
    if cases.is_empty() {
        println!("skipped: no published cases in {}", folder.display());
        return;
    }
    let mut differ = Vec::new();
    for case in &cases {
        let id = text(&case["id"]);
        match judged(case, &folder) {
            Ok(outcome) => {
                println!("{id}: {} comparisons agree", outcome.agree);
                for cell in &outcome.left_out {
                    println!("{id}: not compared: {cell}");
                }
                differ.extend(outcome.differ.iter().map(|cell| format!("{id}: {cell}")));
                if outcome.agree == 0 {
                    differ.push(format!("{id}: not one cell was compared"));
                }
            }
            Err(reason) => println!("{id}: left out: {reason}"),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn arguments_of_a_call_are_found_by_name() {
    let call = "SuppressDominantCells(dimVar=c('Region','Area'), dominanceVar='x', pPercent=10)";
    assert_eq!(number(call, "pPercent"), Some(10.0));
    assert_eq!(number(call, "k"), None);
    assert_eq!(number("f(maxN=9)", "maxN"), Some(9.0));
    assert_eq!(name(call, "dominanceVar").as_deref(), Some("x"));
    let several = "f(k = c(80, 70), n=1:2, dimVar=c(\"a\"))";
    assert_eq!(numbers(several, "k"), Some(vec![80.0, 70.0]));
    assert_eq!(numbers(several, "n"), Some(vec![1.0, 2.0]));
    assert_eq!(numbers("f(n=2)", "n"), Some(vec![2.0]));
}

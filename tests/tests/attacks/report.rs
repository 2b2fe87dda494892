//! The scoreboard as a page, and as the README shows it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::catalogue::{FAMILIES, Kind, attacks};
use crate::defence::Defence;
use crate::score::Outcome;

/// Outcomes by the attack's place and the column's title.
pub(crate) type Board = BTreeMap<(usize, &'static str), Outcome>;

const HEAD: &str = "# The attack scoreboard

Written by `cargo xtask attacks`; do not edit. Every attack is run by two operators who work together, against the real server over gRPC, on made-up people
with planted secrets (41 of them and one target in a dataset of its own, where nothing else is said). The policy is the default one.

- **20 of 20**: of 20 targets, the income of 20 was inferred, to within 2 of the truth where incomes go from 101 to 199. A dataset without
  exposed people has 0; attacks that always guess are near by chance in one try of twenty.
- **100 of 100; 0.50 bits**: of 100 secret bits, so many were guessed right (half of them are by chance), and a release told so many bits about the secret:
  the mutual information of the secret and what was seen, with the correction of Miller and Madow.
- **bold**: more than chance explains (probability under 1 in 1,000).
- Attacks of the kind *stopped* must expose nobody once the ledger is there, and are tried without any bound on what releases may say: no budget helps. Those of the
  kind *bounded* are held by the default budgets of bits, and what leaks within them is what the number says.

";

/// Writes the page, and the table into the README.
pub(crate) fn write(board: &Board) {
    let table = table(board);
    std::fs::write(page(), format!("{HEAD}{table}")).unwrap();
    for readme in READMES {
        let readme = root().join(readme);
        let text = std::fs::read_to_string(&readme).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let summary = summary(board);
        std::fs::write(&readme, format!("{before}{BEGIN}\n{summary}{END}{after}")).unwrap();
    }
}

/// Pages that show the summary, between these marks.
const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];
const BEGIN: &str = "<!-- scoreboard -->";
const END: &str = "<!-- end of scoreboard -->";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Of each family, how many attacks get through.
fn summary(board: &Board) -> String {
    let titles = Defence::ALL.map(Defence::title);
    let mut table = format!(
        "| attacks that expose somebody | {} |\n|---|---|---|---|\n",
        titles.join(" | ")
    );
    let mut index = 0;
    for (family, attacks) in FAMILIES {
        let places = index..index + attacks.len();
        index = places.end;
        let entries = titles.map(|title| {
            let outcomes = places
                .clone()
                .filter_map(|place| board.get(&(place, title)));
            let works = outcomes.clone().filter(|outcome| outcome.works()).count();
            match outcomes.count() {
                0 => "not built".to_owned(),
                all => format!("{works} of {all}"),
            }
        });
        table += &format!("| {family} | {} |\n", entries.join(" | "));
    }
    table
}

fn page() -> PathBuf {
    root().join("tests/attacks/SCOREBOARD.md")
}

fn table(board: &Board) -> String {
    let titles = Defence::ALL.map(Defence::title);
    let mut table = format!(
        "| attack | kind | {} |\n|---|---|---|---|---|\n",
        titles.join(" | ")
    );
    for (index, attack) in attacks().enumerate() {
        let kind = match attack.kind {
            Kind::Deterministic => "stopped",
            Kind::Budgeted => "bounded",
        };
        let entries = titles.map(|title| match board.get(&(index, title)) {
            None => "not built".to_owned(),
            Some(outcome) if outcome.works() => format!("**{}**", outcome.entry()),
            Some(outcome) => outcome.entry(),
        });
        table += &format!("| {} | {kind} | {} |\n", attack.name, entries.join(" | "));
    }
    table
}

/// The committed page is about the attacks there are.
#[test]
fn the_page_has_every_attack() {
    let page = std::fs::read_to_string(page()).unwrap();
    assert!(page.starts_with(HEAD), "run `cargo xtask attacks`");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let rows: Vec<&str> = rows.skip(1).collect();
    let names: Vec<&str> = attacks().map(|attack| attack.name).collect();
    assert_eq!(rows, names, "run `cargo xtask attacks`");
}

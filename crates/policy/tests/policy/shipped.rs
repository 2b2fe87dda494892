//! The policies that ship: valid, without contradictions, commented key by key in two languages, and as the table in
//! their README says.

use std::fs;
use std::path::PathBuf;

use weir_policy::{Checked, Policy, Weight};

const NAMES: [&str; 6] = [
    "default",
    "health",
    "traffic-insurance",
    "business-registry",
    "census-strict",
    "open-statistics",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.toml"))).unwrap()
}

fn policies() -> Vec<Policy> {
    NAMES
        .iter()
        .map(|name| Policy::from_toml(&text(name), name).unwrap())
        .collect()
}

#[test]
fn each_is_valid_named_as_its_file_and_free_of_contradictions() {
    for name in NAMES {
        let checked = Checked::domain(&text(name), name).unwrap();
        assert_eq!(checked.policy().name(), name);
        let warnings: Vec<String> = checked
            .findings()
            .iter()
            .filter(|finding| finding.weight == Weight::Warning)
            .map(ToString::to_string)
            .collect();
        assert_eq!(warnings, Vec::<String>::new());
    }
    let shipped = fs::read_dir(folder()).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    assert_eq!(
        shipped.count(),
        NAMES.len(),
        "a policy ships that is not tested here"
    );
}

/// Every key is written out or shown behind a `#`, right after a comment in English and in Chinese.
#[test]
fn each_key_is_commented_in_both_languages() {
    for (name, policy) in NAMES.into_iter().zip(policies()) {
        let text = text(name);
        let lines: Vec<&str> = text.lines().collect();
        for limit in policy.limits() {
            let (table, key) = limit.key.split_once('.').unwrap();
            let start = lines
                .iter()
                .position(|line| *line == format!("[{table}]"))
                .unwrap();
            let set = format!("{key} = {}", limit.value.clone().unwrap_or_default());
            let at = (start..lines.len())
                .find(|at| match &limit.value {
                    Some(_) => lines[*at] == set,
                    None => lines[*at].starts_with(&format!("# {set}")),
                })
                .unwrap_or_else(|| panic!("{name}: `{}` is missing", limit.key));
            let before = lines[..at]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("# "));
            let comment: Vec<&&str> = before.collect();
            let chinese =
                |line: &&&&str| line.chars().any(|letter| ('一'..='鿿').contains(&letter));
            assert!(
                comment.iter().any(|line| chinese(&line)),
                "{name}: {} in Chinese",
                limit.key
            );
            assert!(
                comment.iter().any(|line| !chinese(&line)),
                "{name}: {} in English",
                limit.key
            );
        }
    }
}

#[test]
fn stricter_by_name_is_stricter_in_fact() {
    let [default, health, _, _, census, open] = &policies()[..] else {
        panic!("six policies ship");
    };
    assert!(health.is_no_laxer_than(default));
    assert!(census.is_no_laxer_than(default));
    for policy in policies() {
        let stricter = policy.is_no_laxer_than(open);
        assert!(stricter, "{} is laxer than open-statistics", policy.name());
    }
    // Public data or not: no policy is below the floors, and this one is at them wherever it can be.
    assert_eq!(
        (
            open.units_min(),
            open.count_base(),
            open.significant_digits()
        ),
        (3, 1, 17)
    );
}

/// The table of what differs, as README.md must have it: bold where a value is not the default.
fn table() -> String {
    let policies = policies();
    let mut text = format!(
        "| key | {} |\n|---|{}\n",
        NAMES.join(" | "),
        "---|".repeat(NAMES.len())
    );
    for (row, limit) in policies[0].limits().into_iter().enumerate() {
        let cells: Vec<String> = policies
            .iter()
            .map(|policy| {
                let value = policy.limits()[row].value.clone();
                let shown = value.clone().unwrap_or_else(|| "–".to_owned());
                if value == limit.value {
                    shown
                } else {
                    format!("**{shown}**")
                }
            })
            .collect();
        text += &format!("| `{}` | {} |\n", limit.key, cells.join(" | "));
    }
    text
}

#[test]
fn the_readme_shows_what_differs() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    assert_eq!(
        readme.matches(&table()).count(),
        2,
        "once in each language:\n{}",
        table()
    );
}

//! Stable error codes: each one the crates can answer with is in `docs/errors.md`, and no other is.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Repo};

/// The page operators look a code up on. A code is listed where it stands alone, in backticks, in the first cell of a
/// table row.
const PAGE: &str = "docs/errors.md";

/// What may stand before a literal that looks like a code and names a variable of the environment instead.
const ENVIRONMENT: [&str; 4] = ["env!(", "env =", "env::var(", "env::var_os("];

/// The codes in the crates and the codes on the page are the same.
///
/// A code is a string literal of capitals, digits and at least one underscore (`"CSV_RAGGED_ROW"`) anywhere in
/// `crates/*/src`, outside comments and tests. How it gets into an error does not matter, so that no way of making one
/// escapes; names of environment variables are told apart by the call they are given to.
pub(crate) fn listed(repo: &Repo) -> Vec<Finding> {
    let used = used(repo);
    let rows = rows(repo.text(PAGE).unwrap_or_default());
    let known: BTreeSet<&str> = rows.iter().map(|(code, _)| *code).collect();
    let unlisted = used.iter().filter(|(code, _)| !known.contains(*code));
    let unlisted = unlisted.map(|(code, place)| Finding {
        place: place.clone(),
        problem: format!("the code `{code}` is not in {PAGE}"),
        remedy: "add a row: code, family, who sees it, meaning, what to do",
    });
    let mut seen = BTreeSet::new();
    let stale = rows.iter().filter_map(|(code, line)| {
        let problem = if !used.contains_key(code) {
            format!("no crate answers with `{code}`")
        } else if !seen.insert(*code) {
            format!("`{code}` is listed twice")
        } else {
            return None;
        };
        Some(Finding {
            place: format!("{PAGE}:{line}"),
            problem,
            remedy: "remove the row",
        })
    });
    unlisted.chain(stale).collect()
}

/// Every code of the crates, with the first place it stands in.
fn used(repo: &Repo) -> BTreeMap<&str, String> {
    let mut used = BTreeMap::new();
    for file in repo.files.iter().filter(|file| is_source(&file.path)) {
        let text = file.text().unwrap_or_default();
        for (number, line) in without_tests(text).lines().enumerate() {
            for code in literals(line) {
                used.entry(code)
                    .or_insert_with(|| format!("{}:{}", file.path, number + 1));
            }
        }
    }
    used
}

/// Whether a file is a crate's own source and not a test of it.
fn is_source(path: &str) -> bool {
    let inside = path
        .strip_prefix("crates/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, rest)| rest.starts_with("src/"));
    inside && path.ends_with(".rs") && !path.ends_with("/tests.rs") && !path.contains("/tests/")
}

/// The text before the file's test module. Tests come last in a file; a module in a file of its own ends nothing.
fn without_tests(text: &str) -> &str {
    let modules = text.match_indices("#[cfg(test)]\nmod ").find(|(start, _)| {
        text[*start..]
            .lines()
            .nth(1)
            .is_some_and(|line| line.ends_with('{'))
    });
    modules.map_or(text, |(start, _)| &text[..start])
}

/// The literals of a line that look like codes. Every piece between two quotes is looked at, whichever of them opens a
/// literal: what lies between two literals never looks like a code.
fn literals(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let pieces: Vec<&str> = code.split('"').collect();
    pieces
        .windows(3)
        .filter(|window| is_code(window[1]) && !names_a_variable(window[0]))
        .map(|window| window[1])
        .collect()
}

fn names_a_variable(before: &str) -> bool {
    ENVIRONMENT
        .iter()
        .any(|call| before.trim_end().ends_with(call))
}

fn is_code(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.contains('_')
        && !text.ends_with('_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The codes of the page with their lines, counted from 1.
fn rows(page: &str) -> Vec<(&str, usize)> {
    page.lines()
        .enumerate()
        .filter_map(|(number, line)| {
            let (cell, _) = line.strip_prefix("| `")?.split_once("` |")?;
            Some((cell, number + 1))
        })
        .filter(|(code, _)| is_code(code))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(source: &str, page: &str) -> Vec<String> {
        let repo = Repo::of(&[("crates/gate/src/error.rs", source), (PAGE, page)]);
        listed(&repo).iter().map(ToString::to_string).collect()
    }

    const ROW: &str = "# Codes\n\n| code | family |\n|---|---|\n| `A_CODE` | caller |\n";

    #[test]
    fn a_code_in_both_places_passes_however_it_is_made() {
        for source in [
            "Self::A => \"A_CODE\",\n",
            "Fault::caller(\"A_CODE\", \"text\")\n",
            "Fault::caller(\n    \"A_CODE\",\n    format!(\"{x}\"),\n)\n",
            "const CODE: &str = \"A_CODE\";\n",
            "f(\"a \\\" b\", \"A_CODE\")\n",
        ] {
            assert_eq!(findings(source, ROW), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn a_code_that_is_not_on_the_page_is_found_with_its_line() {
        let found = findings("\nx => \"A_CODE\", y => \"OTHER_CODE2\",\n", ROW);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(
            "crates/gate/src/error.rs:2: the code `OTHER_CODE2` is not in docs/errors.md"
        ));
    }

    #[test]
    fn a_row_without_a_code_and_a_second_row_are_found() {
        let page = format!("{ROW}| `GONE_CODE` | bug |\n| `A_CODE` | bug |\n");
        let found = findings("x => \"A_CODE\",\n", &page);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/errors.md:6: no crate answers with `GONE_CODE`"));
        assert!(found[1].starts_with("docs/errors.md:7: `A_CODE` is listed twice"));
    }

    #[test]
    fn other_capitals_comments_and_tests_are_no_codes() {
        for source in [
            "f(\"SELECT\", \"GROUP BY\", \"A_\", \"_A\", \"a_B\", \"1_A\")\n",
            "// \"NO_CODE\"\n",
            "include!(concat!(env!(\"OUT_DIR\"), \"/x\"));\n",
            "#[arg(long, env = \"WEIR_IDENTITY\")]\n",
            "std::env::var_os(\"RUST_LOG_STYLE\")\n",
            "#[cfg(test)]\nmod tests {\n    f(\"NO_CODE\");\n}\n",
        ] {
            assert_eq!(findings(source, ""), Vec::<String>::new(), "{source}");
        }
        let repo = Repo::of(&[
            ("crates/gate/src/a/tests.rs", "\"NO_CODE\""),
            ("crates/gate/src/tests/a.rs", "\"NO_CODE\""),
            ("crates/gate/tests/a.rs", "\"NO_CODE\""),
            ("xtask/src/a.rs", "\"NO_CODE\""),
        ]);
        assert!(listed(&repo).is_empty());
    }

    #[test]
    fn a_test_module_in_another_file_ends_nothing() {
        let source = "#[cfg(test)]\nmod tests;\nx => \"NEW_CODE\",\n";
        assert_eq!(findings(source, "").len(), 1);
    }

    #[test]
    fn only_the_first_cell_lists_a_code() {
        let page =
            "| meaning | `A_CODE` |\n`A_CODE`\n| `A_CODE` and more | x |\n| `GRPC_n` | x |\n";
        assert_eq!(findings("x => \"A_CODE\",\n", page).len(), 1);
    }
}

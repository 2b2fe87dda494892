//! The shape of files and crates: length, documentation, manifests.

use super::{Finding, Repo};

/// A source file longer than this is two files.
const LINES_MAX: usize = 600;
/// `path lines`, one a line: files longer than [`LINES_MAX`] that wait to be split. The list may only shrink.
const OVERSIZE: &str = "xtask/oversize.txt";
/// What a crate is for, what it does not do, its invariants: no shorter than this.
const CRATE_DOC_LINES_MIN: usize = 5;

/// No Rust file is longer than the limit, unless listed with its exact length.
pub(crate) fn length(repo: &Repo) -> Vec<Finding> {
    let listed = listed(repo);
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| file.extension() == "rs") {
        let lines = file.text().unwrap_or_default().lines().count();
        let entry = listed.iter().find(|(path, _)| *path == file.path);
        let (problem, remedy) = match entry {
            None if lines > LINES_MAX => (
                format!("{lines} lines, {LINES_MAX} allowed"),
                "split it by concept",
            ),
            Some((_, allowed)) if lines > LINES_MAX && lines > *allowed => (
                format!("grew to {lines} lines from {allowed}"),
                "split it; a listed file may only shrink",
            ),
            Some((_, allowed)) if lines > LINES_MAX && lines < *allowed => (
                format!("shrank to {lines} lines from {allowed}"),
                "write the new length into xtask/oversize.txt",
            ),
            _ => continue,
        };
        findings.push(Finding {
            place: file.path.clone(),
            problem,
            remedy,
        });
    }
    findings.extend(stale(repo, &listed));
    findings
}

/// Entries whose file is gone or no longer too long.
fn stale(repo: &Repo, listed: &[(&str, usize)]) -> Vec<Finding> {
    listed
        .iter()
        .filter(|(path, _)| {
            repo.text(path)
                .is_none_or(|text| text.lines().count() <= LINES_MAX)
        })
        .map(|(path, _)| Finding {
            place: OVERSIZE.to_owned(),
            problem: format!("`{path}` is gone or short enough"),
            remedy: "remove its line",
        })
        .collect()
}

/// The entries of the list; `#` starts a comment. A length that is no number counts as 0, so that it is found.
fn listed(repo: &Repo) -> Vec<(&str, usize)> {
    let lines = repo.text(OVERSIZE).unwrap_or_default().lines();
    lines
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (path, length) = line.split_once(' ').unwrap_or((line, ""));
            (path, length.trim().parse().unwrap_or(0))
        })
        .collect()
}

/// Every crate under `crates/` opens with its documentation.
pub(crate) fn documentation(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, manifest) in repo.crate_manifests() {
        let roots = ["lib.rs", "main.rs"].map(|root| format!("crates/{name}/src/{root}"));
        let roots: Vec<&String> = roots.iter().filter(|root| repo.has(root)).collect();
        if roots.is_empty() {
            findings.push(Finding {
                place: manifest.path.clone(),
                problem: format!("`{name}` has neither src/lib.rs nor src/main.rs"),
                remedy: "add one, so that its documentation has a place",
            });
        }
        for root in roots {
            let text = repo.text(root).unwrap_or_default();
            let lines = text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .count();
            if lines < CRATE_DOC_LINES_MIN {
                findings.push(Finding {
                    place: root.clone(),
                    problem: format!(
                        "opens with {lines} lines of `//!`, {CRATE_DOC_LINES_MIN} wanted"
                    ),
                    remedy: "say what the crate is for, what it does not do, and its invariants",
                });
            }
        }
    }
    findings
}

/// Every member has a description worth reading and takes the workspace's lints.
pub(crate) fn manifests(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    let members = repo.files.iter().filter(|file| {
        let path = file.path.as_str();
        path.ends_with("/Cargo.toml")
            && (path.starts_with("crates/") || path.matches('/').count() == 1)
    });
    for file in members {
        let Ok(manifest) = file.text().unwrap_or_default().parse::<toml::Table>() else {
            continue; // the TOML rule reports it
        };
        let mut add = |problem: &str, remedy| {
            findings.push(Finding {
                place: file.path.clone(),
                problem: problem.to_owned(),
                remedy,
            });
        };
        let description = manifest
            .get("package")
            .and_then(|package| package.get("description")?.as_str())
            .unwrap_or_default();
        if description.is_empty() || description == "placeholder" {
            add("no `description`", "say in one line what the crate is");
        }
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace")?.as_bool());
        // The root of another workspace has no lints to take.
        if lints != Some(true) && !manifest.contains_key("workspace") {
            add(
                "does not take the workspace's lints",
                "add `[lints]` with `workspace = true`",
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_long_file_must_be_listed_with_its_length() {
        let long = "\n".repeat(LINES_MAX + 1);
        let cases = [
            ("", Some("a.rs: 601 lines, 600 allowed")),
            ("# why\na.rs 601", None),
            ("a.rs 600", Some("a.rs: grew to 601 lines from 600")),
            ("a.rs", Some("a.rs: grew to 601 lines from 0")),
            ("a.rs 700", Some("a.rs: shrank to 601 lines from 700")),
            (
                "a.rs 601\nb.rs 900",
                Some("xtask/oversize.txt: `b.rs` is gone"),
            ),
            (
                "a.rs 601\nc.rs 900",
                Some("xtask/oversize.txt: `c.rs` is gone or short enough"),
            ),
        ];
        for (list, expected) in cases {
            let repo = Repo::of(&[("a.rs", &long), ("c.rs", "\n"), (OVERSIZE, list)]);
            let found = problems(&length(&repo));
            assert_eq!(
                found.len(),
                usize::from(expected.is_some()),
                "{list}: {found:?}"
            );
            assert!(
                found
                    .iter()
                    .all(|found| found.starts_with(expected.unwrap_or_default())),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_file_at_the_limit_passes() {
        let repo = Repo::of(&[("a.rs", &"\n".repeat(LINES_MAX))]);
        assert!(length(&repo).is_empty());
    }

    #[test]
    fn a_crate_opens_with_five_lines_of_documentation() {
        let documented = "//! 1\n//!\n//! 3\n//! 4\n//! 5\n";
        let repo = Repo::of(&[
            ("crates/a/Cargo.toml", ""),
            ("crates/a/src/lib.rs", documented),
            ("crates/b/Cargo.toml", ""),
            ("crates/b/src/lib.rs", documented),
            (
                "crates/b/src/main.rs",
                "//! Short.\n\n//! 2\n//! 3\n//! 4\n//! 5\n",
            ),
            ("crates/c/Cargo.toml", ""),
        ]);
        let found = problems(&documentation(&repo));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/b/src/main.rs: opens with 1 lines"));
        assert!(found[1].starts_with("crates/c/Cargo.toml: `c` has neither"));
    }

    #[test]
    fn a_member_has_a_description_and_the_lints() {
        let good = "[package]\ndescription = \"x\"\n[lints]\nworkspace = true\n";
        let repo = Repo::of(&[
            ("Cargo.toml", "[workspace]\n"),
            ("crates/a/Cargo.toml", good),
            (
                "tests/Cargo.toml",
                "[package]\ndescription = \"placeholder\"\n[lints]\nworkspace = true\n",
            ),
            ("crates/b/Cargo.toml", "[package]\ndescription = \"x\"\n"),
        ]);
        let found = problems(&manifests(&repo));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("crates/b/Cargo.toml: does not take"));
        assert!(found[1].starts_with("tests/Cargo.toml: no `description`"));
    }
}

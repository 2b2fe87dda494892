//! Housekeeping rules: what must hold in this repository and no compiler checks.
//!
//! A rule is a function from the repository's files to findings. It reads nothing else, so that each is tested on
//! made-up files as well as on the repository itself.

mod codes;
mod dependencies;
mod hygiene;
mod links;
mod repo;
mod shape;
mod text;

use std::fmt;
use std::path::Path;

pub(crate) use repo::Repo;

/// One thing that is wrong: what, where, and what to do.
#[derive(Debug)]
pub(crate) struct Finding {
    /// A path in the repository, with `:line` where a line is to blame.
    place: String,
    problem: String,
    remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            problem,
            remedy,
        } = self;
        write!(formatter, "{place}: {problem}; {remedy}")
    }
}

type Rule = fn(&Repo) -> Vec<Finding>;

/// Every rule, by the name its findings are shown under.
const RULES: &[(&str, Rule)] = &[
    ("crate dependencies", dependencies::own),
    ("direct third-party dependencies", dependencies::reserved),
    ("transitive dependencies", dependencies::closure),
    ("unreleased data", dependencies::unreleased),
    ("danger", dependencies::danger),
    ("file length", shape::length),
    ("crate documentation", shape::documentation),
    ("crate manifests", shape::manifests),
    ("whitespace", text::whitespace),
    ("leftover marks", text::marks),
    ("TOML", text::parses),
    ("links", links::relative),
    ("error codes", codes::listed),
    ("package hosts", hygiene::hosts),
    ("machine paths", hygiene::paths),
];

/// Runs every rule on the repository at `root`.
///
/// # Errors
/// All findings, one a line; or the file that could not be read.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let repo = Repo::load(root)?;
    let findings: Vec<String> = RULES
        .iter()
        .flat_map(|(name, rule)| {
            rule(&repo)
                .into_iter()
                .map(move |finding| format!("  {finding} [{name}]"))
        })
        .collect();
    if findings.is_empty() {
        return Ok(());
    }
    let count = findings.len();
    Err(format!(
        "{count} tidy findings\n{}\nrun it alone with `cargo xtask tidy`",
        findings.join("\n")
    ))
}

/// Removes trailing whitespace wherever the whitespace rule would find it.
///
/// # Errors
/// Names the file that could not be read or written.
pub(crate) fn mend_whitespace(root: &Path) -> Result<(), String> {
    let repo = Repo::load(root)?;
    for (path, mended) in text::mended(&repo) {
        std::fs::write(root.join(path), mended)
            .map_err(|error| format!("{path}: could not be written: {error}"))?;
        println!("{path}: trailing whitespace removed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        if let Err(findings) = run(&crate::repository_root()) {
            panic!("{findings}");
        }
    }

    #[test]
    fn a_finding_says_where_what_and_what_to_do() {
        let finding = Finding {
            place: "a.rs:3".to_owned(),
            problem: "has `x`".to_owned(),
            remedy: "remove it",
        };
        assert_eq!(finding.to_string(), "a.rs:3: has `x`; remove it");
    }
}

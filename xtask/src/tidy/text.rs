//! Rules on the text of files: whitespace, leftover marks, TOML.

use super::{Finding, Repo, repo::SourceFile};

/// Extensions of files whose exact bytes matter or that a tool writes: recorded outputs, data, patches.
const EXACT: [&str; 7] = ["csv", "lock", "patch", "snap", "stderr", "stdout", "svg"];
/// Extensions of files that hold source code, in which a mark means unfinished work.
const SOURCE: [&str; 11] = [
    "c", "css", "h", "html", "js", "proto", "py", "rs", "sh", "ts", "wit",
];
/// Spelt in pieces, so that this file does not find itself.
const MARKS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
];

/// No line ends in whitespace, and no Rust file holds a tab.
pub(crate) fn whitespace(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| is_written_by_hand(file)) {
        for (number, line) in file.text().unwrap_or_default().split('\n').enumerate() {
            let mut add = |problem: &str, remedy| {
                findings.push(Finding {
                    place: format!("{}:{}", file.path, number + 1),
                    problem: problem.to_owned(),
                    remedy,
                });
            };
            if line != line.trim_end() {
                add("trailing whitespace", "run `cargo xtask fix`");
            }
            if file.extension() == "rs" && line.contains('\t') {
                add("a tab", "indent with spaces; write `\\t` in a literal");
            }
        }
    }
    findings
}

/// Path and new text of each file with trailing whitespace.
pub(crate) fn mended(repo: &Repo) -> impl Iterator<Item = (&str, String)> {
    repo.files
        .iter()
        .filter(|file| is_written_by_hand(file))
        .filter_map(|file| {
            let text = file.text()?;
            let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
            let mended = lines.join("\n");
            (mended != text).then_some((file.path.as_str(), mended))
        })
}

fn is_written_by_hand(file: &SourceFile) -> bool {
    !EXACT.contains(&file.extension())
}

/// No source file holds a mark of unfinished work.
pub(crate) fn marks(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo
        .files
        .iter()
        .filter(|file| SOURCE.contains(&file.extension()))
    {
        for (number, line) in file.text().unwrap_or_default().lines().enumerate() {
            for mark in MARKS.iter().filter(|mark| has_word(line, mark)) {
                findings.push(Finding {
                    place: format!("{}:{}", file.path, number + 1),
                    problem: format!("`{mark}`"),
                    remedy: "finish it, or open an issue and remove the mark",
                });
            }
        }
    }
    findings
}

/// Every policy, manifest and configuration that ships is TOML. Broken ones for tests belong inside the tests.
pub(crate) fn parses(repo: &Repo) -> Vec<Finding> {
    let files = repo.files.iter().filter(|file| file.extension() == "toml");
    files
        .filter_map(|file| {
            let error = match file.text() {
                None => "not UTF-8 text".to_owned(),
                Some(text) => text.parse::<toml::Table>().err()?.message().to_owned(),
            };
            Some(Finding {
                place: file.path.clone(),
                problem: format!("not valid TOML ({error})"),
                remedy: "correct it",
            })
        })
        .collect()
}

/// Whether `line` holds `word` with no letter, digit or underscore beside it.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, found)| {
        let before = line[..start].chars().next_back();
        let after = line[start + found.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(findings: &[Finding]) -> Vec<&str> {
        findings
            .iter()
            .map(|finding| finding.place.as_str())
            .collect()
    }

    #[test]
    fn trailing_whitespace_is_found_and_mended() {
        let repo = Repo::of(&[
            ("a.md", "x \ny\r\nz"),
            ("b.csv", "x \n"),
            ("c.rs", "x\n\ty\n"),
        ]);
        assert_eq!(places(&whitespace(&repo)), ["a.md:1", "a.md:2", "c.rs:2"]);
        let mended: Vec<_> = mended(&repo).collect();
        assert_eq!(mended, [("a.md", "x\ny\nz".to_owned())]);
    }

    #[test]
    fn marks_are_whole_words_in_source_files() {
        for mark in MARKS {
            let repo = Repo::of(&[
                ("a.rs", &format!("x\n// {mark}: y\n")),
                ("b.rs", &format!("let {mark}_MAX = 1; // x{mark}\n")),
                ("c.md", mark),
            ]);
            assert_eq!(places(&marks(&repo)), ["a.rs:2"]);
        }
    }

    #[test]
    fn toml_must_parse() {
        let repo = Repo::of(&[
            ("policies/good.toml", "a = 1\n"),
            ("policies/bad.toml", "a = \n"),
            ("policies/binary.toml", "a\0"),
        ]);
        assert_eq!(
            places(&parses(&repo)),
            ["policies/bad.toml", "policies/binary.toml"]
        );
    }

    #[test]
    fn words_end_at_the_edges_of_a_line() {
        assert!(has_word("ab", "ab") && has_word("(ab)", "ab") && has_word("xab ab", "ab"));
        assert!(!has_word("xab abx", "ab") && !has_word("", "ab") && !has_word("äab", "ab"));
    }
}

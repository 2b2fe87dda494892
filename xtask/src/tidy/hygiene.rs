//! The repository speaks of Weir alone: nothing in it tells where it was built or where its packages came from.

use super::{Finding, Repo, repo::SourceFile};

/// Hosts of package registries and mirrors, spelt in pieces so that this file does not find itself.
const HOSTS: [&str; 5] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("deb.", "debian.org"),
];
/// Absolute folders of a developer's machine, spelt in pieces likewise.
const PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// No file names a package host. `Cargo.lock` has to, in the lines where cargo writes a package's source.
pub(crate) fn hosts(repo: &Repo) -> Vec<Finding> {
    search(
        repo,
        &HOSTS,
        "drop it or name the package instead",
        |line, _| line.starts_with(b"source = \"registry+https://"),
    )
}

/// No file, not even a binary one, holds a path of the machine it was made on.
pub(crate) fn paths(repo: &Repo) -> Vec<Finding> {
    search(
        repo,
        &PATHS,
        "use a path relative to the repository, or a made-up one",
        |line, start| {
            // Preceded by part of a path, it is the middle of a longer, harmless one.
            start > 0
                && (line[start - 1].is_ascii_alphanumeric() || b"._-*}>".contains(&line[start - 1]))
        },
    )
}

/// Lines that hold one of `words`, unless `exempt(line, position)` says otherwise.
fn search(
    repo: &Repo,
    words: &[&str],
    remedy: &'static str,
    exempt: fn(&[u8], usize) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.files {
        for (number, line) in file.bytes.split(|byte| *byte == b'\n').enumerate() {
            for word in words {
                let hit = (positions(line, word.as_bytes())).any(|start| !exempt(line, start));
                if hit {
                    findings.push(Finding {
                        place: place(file, number + 1),
                        problem: format!("holds `{word}`"),
                        remedy,
                    });
                }
            }
        }
    }
    findings
}

/// Lines mean nothing in a binary file.
fn place(file: &SourceFile, line: usize) -> String {
    match file.text() {
        Some(_) => format!("{}:{line}", file.path),
        None => file.path.clone(),
    }
}

fn positions<'a>(line: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    line.windows(word.len())
        .enumerate()
        .filter(move |(_, window)| *window == word)
        .map(|(start, _)| start)
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
    fn every_host_is_found_except_as_a_source_in_the_lock_file() {
        for host in HOSTS {
            let source =
                format!("source = \"registry+https://github.com/rust-lang/{host}-index\"\n");
            let repo = Repo::of(&[
                ("Cargo.lock", &source),
                ("README.md", &format!("one\nsee {host}\n")),
            ]);
            assert_eq!(places(&hosts(&repo)), ["README.md:2"], "{host}");
        }
    }

    #[test]
    fn machine_paths_are_found_in_text_and_in_binaries() {
        for path in PATHS {
            let repo = Repo::of(&[
                ("a.md", &format!("`{path}x`\n")),
                ("b.rs", &format!("\"{path}main\"\n")),
                ("c.wasm", &format!("\0{path}main\0")),
                ("d.md", &format!("a/frame{path}x target{path}x\n")),
            ]);
            assert_eq!(
                places(&paths(&repo)),
                ["a.md:1", "b.rs:1", "c.wasm"],
                "{path}"
            );
        }
    }
}

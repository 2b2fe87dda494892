//! What a crate reaches through others, read from `Cargo.lock`: a manifest shows direct dependencies only.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{OWN_PREFIX, is_of_family};
use crate::tidy::{Finding, Repo};

/// Crates under `crates/` and the packages, with their families, that none of their dependencies may bring, test
/// dependencies included. The gate cannot talk to the network, read a query or wait for anything; outside has no way to
/// raw data; no one but `model` (and who goes through it) reaches the WebAssembly runtime.
const NEVER_REACHES: &[(&str, &[&str])] = &[
    ("api", &["datafusion", "wasmtime"]),
    ("audit", &["datafusion", "wasmtime"]),
    ("client", &["datafusion", "wasmtime"]),
    (
        "gate",
        &["datafusion", "reqwest", "tokio", "tonic", "wasmtime"],
    ),
    ("outside", &["wasmtime", "weir-inside", "weir-vault"]),
    ("policy", &["datafusion", "wasmtime"]),
    ("registry", &["datafusion", "wasmtime"]),
    ("vault", &["wasmtime"]),
];

/// No crate reaches, over any number of steps, what the table denies it.
pub(crate) fn closure(repo: &Repo) -> Vec<Finding> {
    let packages = locked(repo.text("Cargo.lock").unwrap_or_default());
    let mut findings = Vec::new();
    for (name, denied) in NEVER_REACHES {
        let package = format!("{OWN_PREFIX}{name}");
        let manifest = format!("crates/{name}/Cargo.toml");
        if repo.has(&manifest) && positions(&packages, &package).is_empty() {
            findings.push(Finding {
                place: "Cargo.lock".to_owned(),
                problem: format!("`{package}` is not in it, so that what it reaches is unknown"),
                remedy: "run `cargo check` and commit the lock file",
            });
        }
        for reached in reachable(&packages, &package) {
            if denied.iter().any(|family| is_of_family(&reached, family)) {
                findings.push(Finding {
                    place: manifest.clone(),
                    problem: format!("`{name}` reaches `{reached}` through its dependencies"),
                    remedy: "find the way with `cargo tree --invert` and drop the dependency or the feature that brings it",
                });
            }
        }
    }
    findings
}

struct Package {
    name: String,
    version: String,
    /// As written in the lock file: a name, and the version where the name alone is ambiguous.
    dependencies: Vec<String>,
}

fn locked(lock: &str) -> Vec<Package> {
    let lock: Table = lock.parse().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    list(lock.get("package"))
        .iter()
        .map(|package| Package {
            name: text(package.get("name")),
            version: text(package.get("version")),
            dependencies: list(package.get("dependencies"))
                .iter()
                .map(|dependency| text(Some(dependency)))
                .collect(),
        })
        .collect()
}

/// The names of all packages that `start` depends on, directly or not; never `start` itself.
fn reachable(packages: &[Package], start: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = positions(packages, start);
    while let Some(position) = open.pop() {
        for dependency in &packages[position].dependencies {
            for next in positions(packages, dependency) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
    seen.into_iter()
        .map(|position| packages[position].name.clone())
        .collect()
}

fn positions(packages: &[Package], reference: &str) -> Vec<usize> {
    let mut words = reference.split(' ');
    let name = words.next().unwrap_or_default();
    let version = words.next();
    let matches = |package: &Package| {
        package.name == name && version.is_none_or(|wanted| package.version == wanted)
    };
    (0..packages.len())
        .filter(|position| matches(&packages[*position]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        [[package]]
        name = "weir-gate"
        version = "0.1.0"
        dependencies = ["helper 2.0.0", "serde"]

        [[package]]
        name = "helper"
        version = "1.0.0"
        dependencies = ["serde"]

        [[package]]
        name = "helper"
        version = "2.0.0"
        dependencies = ["tokio-util", "helper 1.0.0"]

        [[package]]
        name = "tokio-util"
        version = "0.7.0"
        dependencies = ["weir-gate"]

        [[package]]
        name = "serde"
        version = "1.0.0"
    "#;

    #[test]
    fn what_comes_over_two_steps_is_found() {
        let found = closure(&Repo::of(&[("Cargo.lock", LOCK)]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .to_string()
                .starts_with("crates/gate/Cargo.toml: `gate` reaches `tokio-util`")
        );
    }

    #[test]
    fn another_version_of_the_same_name_is_another_package() {
        let lock = LOCK.replacen("helper 2.0.0", "helper 1.0.0", 1);
        assert!(closure(&Repo::of(&[("Cargo.lock", &lock)])).is_empty());
    }

    #[test]
    fn a_crate_missing_from_the_lock_file_is_found() {
        let found = closure(&Repo::of(&[
            ("Cargo.lock", ""),
            ("crates/gate/Cargo.toml", ""),
        ]));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .to_string()
                .starts_with("Cargo.lock: `weir-gate` is not in it")
        );
    }

    #[test]
    fn a_lock_file_that_is_no_toml_has_no_packages() {
        assert!(locked("[[package").is_empty());
    }
}

//! Who may depend on whom. The crate map of `ARCHITECTURE.md` as a table that a test holds the manifests against.

use std::collections::BTreeSet;

use toml::Table;

use super::{Finding, Repo};

mod lock;

pub(crate) use lock::closure;

/// The prefix of our own packages: the crate in `crates/gate` is the package `weir-gate`.
pub(super) const OWN_PREFIX: &str = "weir-";

/// Crates under `crates/` and the crates of ours each may depend on, for tests and build scripts too.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("audit", &[]),
    (
        "bench",
        &[
            "audit",
            "catalogue",
            "client",
            "gate",
            "inside",
            "ledger",
            "model",
            "outside",
            "policy",
            "server",
            "vault",
        ],
    ),
    ("catalogue", &[]),
    (
        "cli",
        &[
            "api",
            "audit",
            "bench",
            "catalogue",
            "client",
            "model",
            "policy",
            "report",
            "server",
            "vault",
        ],
    ),
    ("client", &["api", "audit"]),
    ("gate", &["ledger", "policy"]),
    (
        "inside",
        &["catalogue", "gate", "ledger", "model", "policy", "vault"],
    ),
    ("ledger", &[]),
    ("model", &[]),
    ("outside", &["gate"]),
    ("policy", &[]),
    ("registry", &[]),
    ("report", &["audit"]),
    (
        "server",
        &[
            "api",
            "audit",
            "catalogue",
            "gate",
            "inside",
            "ledger",
            "model",
            "outside",
            "policy",
            "registry",
            "vault",
            "watch",
        ],
    ),
    ("vault", &["catalogue"]),
    ("watch", &["audit"]),
];

/// Third-party crates, with all whose name continues theirs after a dash, and the crates under `crates/` that alone
/// may name them in a manifest.
const RESERVED: &[(&str, &[&str])] = &[
    ("wasmtime", &["model"]),
    ("datafusion", &["bench", "inside", "outside", "vault"]),
];

/// The crates in which unreleased data has a name: it is made in one and judged in the other.
const KNOW_UNRELEASED: [&str; 2] = ["gate", "inside"];

/// Each crate under `crates/` depends only on those of ours that the table grants it.
pub(crate) fn own(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, manifest) in repo.crate_manifests() {
        let Some((_, granted)) = MAY_DEPEND.iter().find(|(known, _)| *known == name) else {
            findings.push(Finding {
                place: manifest.path.clone(),
                problem: format!("the crate `{name}` is not in the dependency table"),
                remedy: "add it to MAY_DEPEND in xtask/src/tidy/dependencies.rs and to ARCHITECTURE.md",
            });
            continue;
        };
        let used = dependencies(repo, &manifest.path);
        for other in used
            .iter()
            .filter_map(|package| package.strip_prefix(OWN_PREFIX))
        {
            if !granted.contains(&other) {
                findings.push(Finding {
                    place: manifest.path.clone(),
                    problem: format!("`{name}` depends on `{other}`, which it may not"),
                    remedy: "move the code to where the dependency is allowed (MAY_DEPEND in xtask/src/tidy/dependencies.rs)",
                });
            }
        }
    }
    findings
}

/// Only the crates named in the table depend directly on the engine and on the WebAssembly runtime.
pub(crate) fn reserved(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, manifest) in repo.crate_manifests() {
        for package in dependencies(repo, &manifest.path) {
            let barred = RESERVED.iter().any(|(reserved, holders)| {
                is_of_family(&package, reserved) && !holders.contains(&name)
            });
            if barred {
                findings.push(Finding {
                    place: manifest.path.clone(),
                    problem: format!("`{name}` depends on `{package}`, which is reserved to other crates"),
                    remedy: "go through the crate that holds it (RESERVED in xtask/src/tidy/dependencies.rs)",
                });
            }
        }
    }
    findings
}

/// `Unreleased` is named in code by the gate and by inside alone: no one else has a reason to hold it by its name.
pub(crate) fn unreleased(repo: &Repo) -> Vec<Finding> {
    const NAME: &str = "Unreleased";
    let mut findings = Vec::new();
    for file in &repo.files {
        let knows = file
            .crate_name()
            .is_some_and(|name| KNOW_UNRELEASED.contains(&name));
        if file.extension() != "rs" || knows || file.path.starts_with("xtask/") {
            continue;
        }
        for (number, line) in file.text().unwrap_or_default().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if super::text::has_word(code, NAME) {
                findings.push(Finding {
                    place: format!("{}:{}", file.path, number + 1),
                    problem: format!("names `{NAME}` outside the crates `gate` and `inside`"),
                    remedy: "pass the value on without naming it, or move the code into `inside`",
                });
            }
        }
    }
    findings
}

/// What explains a failed row is named by the crate that has it and by the command line, which runs it where no data is.
pub(crate) fn danger(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &repo.files {
        let may = file
            .crate_name()
            .is_none_or(|name| ["cli", "model"].contains(&name));
        if file.extension() != "rs" || may {
            continue;
        }
        for (number, line) in file.text().unwrap_or_default().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            // A module of the TLS library has that name, too.
            let code = code.replace("rustls::server::danger::", "");
            if super::text::has_word(&code, "danger") {
                findings.push(Finding {
                    place: format!("{}:{}", file.path, number + 1),
                    problem: "names `danger` outside the crates `cli` and `model`".to_owned(),
                    remedy: "where data is, a failed row says nothing: do without the reason",
                });
            }
        }
    }
    findings
}

/// Whether `package` is `family` or one of its crates (`family-…`).
pub(super) fn is_of_family(package: &str, family: &str) -> bool {
    package
        .strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The packages a manifest depends on, by any kind of dependency and for any target, renames resolved. A manifest that
/// does not parse has none: the TOML rule reports it.
fn dependencies(repo: &Repo, path: &str) -> BTreeSet<String> {
    let manifest = parse(repo, path);
    let root = parse(repo, "Cargo.toml");
    let shared = table(&root, "workspace").and_then(|workspace| table(workspace, "dependencies"));
    let targets = table(&manifest, "target")
        .into_iter()
        .flat_map(Table::values);
    let sections = targets
        .filter_map(toml::Value::as_table)
        .chain([&manifest])
        .flat_map(|section| {
            ["dependencies", "dev-dependencies", "build-dependencies"]
                .map(|kind| table(section, kind))
        });
    sections
        .flatten()
        .flatten()
        .map(|(key, value)| package_name(key, value, shared))
        .collect()
}

/// The package behind a dependency's key: renamed here, renamed in the workspace, or the key itself.
fn package_name(key: &str, value: &toml::Value, shared: Option<&Table>) -> String {
    let package = |value: &toml::Value| Some(value.get("package")?.as_str()?.to_owned());
    package(value)
        .or_else(|| package(shared?.get(key)?))
        .unwrap_or_else(|| key.to_owned())
}

fn parse(repo: &Repo, path: &str) -> Table {
    repo.text(path)
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

fn table<'a>(parent: &'a Table, key: &str) -> Option<&'a Table> {
    parent.get(key)?.as_table()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_granted_dependency_passes_and_another_is_found() {
        let repo = Repo::of(&[
            (
                "crates/gate/Cargo.toml",
                "[dependencies]\nweir-policy.workspace = true\n",
            ),
            (
                "crates/outside/Cargo.toml",
                "[dependencies]\nweir-vault.workspace = true\n",
            ),
        ]);
        let found = problems(&own(&repo));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/outside/Cargo.toml: `outside` depends on `vault`"));
    }

    #[test]
    fn no_kind_of_dependency_and_no_rename_escapes() {
        let root = "[workspace.dependencies]\nstore = { package = \"weir-vault\", path = \"crates/vault\" }\n";
        for manifest in [
            "[dev-dependencies]\nweir-vault.workspace = true\n",
            "[build-dependencies]\nweir-vault = { path = \"../vault\" }\n",
            "[target.'cfg(unix)'.dependencies]\nweir-vault.workspace = true\n",
            "[dependencies]\nv = { package = \"weir-vault\", path = \"../vault\" }\n",
            "[dependencies]\nstore.workspace = true\n",
        ] {
            let repo = Repo::of(&[("Cargo.toml", root), ("crates/gate/Cargo.toml", manifest)]);
            assert_eq!(own(&repo).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn an_unknown_crate_must_be_added_to_the_table() {
        let repo = Repo::of(&[("crates/novel/Cargo.toml", "")]);
        assert!(problems(&own(&repo))[0].contains("`novel` is not in the dependency table"));
    }

    #[test]
    fn the_runtime_and_the_engine_are_reserved() {
        let repo = Repo::of(&[
            (
                "crates/model/Cargo.toml",
                "[dependencies]\nwasmtime = \"1\"\n",
            ),
            (
                "crates/inside/Cargo.toml",
                "[dependencies]\nwasmtime-wasi = \"1\"\n",
            ),
            (
                "crates/server/Cargo.toml",
                "[dependencies]\ndatafusion = \"1\"\n",
            ),
            (
                "crates/cli/Cargo.toml",
                "[dependencies]\nwasmtimer = \"1\"\n",
            ),
        ]);
        let found = problems(&reserved(&repo));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`inside` depends on `wasmtime-wasi`"));
        assert!(found[1].contains("`server` depends on `datafusion`"));
    }

    #[test]
    fn danger_is_found_where_data_is() {
        let repo = Repo::of(&[
            (
                "crates/cli/src/check.rs",
                "use weir_model::danger::Tracer;\n",
            ),
            (
                "crates/server/src/run.rs",
                "// no danger\nuse weir_model::danger::Tracer;\nuse rustls::server::danger::ClientCertVerifier;\n",
            ),
        ]);
        let found = problems(&danger(&repo));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/server/src/run.rs:2:"));
    }

    #[test]
    fn unreleased_is_found_in_code_but_not_in_comments_or_longer_words() {
        let repo = Repo::of(&[
            ("crates/gate/src/lib.rs", "pub struct Unreleased;\n"),
            (
                "crates/server/src/run.rs",
                "// Unreleased\nlet x = UnreleasedRows;\nuse weir_gate::Unreleased;\n",
            ),
        ]);
        let found = problems(&unreleased(&repo));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("crates/server/src/run.rs:3:"));
    }
}

//! Every file of a domain, changed by somebody with write access: what says so, and where.
//!
//! The log's files have a table of their own (`crates/audit/tests/log/table.rs`); here they are beside all the others, as the
//! server, a run, a replay and a verification of the whole see them. Each change is made to a copy of a domain that is not
//! served. The table is `docs/tampering.md`, and is held against what happens.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use weir_audit::{VerifierKey, verify_log};
use weir_client::v1::{ReplayReleaseRequest, Role, RunRequest};
use weir_client::{Client, IdentityFolder};
use weir_server::{Domain, create_backup};
use weir_tests::{OPERATOR, TestDomain, issue};

const SQL: &str =
    "SELECT carrier, band, COUNT(*) AS n FROM disruption(flights) GROUP BY carrier, band";

/// Ways to change a file.
#[derive(Clone, Copy, Debug)]
enum Way {
    Flip,
    Cut,
    Insert,
    Swap,
    Remove,
}

const WAYS: [Way; 5] = [Way::Flip, Way::Cut, Way::Insert, Way::Swap, Way::Remove];

impl Way {
    fn change(self, file: &Path) {
        let mut bytes = fs::read(file).unwrap();
        let half = bytes.len() / 2;
        match self {
            Self::Flip => {
                if let Some(byte) = bytes.get_mut(half) {
                    *byte ^= 1;
                }
            }
            Self::Cut => bytes.truncate(half),
            Self::Insert => bytes.insert(half, b'x'),
            Self::Swap => bytes.rotate_left(half),
            Self::Remove => return fs::remove_file(file).unwrap(),
        }
        let mode = fs::metadata(file).unwrap().permissions();
        fs::write(file, bytes).unwrap();
        fs::set_permissions(file, mode).unwrap();
    }
}

/// A file's name without what is another in every domain.
fn kind(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["vault", "keys", file] => format!("vault/keys/{}", file.split('-').next().unwrap()),
        ["vault", "populations", _] => "vault/populations/…".to_owned(),
        ["vault", "snapshots", _, file] => {
            let stem = file.split(|c: char| c.is_ascii_digit()).next().unwrap();
            format!("vault/snapshots/…/{stem}…")
        }
        _ => name.to_owned(),
    }
}

fn files(root: &Path, below: &Path, found: &mut Vec<String>) {
    for item in fs::read_dir(below).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
    found.sort();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

struct People {
    operator: IdentityFolder,
    auditor: IdentityFolder,
    run: String,
    key: VerifierKey,
}

/// Uses a domain in every way, and answers with the first complaint, and who has it.
async fn complaint(root: &Path, people: &People) -> Option<String> {
    if let Err(error) = verify_log(&root.join("log"), &people.key, &mut |_, _| {}) {
        return Some(format!("`audit verify`: {}", error.code()));
    }
    let public = fs::read_to_string(root.join("log.vkey")).unwrap_or_default();
    let public_differs = public.trim() != people.key.to_string();
    let opened = match Domain::open(root).await {
        Ok(domain) => weir_server::serve(domain).await,
        Err(fault) => Err(fault),
    };
    let serving = match opened {
        Ok(serving) => serving,
        Err(fault) => return Some(format!("`serve`: {}", fault.code)),
    };
    let at = |identity: &IdentityFolder| IdentityFolder {
        server_url: format!("https://{}", serving.address()),
        ..identity.clone()
    };
    let found = async {
        let Ok(operator) = Client::connect(&at(&people.operator)).await else {
            return Some("clients: not the server's authority".to_owned());
        };
        let Ok(auditor) = Client::connect(&at(&people.auditor)).await else {
            return Some("clients: not the server's authority".to_owned());
        };
        for (what, run) in [("the old run", people.run.as_str()), ("a run", "")] {
            let request = RunRequest {
                sql: SQL.to_owned(),
                run_id: run.to_owned(),
                ..Default::default()
            };
            if let Err(error) = operator.run(request, |_| {}).await {
                return Some(format!("{what}: {}", error.code()));
            }
        }
        let request = ReplayReleaseRequest {
            release: people.run.clone(),
            ..Default::default()
        };
        match auditor.replay_release(request, |_| {}).await {
            Err(error) => Some(format!("`audit replay`: {}", error.code())),
            Ok(replay) if !replay.same => Some("`audit replay`: not the same".to_owned()),
            Ok(_) => None,
        }
    }
    .await;
    serving.stop().await.unwrap();
    if found.is_some() {
        return found;
    }
    // What is damaged and was not needed so far is needed for a backup.
    let backup = root.with_extension("backup");
    if let Err(fault) = create_backup(root, &backup, None).await {
        return Some(format!("`backup create`: {}", fault.code));
    }
    public_differs.then(|| "mended: written again by `serve`".to_owned())
}

/// What `docs/tampering.md` says of these files: the rows of its second table.
fn documented() -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tampering.md");
    let text = fs::read_to_string(file).unwrap();
    let (_, after) = text.split_once("## The other files").unwrap();
    let rows = after.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        (format!("{} | {}", cells[0], cells[1]), cells[2].to_owned())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_file_that_is_changed_is_noticed() {
    let domain = TestDomain::with_flights().await;
    let request = RunRequest {
        sql: SQL.to_owned(),
        ..Default::default()
    };
    let run = domain.operator.run(request, |_| {}).await.unwrap().run_id;
    let identity = async |role, of| issue(&domain.bureau, &domain.administrator, role, of).await;
    let people = People {
        operator: identity(Role::Operator, OPERATOR).await,
        auditor: identity(Role::Auditor, "Audit Office").await,
        run,
        key: domain.operator.log_key().clone(),
    };
    let (folder, guard) = domain.stop().await;
    // Two starts, as any domain has had.
    let again = Domain::open(folder.root()).await.unwrap();
    weir_server::serve(again)
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let mut names = Vec::new();
    files(folder.root(), folder.root(), &mut names);
    // The log has its own table; the cache may be emptied at any time; identities and what is registered are people's.
    let own = ["log/", "cache/", "identities/", "inbox/"];
    let names = names
        .into_iter()
        .filter(|name| !own.iter().any(|own| name.starts_with(own)));

    let place = |number: usize| -> PathBuf { guard.path().join(format!("case-{number}")) };
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (number, (name, way)) in names
        .flat_map(|name| WAYS.map(|way| (name.clone(), way)))
        .enumerate()
    {
        let root = place(number);
        copy(folder.root(), &root);
        way.change(&root.join(&name));
        let told = complaint(&root, &people).await;
        let told = told.unwrap_or_else(|| "nothing".to_owned());
        let row = format!("`{}` | {way:?}", kind(&name));
        let all = found.entry(row).or_default();
        if !all.contains(&told) {
            all.push(told);
        }
        fs::remove_dir_all(&root).unwrap();
        drop(fs::remove_dir_all(root.with_extension("backup")));
    }
    let found: BTreeMap<String, String> = found
        .into_iter()
        .map(|(row, mut told)| {
            told.sort();
            (row, told.join("; "))
        })
        .collect();
    let shown = |rows: &BTreeMap<String, String>| {
        let rows = rows.iter().map(|(row, told)| format!("| {row} | {told} |"));
        rows.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(documented(), found, "the table is now:\n{}", shown(&found));
}

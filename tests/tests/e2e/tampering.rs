//! Every file of a domain, changed by somebody with write access: what says so, and where.
//!
//! The log's files have a table of their own (`crates/audit/tests/log/table.rs`); here they are beside all the others, as the
//! server, a run, a replay and a verification of the whole see them. Each change is made to a copy of a domain that is not
//! served. The table is `docs/tampering.md`, and is held against what happens; no row of it may say *nothing*.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use weir_audit::{Event, Log, LogKey, VerifierKey, verify_log};
use weir_client::v1::{
    DestroySnapshotRequest, KeyKind, PutPolicyRequest, RegisterDatasetRequest,
    ReplayReleaseRequest, Role, RunRequest,
};
use weir_client::{Client, IdentityFolder};
use weir_server::{Domain, Folder, Serving, check_domain, create_backup};
use weir_tests::{EXACT_POLICY, OPERATOR, TestDomain, issue};

const SQL: &str =
    "SELECT carrier, band, COUNT(*) AS n FROM disruption(flights) GROUP BY carrier, band";

const SQL_MORE: &str = "SELECT kind, COUNT(*) AS n FROM more GROUP BY kind";

/// More aircraft, so that the population grows.
const MORE: &str = r#"
name = "more"
population = "aircraft"
unit = "tailnum"
description = "Other aircraft"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "tailnum"
type = "string"
role = "identifier"
description = "Which"
[[column]]
name = "kind"
type = "string"
role = "quasi-identifier"
description = "Of which kind"
domain = ["glider", "balloon"]
"#;

/// So many of them, named after whoever has them.
fn more_aircraft(count: usize, of: &str) -> String {
    let row = |at: usize| format!("{of}{at},{}\n", ["glider", "balloon"][at % 2]);
    let rows: String = (0..count).map(row).collect();
    format!("tailnum,kind\n{rows}")
}

/// Ways to change a file.
#[derive(Clone, Copy, Debug)]
enum Way {
    Flip,
    Cut,
    Insert,
    Swap,
    Remove,
    /// The file as it was before.
    RollBack,
    /// The file of a copy of the domain that went another way.
    Fork,
    /// The file of another domain.
    Foreign,
}

const WAYS: [Way; 8] = [
    Way::Flip,
    Way::Cut,
    Way::Insert,
    Way::Swap,
    Way::Remove,
    Way::RollBack,
    Way::Fork,
    Way::Foreign,
];

/// Where other files are taken from.
struct Others {
    older: PathBuf,
    forked: PathBuf,
    foreign: PathBuf,
}

impl Others {
    /// The bytes of the same file elsewhere: of the same name, or else of the same kind.
    fn of(&self, root: &Path, name: &str) -> Option<Vec<u8>> {
        if let Ok(bytes) = fs::read(root.join(name)) {
            return Some(bytes);
        }
        let mut names = Vec::new();
        files(root, root, &mut names);
        let same = names.into_iter().find(|other| kind(other) == kind(name))?;
        fs::read(root.join(same)).ok()
    }
}

impl Way {
    /// Changes a file; says whether there was anything to change.
    fn change(self, root: &Path, name: &str, others: &Others) -> bool {
        let file = root.join(name);
        let before = fs::read(&file).unwrap();
        let mut bytes = before.clone();
        let half = bytes.len() / 2;
        match self {
            Self::Flip if name == "registry.sqlite" => {
                // A bit of a row: half of a page may be no part of anything (`registry/src/seal/tests.rs` tries them all).
                let names = OPERATOR.as_bytes();
                let at = bytes.windows(names.len()).rposition(|part| part == names);
                bytes[at.unwrap()] ^= 1;
            }
            Self::Flip if ["vault/vault.json", "keys/master.key"].contains(&name) => {
                // A digit that stays one, so that it does not depend on luck whether the file can be read.
                let digit = (half..bytes.len()).find(|at| bytes[*at].is_ascii_digit());
                bytes[digit.unwrap()] ^= 1;
            }
            Self::Flip => {
                if let Some(byte) = bytes.get_mut(half) {
                    *byte ^= 1;
                }
            }
            Self::Cut => bytes.truncate(half),
            Self::Insert => bytes.insert(half, b'x'),
            Self::Swap => bytes.rotate_left(half),
            Self::Remove => {
                fs::remove_file(&file).unwrap();
                return true;
            }
            Self::RollBack | Self::Fork | Self::Foreign => {
                let from = match self {
                    Self::RollBack => &others.older,
                    Self::Fork => &others.forked,
                    _ => &others.foreign,
                };
                match others.of(from, name) {
                    Some(other) => bytes = other,
                    None => return false,
                }
            }
        }
        let mode = fs::metadata(&file).unwrap().permissions();
        fs::write(&file, &bytes).unwrap();
        fs::set_permissions(&file, mode).unwrap();
        bytes != before
    }
}

/// A file's name without what is another in every domain.
fn kind(name: &str) -> String {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["vault", "keys", file] => format!("vault/keys/{}", file.split('-').next().unwrap()),
        ["vault", "destroyed", _] => "vault/destroyed/…".to_owned(),
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
    bureau: IdentityFolder,
    operator: IdentityFolder,
    auditor: IdentityFolder,
    run: String,
    key: VerifierKey,
}

impl People {
    async fn connect(serving: &Serving, identity: &IdentityFolder) -> Option<Client> {
        let identity = IdentityFolder {
            server_url: format!("https://{}", serving.address()),
            ..identity.clone()
        };
        Client::connect(&identity).await.ok()
    }

    /// Lets a domain go on: data, releases, policy and keys are others afterwards.
    async fn go_on(&self, root: &Path, inbox: &Path, name: &str) {
        let serving = weir_server::serve(Domain::open(root).await.unwrap())
            .await
            .unwrap();
        let bureau = Self::connect(&serving, &self.bureau).await.unwrap();
        let operator = Self::connect(&serving, &self.operator).await.unwrap();
        let file = inbox.join(format!("{name}.csv"));
        fs::write(&file, more_aircraft(90, name)).unwrap();
        let update = RegisterDatasetRequest {
            manifest_toml: MORE.to_owned(),
            manifest_name: "more.toml".to_owned(),
            source_path: file.display().to_string(),
            update: true,
        };
        // Of three snapshots one is destroyed, and one is there and read by nobody.
        let of = bureau.register_dataset(update.clone(), |_| {}).await;
        let middle = of.unwrap().snapshot;
        bureau.register_dataset(update, |_| {}).await.unwrap();
        let destroyed = DestroySnapshotRequest {
            dataset: "more".to_owned(),
            snapshot: middle,
            reason: format!("what {name} needs"),
        };
        bureau.destroy_snapshot(destroyed).await.unwrap();
        let request = RunRequest {
            sql: format!("SELECT origin AS {name}, COUNT(*) AS n FROM flights GROUP BY origin"),
            ..Default::default()
        };
        operator.run(request, |_| {}).await.unwrap();
        let put = PutPolicyRequest {
            text: EXACT_POLICY.replacen("[cell]", "[cell]\nunits_min = 12", 1),
            source_name: "tighter.toml".to_owned(),
            dataset: String::new(),
        };
        assert_ne!(put.text, EXACT_POLICY);
        bureau.put_policy(put).await.unwrap();
        for key in [KeyKind::Signing, KeyKind::Authority, KeyKind::Master] {
            bureau.rotate_key(key).await.unwrap();
        }
        drop((bureau, operator));
        serving.stop().await.unwrap();
    }
}

/// Copies that the server writes for people, and writes again where they were changed.
const COPIES: [&str; 3] = ["log.vkey", "keys/authority.pem", "policy.toml"];

fn copies(root: &Path) -> [Option<Vec<u8>>; 3] {
    COPIES.map(|name| fs::read(root.join(name)).ok())
}

/// Whether the log says that the settings were edited.
fn settings_are_on_record(root: &Path) -> bool {
    let folder = Folder::new(root);
    let key = LogKey::load(&root.join("keys/log.key")).unwrap();
    let log = Log::open(&folder.log(), key).unwrap();
    let entries = log.entries(0..log.size()).unwrap();
    let is_change = |event: &Event| matches!(event, Event::SettingsChanged { .. });
    entries.iter().any(|entry| is_change(&entry.event))
}

/// Uses a domain in every way, and answers with the first complaint, and who has it.
async fn complaint(root: &Path, people: &People) -> Option<String> {
    if let Err(error) = verify_log(&root.join("log"), &people.key, &mut |_, _| {}) {
        return Some(format!("`audit verify`: {}", error.code()));
    }
    let before = copies(root);
    let opened = match Domain::open(root).await {
        Ok(domain) => weir_server::serve(domain).await,
        Err(fault) => Err(fault),
    };
    let serving = match opened {
        Ok(serving) => serving,
        Err(fault) => return Some(format!("`serve`: {}", fault.code)),
    };
    let found = async {
        let operator = People::connect(&serving, &people.operator).await;
        let auditor = People::connect(&serving, &people.auditor).await;
        let (Some(operator), Some(auditor)) = (operator, auditor) else {
            return Some("clients: not the server's authority".to_owned());
        };
        for (what, sql, run) in [
            ("the old run", SQL, people.run.as_str()),
            ("a run", SQL, ""),
            ("a run", SQL_MORE, ""),
        ] {
            let request = RunRequest {
                sql: sql.to_owned(),
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
    if let Err(fault) = check_domain(root).await {
        return Some(format!("`check`: {}", fault.code));
    }
    // What is damaged and was not needed so far is needed for a backup.
    let backup = root.with_extension("backup");
    if let Err(fault) = create_backup(root, &backup, None).await {
        return Some(format!("`backup create`: {}", fault.code));
    }
    if before != copies(root) {
        return Some("mended: `serve` warns and writes it again".to_owned());
    }
    settings_are_on_record(root).then(|| "on record: `settings_changed`".to_owned())
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
    let registered = more_aircraft(60, "first");
    let registered = domain.register_bytes("more.csv", registered.as_bytes(), MORE);
    registered.await.unwrap();
    let request = RunRequest {
        sql: SQL.to_owned(),
        ..Default::default()
    };
    let run = domain.operator.run(request, |_| {}).await.unwrap().run_id;
    domain.run(SQL_MORE).await.unwrap();
    let identity = async |role, of| issue(&domain.bureau, &domain.administrator, role, of).await;
    let mut people = People {
        bureau: domain.administrator.clone(),
        operator: identity(Role::Operator, OPERATOR).await,
        auditor: identity(Role::Auditor, "Audit Office").await,
        run,
        key: domain.operator.log_key().clone(),
    };
    let inbox = domain.inbox.clone();
    let (folder, guard) = domain.stop().await;
    // Two starts, as any domain has had.
    let again = Domain::open(folder.root()).await.unwrap();
    weir_server::serve(again)
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let foreign = TestDomain::with_flights().await;
    let registered = more_aircraft(60, "first");
    let registered = foreign.register_bytes("more.csv", registered.as_bytes(), MORE);
    registered.await.unwrap();
    foreign.run(SQL).await.unwrap();
    let (foreign, _foreign_guard) = foreign.stop().await;
    let others = Others {
        older: guard.path().join("older"),
        forked: guard.path().join("forked"),
        foreign: foreign.root().to_owned(),
    };
    copy(folder.root(), &others.older);
    copy(folder.root(), &others.forked);
    people.go_on(folder.root(), &inbox, "one").await;
    people.go_on(&others.forked, &inbox, "other").await;
    let key = fs::read_to_string(folder.log_verifier_key()).unwrap();
    people.key = key.trim().parse().unwrap();

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
        if way.change(&root, &name, &others) {
            let told = complaint(&root, &people).await;
            let told = told.unwrap_or_else(|| "nothing".to_owned());
            let row = format!("`{}` | {way:?}", kind(&name));
            let all = found.entry(row).or_default();
            if !all.contains(&told) {
                all.push(told);
            }
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
    let unnoticed: Vec<&String> = found
        .iter()
        .filter(|(_, told)| told.contains("nothing"))
        .map(|(row, _)| row)
        .collect();
    let shown = |rows: &BTreeMap<String, String>| {
        let rows = rows.iter().map(|(row, told)| format!("| {row} | {told} |"));
        rows.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(documented(), found, "the table is now:\n{}", shown(&found));
    assert!(unnoticed.is_empty(), "{unnoticed:?}");
}

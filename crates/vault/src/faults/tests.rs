//! The tables of faults: each operation × each of its steps × each way it can go wrong × each kind of store.
//!
//! The steps are not written down: a run without faults lists them, and every one is then made to fail. The lists are
//! in `snapshots/`, so that a new step shows in a review.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::check::{PLANTED, nothing_readable, whole};
use super::{How, arm, disarm};
use crate::keys::{FileKeeper, KeyKeeper, MasterKey};
use crate::store::StoreSettings;
use crate::{Destruction, Manifest, Result, Source, Vault, VaultError};

const MANIFEST: &str = r#"
name = "trips"
population = "drivers"
unit = "driver"
description = "Trips"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "driver"
type = "string"
role = "identifier"
description = "Who drove"

[[column]]
name = "place"
type = "string"
role = "quasi-identifier"
description = "Where to"

[[column]]
name = "fare"
type = "float64"
role = "measure"
description = "How much"
"#;

/// What is done while something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// A new vault.
    Create,
    /// The first snapshot of a new population.
    Register,
    /// Another snapshot, with units that are new.
    Update,
    /// A snapshot is destroyed, another one stays.
    Destroy,
    /// A snapshot whose registration nobody completed is removed.
    Discard,
    /// A vault of the layout before this one is opened.
    Upgrade,
    /// The master key is changed for another one.
    Rotate,
}

/// Where the snapshots lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    Objects,
}

/// A vault's folder and the folder that plays its store.
struct Place {
    root: PathBuf,
    store: PathBuf,
    settings: StoreSettings,
    master: PathBuf,
}

impl Place {
    fn new(folder: &Path, kind: Kind) -> Self {
        let store = folder.join("store");
        Self {
            root: folder.join("vault"),
            settings: match kind {
                Kind::Folder => StoreSettings::Folder,
                Kind::Objects => StoreSettings::Objects(store.clone()),
            },
            store,
            master: folder.join("master.key"),
        }
    }

    fn keeper(&self) -> Box<dyn KeyKeeper> {
        Box::new(FileKeeper::open(&self.master).unwrap())
    }

    fn open(&self) -> Result<Vault> {
        self.open_with(|| self.keeper())
    }

    /// Opens the vault, which this process has just closed. Other tests start children meanwhile, and a child holds copies of
    /// all open files, locks and all, until its own program begins.
    fn open_with(&self, keeper: impl Fn() -> Box<dyn KeyKeeper>) -> Result<Vault> {
        for _ in 0..200 {
            match Vault::open_with(&self.root, keeper(), &self.settings) {
                Err(VaultError::VaultInUse { .. }) => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                opened => return opened,
            }
        }
        Vault::open_with(&self.root, keeper(), &self.settings)
    }

    /// Changes the master key, or goes on with a change that was cut off. Armed once the vault is open.
    fn rotate(&self, plan: Option<Option<(usize, How)>>) -> Result<()> {
        let keeper = FileKeeper::open(&self.master)?;
        let vault = self.open_with(|| Box::new(keeper.clone()))?;
        if let Some(plan) = plan {
            arm(plan);
        }
        vault.rotate(&keeper, || Ok::<_, VaultError>(())).map(drop)
    }

    /// What must hold of the master key after a rotation that anything may have cut off: what is there opens the vault, the
    /// rotation goes on by itself, and then the one file that is left opens it alone.
    fn check_rotation(&self, case: &str) {
        if FileKeeper::open(&self.master).unwrap().is_pending() {
            self.rotate(None)
                .unwrap_or_else(|error| panic!("{case}: does not go on: {error}"));
        }
        drop(
            self.open_with(|| Box::new(MasterKey::load(&self.master).unwrap()))
                .unwrap_or_else(|error| panic!("{case}: one key is not enough: {error}")),
        );
        assert!(!self.master.with_extension("key.next").exists(), "{case}");
    }
}

fn register(vault: &Vault, folder: &Path, rows: &str) -> Result<String> {
    let manifest = Manifest::from_toml(MANIFEST, "manifest.toml").unwrap();
    let source = folder.join("rows.csv");
    fs::write(&source, format!("driver,place,fare\n{rows}")).unwrap();
    let staged = vault.ingest(&manifest, &Source::file(&source), 0, &mut |_| {
        ControlFlow::Continue(())
    });
    // The source is not the vault's; it must not count as a leak.
    fs::remove_file(&source).unwrap();
    Ok(staged?.commit()?.id)
}

fn rows(more: &str) -> String {
    let [driver, place, fare] = PLANTED;
    format!("{driver},{place},{fare}\nabe,south,2\n{more}")
}

impl Scenario {
    /// What is there before.
    fn prepare(self, folder: &Path, kind: Kind) {
        let place = Place::new(folder, kind);
        fs::create_dir_all(&place.store).unwrap();
        MasterKey::create(&place.master).unwrap();
        if self == Self::Create {
            return;
        }
        let vault = Vault::create_with(&place.root, place.keeper(), &place.settings).unwrap();
        if self == Self::Register {
            return;
        }
        register(&vault, folder, &rows("")).unwrap();
        if matches!(self, Self::Destroy | Self::Discard) {
            register(&vault, folder, &rows("kim,east,3\n")).unwrap();
        }
        drop(vault);
        if self == Self::Upgrade {
            let head = place.root.join("vault.json");
            let text: serde_json::Value =
                serde_json::from_slice(&fs::read(&head).unwrap()).unwrap();
            fs::write(
                &head,
                format!(r#"{{"format":1,"check":{}}}"#, text["check"]),
            )
            .unwrap();
            fs::remove_dir(place.root.join("destroyed")).unwrap();
            // As a crash of that version left it: a key whose folder had not got its name.
            let orphan = "snapshot-trips-00112233445566778899.key";
            fs::write(place.root.join("keys").join(orphan), b"key").unwrap();
        }
    }

    /// The operation. Armed once what comes before it is done.
    fn act(self, folder: &Path, kind: Kind, plan: Option<(usize, How)>) -> Result<()> {
        let place = Place::new(folder, kind);
        if self == Self::Rotate {
            return place.rotate(Some(plan));
        }
        let open = || {
            if self == Self::Create || self == Self::Upgrade {
                Ok(None)
            } else {
                place.open().map(Some)
            }
        };
        let vault = open()?;
        arm(plan);
        match (self, vault) {
            (Self::Create, _) => {
                Vault::create_with(&place.root, place.keeper(), &place.settings).map(drop)
            }
            (Self::Upgrade, _) => place.open().map(drop),
            (Self::Register | Self::Update, Some(vault)) => {
                register(&vault, folder, &rows("new,west,4\n")).map(drop)
            }
            (Self::Destroy, Some(vault)) => {
                let id = vault.snapshot_ids()?.remove(0);
                vault.destroy(&id, &order()).map(drop)
            }
            (Self::Discard, Some(vault)) => {
                let id = vault.snapshot_ids()?.remove(0);
                vault.discard(&id)
            }
            (Self::Rotate, _) | (_, None) => panic!("no vault"),
        }
    }

    /// How many snapshots there are before and after.
    fn snapshots(self) -> (usize, usize) {
        match self {
            Self::Create => (0, 0),
            Self::Register => (0, 1),
            Self::Update => (1, 2),
            Self::Destroy | Self::Discard => (2, 1),
            Self::Upgrade | Self::Rotate => (1, 1),
        }
    }
}

fn order() -> Destruction {
    Destruction {
        dataset: "trips".to_owned(),
        digest: "sha256:00".to_owned(),
        person: "wang".to_owned(),
        organisation: "bureau".to_owned(),
        reason: "a test".to_owned(),
        at_unix_ms: 0,
    }
}

/// Looks at what a fault left: first as it is, then after opening.
fn check(scenario: Scenario, kind: Kind, folder: &Path, outcome: Option<Result<()>>, case: &str) {
    let place = Place::new(folder, kind);
    nothing_readable(folder, case);
    if scenario == Scenario::Rotate {
        place.check_rotation(case);
    }
    let vault = match place.open() {
        Ok(vault) => vault,
        Err(VaultError::VaultMissing { .. }) if scenario == Scenario::Create => {
            assert!(
                !matches!(outcome, Some(Ok(()))),
                "{case}: created and not there"
            );
            return;
        }
        Err(error) => panic!("{case}: does not open: {error}"),
    };
    let ids = whole(&vault, &place.root, &place.store, case);
    let (before, after) = scenario.snapshots();
    match outcome {
        Some(Ok(())) => assert_eq!(ids.len(), after, "{case}: done, and not there"),
        // Whoever hears of an error must not find a snapshot that was not to be.
        Some(Err(_)) if after > before => {
            assert_eq!(ids.len(), before, "{case}: failed, and there")
        }
        _ => assert!(ids.len() == before || ids.len() == after, "{case}: {ids:?}"),
    }
    nothing_readable(folder, case);
    // And it still works.
    register(&vault, folder, &rows("")).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(vault.snapshot_ids().unwrap().len(), ids.len() + 1, "{case}");
}

/// Of steps that repeat, such as writes to one file, the first and the last are tried.
fn tried(steps: &[String]) -> Vec<usize> {
    let same = |a: usize, b: Option<&String>| b == steps.get(a);
    (0..steps.len())
        .filter(|&step| {
            !(step > 0 && same(step, steps.get(step - 1)) && same(step, steps.get(step + 1)))
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs one test of this binary, alone, in a process of its own.
fn child(test: &str, folder: &Path, more: &str) -> std::process::Output {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            test,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("WEIR_FAULT_FOLDER", folder)
        .env("WEIR_FAULT_STEP", more)
        .output()
        .unwrap()
}

/// Every step of a scenario fails, in one process; then the process ends at every step.
fn table(scenario: Scenario, kind: Kind, test: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base");
    scenario.prepare(&base, kind);
    let errors = child(test, folder.path(), "all");
    let said = String::from_utf8_lossy(&errors.stdout).into_owned();
    assert!(
        errors.status.success(),
        "{scenario:?} {kind:?}: {said}{}",
        String::from_utf8_lossy(&errors.stderr)
    );
    let steps: Vec<String> = said
        .lines()
        .filter_map(|line| line.split_once("step: ").map(|(_, step)| step.to_owned()))
        .collect();
    assert!(!steps.is_empty(), "{said}");
    let mut cases: Vec<(usize, How)> = tried(&steps)
        .into_iter()
        .map(|step| (step, How::AbortAfter))
        .collect();
    cases.insert(0, (0, How::AbortBefore));
    for (step, how) in cases {
        let case = format!(
            "{scenario:?} {kind:?}, step {step} ({}), {how:?}",
            steps[step]
        );
        let copied = folder.path().join("case");
        copy(&base, &copied);
        let ended = child(test, &copied, &format!("{step} {how:?}"));
        assert!(!ended.status.success(), "{case}: did not abort");
        // What the child had read is the test's own.
        let _ = fs::remove_file(copied.join("rows.csv"));
        check(scenario, kind, &copied, None, &case);
        fs::remove_dir_all(&copied).unwrap();
    }
    steps
}

/// The other side of [`table`].
fn act_in_child(scenario: Scenario, kind: Kind) {
    let folder = PathBuf::from(std::env::var_os("WEIR_FAULT_FOLDER").unwrap());
    let step = std::env::var("WEIR_FAULT_STEP").unwrap();
    if let Some((step, how)) = step.split_once(' ') {
        let how = match how {
            "AbortBefore" => How::AbortBefore,
            _ => How::AbortAfter,
        };
        let _ = scenario.act(&folder, kind, Some((step.parse().unwrap(), how)));
        return;
    }
    let run = |plan: Option<(usize, How)>, case: &str| {
        let copied = folder.join("error");
        copy(&folder.join("base"), &copied);
        let outcome = scenario.act(&copied, kind, plan);
        let steps = disarm();
        if plan.is_none() {
            outcome.as_ref().unwrap();
        }
        check(scenario, kind, &copied, Some(outcome), case);
        fs::remove_dir_all(&copied).unwrap();
        steps
    };
    let steps = run(None, "no fault");
    for step in tried(&steps) {
        for how in [How::Lost, How::Landed] {
            let case = format!(
                "{scenario:?} {kind:?}, step {step} ({}), {how:?}",
                steps[step]
            );
            run(Some((step, how)), &case);
        }
    }
    for step in steps {
        println!("step: {step}");
    }
}

/// One test and one child for each scenario and store, and the list of its steps.
macro_rules! tables {
    ($($name:ident: $scenario:ident, $kind:ident;)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn every_step_may_fail() {
                let test = concat!("faults::tests::", stringify!($name), "::child");
                let mut steps = table(Scenario::$scenario, Kind::$kind, test);
                steps.dedup();
                insta::assert_snapshot!(stringify!($name), steps.join("\n"));
            }

            #[test]
            #[ignore = "run by its parent, in a process of its own"]
            fn child() {
                act_in_child(Scenario::$scenario, Kind::$kind);
            }
        }
    )+};
}

tables! {
    create_in_folder: Create, Folder;
    create_in_store: Create, Objects;
    register_in_folder: Register, Folder;
    register_in_store: Register, Objects;
    update_in_folder: Update, Folder;
    update_in_store: Update, Objects;
    destroy_in_folder: Destroy, Folder;
    destroy_in_store: Destroy, Objects;
    discard_in_folder: Discard, Folder;
    discard_in_store: Discard, Objects;
    upgrade_in_folder: Upgrade, Folder;
    rotate_in_folder: Rotate, Folder;
    rotate_in_store: Rotate, Objects;
}

/// The search for planted values finds them.
#[test]
#[should_panic(expected = "a planted value is in")]
fn a_planted_value_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let text = base64::Engine::encode(
        &base64::prelude::BASE64_STANDARD,
        format!("x{}yyyy", PLANTED[0]),
    );
    fs::write(folder.path().join("spilled"), text).unwrap();
    nothing_readable(folder.path(), "a test");
}

/// Nothing changes a file behind the tables' back: outside `durable.rs` no function of the standard library that does is
/// named. (`store/objects.rs` changes the store, inside a step.)
#[test]
fn every_change_is_a_step() {
    let changing = [
        "fs::write",
        "fs::rename",
        "fs::remove",
        "fs::create",
        "File::create",
        "OpenOptions",
        "set_len",
        "sync_all",
        "DirBuilder",
        "hard_link",
        "fs::copy",
        "fs::set_permissions",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for path in super::check::files(&root) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let relative = path.strip_prefix(&root).unwrap().display().to_string();
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap_or_default();
        let changes = changing.iter().any(|word| code.contains(word));
        // A spill file has no name and holds nothing that outlives the process: no step depends on it.
        let changes = changes && relative != "ingest/sort/mod.rs";
        if changes && relative != "durable.rs" && !relative.starts_with("faults") {
            found.insert(relative);
        }
    }
    assert_eq!(
        found,
        BTreeSet::new(),
        "these change files without `durable::step`"
    );
}

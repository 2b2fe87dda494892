//! The table of tampering: what somebody can do to each file of the record, and what `weir audit verify` says to it. The
//! table is `docs/tampering.md`; this test makes it anew and fails where the page says something else. With
//! `WEIR_UPDATE_DOCS=1` it writes the page instead.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use weir_audit::{
    AuditError, Checkpoint, Log, LogKey, PreparedEntry, Receipt, VerifierKey, verify_log,
    verify_log_since,
};

use crate::place::{Place, entries, entry};

/// One line of the table.
struct Row {
    file: String,
    what: &'static str,
    outcome: Outcome,
}

enum Outcome {
    /// The verdict's code, and what its message names.
    Refused { code: &'static str, names: String },
    /// Verification succeeds and says this of the file.
    Reported(&'static str),
    /// Nothing can be noticed, for this reason.
    Unnoticed(&'static str),
}

/// The log that is tampered with: 516 entries, appended in several batches, and what an auditor kept of it.
struct Victim {
    place: Place,
    /// The checkpoint of 300 entries.
    kept: Checkpoint,
    /// As it was with 514 entries, and with its first 300.
    older: PathBuf,
    much_older: PathBuf,
    home: tempfile::TempDir,
}

impl Victim {
    fn new() -> Self {
        let place = Place::new();
        let home = tempfile::tempdir().unwrap();
        let (older, much_older) = (home.path().join("older"), home.path().join("much-older"));
        let mut log = place.create();
        log.append_all(&entries(0..300)).unwrap();
        let kept = log.checkpoint().clone();
        copy(&place.dir(), &much_older);
        log.append_all(&entries(300..514)).unwrap();
        copy(&place.dir(), &older);
        log.append_all(&entries(514..516)).unwrap();
        Self {
            place,
            kept,
            older,
            much_older,
            home,
        }
    }

    /// Does something to a copy of the log and verifies it.
    fn outcome(&self, change: impl FnOnce(&Path)) -> Result<(), AuditError> {
        self.outcome_since(None, change)
    }

    fn outcome_since(
        &self,
        since: Option<&Checkpoint>,
        change: impl FnOnce(&Path),
    ) -> Result<(), AuditError> {
        let dir = self.home.path().join("copy");
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        copy(&self.place.dir(), &dir);
        change(&dir);
        match since {
            Some(before) => verify_log_since(&dir, &self.place.verifier, before, &mut |_, _| {}),
            None => verify_log(&dir, &self.place.verifier, &mut |_, _| {}),
        }
        .map(drop)
    }
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

fn put_back(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn refused(file: &str, what: &'static str, error: &AuditError) -> Row {
    let message = error.to_string();
    // What a message puts in backticks and is a file of the log or a receipt's part.
    let names = message.split('`').skip(1).step_by(2);
    let names: Vec<_> = names
        .filter(|name| !name.contains('+') && !name.starts_with('/'))
        .map(|name| format!("`{name}`"))
        .collect();
    assert!(!message.contains("wang.lei"), "{message}");
    // Where there is no file to name, the message says in words what is wrong.
    let gist = message.split(';').next().unwrap_or_default();
    let gist = gist.rsplit(": ").next().unwrap_or_default();
    let names = match names.as_slice() {
        [] => gist.to_owned(),
        names => names.join(", "),
    };
    Row {
        file: file.to_owned(),
        what,
        outcome: Outcome::Refused {
            code: error.code(),
            names,
        },
    }
}

/// What can be done to one file by itself.
fn single_files(victim: &Victim, rows: &mut Vec<Row>) {
    for name in [
        "checkpoint",
        "tile/0/000",
        "tile/0/002.p/4",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/002.p/4",
    ] {
        let bytes = fs::read(victim.place.dir().join(name)).unwrap();
        let middle = bytes.len() / 2;
        let mut flipped = bytes.clone();
        flipped[middle] ^= 1;
        let truncated = bytes[..middle].to_vec();
        let inserted = [&bytes[..middle], b"x", &bytes[middle..]].concat();
        let reordered = reordered(name, &bytes);
        for (what, altered) in [
            ("a bit is flipped", flipped),
            ("the end is cut off", truncated),
            ("a byte is inserted", inserted),
            ("its first two parts change places", reordered),
        ] {
            let error = victim
                .outcome(|dir| fs::write(dir.join(name), altered).unwrap())
                .unwrap_err();
            rows.push(refused(name, what, &error));
        }
        let error = victim
            .outcome(|dir| fs::remove_file(dir.join(name)).unwrap())
            .unwrap_err();
        rows.push(refused(name, "it is removed", &error));
    }
}

/// The first two hashes, entries or lines in each other's place.
fn reordered(name: &str, bytes: &[u8]) -> Vec<u8> {
    let cut = |bytes: &[u8]| match name {
        name if name.starts_with("tile/entries/") => {
            2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
        }
        "checkpoint" => 1 + bytes.iter().position(|byte| *byte == b'\n').unwrap(),
        _ => 32,
    };
    let (first, rest) = bytes.split_at(cut(bytes));
    let (second, rest) = rest.split_at(cut(rest));
    [second, first, rest].concat()
}

/// Files changed together, so that they agree with each other.
fn together(victim: &Victim, rows: &mut Vec<Row>) {
    let swap = |dir: &Path, kind: &str| {
        let [a, b] = ["000", "001"].map(|name| dir.join(format!("tile/{kind}/{name}")));
        let [first, second] = [fs::read(&a).unwrap(), fs::read(&b).unwrap()];
        fs::write(a, second).unwrap();
        fs::write(b, first).unwrap();
    };
    let error = victim.outcome(|dir| swap(dir, "entries")).unwrap_err();
    rows.push(refused(
        "tile/entries/",
        "two bundles change places",
        &error,
    ));
    let error = victim.outcome(|dir| swap(dir, "0")).unwrap_err();
    rows.push(refused("tile/0/", "two tiles change places", &error));
    let both = |dir: &Path| ["entries", "0"].iter().for_each(|kind| swap(dir, kind));
    let error = victim.outcome(both).unwrap_err();
    rows.push(refused(
        "tile/entries/, tile/0/",
        "two bundles change places with their tiles",
        &error,
    ));
    let error = victim
        .outcome(|dir| replace_entry(victim, dir))
        .unwrap_err();
    rows.push(refused(
        "tile/entries/, tile/0/",
        "an entry is replaced, and its hash",
        &error,
    ));
    let error = victim
        .outcome(|dir| {
            put_back(
                &victim.older,
                dir,
                &["tile/entries/002.p/2", "tile/0/002.p/2"],
            )
        })
        .err();
    assert!(
        error.is_none(),
        "files of before are what the log keeps anyway"
    );
    rows.push(Row {
        file: "tile/entries/, tile/0/".to_owned(),
        what: "outdated partial files are there",
        outcome: Outcome::Unnoticed("they are what the log leaves behind, and they agree with it"),
    });
}

/// Replaces the first entry and the hash of it, by those of another log.
fn replace_entry(victim: &Victim, dir: &Path) {
    let other = Place::with_key_of(&victim.place);
    let mut all = entries(0..516);
    all[0] = entry("zhao", 0);
    other.create().append_all(&all).unwrap();
    put_back(&other.dir(), dir, &["tile/entries/000", "tile/0/000"]);
}

/// Older states, and other histories under the same key.
fn histories(victim: &Victim, rows: &mut Vec<Row>) {
    let whole = |from: PathBuf| {
        move |dir: &Path| {
            fs::remove_dir_all(dir).unwrap();
            copy(&from, dir);
        }
    };
    let older = |dir: &Path| put_back(&victim.older, dir, &["checkpoint"]);
    assert!(victim.outcome(older).is_ok());
    rows.push(Row {
        file: "checkpoint".to_owned(),
        what: "the one of the append before is put back",
        outcome: Outcome::Reported("the files beyond it, as `tile/entries/002.p/4`; an append that was interrupted looks the same"),
    });
    let now = victim.place.open().checkpoint().clone();
    let error = victim.outcome_since(Some(&now), older).unwrap_err();
    rows.push(refused(
        "checkpoint",
        "the same, with `--since` a checkpoint of the newest state",
        &error,
    ));
    let many = rolled_back_far(victim);
    rows.push(refused(
        "checkpoint",
        "one of more than 1,024 entries before is put back",
        &many,
    ));

    assert!(victim.outcome(whole(victim.much_older.clone())).is_ok());
    rows.push(Row {
        file: "the whole folder".to_owned(),
        what: "an older state is put back",
        outcome: Outcome::Unnoticed(
            "it is what the log was; keep checkpoints and use `--since`, or have witnesses",
        ),
    });
    let error = victim
        .outcome_since(Some(&now), whole(victim.much_older.clone()))
        .unwrap_err();
    rows.push(refused(
        "the whole folder",
        "an older state is put back, with `--since`",
        &error,
    ));

    let fork = Place::with_key_of(&victim.place);
    let mut all = entries(0..516);
    all[290] = entry("zhao", 290);
    fork.create().append_all(&all).unwrap();
    assert!(victim.outcome(whole(fork.dir())).is_ok());
    rows.push(Row {
        file: "the whole folder".to_owned(),
        what: "another history, signed with the log's key",
        outcome: Outcome::Unnoticed(
            "its holder can write any; keep checkpoints and use `--since`, or have witnesses",
        ),
    });
    for (what, before) in [
        (
            "another history of more entries, with `--since`",
            &victim.kept,
        ),
        ("another history of as many entries, with `--since`", &now),
    ] {
        let error = victim
            .outcome_since(Some(before), whole(fork.dir()))
            .unwrap_err();
        rows.push(refused("the whole folder", what, &error));
    }
}

fn rolled_back_far(victim: &Victim) -> AuditError {
    let place = Place::with_key_of(&victim.place);
    let mut log = place.create();
    log.append_all(&entries(0..3)).unwrap();
    let old = fs::read(place.dir().join("checkpoint")).unwrap();
    let prepared: Vec<_> = entries(3..1_003)
        .iter()
        .map(|entry| PreparedEntry::new(entry).unwrap())
        .collect();
    for _ in 0..2 {
        log.append_prepared(&prepared.iter().collect::<Vec<_>>())
            .unwrap();
    }
    fs::write(place.dir().join("checkpoint"), old).unwrap();
    place.verify().unwrap_err()
}

/// What witnesses have cosigned.
fn cosigned(victim: &Victim, rows: &mut Vec<Row>) {
    let now = victim.place.open().checkpoint().clone();
    let cosigned = |dir: &Path, note: &str| fs::write(dir.join("cosigned"), note).unwrap();
    assert!(victim.outcome(|dir| cosigned(dir, now.note())).is_ok());
    let altered = now.note().replacen("516", "515", 1);
    let error = victim.outcome(|dir| cosigned(dir, &altered)).unwrap_err();
    rows.push(refused("cosigned", "a digit is changed", &error));
    let error = victim
        .outcome(|dir| {
            cosigned(dir, now.note());
            put_back(&victim.older, dir, &["checkpoint"]);
        })
        .unwrap_err();
    rows.push(refused(
        "checkpoint",
        "the one of the append before is put back, and witnesses have cosigned the newest",
        &error,
    ));
    let fork = Place::with_key_of(&victim.place);
    fork.create().append_all(&entries(1..301)).unwrap();
    let other = fork.open().checkpoint().note().to_owned();
    let error = victim.outcome(|dir| cosigned(dir, &other)).unwrap_err();
    rows.push(refused(
        "the whole folder",
        "another history than witnesses have cosigned",
        &error,
    ));
}

/// Keys and receipts.
fn papers(victim: &Victim, rows: &mut Vec<Row>) {
    let same_name = LogKey::generate("weir.example/traffic-bureau").unwrap();
    let error = verify_log(&victim.place.dir(), same_name.verifier(), &mut |_, _| {}).unwrap_err();
    rows.push(refused("log.vkey", "another key of the same name", &error));
    let text = victim.place.verifier.to_string();
    for (what, altered) in [
        (
            "a character is changed",
            text.replacen("traffic", "traffjc", 1),
        ),
        ("the end is cut off", text[..text.len() - 5].to_owned()),
    ] {
        rows.push(refused(
            "log.vkey",
            what,
            &altered.parse::<VerifierKey>().unwrap_err(),
        ));
    }
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("log.key");
    same_name.save(&file).unwrap();
    let secret = fs::read_to_string(&file).unwrap();
    fs::write(&file, secret.replacen("traffic", "traffjc", 1)).unwrap();
    rows.push(refused(
        "keys/log.key",
        "a character is changed",
        &LogKey::load(&file).unwrap_err(),
    ));
    let error = Log::open(
        &victim.place.dir(),
        LogKey::generate("weir.example/traffic-bureau").unwrap(),
    )
    .unwrap_err();
    rows.push(refused(
        "keys/log.key",
        "it is replaced by a new one (`weir serve`)",
        &error,
    ));

    let json = victim.place.open().receipt(3).unwrap().to_json().unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&json).unwrap();
    let other: serde_json::Value =
        serde_json::from_str(&victim.place.open().receipt(4).unwrap().to_json().unwrap()).unwrap();
    let altered = |field: &str, value: serde_json::Value| {
        let mut altered = receipt.clone();
        altered[field] = value;
        Receipt::from_json(altered.to_string().as_bytes())
            .and_then(|receipt| receipt.verify(&victim.place.verifier))
            .unwrap_err()
    };
    let text = receipt["entry"].as_str().unwrap();
    let note = receipt["checkpoint"].as_str().unwrap();
    for (what, error) in [
        (
            "the entry's text is changed",
            altered("entry", text.replace("model-3", "model-5").into()),
        ),
        (
            "the entry of another receipt is put in",
            altered("entry", other["entry"].clone()),
        ),
        ("the index is changed", altered("index", 4.into())),
        (
            "the proof of another receipt is put in",
            altered("proof", other["proof"].clone()),
        ),
        (
            "the checkpoint's size is changed",
            altered("checkpoint", note.replacen("516", "517", 1).into()),
        ),
        (
            "an older checkpoint is put in",
            altered("checkpoint", victim.kept.note().into()),
        ),
    ] {
        rows.push(refused("a receipt", what, &error));
    }
    let cut = Receipt::from_json(&json.as_bytes()[..json.len() / 2]).unwrap_err();
    rows.push(refused("a receipt", "the end is cut off", &cut));
}

fn table(rows: &[Row]) -> String {
    let mut text = "| file | what is done to it | what `weir audit verify` says | what it names |\n|---|---|---|---|\n".to_owned();
    for Row {
        file,
        what,
        outcome,
    } in rows
    {
        let file = if file.contains('.')
            || file.contains('/')
            || ["checkpoint", "cosigned"].contains(&file.as_str())
        {
            format!("`{}`", file.replace(", ", "`, `"))
        } else {
            file.clone()
        };
        let (says, names) = match outcome {
            Outcome::Refused { code, names } => (format!("`{code}`"), names.clone()),
            Outcome::Reported(what) => ("verifies, and reports".to_owned(), (*what).to_owned()),
            Outcome::Unnoticed(why) => ("verifies".to_owned(), (*why).to_owned()),
        };
        writeln!(text, "| {file} | {what} | {says} | {names} |").unwrap();
    }
    text
}

#[test]
fn the_table_of_tampering_is_what_the_page_says() {
    let victim = Victim::new();
    let mut rows = Vec::new();
    single_files(&victim, &mut rows);
    together(&victim, &mut rows);
    histories(&victim, &mut rows);
    cosigned(&victim, &mut rows);
    papers(&victim, &mut rows);
    // Each file that is tampered with by itself is named, whatever was done to it.
    for row in rows
        .iter()
        .filter(|row| row.file.starts_with("tile/") && !row.file.ends_with('/'))
    {
        let is_named = matches!(&row.outcome, Outcome::Refused { names, .. } if names.contains(&format!("`{}`", row.file)));
        assert!(is_named, "{}, {}", row.file, row.what);
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/tampering.md");
    let before = fs::read_to_string(&page).unwrap();
    let (head, after) = before.split_once("\n| file |").unwrap();
    // What follows is about other files, and another test's.
    let others = after.find("\n## ").map_or("", |at| &after[at..]);
    let now = format!("{head}\n{}{others}", table(&rows));
    if std::env::var_os("WEIR_UPDATE_DOCS").is_some() {
        fs::write(&page, &now).unwrap();
    }
    let page = fs::read_to_string(&page).unwrap();
    assert!(
        page == now,
        "docs/tampering.md says something else; with WEIR_UPDATE_DOCS=1 this test writes:\n{now}"
    );
}

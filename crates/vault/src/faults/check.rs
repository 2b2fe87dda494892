//! What must hold after any fault.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::layout;
use crate::{Vault, VaultError};

/// Identifiers and values that are in the data and must be nowhere on a disk.
pub(super) const PLANTED: [&str; 3] = ["planted-zoe-8417", "planted-place-5530", "907182.0625"];

/// What a path is, with everything that differs from run to run taken out. A path that is not known here is one that
/// nobody has thought about: it has to be given a name, and so a place in the tables of faults.
pub(super) fn place(path: &Path) -> String {
    let text = path.to_string_lossy();
    let parts: Vec<&str> = text.rsplit('/').collect();
    let (name, unfinished) = match parts[0].strip_suffix(".new") {
        Some(name) => (name, " (unfinished)"),
        None => (parts[0], ""),
    };
    let known = match (name, parts.get(1).copied().unwrap_or_default()) {
        ("vault.json", _) => "head",
        ("master.key", _) => "master key",
        ("master.key.next", _) => "next master key",
        ("base" | "case" | "error", _) => "folder of the master key",
        ("vault-id", _) => "mark of the store",
        ("lock", _) => "lock",
        ("keys", _) => "keys/",
        ("populations", _) => "populations/",
        ("snapshots", _) => "snapshots/",
        ("staging", _) => "staging/",
        ("destroyed", _) => "destroyed/",
        ("vault", _) => "vault/",
        ("meta", _) => "snapshot metadata",
        ("data", _) => "staged files",
        (id, "staging") if layout::is_snapshot_id(id) => "journal entry",
        (id, "snapshots") if layout::is_snapshot_id(id) => "snapshot files",
        (file, "keys") if layout::snapshot_of_key(file).is_some() => "snapshot key",
        (file, "keys") if file.starts_with("population-") => "population key",
        (file, "populations") if file.ends_with(".map") => "population map",
        (file, "destroyed") if file.ends_with(".json") => "certificate",
        (file, _) if file.starts_with("part-") => "data file",
        _ => panic!("`{text}` is changed, and no table of faults knows what it is"),
    };
    format!("{known}{unfinished}")
}

/// Every file below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// No planted value is anywhere below the folder, in any spelling.
pub(super) fn nothing_readable(folder: &Path, case: &str) {
    let spellings: Vec<Vec<u8>> = PLANTED.iter().flat_map(|value| spellings(value)).collect();
    for path in files(folder) {
        let bytes = fs::read(&path).unwrap();
        for spelling in &spellings {
            let there = bytes
                .windows(spelling.len())
                .any(|window| window == spelling);
            assert!(!there, "{case}: a planted value is in {}", path.display());
        }
    }
}

/// UTF-8, UTF-16 in both orders, hexadecimal, base64 at each alignment, reversed, and numbers in binary.
fn spellings(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let mut all = vec![
        bytes.to_vec(),
        value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        value.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        hex::encode(bytes).into_bytes(),
        hex::encode_upper(bytes).into_bytes(),
        bytes.iter().rev().copied().collect(),
    ];
    for shift in 0..3 {
        let shifted = [&vec![0; shift], bytes].concat();
        let text = BASE64_STANDARD.encode(shifted);
        // The ends depend on what stands beside the value.
        all.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    if let Ok(number) = value.parse::<f64>() {
        all.push(number.to_le_bytes().to_vec());
        all.push(number.to_be_bytes().to_vec());
    }
    all
}

/// Every file of the vault and of its store belongs to something that is there; every snapshot is whole; every
/// certificate is of a snapshot that is not. Returns the snapshots.
pub(super) fn whole(vault: &Vault, root: &Path, store: &Path, case: &str) -> BTreeSet<String> {
    let ids: BTreeSet<String> = vault.snapshot_ids().unwrap().into_iter().collect();
    let destroyed: BTreeSet<String> = vault
        .certificates()
        .unwrap()
        .into_iter()
        .map(|certificate| certificate.snapshot)
        .collect();
    assert!(ids.is_disjoint(&destroyed), "{case}");
    for id in &ids {
        vault
            .verify(id)
            .unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    for id in &destroyed {
        let refused = vault.table(id).map(drop).unwrap_err();
        assert!(
            matches!(refused, VaultError::SnapshotDestroyed { .. }),
            "{case}: {refused}"
        );
    }
    for path in files(root).into_iter().chain(files(store)) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let parent = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let expected = match parent.as_str() {
            "keys" => {
                name.starts_with("population-")
                    || layout::snapshot_of_key(&name).is_some_and(|id| ids.contains(id))
            }
            "populations" => name == "drivers.map",
            "destroyed" => destroyed.contains(name.trim_end_matches(".json")),
            "vault" => ["vault.json", "lock"].contains(&name.as_str()),
            "store" => name == "vault-id",
            id => ids.contains(id) && (name == "meta" || name.ends_with(".parquet")),
        };
        assert!(expected, "{case}: {} belongs to nothing", path.display());
    }
    let left = fs::read_dir(root.join("staging")).unwrap().count();
    assert_eq!(left, 0, "{case}: the journal is not empty");
    ids
}

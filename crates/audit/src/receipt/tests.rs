#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::entry::{Actor, Timestamp};
use crate::event::Event;
use crate::key::LogKey;

fn signed(key: &LogKey, size: u64, root: Hash) -> String {
    Checkpoint::sign(key, size, root).unwrap().note().to_owned()
}

fn entry(name: &str) -> Vec<u8> {
    let actor = Actor {
        person: String::new(),
        organisation: String::new(),
        role: String::new(),
    };
    let event = Event::DomainInitialised {
        domain: name.to_owned(),
        origin: String::new(),
    };
    Entry::new(
        Timestamp::parse("2026-01-31T09:30:00.000Z").unwrap(),
        actor,
        event,
    )
    .to_canonical()
    .unwrap()
}

/// The second of two entries.
fn sample(key: &LogKey) -> Receipt {
    let [left, right] = [record_hash(&entry("left")), record_hash(&entry("right"))];
    let checkpoint = Checkpoint::sign(key, 2, tlog_tiles::node_hash(left, right)).unwrap();
    Receipt::new(&entry("right"), 1, &[left], &checkpoint).unwrap()
}

#[test]
fn a_receipt_survives_its_json_and_verifies() {
    let key = LogKey::generate("weir.example/log").unwrap();
    let receipt = sample(&key);
    let read = Receipt::from_json(receipt.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(read, receipt);
    let verified = read.verify(key.verifier()).unwrap();
    assert_eq!(
        (verified.index(), verified.tree_size(), verified.origin()),
        (1, 2, "weir.example/log")
    );
    assert_eq!(
        verified.entry(),
        &Entry::from_canonical(&entry("right")).unwrap()
    );
    let root = tlog_tiles::node_hash(record_hash(&entry("left")), record_hash(&entry("right")));
    assert_eq!(verified.root().as_bytes(), &root.0);
}

#[test]
fn every_changed_field_is_noticed() {
    let key = LogKey::generate("weir.example/log").unwrap();
    let other = LogKey::generate("weir.example/log").unwrap();
    let good: Value = serde_json::from_str(&sample(&key).to_json().unwrap()).unwrap();
    let hash = good["proof"][0].clone();
    let empty = signed(&key, 0, tlog_tiles::EMPTY_HASH);
    let text = String::from_utf8(entry("right")).unwrap();
    let forged_root = record_hash(b"not an entry");
    let cases: Vec<(Vec<(&str, Value)>, &str)> = vec![
        (vec![("version", json!(2))], "AUDIT_RECEIPT_MALFORMED"),
        (vec![("index", json!(0))], "AUDIT_RECEIPT_UNPROVEN"),
        (vec![("index", json!(2))], "AUDIT_RECEIPT_UNPROVEN"),
        (vec![("index", json!(u64::MAX))], "AUDIT_RECEIPT_UNPROVEN"),
        (vec![("tree_size", json!(3))], "AUDIT_RECEIPT_UNPROVEN"),
        (
            vec![("tree_size", json!(0)), ("checkpoint", json!(empty))],
            "AUDIT_RECEIPT_UNPROVEN",
        ),
        (
            vec![("entry", json!(text.replace("right", "wrong")))],
            "AUDIT_RECEIPT_UNPROVEN",
        ),
        (
            vec![("entry", json!(format!("{text} ")))],
            "AUDIT_RECEIPT_UNPROVEN",
        ),
        (vec![("proof", json!([]))], "AUDIT_RECEIPT_UNPROVEN"),
        (
            vec![("proof", json!([hash, hash]))],
            "AUDIT_RECEIPT_UNPROVEN",
        ),
        (
            vec![("proof", json!(vec![hash.clone(); PROOF_HASHES_MAX + 1]))],
            "AUDIT_RECEIPT_MALFORMED",
        ),
        (vec![("proof", json!(["AAAA"]))], "AUDIT_RECEIPT_MALFORMED"),
        (vec![("proof", json!(["?"]))], "AUDIT_RECEIPT_MALFORMED"),
        (
            vec![("checkpoint", json!(signed(&key, 2, forged_root)))],
            "AUDIT_RECEIPT_UNPROVEN",
        ),
        (
            vec![("checkpoint", json!(signed(&other, 2, forged_root)))],
            "AUDIT_CHECKPOINT_UNSIGNED",
        ),
        (
            vec![("checkpoint", json!(""))],
            "AUDIT_CHECKPOINT_MALFORMED",
        ),
        (
            // A log's key can sign anything; what is proved must still be an entry.
            vec![
                ("entry", json!("not an entry")),
                ("index", json!(0)),
                ("tree_size", json!(1)),
                ("proof", json!([])),
                ("checkpoint", json!(signed(&key, 1, forged_root))),
            ],
            "AUDIT_ENTRY_NOT_CANONICAL",
        ),
    ];
    for (changes, code) in cases {
        let mut json = good.clone();
        for (field, value) in &changes {
            json[*field] = value.clone();
        }
        let receipt = Receipt::from_json(json.to_string().as_bytes()).unwrap();
        assert_eq!(
            receipt.verify(key.verifier()).unwrap_err().code(),
            code,
            "{changes:?}"
        );
    }
}

#[test]
fn what_is_not_a_receipt_is_refused() {
    let key = LogKey::generate("weir.example/log").unwrap();
    let good = sample(&key).to_json().unwrap();
    for json in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        good[1..].to_owned(),
        good.replace("\"index\"", "\"indx\""),
        good.replace("\"index\"", "\"extra\": 1, \"index\""),
        good.replace("\"index\": 1", "\"index\": -1"),
        "[".repeat(100_000),
        format!("{good}{}", " ".repeat(RECEIPT_BYTES_MAX)),
    ] {
        assert_eq!(
            Receipt::from_json(json.as_bytes()).unwrap_err().code(),
            "AUDIT_RECEIPT_MALFORMED"
        );
    }
}

#[test]
fn the_longest_receipt_fits() {
    let key = LogKey::generate(&"x".repeat(crate::key::ORIGIN_BYTES_MAX)).unwrap();
    let entry = vec![b'"'; crate::entry::ENTRY_BYTES_MAX];
    let checkpoint = Checkpoint::sign(&key, 1, record_hash(&entry)).unwrap();
    let receipt =
        Receipt::new(&entry, 0, &[Hash::default(); PROOF_HASHES_MAX], &checkpoint).unwrap();
    Receipt::from_json(receipt.to_json().unwrap().as_bytes()).unwrap();
}

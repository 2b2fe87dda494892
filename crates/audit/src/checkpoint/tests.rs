#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use signed_note::{Signer, StandardSigner};

use super::*;

const ORIGIN: &str = "weir.example/log";

fn signed(key: &LogKey, text: &str) -> Vec<u8> {
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&key.signer]).unwrap();
    note.to_bytes()
}

#[test]
fn a_signed_checkpoint_verifies_and_says_what_was_signed() {
    let key = LogKey::generate(ORIGIN).unwrap();
    let checkpoint = Checkpoint::sign(&key, 7, Hash([9; 32])).unwrap();
    let read = Checkpoint::verify(checkpoint.note().as_bytes(), key.verifier()).unwrap();
    assert_eq!(read, checkpoint);
    assert_eq!(
        (read.origin(), read.size(), read.root().as_bytes()),
        (ORIGIN, 7, &[9; 32])
    );
    let lines: Vec<_> = read.note().lines().collect();
    assert_eq!(lines[..4], [ORIGIN, "7", &read.root().to_string(), ""]);
    assert!(lines[4].starts_with("— weir.example/log "));
}

#[test]
fn no_single_bit_can_be_changed() {
    let key = LogKey::generate(ORIGIN).unwrap();
    let note = Checkpoint::sign(&key, 7, Hash([9; 32]))
        .unwrap()
        .note()
        .as_bytes()
        .to_vec();
    for position in 0..note.len() {
        for bit in 0..8 {
            let mut altered = note.clone();
            altered[position] ^= 1 << bit;
            assert!(
                Checkpoint::verify(&altered, key.verifier()).is_err(),
                "byte {position} bit {bit}"
            );
        }
        assert!(
            Checkpoint::verify(&note[..position], key.verifier()).is_err(),
            "cut at {position}"
        );
    }
}

#[test]
fn another_key_of_the_same_name_is_not_accepted() {
    let [ours, theirs] = [
        LogKey::generate(ORIGIN).unwrap(),
        LogKey::generate(ORIGIN).unwrap(),
    ];
    let note = Checkpoint::sign(&theirs, 0, EMPTY_HASH).unwrap();
    let error = Checkpoint::verify(note.note().as_bytes(), ours.verifier()).unwrap_err();
    assert_eq!(error.code(), "AUDIT_CHECKPOINT_UNSIGNED");
    assert!(
        error.to_string().contains(&ours.verifier().to_string()),
        "{error}"
    );
}

#[test]
fn cosignatures_are_let_through() {
    let key = LogKey::generate(ORIGIN).unwrap();
    let witness = LogKey::generate("witness.example").unwrap();
    let checkpoint = Checkpoint::sign(&key, 0, EMPTY_HASH).unwrap();
    let mut note = Note::from_bytes(checkpoint.note().as_bytes()).unwrap();
    let signers: [&StandardSigner; 1] = [&witness.signer];
    note.add_sigs(&signers.map(|signer| signer as &dyn Signer))
        .unwrap();
    assert_eq!(
        Checkpoint::verify(&note.to_bytes(), key.verifier())
            .unwrap()
            .size(),
        0
    );
}

#[test]
fn a_signature_does_not_make_nonsense_a_checkpoint() {
    let key = LogKey::generate(ORIGIN).unwrap();
    let root = RootHash([9; 32]);
    let empty = RootHash(EMPTY_HASH.0);
    let cases = [
        (
            "weir.example/other\n7\nROOT\n".to_owned(),
            "AUDIT_CHECKPOINT_UNSIGNED",
        ),
        (
            format!("{ORIGIN}\n07\nROOT\n"),
            "AUDIT_CHECKPOINT_MALFORMED",
        ),
        (
            format!("{ORIGIN}\n-1\nROOT\n"),
            "AUDIT_CHECKPOINT_MALFORMED",
        ),
        (format!("{ORIGIN}\n7\n"), "AUDIT_CHECKPOINT_MALFORMED"),
        (format!("{ORIGIN}\n7\nAAAA\n"), "AUDIT_CHECKPOINT_MALFORMED"),
        (
            format!("{ORIGIN}\n7\nROOT\n\nmore\n"),
            "AUDIT_CHECKPOINT_MALFORMED",
        ),
        (format!("{ORIGIN}\n0\nROOT\n"), "AUDIT_CHECKPOINT_MALFORMED"),
        (
            format!("{ORIGIN}\n{}\nROOT\n", TREE_SIZE_MAX + 1),
            "AUDIT_CHECKPOINT_MALFORMED",
        ),
        (
            format!("{ORIGIN}\n{}\nROOT\n", u64::MAX),
            "AUDIT_CHECKPOINT_MALFORMED",
        ),
    ];
    for (text, code) in cases {
        let note = signed(&key, &text.replace("ROOT", &root.to_string()));
        assert_eq!(
            Checkpoint::verify(&note, key.verifier())
                .unwrap_err()
                .code(),
            code,
            "{text}"
        );
    }
    for text in ["\n0\nROOT\n", "0\nROOT\n", "\n7\nROOT\nextension\n"] {
        let note = signed(
            &key,
            &format!("{ORIGIN}{text}").replace("ROOT", &empty.to_string()),
        );
        assert_eq!(
            Checkpoint::verify(&note, key.verifier()).is_ok(),
            text.starts_with('\n'),
            "{text}"
        );
    }
    let long = signed(
        &key,
        &format!(
            "{ORIGIN}\n0\n{empty}\n{}\n",
            "x".repeat(CHECKPOINT_BYTES_MAX)
        ),
    );
    assert_eq!(
        Checkpoint::verify(&long, key.verifier())
            .unwrap_err()
            .code(),
        "AUDIT_CHECKPOINT_MALFORMED"
    );
    for junk in [b"".as_slice(), b"\n\n", b"\xff", &[b'\n'; 1000]] {
        assert_eq!(
            Checkpoint::verify(junk, key.verifier()).unwrap_err().code(),
            "AUDIT_CHECKPOINT_MALFORMED"
        );
    }
}

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use tlog_tiles::Hash;

use super::*;
use crate::checkpoint::Checkpoint;

const NAME: &str = "witness.example/w1";

fn checkpoint() -> Checkpoint {
    let key = LogKey::generate("weir.example/log").unwrap();
    Checkpoint::sign(&key, 7, Hash([9; 32])).unwrap()
}

#[test]
fn a_cosignature_is_what_the_specification_says() {
    let key = WitnessKey::generate(NAME).unwrap();
    let checkpoint = checkpoint();
    let line = key
        .cosign(checkpoint.text().as_bytes(), 1_679_315_147)
        .unwrap();
    let signature = Signature::from_bytes(line.trim_end().as_bytes()).unwrap();
    // 8 bytes of time, 64 of signature; the number of the key is that of type 4.
    assert_eq!(signature.signature().len(), 72);
    assert_eq!(signature.signature()[..8], 1_679_315_147_u64.to_be_bytes());
    let public = key.secret.verifier().public_bytes();
    assert_eq!(
        signature.id(),
        signed_note::key_id(NAME, &[[4].as_slice(), &public].concat())
    );
    let message = format!("cosignature/v1\ntime 1679315147\n{}", checkpoint.text());
    assert!(
        key.secret
            .verifier()
            .verifier
            .verify(message.as_bytes(), &signature.signature()[8..])
    );
}

#[test]
fn a_key_is_read_back_and_nothing_else_is() {
    let key = WitnessKey::generate(NAME).unwrap();
    let text = key.verifier().to_string();
    let read: WitnessVerifierKey = format!(" {text}\n").parse().unwrap();
    assert_eq!((&read, read.witness()), (key.verifier(), NAME));
    let upper = text.replacen(&format!("{:08x}", read.id), &format!("{:08X}", read.id), 1);
    assert_eq!(upper.parse::<WitnessVerifierKey>().unwrap(), read);
    let log = key.secret.verifier().to_string();
    for bad in [
        String::new(),
        "+".to_owned(),
        "a+b+c".to_owned(),
        log.clone(),
        text.replace("w1", "w2"),
        text[..text.len() - 1].to_owned(),
        format!("{text}A"),
        format!("{}{text}", "x".repeat(2_000)),
    ] {
        let error = bad.parse::<WitnessVerifierKey>().unwrap_err();
        assert_eq!(error.code(), "AUDIT_VERIFIER_KEY_INVALID", "{bad}");
    }
    let error = log.parse::<WitnessVerifierKey>().unwrap_err();
    assert!(error.to_string().contains("a log's key"), "{error}");
    assert!(text.parse::<crate::VerifierKey>().is_err());
}

#[test]
fn cosignatures_are_counted_by_key_and_a_false_one_spoils_the_note() {
    let [one, two] = ["w1", "w2"].map(|name| WitnessKey::generate(name).unwrap());
    let keys = [one.verifier().clone(), two.verifier().clone()];
    let bare = checkpoint();
    let text = bare.text().as_bytes();
    let lines = [one.cosign(text, 10).unwrap(), two.cosign(text, 20).unwrap()].concat();
    let both = bare.with_cosignatures(&lines, &keys).unwrap();
    let found = both.cosignatures(&keys).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.witness.as_str(), one.time_s))
        .collect();
    assert_eq!(found, [("w1", 10), ("w2", 20)]);
    assert_eq!(both.text(), bare.text());
    assert_eq!(bare.cosignatures(&keys).unwrap(), []);
    assert_eq!(both.cosignatures(&[]).unwrap(), []);

    // Asked for twice, or under another name with the same key: one witness.
    let doubled = [keys[0].clone(), keys[0].clone()];
    assert_eq!(both.require_witnesses(&doubled, 1).unwrap().len(), 1);
    assert_eq!(
        both.require_witnesses(&doubled, 2).unwrap_err().code(),
        "AUDIT_WITNESSES_MISSING"
    );
    assert_eq!(both.require_witnesses(&keys, 2).unwrap().len(), 2);
    let alias = WitnessVerifierKey::new("alias", &one.secret.verifier().public_bytes()).unwrap();
    let renamed = lines.replacen("— w1 ", "— alias ", 1);
    assert!(
        both.with_cosignatures(&renamed, std::slice::from_ref(&alias))
            .unwrap()
            .cosignatures(std::slice::from_ref(&alias))
            .unwrap()
            .is_empty()
    );

    // A later cosignature by the same witness takes the place of the earlier.
    let later = both
        .with_cosignatures(&one.cosign(text, 30).unwrap(), &keys)
        .unwrap();
    assert_eq!(later.note().lines().count(), both.note().lines().count());
    assert!(
        later
            .cosignatures(&keys)
            .unwrap()
            .iter()
            .any(|one| one.time_s == 30)
    );

    // Lines by others are left out; lines that are false, or none, are an error.
    let stranger = WitnessKey::generate("w3").unwrap();
    let same = bare
        .with_cosignatures(&stranger.cosign(text, 1).unwrap(), &keys)
        .unwrap();
    assert_eq!(same, bare);
    let elsewhere = one.cosign(b"another text\n", 10).unwrap();
    for bad in [elsewhere.as_str(), "nonsense", "— w1 AAAA", "— w1 !", "\n"] {
        let error = bare.with_cosignatures(bad, &keys).unwrap_err();
        assert_eq!(error.code(), "AUDIT_COSIGNATURE_INVALID", "{bad}");
    }
    let log = LogKey::generate("weir.example/log").unwrap();
    let signed = Checkpoint::sign(&log, 7, Hash([9; 32])).unwrap();
    let forged = format!("{}{elsewhere}", signed.note());
    let forged = Checkpoint::verify(forged.as_bytes(), log.verifier()).unwrap();
    assert_eq!(
        forged.cosignatures(&keys).unwrap_err().code(),
        "AUDIT_COSIGNATURE_INVALID"
    );
}

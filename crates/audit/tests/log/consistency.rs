//! Consistency: proofs against the naive implementation, and what is refused; whole logs held against what was kept.

use base64::prelude::{BASE64_STANDARD, Engine};
use weir_audit::{Checkpoint, ConsistencyProof, Log, verify_log_since};

use crate::naive;
use crate::place::{Place, entries, entry};

/// Sizes around everything that changes shape: powers of two, full tiles, the next level.
const SIZES: [u64; 14] = [1, 2, 3, 5, 7, 8, 255, 256, 257, 511, 512, 513, 640, 1_000];

/// A log grown through [`SIZES`], with the checkpoint of each.
fn grown(place: &Place) -> (Log, Vec<Checkpoint>) {
    let mut log = place.create();
    let mut kept = vec![log.checkpoint().clone()];
    for size in SIZES {
        log.append_all(&entries(log.size()..size)).unwrap();
        kept.push(log.checkpoint().clone());
    }
    (log, kept)
}

#[test]
fn every_tree_is_shown_to_continue_every_earlier_one() {
    let place = Place::new();
    let mut log = place.create();
    let mut leaves = Vec::new();
    let mut kept: Vec<Checkpoint> = Vec::new();
    for size in SIZES {
        let new = entries(log.size()..size);
        leaves.extend(
            new.iter()
                .map(|entry| naive::leaf(&entry.to_canonical().unwrap())),
        );
        log.append_all(&new).unwrap();
        kept.push(log.checkpoint().clone());
        for before in &kept {
            let proof = log.consistency(before.size()).unwrap();
            let expected = naive::consistency(usize::try_from(before.size()).unwrap(), &leaves);
            let expected: Vec<_> = expected
                .iter()
                .map(|hash| BASE64_STANDARD.encode(hash))
                .collect();
            assert_eq!(proof.to_base64(), expected, "{} to {size}", before.size());
            proof.verify(before, log.checkpoint()).unwrap();
        }
    }
    assert_eq!(
        log.consistency(1_001).unwrap_err().code(),
        "AUDIT_NO_SUCH_ENTRY"
    );
}

#[test]
fn a_proof_that_is_not_the_one_is_refused() {
    let place = Place::new();
    let (log, kept) = grown(&place);
    let now = log.checkpoint();
    for before in &kept {
        let good = log.consistency(before.size()).unwrap().to_base64();
        let read = |hashes: &[String]| {
            ConsistencyProof::from_base64(hashes.iter().map(String::as_str)).unwrap()
        };
        read(&good).verify(before, now).unwrap();
        let mut bad = vec![[good.clone(), vec![now.root().to_string()]].concat()];
        for position in 0..good.len() {
            let mut altered = good.clone();
            altered[position] = before.root().to_string();
            bad.push(altered);
            let mut dropped = good.clone();
            dropped.remove(position);
            bad.push(dropped);
        }
        bad.retain(|hashes| *hashes != good);
        assert!(!bad.is_empty());
        for hashes in bad {
            let error = read(&hashes).verify(before, now).unwrap_err();
            assert_eq!(error.code(), "AUDIT_INCONSISTENT", "{}", before.size());
        }
    }
    let (empty, first) = (&kept[0], &kept[1]);
    let code = |error: weir_audit::AuditError| error.code();
    assert_eq!(
        ConsistencyProof::default().verify(now, first).map_err(code),
        Err("AUDIT_SHRUNK")
    );
    assert_eq!(
        ConsistencyProof::default().verify(empty, now).map_err(code),
        Ok(())
    );
    for (hashes, reason) in [
        (vec!["AAAA"], "bad hash"),
        (vec!["?"], "bad hash"),
        (vec!["AAAA"; 1_000], "bad hash"),
    ] {
        let error = ConsistencyProof::from_base64(hashes).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let root = now.root().to_string();
    let error = ConsistencyProof::from_base64(vec![root.as_str(); 65]).unwrap_err();
    assert_eq!(error.code(), "AUDIT_PROOF_MALFORMED");
}

#[test]
fn another_history_is_not_a_continuation() {
    let ours = Place::new();
    let theirs = Place::with_key_of(&ours);
    let (log, kept) = grown(&ours);
    // The same key, the same sizes, other entries from 300 on: what a holder of the key could show to somebody else.
    let mut other = theirs.create();
    other.append_all(&entries(0..300)).unwrap();
    let changed: Vec<_> = (300..1_000).map(|number| entry("zhao", number)).collect();
    other.append_all(&changed).unwrap();
    for before in kept.iter().filter(|before| before.size() < 1_000) {
        let proof = other.consistency(before.size()).unwrap();
        let outcome = proof.verify(before, other.checkpoint());
        assert_eq!(outcome.is_ok(), before.size() <= 300, "{}", before.size());
        let whole = verify_log_since(&theirs.dir(), &theirs.verifier, before, &mut |_, _| {});
        assert_eq!(
            whole.map(drop).map_err(|error| error.code()).err(),
            outcome.map_err(|error| error.code()).err()
        );
    }
    let code = |error: weir_audit::AuditError| error.code();
    let proof = ConsistencyProof::default();
    assert_eq!(
        proof
            .verify(log.checkpoint(), other.checkpoint())
            .map_err(code),
        Err("AUDIT_SPLIT_VIEW")
    );
    let whole = |before| {
        verify_log_since(&theirs.dir(), &theirs.verifier, before, &mut |_, _| {})
            .map(drop)
            .map_err(code)
    };
    assert_eq!(whole(log.checkpoint()), Err("AUDIT_SPLIT_VIEW"));
    let small = Place::with_key_of(&ours);
    small.create().append_all(&entries(0..20)).unwrap();
    let shrunk = verify_log_since(
        &small.dir(),
        &small.verifier,
        log.checkpoint(),
        &mut |_, _| {},
    );
    assert_eq!(shrunk.map(drop).map_err(code), Err("AUDIT_SHRUNK"));

    // Another log altogether.
    let stranger = Place::new();
    let foreign = stranger.create();
    assert_eq!(foreign.checkpoint().origin(), log.checkpoint().origin());
    assert!(Checkpoint::verify(foreign.checkpoint().note().as_bytes(), &ours.verifier).is_err());
}

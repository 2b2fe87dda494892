//! Witnesses: they follow a log that grows, refuse one that does not, keep what convicts it, and survive their own restarts.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use weir_audit::{
    ADD_CHECKPOINT_BYTES_MAX, Checkpoint, ConsistencyProof, Evidence, Log, Receipt, Witness,
    WitnessAnswer, WitnessKey, add_checkpoint, verify_log,
};

use crate::place::{Place, entries, entry};

const NAME: &str = "witness.example/w1";
const NOW_S: u64 = 1_790_000_000;

/// A witness and its folder.
struct Seat {
    home: tempfile::TempDir,
    key: WitnessKey,
}

impl Seat {
    fn new(name: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let key = Witness::create(&home.path().join("witness"), name).unwrap();
        Self { home, key }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("witness")
    }

    fn open(&self, place: &Place) -> Witness {
        Witness::open(&self.dir(), vec![place.verifier.clone()]).unwrap()
    }
}

/// What the log's side does: asks for a cosignature of its newest checkpoint, from the size it thinks the witness has.
fn ask(witness: &Witness, log: &Log, old_size: u64) -> WitnessAnswer {
    let proof = log.consistency(old_size).unwrap();
    let request = add_checkpoint(old_size, &proof, log.checkpoint());
    witness.add_checkpoint(request.as_bytes(), NOW_S).unwrap()
}

fn line(answer: WitnessAnswer) -> String {
    match answer {
        WitnessAnswer::Cosigned(line) => line,
        other => panic!("not cosigned: {other:?}"),
    }
}

#[test]
fn a_witness_follows_a_log_and_receipts_carry_what_it_says() {
    let (place, seats) = (
        Place::new(),
        [Seat::new(NAME), Seat::new("witness.example/w2")],
    );
    let keys = seats.each_ref().map(|seat| seat.key.verifier().clone());
    let mut log = place.create();
    let mut sizes = [0, 0];
    for size in [0, 1, 5, 256, 300, 300] {
        log.append_all(&entries(log.size()..size)).unwrap();
        let mut checkpoint = log.checkpoint().clone();
        for (seat, seen) in seats.iter().zip(&mut sizes) {
            // Opened anew each time: what was seen is on the disk.
            let line = line(ask(&seat.open(&place), &log, *seen));
            checkpoint = checkpoint.with_cosignatures(&line, &keys).unwrap();
            *seen = size;
        }
        assert_eq!(
            checkpoint.require_witnesses(&keys, 2).unwrap()[0].time_s,
            NOW_S
        );
        log.keep_cosigned(checkpoint.clone()).unwrap();
        assert_eq!(
            (log.cosigned(), log.published()),
            (Some(&checkpoint), &checkpoint)
        );
    }
    log.append_all(&entries(300..310)).unwrap();
    assert_eq!(log.published(), log.checkpoint());
    // It is there when the log is opened again, and so are receipts under it.
    drop(log);
    let log = place.open();
    for index in [0, 255, 256, 299] {
        let receipt = log.witnessed_receipt(index).unwrap().unwrap();
        let receipt = Receipt::from_json(receipt.to_json().unwrap().as_bytes()).unwrap();
        let (entry, cosigned) = receipt.verify_witnessed(&place.verifier, &keys, 2).unwrap();
        assert_eq!(
            (entry.entry(), entry.tree_size(), cosigned.len()),
            (&entries(index..index + 1)[0], 300, 2)
        );
        let error = receipt
            .verify_witnessed(&place.verifier, &keys, 3)
            .unwrap_err();
        assert_eq!(error.code(), "AUDIT_WITNESSES_MISSING");
    }
    assert_eq!(log.witnessed_receipt(300).unwrap(), None);
    let bare = log.receipt(305).unwrap();
    assert_eq!(
        bare.verify_witnessed(&place.verifier, &keys, 1)
            .unwrap_err()
            .code(),
        "AUDIT_WITNESSES_MISSING"
    );
    let report = place.verify().unwrap();
    assert_eq!(report.cosigned.unwrap().size(), 300);
}

#[test]
fn a_witness_answers_as_the_protocol_says() {
    let (place, seat) = (Place::new(), Seat::new(NAME));
    let witness = seat.open(&place);
    let mut log = place.create();
    log.append_all(&entries(0..20)).unwrap();
    let first = log.checkpoint().clone();
    let post = |text: &str| witness.add_checkpoint(text.as_bytes(), NOW_S).unwrap();
    let none = ConsistencyProof::default();

    // The first tree needs no proof, and may have none.
    let good = add_checkpoint(0, &none, &first);
    assert_eq!(
        post(&good.replacen("old 0\n", &format!("old 0\n{}\n", first.root()), 1)).status(),
        422
    );
    line(post(&good));
    // Again: the size is another now, and is said.
    let answer = post(&good);
    assert_eq!(
        (answer.status(), answer.media_type(), answer.body().as_str()),
        (409, "text/x.tlog.size", "20\n")
    );
    // The same tree may be cosigned again, with a newer time.
    line(ask(&witness, &log, 20));

    log.append_all(&entries(20..30)).unwrap();
    let proof = log.consistency(20).unwrap();
    let good = add_checkpoint(20, &proof, log.checkpoint());
    let changed = [
        ("old 20", "old 19", 409),
        ("old 20", "old 31", 400),
        ("old 20", "old 020", 400),
        ("old 20", "old +20", 400),
        ("old 20", "old 99999999999999999999", 400),
        ("old 20", "20", 400),
        ("old 20\n", "old 20\nAAAA\n", 400),
        ("traffic", "traffjc", 404),
        ("\n30\n", "\n31\n", 403),
        ("\n30\n", "\n030\n", 403),
        ("\n\n", "\n", 400),
    ];
    for (what, with, status) in changed {
        let altered = good.replacen(what, with, 1);
        assert_ne!(altered, good);
        assert_eq!(post(&altered).status(), status, "{what:?} as {with:?}");
    }
    let hash = &proof.to_base64()[0];
    assert_eq!(
        post(&good.replacen(&format!("{hash}\n"), "", 1)).status(),
        422
    );
    assert_eq!(
        post(&good.replacen(
            "old 20\n",
            &format!("old 20\n{}", format!("{hash}\n").repeat(64)),
            1
        ))
        .status(),
        400
    );
    assert_eq!(
        post(&format!("{good}{}", "x".repeat(ADD_CHECKPOINT_BYTES_MAX))).status(),
        400
    );
    for junk in ["", "\n", "\n\n", "old 0\n\n", "old 0\n\n\n\n", "old"] {
        assert!([400, 404].contains(&post(junk).status()), "{junk:?}");
    }
    // None of this moved it; and a stranger's key under the log's name does not either.
    assert_eq!(witness.seen_of(first.origin()).unwrap().size(), 20);
    let stranger = Place::new();
    let mut foreign = stranger.create();
    foreign.append_all(&entries(0..30)).unwrap();
    assert_eq!(ask(&witness, &foreign, 20).status(), 403);
    line(post(&good));
    assert_eq!(witness.seen_of(first.origin()).unwrap().size(), 30);
}

#[test]
fn a_split_view_is_not_cosigned_and_its_evidence_convinces_others() {
    let (place, seat) = (Place::new(), Seat::new(NAME));
    let fork = Place::with_key_of(&place);
    let mut log = place.create();
    log.append_all(&entries(0..20)).unwrap();
    let mut other = fork.create();
    let mut changed = entries(0..20);
    changed[7] = entry("zhao", 7);
    other.append_all(&changed).unwrap();
    let witness = seat.open(&place);
    line(ask(&witness, &log, 0));

    // Of one size: a conflict, and the two checkpoints prove it to anybody who has the log's key.
    assert_eq!(ask(&witness, &other, 20).status(), 409);
    // Of more: no proof can be right.
    other.append_all(&entries(20..25)).unwrap();
    assert_eq!(ask(&witness, &other, 20).status(), 422);
    // Said again, it is kept once.
    assert_eq!(ask(&witness, &other, 20).status(), 422);
    let mut findings = Vec::new();
    for file in fs::read_dir(witness.evidence_dir(log.checkpoint().origin())).unwrap() {
        let json = fs::read(file.unwrap().path()).unwrap();
        let evidence = Evidence::from_json(&json).unwrap();
        findings.push(evidence.verify(&place.verifier).unwrap().code());
        let stranger = Place::new();
        assert_eq!(
            evidence.verify(&stranger.verifier).unwrap_err().code(),
            "AUDIT_CHECKPOINT_UNSIGNED"
        );
    }
    findings.sort_unstable();
    assert_eq!(findings, ["AUDIT_INCONSISTENT", "AUDIT_SPLIT_VIEW"]);

    // What agrees is no evidence.
    let before = log.checkpoint().clone();
    log.append_all(&entries(20..25)).unwrap();
    let honest = Evidence::new(&before, log.checkpoint(), &log.consistency(20).unwrap());
    assert_eq!(
        honest.verify(&place.verifier).unwrap_err().code(),
        "AUDIT_EVIDENCE_UNPROVEN"
    );
    for junk in [
        "",
        "{}",
        "[]",
        r#"{"version":1,"earlier":"","later":"","proof":[],"more":1}"#,
    ] {
        assert_eq!(
            Evidence::from_json(junk.as_bytes()).unwrap_err().code(),
            "AUDIT_PROOF_MALFORMED"
        );
    }
    // The honest log goes on.
    line(ask(&witness, &log, 20));
}

#[test]
fn what_witnesses_have_seen_cannot_be_taken_back() {
    let (place, seat) = (Place::new(), Seat::new(NAME));
    let keys = [seat.key.verifier().clone()];
    let mut log = place.create();
    log.append_all(&entries(0..5)).unwrap();
    let older = fs::read(place.dir().join("checkpoint")).unwrap();
    log.append(&entries(5..6)[0]).unwrap();
    let line = line(ask(&seat.open(&place), &log, 0));
    let cosigned = log.checkpoint().with_cosignatures(&line, &keys).unwrap();
    log.keep_cosigned(cosigned.clone()).unwrap();
    drop(log);
    // An append undone by putting the checkpoint back: the log alone could not tell it from one that was interrupted.
    let newest = fs::read(place.dir().join("checkpoint")).unwrap();
    fs::write(place.dir().join("checkpoint"), &older).unwrap();
    for error in [
        place.verify().unwrap_err(),
        Log::open(&place.dir(), place.key()).unwrap_err(),
    ] {
        assert_eq!(error.code(), "AUDIT_ROLLED_BACK");
        assert!(error.to_string().contains("`cosigned`"), "{error}");
    }
    fs::write(place.dir().join("checkpoint"), &newest).unwrap();
    place.verify().unwrap();

    // What was cosigned is altered, or of another history.
    let fork = Place::with_key_of(&place);
    let mut other = fork.create();
    other.append_all(&entries(1..9)).unwrap();
    assert_eq!(
        other.keep_cosigned(cosigned.clone()).unwrap_err().code(),
        "AUDIT_INCONSISTENT"
    );
    drop(other);
    fs::write(fork.dir().join("cosigned"), cosigned.note()).unwrap();
    for error in [
        fork.verify().unwrap_err(),
        Log::open(&fork.dir(), fork.key()).unwrap_err(),
    ] {
        assert_eq!(error.code(), "AUDIT_INCONSISTENT");
    }
    fs::write(
        place.dir().join("cosigned"),
        cosigned.note().replacen("\n6\n", "\n7\n", 1),
    )
    .unwrap();
    for error in [
        place.verify().unwrap_err(),
        Log::open(&place.dir(), place.key()).unwrap_err(),
    ] {
        assert_eq!(error.code(), "AUDIT_CHECKPOINT_UNSIGNED");
        assert!(error.to_string().contains("`cosigned`"), "{error}");
    }
    // An older one than is kept changes nothing; a stranger's is refused.
    fs::write(place.dir().join("cosigned"), cosigned.note()).unwrap();
    let mut log = place.open();
    let old = Checkpoint::verify(&older, &place.verifier).unwrap();
    log.keep_cosigned(old).unwrap();
    assert_eq!(log.cosigned(), Some(&cosigned));
    let stranger = Place::new();
    let foreign = stranger.create().checkpoint().clone();
    assert_eq!(
        log.keep_cosigned(foreign).unwrap_err().code(),
        "AUDIT_CHECKPOINT_UNSIGNED"
    );
    assert_eq!(
        verify_log(&place.dir(), &place.verifier, &mut |_, _| {})
            .unwrap()
            .entries,
        6
    );
}

#[test]
fn a_witness_has_one_process_and_one_key() {
    let (place, seat) = (Place::new(), Seat::new(NAME));
    let witness = seat.open(&place);
    let second = Witness::open(&seat.dir(), vec![place.verifier.clone()])
        .err()
        .unwrap();
    assert_eq!(second.code(), "AUDIT_LOCKED");
    assert_eq!(
        Witness::create(&seat.dir(), NAME).unwrap_err().code(),
        "AUDIT_SIGNING_KEY_EXISTS"
    );
    assert_eq!(witness.key().verifier(), seat.key.verifier());
    line(ask(&witness, &place.create(), 0));
    drop(witness);
    // Its memory was altered: it does not start, and so does not cosign what it cannot compare.
    let mut file = fs::read_dir(seat.dir())
        .unwrap()
        .map(|file| file.unwrap().path());
    let file = file
        .find(|file| file.extension().is_some_and(|end| end == "checkpoint"))
        .unwrap();
    fs::write(
        &file,
        fs::read_to_string(&file)
            .unwrap()
            .replacen("\n0\n", "\n1\n", 1),
    )
    .unwrap();
    let error = Witness::open(&seat.dir(), vec![place.verifier.clone()])
        .err()
        .unwrap();
    assert_eq!(error.code(), "AUDIT_CHECKPOINT_UNSIGNED");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is sent, a witness answers, and cosigns nothing but what it was asked for rightly.
    #[test]
    fn hostile_requests_are_answered(
        cut in any::<prop::sample::Index>(),
        insert in prop::collection::vec(any::<u8>(), 0..8),
        junk in "(old [0-9]{1,20}\n)?[A-Za-z0-9+/=\n— ]{0,200}",
    ) {
        let (place, seat) = (Place::new(), Seat::new(NAME));
        let witness = seat.open(&place);
        let mut log = place.create();
        log.append_all(&entries(0..3)).unwrap();
        let good = add_checkpoint(0, &ConsistencyProof::default(), log.checkpoint()).into_bytes();
        let at = cut.index(good.len());
        let mut altered = good.clone();
        altered.splice(at..at, insert.iter().copied());
        for request in [&good[..at], junk.as_bytes()] {
            prop_assert_ne!(witness.add_checkpoint(request, NOW_S).unwrap().status(), 200);
        }
        let answer = witness.add_checkpoint(&altered, NOW_S).unwrap();
        prop_assert!(answer.status() != 200 || insert.is_empty() || at > good.len() - 120);
    }
}

//! Traces: from a release to everything it came from and nothing else, and back.

use weir_audit::{Actor, DatasetRef, Digest, Entry, Event, ModelRef, Timestamp, trace};

use crate::place::Place;

fn by(person: &str, organisation: &str, event: Event) -> Entry {
    let actor = Actor {
        person: person.to_owned(),
        organisation: organisation.to_owned(),
        role: "operator".to_owned(),
    };
    Entry::new(
        Timestamp::parse("2026-01-31T09:30:00.000Z").unwrap(),
        actor,
        event,
    )
}

fn registered(dataset: &str, snapshot: &str) -> Event {
    Event::DatasetRegistered {
        dataset: dataset.to_owned(),
        snapshot: snapshot.to_owned(),
        population: "persons".to_owned(),
        digest: Digest::of(snapshot.as_bytes()),
        rows: 1,
        units: 1,
        rows_without_unit: 0,
    }
}

fn issued(person: &str) -> Event {
    Event::IdentityIssued {
        fingerprint: Digest::of(person.as_bytes()),
        person: person.to_owned(),
        organisation: "Acme".to_owned(),
        role: "operator".to_owned(),
        not_after: Timestamp::parse("2027-01-31T09:30:00.000Z").unwrap(),
    }
}

fn released(run: &str, snapshot: &str, model: &str, policy: &str) -> Event {
    Event::ReleaseDecided {
        run: run.to_owned(),
        request_digest: Digest::of(b"sql"),
        datasets: vec![DatasetRef {
            name: snapshot.split('-').next().unwrap().to_owned(),
            snapshot: snapshot.to_owned(),
        }],
        models: vec![ModelRef {
            name: model.to_owned(),
            digest: Digest::of(model.as_bytes()),
        }],
        policy_digest: Digest::of(policy.as_bytes()),
        cells_released: 3,
        cells_withheld_at_most: 10,
        table_digest: Digest::of(run.as_bytes()),
        ledger: None,
        bits_out: None,
    }
}

/// A small history. What `run-1` came from is marked.
fn history(place: &Place) -> Vec<(bool, Entry)> {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let policy = |name: &str| Event::PolicyInForce {
        name: name.to_owned(),
        digest: digest(name),
    };
    let submitted = |model: &str| Event::ModelSubmitted {
        model: model.to_owned(),
        digest: digest(model),
        size_bytes: 9,
    };
    let entries = vec![
        (true, by("wang", "Bureau", policy("policy-1"))),
        (true, by("wang", "Bureau", issued("li"))),
        (false, by("wang", "Bureau", issued("zhao"))),
        (
            true,
            by("wang", "Bureau", registered("flights", "flights-1")),
        ),
        (false, by("wang", "Bureau", registered("taxis", "taxis-1"))),
        (true, by("li", "Acme", submitted("score"))),
        (
            true,
            by(
                "wang",
                "Bureau",
                Event::ModelApproved {
                    model: "score".to_owned(),
                    digest: digest("score"),
                },
            ),
        ),
        (false, by("li", "Acme", submitted("other"))),
        (
            false,
            by(
                "zhao",
                "Acme",
                released("run-0", "taxis-1", "other", "policy-1"),
            ),
        ),
        (
            false,
            by(
                "li",
                "Acme",
                released("run-1", "flights-1", "score", "policy-1"),
            ),
        ),
        (false, by("wang", "Bureau", policy("policy-2"))),
        (
            false,
            by("wang", "Bureau", registered("flights", "flights-2")),
        ),
        (
            false,
            by(
                "li",
                "Acme",
                released("run-2", "flights-2", "score", "policy-2"),
            ),
        ),
        (
            true,
            by(
                "wang",
                "Bureau",
                Event::SnapshotDestroyed {
                    dataset: "flights".to_owned(),
                    snapshot: "flights-1".to_owned(),
                    digest: digest("flights-1"),
                    certificate: digest("certificate"),
                    reason: "li".to_owned(),
                },
            ),
        ),
    ];
    let all: Vec<_> = entries.iter().map(|(_, entry)| entry.clone()).collect();
    place.create().append_all(&all).unwrap();
    entries
}

/// Numbers of the changes, and of the releases.
fn traced(place: &Place, subject: &str) -> (Vec<u64>, Vec<u64>) {
    let found = trace(&place.dir(), &place.verifier, subject, &mut |_, _| {}).unwrap();
    assert!(!found.is_cut);
    let numbers =
        |entries: &[weir_audit::TracedEntry]| entries.iter().map(|traced| traced.index).collect();
    (numbers(&found.changes), numbers(&found.releases))
}

#[test]
fn a_release_is_traced_to_all_it_came_from_and_nothing_else() {
    let place = Place::new();
    let entries = history(&place);
    let marked: Vec<u64> = (0..)
        .zip(&entries)
        .filter(|(_, (is_marked, _))| *is_marked)
        .map(|(index, _)| index)
        .collect();
    assert_eq!(traced(&place, "run-1"), (marked.clone(), vec![9]));
    let table = Digest::of(b"run-1").to_string();
    assert_eq!(traced(&place, &table), (marked, vec![9]));
}

#[test]
fn anything_else_is_traced_to_what_came_of_it() {
    let place = Place::new();
    history(&place);
    assert_eq!(traced(&place, "flights"), (vec![3, 11, 13], vec![9, 12]));
    assert_eq!(traced(&place, "flights-1"), (vec![3, 13], vec![9]));
    assert_eq!(traced(&place, "score"), (vec![5, 6], vec![9, 12]));
    assert_eq!(
        traced(&place, &Digest::of(b"score").to_string()),
        (vec![5, 6], vec![9, 12])
    );
    assert_eq!(
        traced(&place, &Digest::of(b"policy-1").to_string()),
        (vec![0], vec![8, 9])
    );
    assert_eq!(traced(&place, "zhao"), (vec![2], vec![8]));
    assert_eq!(traced(&place, "persons"), (vec![3, 4, 11], vec![]));
    // A reason is words, not a name: what li did, and not what was done for a reason called so.
    assert_eq!(traced(&place, "li"), (vec![1, 5, 7], vec![9, 12]));
    for nobody in ["", "run-9", "sql", "operator"] {
        let error = trace(&place.dir(), &place.verifier, nobody, &mut |_, _| {}).unwrap_err();
        assert_eq!(error.code(), "AUDIT_NOT_IN_LOG", "{nobody}");
    }
}

#[test]
fn a_log_that_does_not_verify_is_not_traced() {
    let place = Place::new();
    history(&place);
    let file = place.dir().join("tile/entries/000.p/14");
    let text = std::fs::read(&file).unwrap();
    let altered = String::from_utf8_lossy(&text)
        .replacen("taxis", "boats", 1)
        .into_bytes();
    assert_ne!(altered, text);
    std::fs::write(&file, altered).unwrap();
    let error = trace(&place.dir(), &place.verifier, "run-1", &mut |_, _| {}).unwrap_err();
    assert!(error.code().starts_with("AUDIT_"), "{error}");
    assert!(
        error.to_string().contains("tile/entries/000.p/14"),
        "{error}"
    );
}

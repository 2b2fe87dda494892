#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use weir_audit::{Actor, Digest, Event, Timestamp};

use super::*;
use crate::test_domain::{TestFolder, entries};

fn text(text: &str) -> String {
    text.to_owned()
}

fn li() -> Actor {
    Actor {
        person: text("li"),
        organisation: text("Acme"),
        role: text("operator"),
    }
}

/// An entry of each kind that has an effect, in the order in which they might be written.
fn claims() -> Vec<(&'static str, Event)> {
    let digest = Digest::of(b"it");
    let at = Timestamp::from(Utc::now());
    let run = || text("r1");
    vec![
        (
            "run_authorised",
            Event::RunAuthorised {
                run: text("r0"),
                request_digest: digest,
                grant: text("g1"),
                grant_digest: digest,
            },
        ),
        (
            "basis_kept",
            Event::BasisKept {
                run: run(),
                request_digest: digest,
                basis: digest,
            },
        ),
        (
            "release_decided",
            Event::ReleaseDecided {
                run: run(),
                request_digest: digest,
                datasets: Vec::new(),
                models: Vec::new(),
                policy_digest: digest,
                cells_released: 1,
                cells_withheld_at_most: 0,
                table_digest: digest,
                bits_out: None,
                ledger: None,
            },
        ),
        (
            "identity_issued",
            Event::IdentityIssued {
                fingerprint: digest,
                person: text("li"),
                organisation: text("Acme"),
                role: text("operator"),
                not_after: at,
            },
        ),
        (
            "dataset_registered",
            Event::DatasetRegistered {
                dataset: text("trips"),
                snapshot: text("s1"),
                population: text("drivers"),
                digest,
                rows: 1,
                units: 1,
                rows_without_unit: 0,
            },
        ),
        (
            "model_submitted",
            Event::ModelSubmitted {
                model: text("m0"),
                digest,
                size_bytes: 1,
            },
        ),
        (
            "model_vetted",
            Event::ModelVetted {
                model: text("m1"),
                digest,
                submitted_digest: digest,
                report_digest: digest,
                verdict: text("ok"),
            },
        ),
        (
            "feedback",
            Event::FeedbackFiled {
                feedback: text("f1"),
                dataset: text("trips"),
                kind: text("quality"),
                text_digest: digest,
            },
        ),
        (
            "policy_change",
            Event::PolicyProposed {
                change: text("c1"),
                dataset: text(""),
                name: text("loose"),
                digest,
                replaces: digest,
            },
        ),
        (
            "application_submitted",
            Event::ApplicationSubmitted {
                application: text("a1"),
                digest,
            },
        ),
        (
            "grant",
            Event::GrantIssued {
                grant: text("g1"),
                application: text("a1"),
                parent: text(""),
                organisation: text("Acme"),
                digest,
                not_after: at,
            },
        ),
        (
            "freeze_changed",
            Event::FreezeChanged {
                scope: text("dataset"),
                name: text("trips"),
                frozen: true,
                reason: text("a test"),
            },
        ),
        (
            "airlock",
            Event::AirlockEntered {
                run: text("r2"),
                request_digest: digest,
                grant: text("g1"),
                reasons: Vec::new(),
                sealed_digest: digest,
                expires_at: at,
            },
        ),
        (
            "product_changed",
            Event::ProductChanged {
                product: text("delays"),
                digest,
                state: text("registered"),
                reason: text(""),
            },
        ),
        (
            "key_rotated",
            Event::KeyRotated {
                key: text("authority"),
                public: digest.to_string(),
            },
        ),
    ]
}

fn named(domain: &Domain) -> Vec<(u64, String)> {
    let events = entries(domain).into_iter();
    let named = events.filter_map(|event| match event {
        Event::EntryWithoutEffect { entry, of } => Some((entry, of)),
        _ => None,
    });
    named.collect()
}

/// A crash right after each entry: the next start names each, once.
#[tokio::test]
async fn every_entry_that_had_no_effect_is_named_at_the_next_start() {
    let made = TestFolder::made().await;
    let domain = made.open().await;
    let mut expected = Vec::new();
    for (of, event) in claims() {
        let receipt = domain.record.append(li(), event).unwrap();
        expected.push((receipt.index(), of.to_owned()));
    }
    // These say nothing that could be missing: a refusal, and what took effect.
    let refused = Event::RunRefused {
        run: text("r3"),
        request_digest: Digest::of(b"it"),
        code: text("SQL_NOT_AN_AGGREGATE"),
    };
    domain.record.append(li(), refused).unwrap();
    let lifted = Event::FreezeChanged {
        scope: text("domain"),
        name: text(""),
        frozen: false,
        reason: text("a test"),
    };
    domain.record.append(li(), lifted).unwrap();
    made.close(domain).await;

    for _ in 0..2 {
        let domain = made.open().await;
        let mut named = named(&domain);
        named.sort();
        assert_eq!(named, expected);
        made.close(domain).await;
    }
}

/// A run that began to read has an outcome, whatever it is; a refusal of another call is none.
#[tokio::test]
async fn a_run_without_an_outcome_is_named() {
    let made = TestFolder::made().await;
    let domain = made.open().await;
    let digest = Digest::of(b"it");
    let begun = |run: &str| Event::RunAuthorised {
        run: text(run),
        request_digest: digest,
        grant: text("g1"),
        grant_digest: digest,
    };
    let refused = |run: &str, code: &str| Event::RunRefused {
        run: text(run),
        request_digest: digest,
        code: text(code),
    };
    let append = |event| domain.record.append(li(), event).unwrap().index();
    append(begun("r1"));
    let second = append(begun("r2"));
    append(refused("r1", "TABLE_TOO_SMALL"));
    append(refused("r2", "RUN_UNDER_WAY"));
    made.close(domain).await;
    let domain = made.open().await;
    assert_eq!(named(&domain), [(second, text("run_authorised"))]);
}

/// While the domain is served an entry may be about to take effect; after an hour it is not any more.
#[tokio::test]
async fn a_domain_that_is_served_waits_before_it_names_an_entry() {
    let made = TestFolder::made().await;
    let domain = Arc::new(made.open().await);
    let (_, event) = claims().remove(3);
    let index = domain.record.append(li(), event).unwrap().index();
    let settled = look(&domain, None).await.unwrap();
    assert_eq!((settled, named(&domain).len()), (index, 0));
    let mut unfinished = domain.unfinished.lock().await;
    for claimed in unfinished.claims.values_mut() {
        claimed.at -= PATIENCE;
    }
    drop(unfinished);
    look(&domain, None).await.unwrap();
    assert_eq!(named(&domain), [(index, text("identity_issued"))]);
    let settled = look(&domain, None).await.unwrap();
    assert_eq!(settled, entries(&domain).len() as u64);
}

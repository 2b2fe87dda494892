#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod authority;
mod models;

use super::*;
use crate::digest::Digest;
use crate::event::{DatasetRef, ModelRef, ReadCharge};
use authority::golden_of_authority;

const HEAD: &str = r#"{"version":1,"time":"2026-01-31T09:30:00.000Z","actor":{"person":"wang.lei","organisation":"traffic-bureau","role":"bureau"},"event":"#;
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn entry(event: Event) -> Entry {
    let actor = Actor {
        person: "wang.lei".to_owned(),
        organisation: "traffic-bureau".to_owned(),
        role: "bureau".to_owned(),
    };
    let time = Timestamp::parse("2026-01-31T09:30:00.000Z").unwrap();
    Entry::new(time, actor, event)
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// One event of each kind with its canonical text. These bytes are the format: a change here breaks every log there is.
fn golden() -> Vec<(Event, String)> {
    let digest = Digest::of(b"");
    let not_after = Timestamp::parse("2027-01-31T00:00:00.000Z").unwrap();
    let models = vec![ModelRef {
        name: text("disruption"),
        digest,
    }];
    let mut golden = vec![
        (
            Event::DomainInitialised {
                domain: text("交通"),
                origin: text("weir.example/traffic"),
            },
            text(
                r#"{"type":"domain_initialised","domain":"交通","origin":"weir.example/traffic"}"#,
            ),
        ),
        (
            Event::IdentityIssued {
                fingerprint: digest,
                person: text("li"),
                organisation: text("op"),
                role: text("operator"),
                not_after,
            },
            format!(
                r#"{{"type":"identity_issued","fingerprint":"{EMPTY}","person":"li","organisation":"op","role":"operator","not_after":"2027-01-31T00:00:00.000Z"}}"#
            ),
        ),
        (
            Event::DatasetRegistered {
                dataset: text("flights"),
                snapshot: text("s1"),
                population: text("vehicles"),
                digest,
                rows: u64::MAX,
                units: 4_043,
                rows_without_unit: 2_512,
            },
            format!(
                r#"{{"type":"dataset_registered","dataset":"flights","snapshot":"s1","population":"vehicles","digest":"{EMPTY}","rows":18446744073709551615,"units":4043,"rows_without_unit":2512}}"#
            ),
        ),
        (
            Event::ModelSubmitted {
                model: text("m"),
                digest,
                size_bytes: 131,
            },
            format!(
                r#"{{"type":"model_submitted","model":"m","digest":"{EMPTY}","size_bytes":131}}"#
            ),
        ),
        (
            Event::ModelApproved {
                model: text("m\"\n"),
                digest,
            },
            format!(r#"{{"type":"model_approved","model":"m\"\n","digest":"{EMPTY}"}}"#),
        ),
        (
            Event::PolicyInForce {
                name: text("default"),
                digest,
            },
            format!(r#"{{"type":"policy_in_force","name":"default","digest":"{EMPTY}"}}"#),
        ),
        (
            Event::ReleaseDecided {
                run: text("r1"),
                request_digest: digest,
                datasets: vec![DatasetRef {
                    name: text("flights"),
                    snapshot: text("s1"),
                }],
                models,
                policy_digest: digest,
                cells_released: 12,
                cells_withheld_at_most: 10,
                table_digest: digest,
                ledger: None,
                bits_out: None,
            },
            format!(
                r#"{{"type":"release_decided","run":"r1","request_digest":"{EMPTY}","datasets":[{{"name":"flights","snapshot":"s1"}}],"models":[{{"name":"disruption","digest":"{EMPTY}"}}],"policy_digest":"{EMPTY}","cells_released":12,"cells_withheld_at_most":10,"table_digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::RunRefused {
                run: text("r2"),
                request_digest: digest,
                code: text("SQL_ROWS"),
            },
            format!(
                r#"{{"type":"run_refused","run":"r2","request_digest":"{EMPTY}","code":"SQL_ROWS"}}"#
            ),
        ),
        (
            Event::SnapshotDestroyed {
                dataset: text("flights"),
                snapshot: text("s1"),
                digest,
                certificate: digest,
                reason: text("term ended"),
            },
            format!(
                r#"{{"type":"snapshot_destroyed","dataset":"flights","snapshot":"s1","digest":"{EMPTY}","certificate":"{EMPTY}","reason":"term ended"}}"#
            ),
        ),
        (
            Event::PolicyProposed {
                change: text("c1"),
                dataset: String::new(),
                name: text("loose"),
                digest,
                replaces: digest,
            },
            format!(
                r#"{{"type":"policy_proposed","change":"c1","dataset":"","name":"loose","digest":"{EMPTY}","replaces":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::PolicyApproved {
                change: text("c1"),
                digest,
                effective_at: not_after,
            },
            format!(
                r#"{{"type":"policy_approved","change":"c1","digest":"{EMPTY}","effective_at":"2027-01-31T00:00:00.000Z"}}"#
            ),
        ),
        (
            Event::PolicyWithdrawn {
                change: text("c1"),
                digest,
            },
            format!(r#"{{"type":"policy_withdrawn","change":"c1","digest":"{EMPTY}"}}"#),
        ),
        (
            Event::DatasetPolicyInForce {
                dataset: text("flights"),
                name: text("strict"),
                digest,
            },
            format!(
                r#"{{"type":"dataset_policy_in_force","dataset":"flights","name":"strict","digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::PolicyReplayed {
                dataset: text("flights"),
                digest,
            },
            format!(r#"{{"type":"policy_replayed","dataset":"flights","digest":"{EMPTY}"}}"#),
        ),
        (
            Event::RiskAssessed {
                dataset: text("flights"),
                snapshot: text("flights-1"),
                columns: vec![text("origin"), text("dest")],
            },
            text(
                r#"{"type":"risk_assessed","dataset":"flights","snapshot":"flights-1","columns":["origin","dest"]}"#,
            ),
        ),
        (
            Event::FeedbackFiled {
                feedback: text("f1"),
                dataset: text("flights"),
                kind: text("objection"),
                text_digest: digest,
            },
            format!(
                r#"{{"type":"feedback_filed","feedback":"f1","dataset":"flights","kind":"objection","text_digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::FeedbackAnswered {
                feedback: text("f1"),
                text_digest: digest,
            },
            format!(r#"{{"type":"feedback_answered","feedback":"f1","text_digest":"{EMPTY}"}}"#),
        ),
    ];
    golden.extend(golden_of_authority());
    golden.extend(golden_of_alerts());
    golden.extend(models::golden());
    golden
}

/// What is watched for.
fn golden_of_alerts() -> Vec<(Event, String)> {
    let since = Timestamp::parse("2026-01-31T09:20:00.000Z").unwrap();
    vec![
        (
            Event::AlertRaised {
                alert: text("a1"),
                rule: text("refusal_burst"),
                subject: text("op"),
                measured: 20,
                limit: 20,
                since,
            },
            text(
                r#"{"type":"alert_raised","alert":"a1","rule":"refusal_burst","subject":"op","measured":20,"limit":20,"since":"2026-01-31T09:20:00.000Z"}"#,
            ),
        ),
        (
            Event::AlertAcknowledged {
                alert: text("a1"),
                text_digest: Digest::of(b""),
            },
            format!(r#"{{"type":"alert_acknowledged","alert":"a1","text_digest":"{EMPTY}"}}"#),
        ),
    ]
}

#[test]
fn every_event_has_its_canonical_bytes_and_comes_back() {
    for (event, event_text) in golden() {
        let expected = format!("{HEAD}{event_text}}}");
        let entry = entry(event);
        assert_eq!(
            String::from_utf8(entry.to_canonical().unwrap()).unwrap(),
            expected
        );
        assert_eq!(Entry::from_canonical(expected.as_bytes()).unwrap(), entry);
    }
}

#[test]
fn any_other_spelling_is_refused_without_quoting_it() {
    let event =
        r#"{"type":"policy_in_force","name":"secret-name","digest":"D"}"#.replace('D', EMPTY);
    let good = format!("{HEAD}{event}}}");
    Entry::from_canonical(good.as_bytes()).unwrap();
    let cases = [
        format!("{good} "),
        format!("{good}\n"),
        format!(" {good}"),
        format!("{good}{good}"),
        good.replace("\"name\":", "\"name\": "),
        good.replace("secret-name", "\\u0073ecret-name"),
        good.replace("secret-name", "secret\\/name"),
        good.replace("\"name\":\"secret-name\",", ""),
        good.replace("\"name\":", "\"name\":\"x\",\"name\":"),
        good.replace("\"name\":", "\"extra\":1,\"name\":"),
        good.replace(
            "{\"version\":1,",
            "{\"version\":1,\"extra\":\"secret-name\",",
        ),
        good.replace("\"role\":", "\"extra\":1,\"role\":"),
        good.replace("policy_in_force", "PolicyInForce"),
        good.replace("policy_in_force", "secret-name"),
        good.replace("\"version\":1", "\"version\":1.0"),
        good.replace("\"version\":1", "\"version\":\"secret-name\""),
        good.replace("00.000Z", "00Z"),
        good.replace("00.000Z", "00.000000Z"),
        good.replace("00.000Z", "00.000+00:00"),
        good.replace("00.000Z", "00.000z"),
        good.replace("09:30:00.000Z", "10:30:00.000+01:00"),
        good.replace("2026-01-31", "2026-02-31"),
        good.replace("sha256:e3", "sha256:E3"),
        good.replace("\"type\":\"policy_in_force\",", "").replace(
            "\"name\":\"secret-name\"",
            "\"name\":\"secret-name\",\"type\":\"policy_in_force\"",
        ),
        good[..good.len() - 1].to_owned(),
        String::new(),
        "null".to_owned(),
        "[".repeat(60_000),
    ];
    for case in cases {
        let error = Entry::from_canonical(case.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "AUDIT_ENTRY_NOT_CANONICAL", "{case}");
        assert!(!error.to_string().contains("secret-name"), "{error}");
    }
    assert!(Entry::from_canonical(b"\xff\xfe").is_err());
    let other_version = good.replace("\"version\":1", "\"version\":2");
    assert_eq!(
        Entry::from_canonical(other_version.as_bytes())
            .unwrap_err()
            .code(),
        "AUDIT_ENTRY_VERSION"
    );
}

#[test]
fn an_entry_may_fill_its_length_field_and_no_more() {
    let named = |name: String| {
        entry(Event::PolicyInForce {
            name,
            digest: Digest::of(b""),
        })
    };
    let overhead = named(String::new()).to_canonical().unwrap().len();
    let longest = named("x".repeat(ENTRY_BYTES_MAX - overhead));
    assert_eq!(longest.to_canonical().unwrap().len(), ENTRY_BYTES_MAX);
    let beyond = named("x".repeat(ENTRY_BYTES_MAX - overhead + 1))
        .to_canonical()
        .unwrap_err();
    assert_eq!(beyond.code(), "AUDIT_ENTRY_TOO_LARGE");
    assert!(
        beyond.to_string().contains("65536") && beyond.to_string().contains("65535"),
        "{beyond}"
    );
}

#[test]
fn an_entry_nobody_could_read_back_is_not_written() {
    let mut entry = entry(Event::PolicyInForce {
        name: String::new(),
        digest: Digest::of(b""),
    });
    entry.version = 2;
    assert_eq!(
        entry.to_canonical().unwrap_err().code(),
        "AUDIT_ENTRY_VERSION"
    );
    entry.version = ENTRY_VERSION;
    entry.time = Timestamp::from(DateTime::<Utc>::MAX_UTC);
    assert_eq!(
        entry.to_canonical().unwrap_err().code(),
        "AUDIT_ENTRY_NOT_CANONICAL"
    );
}

#[test]
fn times_are_cut_to_the_millisecond() {
    let moment = DateTime::parse_from_rfc3339("2026-01-31T09:30:00.123999999+08:00").unwrap();
    let time = Timestamp::from(moment.with_timezone(&Utc));
    assert_eq!(time.to_string(), "2026-01-31T01:30:00.123Z");
    assert_eq!(Timestamp::parse(&time.to_string()).unwrap(), time);
    for text in [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T09:30:00Z",
        "+12026-01-31T09:30:00.000Z",
        "2026-01-31 09:30:00.000Z",
    ] {
        assert_eq!(
            Timestamp::parse(text).unwrap_err().code(),
            "AUDIT_TIME_INVALID",
            "{text}"
        );
    }
}

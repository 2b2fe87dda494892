#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod models;

use super::*;
use crate::digest::Digest;
use crate::event::{DatasetRef, ModelRef, ReadCharge};

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

/// The same for what grants and identities go through.
fn golden_of_authority() -> Vec<(Event, String)> {
    let digest = Digest::of(b"");
    let not_after = Timestamp::parse("2027-01-31T00:00:00.000Z").unwrap();
    vec![
        (
            Event::ApplicationSubmitted {
                application: text("a1"),
                digest,
            },
            format!(r#"{{"type":"application_submitted","application":"a1","digest":"{EMPTY}"}}"#),
        ),
        (
            Event::ApplicationReviewed {
                application: text("a1"),
                digest,
                opinion: text("support"),
                text_digest: digest,
            },
            format!(
                r#"{{"type":"application_reviewed","application":"a1","digest":"{EMPTY}","opinion":"support","text_digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::GrantIssued {
                grant: text("g1"),
                application: text("a1"),
                parent: text(""),
                organisation: text("op"),
                digest,
                not_after,
            },
            format!(
                r#"{{"type":"grant_issued","grant":"g1","application":"a1","parent":"","organisation":"op","digest":"{EMPTY}","not_after":"2027-01-31T00:00:00.000Z"}}"#
            ),
        ),
        (
            Event::GrantChanged {
                grant: text("g1"),
                act: text("suspend"),
                state: text("suspended"),
                reason: text("审计"),
                deadline: text(""),
            },
            text(
                r#"{"type":"grant_changed","grant":"g1","act":"suspend","state":"suspended","reason":"审计","deadline":""}"#,
            ),
        ),
        (
            Event::FreezeChanged {
                scope: text("dataset"),
                name: text("flights"),
                frozen: true,
                reason: text("why"),
            },
            text(
                r#"{"type":"freeze_changed","scope":"dataset","name":"flights","frozen":true,"reason":"why"}"#,
            ),
        ),
        (
            Event::RunAuthorised {
                run: text("r1"),
                request_digest: digest,
                grant: text("g1"),
                grant_digest: digest,
            },
            format!(
                r#"{{"type":"run_authorised","run":"r1","request_digest":"{EMPTY}","grant":"g1","grant_digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::IdentityRenewed {
                fingerprint: digest,
                renews: digest,
                not_after,
            },
            format!(
                r#"{{"type":"identity_renewed","fingerprint":"{EMPTY}","renews":"{EMPTY}","not_after":"2027-01-31T00:00:00.000Z"}}"#
            ),
        ),
        (
            Event::IdentityRevoked {
                fingerprint: digest,
                reason: text("lost"),
            },
            format!(r#"{{"type":"identity_revoked","fingerprint":"{EMPTY}","reason":"lost"}}"#),
        ),
        (
            Event::AirlockEntered {
                run: text("r1"),
                request_digest: digest,
                grant: text("g1"),
                reasons: vec![text("negative_contributions")],
                sealed_digest: digest,
                expires_at: not_after,
            },
            format!(
                r#"{{"type":"airlock_entered","run":"r1","request_digest":"{EMPTY}","grant":"g1","reasons":["negative_contributions"],"sealed_digest":"{EMPTY}","expires_at":"2027-01-31T00:00:00.000Z"}}"#
            ),
        ),
        (
            Event::AirlockSeen {
                run: text("r1"),
                sealed_digest: digest,
            },
            format!(r#"{{"type":"airlock_seen","run":"r1","sealed_digest":"{EMPTY}"}}"#),
        ),
        (
            Event::AirlockChanged {
                run: text("r1"),
                sealed_digest: digest,
                act: text("approve"),
                state: text("waiting"),
                text_digest: digest,
            },
            format!(
                r#"{{"type":"airlock_changed","run":"r1","sealed_digest":"{EMPTY}","act":"approve","state":"waiting","text_digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::ModelReviewed {
                model: text("m"),
                digest,
                report_digest: digest,
            },
            format!(
                r#"{{"type":"model_reviewed","model":"m","digest":"{EMPTY}","report_digest":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::BasisKept {
                run: text("r1"),
                request_digest: digest,
                basis: digest,
            },
            format!(
                r#"{{"type":"basis_kept","run":"r1","request_digest":"{EMPTY}","basis":"{EMPTY}"}}"#
            ),
        ),
        (
            Event::ReleaseReplayed {
                run: text("r1"),
                entry: 7,
                outcome: text("same"),
            },
            text(r#"{"type":"release_replayed","run":"r1","entry":7,"outcome":"same"}"#),
        ),
        (
            Event::KeyRotated {
                key: text("master"),
                public: text(""),
            },
            text(r#"{"type":"key_rotated","key":"master","public":""}"#),
        ),
        (
            Event::KeyRetired {
                key: text("signing"),
                public: text("weir/x+0+y"),
            },
            text(r#"{"type":"key_retired","key":"signing","public":"weir/x+0+y"}"#),
        ),
        (
            Event::DomainRestored {
                made_at: not_after,
                entries: 9,
            },
            text(r#"{"type":"domain_restored","made_at":"2027-01-31T00:00:00.000Z","entries":9}"#),
        ),
        (
            Event::ProductChanged {
                product: text("delays"),
                digest,
                state: text("approved"),
                reason: text("审计"),
            },
            format!(
                r#"{{"type":"product_changed","product":"delays","digest":"{EMPTY}","state":"approved","reason":"审计"}}"#
            ),
        ),
        (
            Event::KeptDestroyed {
                kind: text("answers"),
                run: text("r1"),
                digest,
                kept_since: not_after,
                reason: text("审计"),
            },
            format!(
                r#"{{"type":"kept_destroyed","kind":"answers","run":"r1","digest":"{EMPTY}","kept_since":"2027-01-31T00:00:00.000Z","reason":"审计"}}"#
            ),
        ),
        (
            Event::EntryWithoutEffect {
                entry: 9,
                of: text("grant_issued"),
            },
            text(r#"{"type":"entry_without_effect","entry":9,"of":"grant_issued"}"#),
        ),
        (
            Event::SettingsChanged { digest },
            format!(r#"{{"type":"settings_changed","digest":"{EMPTY}"}}"#),
        ),
        (
            Event::RegistrySealed { writes: 12 },
            text(r#"{"type":"registry_sealed","writes":12}"#),
        ),
        (
            Event::RunCharged {
                run: text("r1"),
                request_digest: digest,
                grant: text("g1"),
                product: text(""),
                reads: vec![ReadCharge {
                    dataset: text("flights"),
                    provider: text("审计"),
                    rows: 340_000,
                    bytes: 2_720_000,
                    fuel: 17,
                }],
                bits_reserved: Some(9_000),
                epsilon_millionths: Some(500_000),
            },
            format!(
                r#"{{"type":"run_charged","run":"r1","request_digest":"{EMPTY}","grant":"g1","product":"","reads":[{{"dataset":"flights","provider":"审计","rows":340000,"bytes":2720000,"fuel":17}}],"bits_reserved":9000,"epsilon_millionths":500000}}"#
            ),
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

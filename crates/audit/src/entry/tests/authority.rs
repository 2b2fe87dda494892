//! The canonical bytes of every event of the authority.

use super::*;

/// The same for what grants and identities go through.
pub(super) fn golden_of_authority() -> Vec<(Event, String)> {
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

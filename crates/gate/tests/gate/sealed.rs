//! Evidence that is kept: sealed, opened by its key alone, and judged again as the table was.

use proptest::prelude::*;
use weir_gate::{
    EVIDENCE_BYTES_MAX, EvidenceKey, GateError, Judged, judge_without_history, rejudge,
};
use weir_policy::Policy;

use crate::second::{handed_over, limits, named, world};
use crate::table::{Cell, approved, by_region, policy, region};

fn key() -> EvidenceKey {
    EvidenceKey::new([7; 32])
}

fn judged(cells: &[Cell]) -> Judged {
    by_region()
        .judge(cells, &Policy::built_in_default())
        .ok()
        .unwrap()
}

#[test]
fn a_table_is_judged_again_by_another_policy() {
    let cells = [
        region("north", 5, 20),
        region("south, east", 6, 12),
        region("west", 7, 4),
    ];
    let judged = judged(&cells);
    assert!(judged.record().evidence_kept);
    let sealed = judged.sealed_evidence(&key()).unwrap();
    let again = rejudge(&sealed, &key(), &Policy::built_in_default()).unwrap();
    assert_eq!(
        again.released,
        ["region=\"north\"", "region=\"south, east\""]
    );
    assert_eq!(
        again.withheld,
        [("region=\"west\"".to_owned(), vec!["units", "rows"])]
    );
    assert_eq!((again.refused, again.review), (None, false));
    let stricter = rejudge(&sealed, &key(), &policy(15, 3)).unwrap();
    assert_eq!(stricter.released, ["region=\"north\""]);
    assert_eq!(
        stricter.withheld[0],
        ("region=\"south, east\"".to_owned(), vec!["units"])
    );
    let laxer = rejudge(&sealed, &key(), &policy(4, 4)).unwrap();
    assert_eq!((laxer.released.len(), laxer.withheld.len()), (3, 0));
}

#[test]
fn a_table_that_would_be_refused_says_so() {
    let cells: Vec<Cell> = (0..20)
        .map(|nth| region(&format!("r{nth}"), nth, 20))
        .collect();
    let sealed = judged(&cells).sealed_evidence(&key()).unwrap();
    let policy = Policy::from_toml("name = \"x\"\n[table]\ncells_max = 19\n", "x").unwrap();
    let again = rejudge(&sealed, &key(), &policy).unwrap();
    assert_eq!(
        again.refused.map(|error| error.code()),
        Some("GATE_TOO_MANY_CELLS")
    );
    assert_eq!(again.released.len(), 20);
}

#[test]
fn sealed_evidence_opens_under_its_key_and_whole_alone() {
    let sealed = judged(&[region("a-canary-region", 987_654_321, 20)])
        .sealed_evidence(&key())
        .unwrap();
    let closed = |sealed: &[u8], key: &EvidenceKey| {
        rejudge(sealed, key, &Policy::built_in_default()).err() == Some(GateError::EvidenceClosed)
    };
    assert!(!closed(&sealed, &key()));
    assert!(closed(&sealed, &EvidenceKey::new([8; 32])));
    for length in 0..sealed.len() {
        assert!(closed(&sealed[..length], &key()), "{length}");
    }
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert!(closed(&changed, &key()), "{place}");
    }
    assert!(closed(&[sealed.as_slice(), &[0]].concat(), &key()));
}

#[test]
fn sealed_evidence_shows_nothing_and_is_never_the_same() {
    let holds =
        |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let judged = judged(&[region("a-canary-region", 987_654_321, 20)]);
    let (first, second) = (
        judged.sealed_evidence(&key()),
        judged.sealed_evidence(&key()),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first, second);
    assert!(!holds(&first, b"canary") && !holds(&first, b"region"));
    assert!(first.starts_with(b"weir evidence 1\n"));
}

#[test]
fn too_much_evidence_is_not_kept_and_that_is_on_record() {
    let count = EVIDENCE_BYTES_MAX / 40;
    let cells: Vec<Cell> = (0..count)
        .map(|nth| region(&format!("r{nth}"), 0, 9))
        .collect();
    let judged = judged(&cells);
    assert!(!judged.record().evidence_kept);
    let refused = judged.sealed_evidence(&key()).err().unwrap();
    assert_eq!(refused.code(), "GATE_EVIDENCE_NOT_KEPT");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What is said of the evidence is what would have been said of the table.
    #[test]
    fn the_evidence_is_judged_as_the_table_was((query, rows) in world(), one in limits(), other in limits()) {
        let table = |policy: &Policy| judge_without_history(handed_over(&query, &rows).ok().unwrap(), policy);
        let Ok(verdict) = table(&one.policy()) else { return Ok(()) };
        let judged = approved(verdict);
        let sealed = judged.sealed_evidence(&key()).unwrap();
        for policy in [one.policy(), other.policy()] {
            let again = rejudge(&sealed, &key(), &policy).unwrap();
            let Ok(verdict) = table(&policy) else {
                prop_assert!(again.refused.is_some() || policy.cells_max() < 50, "{:?}", again);
                continue;
            };
            let record = verdict.record().clone();
            prop_assert_eq!(!record.review.is_empty(), again.review);
            if let Some(released) = named(&query, &rows, approved(verdict)) {
                prop_assert_eq!(&again.released, &released);
            }
            let by = record.withheld_by;
            let count = |rule: &str| again.withheld.iter().filter(|(_, by)| by.contains(&rule)).count() as u64;
            prop_assert_eq!(
                [by.units, by.dominance, by.complement, by.class_disclosure, by.off_domain],
                ["units", "dominance", "complement", "class_disclosure", "off_domain"].map(count)
            );
        }
    }
}

//! A table that people look at: sealed, opened by its key for its run alone, and the very bytes that would leave.

use weir_gate::{EvidenceKey, GateError, Preview, Reviewed, Verdict, judge_without_history};
use weir_policy::Policy;

use crate::table::{Cell, Measure, approved, by_region, region, release};

fn key() -> EvidenceKey {
    EvidenceKey::new([7; 32])
}

/// A cell of twelve units of which one contributes less than nothing, and one of too few.
fn cells() -> Vec<Cell> {
    let with = |name: &str, sums: &[f64]| {
        let units = sums.len() as u64;
        Cell {
            measures: vec![Measure {
                rows: units,
                unit_sums: sums.to_vec(),
            }],
            ..region(name, 987_654_321, units)
        }
    };
    let mixed = [-5.0, 5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0];
    vec![with("a-canary-region", &mixed), with("west", &[1.0; 4])]
}

fn verdict() -> Verdict {
    let unreleased = by_region().unreleased(&cells()).unwrap();
    judge_without_history(unreleased, &Policy::built_in_default()).unwrap()
}

fn reviewed() -> Reviewed {
    match verdict() {
        Verdict::Review(reviewed) => reviewed,
        Verdict::Release(_) => panic!("nobody has to look at it"),
    }
}

#[test]
fn what_is_looked_at_is_what_would_leave() {
    let sealed = reviewed().sealed_table(&key(), "run-1").unwrap();
    let preview = Preview::open(&sealed, &key(), "run-1").unwrap();
    let (released, record) = release(approved(verdict()));
    assert_eq!(preview.arrow_ipc(), released.arrow_ipc());
    assert_eq!(preview.digest(), released.digest());
    let summary = preview.summary();
    assert_eq!(summary.reasons, ["negative_contributions"]);
    assert_eq!(
        (
            summary.cells_released,
            summary.cells_withheld,
            summary.cells_negative
        ),
        (
            record.cells_released,
            record.cells_withheld,
            record.cells_negative
        )
    );
    assert_eq!((summary.cells_released, summary.cells_withheld), (1, 1));
    let rules: Vec<&str> = summary
        .withheld_by
        .iter()
        .map(|(rule, _)| rule.as_str())
        .collect();
    assert_eq!(rules, ["units", "rows"]);
}

#[test]
fn it_opens_under_its_key_for_its_run_and_whole_alone() {
    let sealed = reviewed().sealed_table(&key(), "run-1").unwrap();
    let closed = |sealed: &[u8], key: &EvidenceKey, run: &str| {
        Preview::open(sealed, key, run).err() == Some(GateError::EvidenceClosed)
    };
    assert!(!closed(&sealed, &key(), "run-1"));
    assert!(closed(&sealed, &key(), "run-2"));
    assert!(closed(&sealed, &EvidenceKey::new([8; 32]), "run-1"));
    for length in 0..sealed.len() {
        assert!(closed(&sealed[..length], &key(), "run-1"), "{length}");
    }
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert!(closed(&changed, &key(), "run-1"), "{place}");
    }
    // Evidence is no table, under the same key and header or not.
    let evidence = reviewed().sealed_evidence(&key()).unwrap();
    assert!(closed(&evidence, &key(), ""));
}

#[test]
fn it_shows_nothing_sealed_or_printed() {
    let sealed = reviewed().sealed_table(&key(), "run-1").unwrap();
    let holds = |needle: &[u8]| sealed.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(b"canary") && !holds(b"region") && !holds(b"negative"));
    let preview = Preview::open(&sealed, &key(), "run-1").unwrap();
    assert!(!format!("{preview:?}").contains("sha256"));
}

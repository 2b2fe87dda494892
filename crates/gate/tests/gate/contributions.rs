//! Sums and means at the door: what is withheld because of who contributes how much.

use arrow::array::{BooleanArray, Float64Array, UInt64Array};
use weir_gate::{
    Contributions, Contributors, EvidenceColumns, Family, GateError, Unreleased,
    judge_without_history,
};
use weir_policy::Policy;

use crate::table::{Cell, Measure, approved, by_region, fixed, of_counts, region, strangers};

fn policy(limits: &str) -> Policy {
    Policy::from_toml(&format!("name = \"x\"\n{limits}"), "x").unwrap()
}

/// A cell of as many units as there are contributions, one row each.
fn of(unit_sums: &[f64]) -> Cell {
    let count = unit_sums.len() as u64;
    Cell {
        measures: vec![Measure {
            rows: count,
            unit_sums: unit_sums.to_vec(),
        }],
        ..region("a", 0, count)
    }
}

/// Twelve contributions, these and ones that share the rest equally.
fn twelve(largest: &[f64], rest: f64) -> Cell {
    let others = 12 - largest.len();
    let mut sums = largest.to_vec();
    sums.extend(vec![rest / others as f64; others]);
    of(&sums)
}

/// The rules that a cell breaks: units, rows, not finite, dominance, p-ratio.
#[track_caller]
fn broken(cell: &Cell, policy: &Policy) -> [bool; 5] {
    let (released, record) = by_region().pass(std::slice::from_ref(cell), policy);
    let by = record.withheld_by;
    let broken =
        [by.units, by.rows, by.not_finite, by.dominance, by.p_ratio].map(|count| count > 0);
    assert_eq!(
        released.batch().num_rows() == 0,
        broken.contains(&true),
        "a cell is withheld exactly when it breaks a rule"
    );
    broken
}

const NONE: [bool; 5] = [false; 5];
const UNITS: [bool; 5] = [true, false, false, false, false];
const ROWS: [bool; 5] = [false, true, false, false, false];
const NOT_FINITE: [bool; 5] = [false, false, true, false, false];
const DOMINANCE: [bool; 5] = [false, false, false, true, false];
const P_RATIO: [bool; 5] = [false, false, false, false, true];

#[test]
fn a_share_equal_to_k_is_withheld_and_a_ratio_equal_to_p_is_released() {
    let default = Policy::built_in_default();
    assert_eq!(broken(&twelve(&[50.0, 40.0], 10.0), &default), DOMINANCE);
    assert_eq!(broken(&twelve(&[50.0, 39.0], 11.0), &default), NONE);
    let ratio = policy("dominance.top2_share_max = 0.95");
    assert_eq!(broken(&twelve(&[100.0, 50.0], 10.0), &ratio), NONE);
    assert!(broken(&twelve(&[100.0, 80.0], 9.9), &ratio)[4]);
    let one = policy("dominance.top1_share_max = 0.50");
    assert_eq!(broken(&twelve(&[50.0], 50.0), &one), DOMINANCE);
    assert_eq!(broken(&twelve(&[49.9], 50.1), &one), NONE);
    let three = policy("dominance.top3_share_max = 0.60");
    assert_eq!(
        broken(&twelve(&[20.0, 20.0, 20.0], 40.0), &three),
        DOMINANCE
    );
    assert_eq!(broken(&twelve(&[20.0, 20.0, 19.0], 41.0), &three), NONE);
}

#[test]
fn a_high_ratio_is_asked_for_by_the_ratio_alone() {
    let strict = policy("p_ratio.ratio_min = 1.00");
    assert_eq!(broken(&twelve(&[40.0, 30.0], 30.0), &strict), P_RATIO);
    assert_eq!(broken(&twelve(&[35.0, 30.0], 35.0), &strict), NONE);
}

#[test]
fn a_total_of_zero_is_withheld_unless_zeros_are_no_secret() {
    let zeros = of(&[0.0; 12]);
    assert_eq!(broken(&zeros, &Policy::built_in_default()), P_RATIO);
    let open = policy("p_ratio.zeros_are_disclosive = false");
    assert_eq!(broken(&zeros, &open), NONE);
}

#[test]
fn signs_do_not_hide_who_dominates_and_a_negative_sum_is_on_record() {
    // The signed total is 20, of which nobody seems to have much.
    let cell = twelve(&[500.0, -490.0], 10.0);
    assert_eq!(
        broken(&cell, &Policy::built_in_default())[3..],
        [true, true]
    );
    let mixed = of(&[
        -5.0, 5.0, 4.0, -4.0, 3.0, 3.0, -3.0, 2.0, 2.0, 1.0, 1.0, -1.0,
    ]);
    let cells = [
        mixed,
        Cell {
            ..named("b", of(&[1.0; 12]))
        },
    ];
    let (_, record) = by_region().pass(&cells, &Policy::built_in_default());
    assert_eq!((record.cells_released, record.cells_negative), (2, 1));
}

fn named(name: &str, cell: Cell) -> Cell {
    Cell {
        keys: region(name, 0, 0).keys,
        ..cell
    }
}

#[test]
fn every_argument_needs_its_own_units_and_rows() {
    let default = Policy::built_in_default();
    let cell = |units: usize, rows: u64| Cell {
        measures: vec![
            Measure {
                rows: 50,
                unit_sums: vec![1.0; 30],
            },
            Measure {
                rows,
                unit_sums: vec![1.0; units],
            },
        ],
        rows: 60,
        ..region("a", 0, 30)
    };
    assert_eq!(broken(&cell(10, 10), &default), NONE);
    assert_eq!(broken(&cell(9, 10), &default), UNITS);
    let counted = |units, rows| Cell {
        counted: vec![(30, 60), (units, rows)],
        rows: 60,
        ..region("a", 0, 30)
    };
    assert_eq!(broken(&counted(10, 10), &default), NONE);
    assert_eq!(broken(&counted(9, 40), &default), UNITS);
    let rows = policy("cell.rows_min = 20");
    assert_eq!(broken(&cell(10, 20), &rows), NONE);
    assert_eq!(broken(&cell(10, 19), &rows), ROWS);
    assert_eq!(broken(&counted(10, 19), &rows), ROWS);
}

#[test]
fn what_is_no_number_is_withheld() {
    for odd in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let cell = twelve(&[odd], 11.0);
        assert_eq!(broken(&cell, &Policy::built_in_default()), NOT_FINITE);
    }
    // Each contribution is a number, their total is none.
    let cell = of(&[f64::MAX; 12]);
    assert_eq!(broken(&cell, &Policy::built_in_default()), NOT_FINITE);
    let largest = f64::MAX / 16.0;
    assert_eq!(
        broken(&of(&[largest; 12]), &Policy::built_in_default()),
        NONE
    );
}

/// One cell of 20 units and 30 rows, with these contributions.
fn handed_over(units: u64, rows: u64, total: f64, top: [f64; 3]) -> Result<Unreleased, GateError> {
    let one = |count: u64| UInt64Array::from(vec![count]);
    let number = |number: f64| Float64Array::from(vec![number]);
    let evidence = EvidenceColumns {
        units: one(20),
        rows: one(30),
        counted: vec![],
        contributions: vec![Contributions {
            units: one(units),
            rows: one(rows),
            total: number(total),
            top: top.map(number),
            negative: BooleanArray::from(vec![false]),
        }],
        first_units: strangers([20]),
        sensitive: vec![],
        arguments: vec![],
        fits: vec![],
    };
    Unreleased::new(
        by_region().batch(&[region("a", 0, 0)]),
        fixed(1, 1),
        vec![evidence],
    )
}

#[test]
fn contributions_that_no_data_can_have_are_a_bug() {
    let sound = |units, rows, total, top| {
        let error = handed_over(units, rows, total, top).err();
        assert!(error.iter().all(
            |error| *error == GateError::EvidenceContradiction && error.family() == Family::Bug
        ));
        error.is_none()
    };
    assert!(sound(12, 12, 50.0, [30.0, 5.0, 5.0]));
    assert!(sound(0, 0, 0.0, [0.0; 3]));
    assert!(sound(2, 12, 50.0, [30.0, 20.0, 0.0]));
    // Rounding may put the largest a little over the total.
    assert!(sound(1, 12, 0.3, [0.1 + 0.2, 0.0, 0.0]));
    // Data may hold these, so they are no bug.
    assert!(sound(12, 12, f64::NAN, [f64::NAN, 7.0, 9.0]));
    assert!(sound(12, 12, f64::INFINITY, [f64::INFINITY, 7.0, 7.0]));

    assert!(!sound(21, 30, 50.0, [30.0, 5.0, 5.0]), "units of the cell");
    assert!(!sound(12, 31, 50.0, [30.0, 5.0, 5.0]), "rows of the cell");
    assert!(!sound(12, 11, 50.0, [30.0, 5.0, 5.0]), "units over rows");
    assert!(!sound(12, 12, 50.0, [5.0, 30.0, 5.0]), "order");
    assert!(!sound(12, 12, 50.0, [30.0, 5.0, -5.0]), "sign");
    assert!(!sound(12, 12, -1.0, [0.0; 3]), "sign of the total");
    assert!(!sound(2, 12, 50.0, [30.0, 5.0, 5.0]), "a third of two");
    assert!(!sound(12, 12, 50.0, [0.0; 3]), "a total of nobody");
    assert!(!sound(12, 12, 0.0, [1.0, 0.0, 0.0]), "more than nothing");
}

#[test]
fn every_column_of_the_evidence_must_cover_the_table() {
    let refused = |change: &dyn Fn(&mut EvidenceColumns)| {
        let mut evidence = of_counts(vec![9].into(), vec![9].into());
        evidence.counted.push(Contributors {
            units: vec![9].into(),
            rows: vec![9].into(),
        });
        evidence.contributions.push(Contributions {
            units: vec![9].into(),
            rows: vec![9].into(),
            total: vec![9.0].into(),
            top: [vec![1.0].into(), vec![1.0].into(), vec![1.0].into()],
            negative: vec![false].into(),
        });
        change(&mut evidence);
        let batch = by_region().batch(&[region("a", 0, 0)]);
        Unreleased::new(batch, fixed(1, 1), vec![evidence]).err()
    };
    assert_eq!(refused(&|_| ()), None);
    let length = Some(GateError::EvidenceLength);
    assert_eq!(refused(&|e| e.counted[0].rows = vec![9, 9].into()), length);
    assert_eq!(
        refused(&|e| e.contributions[0].units = UInt64Array::from(Vec::<u64>::new())),
        length
    );
    assert_eq!(
        refused(&|e| e.contributions[0].top[2] = vec![1.0, 1.0].into()),
        length
    );
    assert_eq!(
        refused(&|e| e.contributions[0].negative = vec![false, true].into()),
        length
    );
    let missing = Some(GateError::EvidenceMissing);
    assert_eq!(
        refused(&|e| e.contributions[0].total = vec![None].into()),
        missing
    );
    assert_eq!(
        refused(&|e| e.contributions[0].negative = vec![None].into()),
        missing
    );
    assert_eq!(
        refused(&|e| e.counted[0].units = vec![None].into()),
        missing
    );
}

#[test]
fn a_cell_passes_for_every_kind_of_unit_or_not_at_all() {
    let counts = |units: u64| of_counts(vec![units].into(), vec![99].into());
    let released = |kinds: Vec<EvidenceColumns>| {
        let table = Unreleased::new(by_region().batch(&[region("a", 0, 0)]), fixed(1, 1), kinds);
        approved(judge_without_history(table.ok().unwrap(), &Policy::built_in_default()).unwrap())
            .record()
            .cells_released
    };
    assert_eq!(released(vec![counts(50), counts(50)]), 1);
    for few in 0..10 {
        assert_eq!(released(vec![counts(50), counts(few)]), 0, "{few}");
        assert_eq!(released(vec![counts(few), counts(50)]), 0, "{few}");
    }
    assert_eq!(
        Unreleased::new(by_region().batch(&[region("a", 0, 0)]), fixed(1, 1), vec![]).err(),
        Some(GateError::EvidenceMissing)
    );
}

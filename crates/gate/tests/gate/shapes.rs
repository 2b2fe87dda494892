//! Tables that are not what their shape says, evidence that does not name units, and what a shape decides alone.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use weir_gate::{
    EvidenceColumns, Family, FirstUnits, Fit, GateError, Key, Levels, Quantiles, Shape, Statistic,
    Unreleased, Verdict, judge_without_history,
};
use weir_policy::Policy;

use crate::table::{Value, approved, release, rows, strangers};

/// Two cells of one key, its set and a count.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("region", Arc::new(StringArray::from(vec![Some("a"), None]))),
        ("set", Arc::new(UInt32Array::from(vec![0, 1]))),
        ("count", Arc::new(Int64Array::from(vec![24, 24]))),
    ]
}

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns
        .iter()
        .map(|(_, column)| Arc::clone(column))
        .collect();
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn shape() -> Shape {
    Shape {
        sets: vec![vec![true], vec![false]],
        ..Shape::plain(vec![Key::open()], vec![Statistic::Rows { evidence: None }])
    }
}

fn counts(units: [u64; 2], first_units: FirstUnits) -> EvidenceColumns {
    let units = UInt64Array::from(units.to_vec());
    EvidenceColumns::of_counts(units, UInt64Array::from(vec![24, 24]), first_units)
}

fn refused(
    columns: &[(&str, ArrayRef)],
    shape: Shape,
    evidence: EvidenceColumns,
) -> Option<GateError> {
    let policy = Policy::built_in_default();
    let table = Unreleased::new(batch(columns), shape, vec![evidence]);
    table
        .and_then(|table| judge_without_history(table, &policy))
        .err()
}

#[test]
fn a_table_that_is_not_what_it_is_said_to_be_is_a_bug() {
    let evidence = || counts([24, 24], strangers([24, 24]));
    assert_eq!(refused(&columns(), shape(), evidence()), None);
    let shape_is_wrong = |change: &dyn Fn(&mut Shape)| {
        let mut shape = shape();
        change(&mut shape);
        assert_eq!(
            refused(&columns(), shape, evidence()),
            Some(GateError::Shape)
        );
    };
    shape_is_wrong(&|shape| shape.sets.clear());
    shape_is_wrong(&|shape| shape.sets.truncate(1));
    shape_is_wrong(&|shape| shape.sets[0].push(true));
    shape_is_wrong(&|shape| shape.sets = vec![vec![true]; 257]);
    shape_is_wrong(&|shape| shape.sets.reverse());
    shape_is_wrong(&|shape| shape.keys.push(Key::open()));
    shape_is_wrong(&|shape| shape.statistics.push(Statistic::Sum));
    shape_is_wrong(&|shape| shape.statistics = vec![Statistic::Rows { evidence: Some(0) }]);
    shape_is_wrong(&|shape| shape.statistics = vec![Statistic::Units { kind: 1 }]);
    shape_is_wrong(&|shape| shape.structural = vec![vec![1]]);
    shape_is_wrong(&|shape| {
        shape.quantiles = vec![Quantiles {
            contributions: 0,
            count: 1,
        }];
    });
    shape_is_wrong(&|shape| {
        shape.fits = vec![Fit {
            contributions: vec![],
            fitted: 0,
            parameters: 2,
        }];
    });
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    shape_is_wrong(&|shape| shape.keys[0].levels = Levels::Closed(Arc::clone(&numbers)));

    let column_is_wrong = |at: usize, column: ArrayRef| {
        let mut columns = columns();
        columns[at].1 = column;
        assert_eq!(
            refused(&columns, shape(), evidence()),
            Some(GateError::Shape)
        );
    };
    column_is_wrong(0, Arc::new(StringArray::from(vec!["a", "b"])));
    column_is_wrong(1, Arc::new(Int64Array::from(vec![0, 1])));
    column_is_wrong(1, Arc::new(UInt32Array::from(vec![0, 2])));
    column_is_wrong(1, Arc::new(UInt32Array::from(vec![Some(0), None])));
    column_is_wrong(2, Arc::new(Float64Array::from(vec![1.0, 2.0])));
}

#[test]
fn a_statistic_that_is_no_number_is_the_callers() {
    let mut columns = columns();
    columns[2].1 = Arc::new(StringArray::from(vec!["1", "2"]));
    let error = refused(&columns, shape(), counts([24, 24], strangers([24, 24]))).unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_STATISTIC_KIND", Family::Caller)
    );
    assert!(
        error
            .to_string()
            .starts_with("the statistic `count` is no number")
    );
}

fn first_units(kept: usize, lists: [Option<Vec<Option<u32>>>; 2]) -> FirstUnits {
    FirstUnits {
        kept,
        ids: ListArray::from_iter_primitive::<UInt32Type, _, _>(lists),
    }
}

#[test]
fn each_cell_names_as_many_different_units_as_it_must() {
    let some = |names: &[u32]| Some(names.iter().copied().map(Some).collect::<Vec<_>>());
    let with = |first: FirstUnits| refused(&columns(), shape(), counts([24, 3], first));
    let twelve: Vec<u32> = (0..12).collect();
    let backwards: Vec<u32> = (0..12).rev().collect();
    assert_eq!(
        with(first_units(12, [some(&twelve), some(&[9, 1, 5])])),
        None
    );
    assert_eq!(
        with(first_units(12, [some(&backwards), some(&[1, 2, 3])])),
        None
    );
    let contradiction = Some(GateError::EvidenceContradiction);
    assert_eq!(
        with(first_units(12, [some(&twelve), some(&[1, 2])])),
        contradiction
    );
    assert_eq!(
        with(first_units(12, [some(&twelve), some(&[1, 2, 3, 4])])),
        contradiction
    );
    assert_eq!(
        with(first_units(12, [some(&twelve), some(&[2, 1, 2])])),
        contradiction
    );
    assert_eq!(
        with(first_units(11, [some(&twelve), some(&[1, 2, 3])])),
        contradiction
    );
    let missing = Some(GateError::EvidenceMissing);
    assert_eq!(with(first_units(12, [some(&twelve), None])), missing);
    let null = Some(vec![Some(1), None, Some(2)]);
    assert_eq!(with(first_units(12, [some(&twelve), null])), missing);
}

#[test]
fn fewer_named_units_than_the_complement_asks_for_never_pass() {
    let evidence = || {
        let lists = [(0..9), (0..9)].map(|names| Some(names.map(Some).collect::<Vec<_>>()));
        counts([24, 24], first_units(9, lists))
    };
    assert_eq!(
        refused(&columns(), shape(), evidence()),
        Some(GateError::EvidenceMissing)
    );
    // Where there is no margin, nobody has to be named.
    let mut fixed = shape();
    fixed.keys[0].fixed = true;
    assert_eq!(refused(&columns(), fixed, evidence()), None);
}

fn by_key(levels: Levels, cells: u64, policy: &str) -> Result<Verdict, GateError> {
    let keys = Int64Array::from_iter_values(0..cells as i64);
    let numbers = Int64Array::from_iter_values((0..cells).map(|cell| 100 + cell as i64));
    let columns: Vec<(&str, ArrayRef)> =
        vec![("district", Arc::new(keys)), ("sum", Arc::new(numbers))];
    let key = Key {
        levels,
        ..Key::open()
    };
    let units = vec![20; cells as usize];
    let evidence =
        EvidenceColumns::of_counts(units.clone().into(), units.clone().into(), strangers(units));
    let shape = Shape::plain(vec![key], vec![Statistic::Sum]);
    let table = Unreleased::new(batch(&columns), shape, vec![evidence])?;
    judge_without_history(
        table,
        &Policy::from_toml(&format!("name = \"x\"\n{policy}"), "x").unwrap(),
    )
}

#[test]
fn an_open_key_shows_so_many_values_and_a_declared_one_more() {
    assert!(by_key(Levels::Open, 40, "").is_ok());
    let error = by_key(Levels::Open, 41, "").err().unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_TOO_MANY_LEVELS", Family::Policy)
    );
    assert_eq!(
        error.to_string(),
        "the key `district` has more values than the 40 that the policy in force allows for a column without a declared \
         domain; group by a coarser expression, or ask the bureau to declare the column's domain"
    );
    assert!(by_key(Levels::Bounded, 41, "").is_ok());
    let all: ArrayRef = Arc::new(Int64Array::from_iter_values(0..41));
    assert!(by_key(Levels::Closed(all), 41, "").is_ok());
}

#[test]
fn a_closed_key_has_a_row_for_each_of_its_values() {
    let domain: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(4),
        Some(0),
        None,
        Some(1),
        Some(0),
    ]));
    let released = |cells: u64, policy: &str| {
        let verdict = by_key(Levels::Closed(Arc::clone(&domain)), cells, policy)
            .ok()
            .unwrap();
        let record = verdict.record().clone();
        (rows(release(approved(verdict)).0.batch()), record)
    };
    let null = || Value::Null;
    let (table, record) = released(3, "");
    let expected = vec![
        vec![null(), null()],
        vec![Value::Int(0), Value::Int(100)],
        vec![Value::Int(1), Value::Int(101)],
        vec![Value::Int(4), null()],
    ];
    // District 2 is not in the domain: withheld, and without a row.
    assert_eq!(table, expected);
    assert_eq!((record.cells_released, record.cells_withheld), (2, 1));
    assert_eq!(record.withheld_by.off_domain, 1);
    // Where the table has no room for all values, only what is released has a row.
    let (table, _) = released(2, "[table]\ncells_max = 3");
    assert_eq!(
        table,
        vec![
            vec![Value::Int(0), Value::Int(100)],
            vec![Value::Int(1), Value::Int(101)]
        ]
    );
}

#[test]
fn a_table_with_negative_sums_goes_to_review_unless_the_policy_says_otherwise() {
    let table = |negative: bool| {
        let numbers = |number: f64| Float64Array::from(vec![number]);
        let mut evidence =
            EvidenceColumns::of_counts(vec![20].into(), vec![20].into(), strangers([20]));
        evidence.contributions.push(weir_gate::Contributions {
            units: vec![20].into(),
            rows: vec![20].into(),
            total: numbers(20.0),
            top: [numbers(1.0), numbers(1.0), numbers(1.0)],
            negative: vec![negative].into(),
        });
        let columns: Vec<(&str, ArrayRef)> = vec![("sum", Arc::new(Int64Array::from(vec![1])))];
        let shape = Shape::plain(vec![], vec![Statistic::Sum]);
        Unreleased::new(batch(&columns), shape, vec![evidence])
            .ok()
            .unwrap()
    };
    let default = Policy::built_in_default();
    assert!(
        judge_without_history(table(false), &default)
            .unwrap()
            .without_review()
            .is_ok()
    );
    let verdict = judge_without_history(table(true), &default).unwrap();
    assert_eq!(verdict.record().cells_negative, 1);
    let error = verdict.without_review().err().unwrap();
    assert_eq!(
        (error.code(), error.family()),
        ("GATE_REVIEW", Family::Policy)
    );
    let open = Policy::from_toml(
        "name = \"x\"\n[review]\nnegative_contributions = false",
        "x",
    )
    .unwrap();
    assert!(
        judge_without_history(table(true), &open)
            .unwrap()
            .without_review()
            .is_ok()
    );
    let released = approved(judge_without_history(table(true), &default).unwrap());
    assert_eq!(released.record().approved_by.len(), 2);
}

#[test]
fn an_approval_is_by_two_people_of_two_organisations() {
    let approval = |people: &[(&str, &str)]| {
        let reviewer = |(person, organisation): &(&str, &str)| weir_gate::Reviewer {
            person: (*person).to_owned(),
            organisation: (*organisation).to_owned(),
        };
        weir_gate::Approval::new(people.iter().map(reviewer).collect()).err()
    };
    assert_eq!(approval(&[("ann", "x"), ("bo", "y")]), None);
    for people in [
        vec![],
        vec![("ann", "x")],
        vec![("ann", "x"), ("ann", "y")],
        vec![("ann", "x"), ("bo", "x"), ("cy", "x")],
    ] {
        assert_eq!(approval(&people), Some(GateError::Reviewers), "{people:?}");
    }
}

#[test]
fn the_schema_follows_from_the_shape() {
    let evidence = || counts([24, 24], strangers([24, 24]));
    let mut public = shape();
    public.keys[0].public = true;
    let table = Unreleased::new(batch(&columns()), public, vec![evidence()])
        .ok()
        .unwrap();
    let released = release(approved(
        judge_without_history(table, &Policy::built_in_default()).unwrap(),
    ))
    .0;
    let fields: Vec<(String, DataType, bool)> = released
        .batch()
        .schema()
        .fields()
        .iter()
        .map(|field| {
            (
                field.name().clone(),
                field.data_type().clone(),
                field.is_nullable(),
            )
        })
        .collect();
    let expected = [
        ("region".to_owned(), DataType::Utf8, true),
        ("set".to_owned(), DataType::UInt32, false),
        ("count".to_owned(), DataType::Int64, true),
    ];
    assert_eq!(fields, expected);
    // 24 rows are shown as 25, in the cell and in its total.
    let count = released.batch().column(2);
    assert_eq!(count.as_ref(), &Int64Array::from(vec![25, 25]));
}

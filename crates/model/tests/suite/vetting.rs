//! The vetting report: what it says of honest models, and that lists of targets do not go unseen.

use std::time::{Duration, Instant};

use arrow::datatypes::DataType;
use insta::assert_snapshot;
use weir_model::{
    DatasetView, Limits, Report, Severity, VetLimits, Vetting, package, receive, wat,
};

use crate::examples::{DISRUPTION, PACE};
use crate::support::{component, runtime};

/// The report of a component.
pub(crate) fn report(bytes: &[u8]) -> Report {
    report_over(bytes, &[])
}

pub(crate) fn report_over(bytes: &[u8], datasets: &[DatasetView]) -> Report {
    let received = receive(bytes, &Limits::default()).unwrap();
    let model = runtime().compile(&received.admitted).unwrap();
    let vetting = Vetting {
        admitted: &received.admitted,
        model: &model,
        submitted_digest: &received.submitted_digest,
        datasets,
        limits: &VetLimits::default(),
    };
    vetting.report(&mut |_| {}).unwrap()
}

fn codes(report: &Report, severity: Severity) -> Vec<&str> {
    let findings = report.findings.iter();
    findings
        .filter(|finding| finding.severity == severity)
        .map(|finding| finding.code.as_str())
        .collect()
}

fn flights() -> DatasetView {
    let column = |name: &str, ty, role: &str| (name.to_owned(), ty, role.to_owned());
    DatasetView::new(
        "flights",
        [
            column("dep_delay", DataType::Float64, "sensitive"),
            column("arr_delay", DataType::Float64, "measure"),
            column("distance", DataType::Int32, "measure"),
            column("hour", DataType::Int32, "quasi-identifier"),
            column("air_time", DataType::Float64, "measure"),
        ],
    )
}

#[test]
fn honest_models_have_nothing_to_look_at() {
    for model in [DISRUPTION, PACE] {
        let report = report_over(model, &[flights()]);
        assert_eq!(report.verdict(), Severity::Ok, "{report}");
        assert!(report.tests.rows >= 100);
        assert!(report.tests.failed_rows < report.tests.rows / 2);
    }
}

#[test]
fn the_page_a_reviewer_reads() {
    assert_snapshot!(report_over(DISRUPTION, &[flights()]).to_string());
}

#[test]
fn a_report_is_the_same_each_time_and_survives_storage() {
    let json = report(PACE).to_json();
    assert_eq!(report(PACE).to_json(), json);
    let read = Report::from_json(&json).unwrap();
    assert_eq!(read.to_json(), json);
    assert_eq!(Report::digest_of(&json).len(), 64);
    assert_ne!(
        Report::digest_of(&json),
        Report::digest_of(&report(DISRUPTION).to_json())
    );
}

#[test]
fn comparisons_are_counted_by_input() {
    let report = report(DISRUPTION);
    let hour = report
        .inputs
        .iter()
        .find(|input| input.column == "hour")
        .unwrap();
    assert_eq!((hour.orderings, hour.equalities), (1, 0), "{hour:?}");
    let examples = hour.examples.join(" ");
    assert!(examples == "16" || examples == "17", "{examples}");
}

/// Forty numbers like those of identity cards.
fn targets() -> Vec<i64> {
    (0..40)
        .map(|n: i64| 310_101_197_000_000_000 + n * 7_919_919_191)
        .collect()
}

const ID_WORLD: &str = "export row: func(id: s64, age: s32) -> s32;";

#[test]
fn a_chain_of_comparisons_with_identifiers_is_seen() {
    let chain: String = targets()
        .iter()
        .map(|target| format!("local.get 0 i64.const {target} i64.eq if i32.const 1 return end "))
        .collect();
    let model = component(
        ID_WORLD,
        &format!(
            r#"(module (func (export "row") (param i64 i32) (result i32) {chain} i32.const 0))"#
        ),
    );
    let report = report(&model);
    assert_eq!(report.inputs[0].equalities, 40);
    assert_eq!(report.inputs[1].equalities, 0);
    let look = codes(&report, Severity::Look);
    assert!(look.contains(&"VET_EQUALITIES"), "{look:?}");
    assert!(look.contains(&"VET_LARGE_CONSTANTS"), "{look:?}");
}

#[test]
fn comparisons_behind_a_function_a_local_and_a_difference_are_seen() {
    let through_call: String = targets()
        .iter()
        .map(|target| format!("local.get 0 i64.const {target} call $same i32.or "))
        .collect();
    let by_difference: String = targets()
        .iter()
        .map(|target| {
            format!("local.get 0 local.set $copy local.get $copy i64.const {target} i64.xor i64.eqz i32.or ")
        })
        .collect();
    for (name, chain) in [("call", through_call), ("difference", by_difference)] {
        let model = component(
            ID_WORLD,
            &format!(
                r#"(module
                (func $same (param i64 i64) (result i32) local.get 0 local.get 1 i64.eq)
                (func (export "row") (param i64 i32) (result i32) (local $copy i64) i32.const 0 {chain}))"#
            ),
        );
        let report = report(&model);
        assert!(
            report.inputs[0].equalities >= 40,
            "{name}: {:?}",
            report.inputs[0]
        );
        assert!(
            codes(&report, Severity::Look).contains(&"VET_EQUALITIES"),
            "{name}"
        );
    }
}

#[test]
fn a_branch_table_of_targets_is_seen() {
    let targets = "1 ".repeat(300) + "0";
    let model = component(
        "export row: func(id: s32) -> s32;",
        &format!(
            r#"(module (func (export "row") (param i32) (result i32)
                (block (block local.get 0 i32.const 86000 i32.sub br_table {targets}) i32.const 1 return)
                i32.const 0))"#
        ),
    );
    let report = report(&model);
    assert_eq!(report.constants.branches_max, 300);
    assert!(
        codes(&report, Severity::Look).contains(&"VET_BRANCH_TABLE"),
        "{report}"
    );
}

/// A loop that looks for the input in a list that lies in the data.
#[test]
fn a_list_in_the_data_is_seen() {
    let mut state = 1_u64;
    let list: String = (0..1_600)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("\\{:02x}", state >> 56)
        })
        .collect();
    let model = component(
        ID_WORLD,
        &format!(
            r#"(module (memory (export "memory") 1) (data (i32.const 64) "{list}")
            (func (export "row") (param i64 i32) (result i32) (local $at i32)
              (loop $next
                (if (i64.eq (i64.load offset=64 (local.get $at)) (local.get 0)) (then (return (i32.const 1))))
                (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 1600))))
              i32.const 0))"#
        ),
    );
    let report = report(&model);
    let look = codes(&report, Severity::Look);
    assert!(look.contains(&"VET_DATA_ENTROPY"), "{report}");
    assert!(look.contains(&"VET_COMPARED_WITH_DATA"), "{report}");
    assert!(report.constants.identifiers_at_most >= 400);
}

#[test]
fn a_table_that_an_input_chooses_from_is_seen() {
    let model = component(
        "export row: func(id: s32) -> s32;",
        &format!(
            r#"(module (memory (export "memory") 1) (data (i32.const 0) "{}")
            (func (export "row") (param i32) (result i32)
              local.get 0 i32.const 2047 i32.and i32.load8_u))"#,
            "\\00\\01".repeat(1_024)
        ),
    );
    let report = report(&model);
    assert!(
        codes(&report, Severity::Look).contains(&"VET_LOOKED_UP"),
        "{report}"
    );
}

#[test]
fn an_input_that_is_only_passed_on_is_named() {
    let model = component(
        "export row: func(id: s64, age: s32) -> s64;",
        r#"(module (func (export "row") (param i64 i32) (result i64) local.get 0))"#,
    );
    let report = report(&model);
    assert!(
        codes(&report, Severity::Look).contains(&"VET_ECHO"),
        "{report}"
    );
}

/// A model that keeps what it saw is contained: the runtime sets it back, and the report says that it writes.
#[test]
fn a_model_that_keeps_the_last_row_leaks_nothing() {
    let model = component(
        "export row: func(x: s64) -> s64;",
        r#"(module (memory (export "memory") 1) (global $g (mut i64) (i64.const 0))
            (func (export "row") (param i64) (result i64) (local $before i64)
              (local.set $before (i64.add (global.get $g) (i64.load (i32.const 8))))
              (global.set $g (local.get 0)) (i64.store (i32.const 8) (local.get 0))
              (i64.xor (local.get $before) (i64.const 5))))"#,
    );
    let report = report(&model);
    assert_ne!(report.verdict(), Severity::Refuse, "{report}");
    assert_eq!(report.tier.isolation, "restored");
    assert!(
        report
            .tests
            .tests
            .iter()
            .all(|test| test.passed == Some(true))
    );
    assert_eq!(
        report.outputs[0].distinct, 1,
        "every row sees the first state"
    );
}

#[test]
fn a_model_that_never_answers_is_named() {
    let model = component(
        "export row: func(x: s32) -> s32;",
        r#"(module (func (export "row") (param i32) (result i32) unreachable))"#,
    );
    assert!(codes(&report(&model), Severity::Look).contains(&"VET_ALWAYS_FAILS"));
}

/// Endless loops burn all their fuel in every test; fewer rows are made, and it ends.
#[test]
fn a_slow_model_is_vetted_in_bounded_time() {
    let model = component(
        "export row: func(x: s32) -> s32;",
        r#"(module (func (export "row") (param i32) (result i32) (loop br 0) i32.const 1))"#,
    );
    let began = Instant::now();
    let report = report(&model);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    assert!(report.tests.rows < 100, "{}", report.tests.rows);
}

/// Code made to have long lists in the analysis runs into its limit instead.
#[test]
fn the_analysis_ends_on_code_made_against_it() {
    let locals = "i64 ".repeat(2_000);
    let assigns: String = (1..2_000)
        .map(|local| {
            format!("local.get 0 local.set {local} (br_if 0 (i64.eqz (local.get {local}))) ")
        })
        .collect();
    let nested = format!("{}{assigns}{}", "loop ".repeat(50), "end ".repeat(50));
    let model = component(
        "export row: func(x: s64) -> s64;",
        &format!(
            r#"(module (func (export "row") (param i64) (result i64) (local {locals}) {nested} i64.const 1))"#
        ),
    );
    let began = Instant::now();
    let report = report(&model);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(report.inputs[0].equalities, 1);
}

#[test]
fn parameters_in_memory_are_told_apart() {
    let params: String = (0..20).map(|n| format!("p{n}: s32, ")).collect();
    let model = component(
        &format!("export row: func({params} id: s64) -> s32;"),
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "row") (param i32) (result i32)
              (i32.add (i32.gt_s (i32.load offset=12 (local.get 0)) (i32.const 41))
                       (i64.eq (i64.load (i32.add (local.get 0) (i32.const 80))) (i64.const 77)))))"#,
    );
    let report = report(&model);
    let compared: Vec<&str> = report
        .inputs
        .iter()
        .filter(|input| input.equalities + input.orderings > 0)
        .map(|input| input.column.as_str())
        .collect();
    assert_eq!(compared, ["p3", "id"]);
}

#[test]
fn wat_is_given_and_cut() {
    let bytes = package(DISRUPTION, &Limits::default()).unwrap();
    let whole = wat(&bytes, &VetLimits::default()).unwrap();
    assert!(whole.starts_with("(component"), "{}", &whole[..80]);
    let limits = VetLimits {
        wat_bytes_max: 100,
        ..VetLimits::default()
    };
    assert!(wat(&bytes, &limits).unwrap().len() < 200);
}

/// A model over units that keeps a sum across calls: units are dropped, doubled and shuffled like rows.
#[test]
fn models_over_units_are_vetted_too() {
    let model = component(
        "record r { x: s32 } export unit: func(rows: list<r>) -> s32;",
        r#"(module (memory (export "memory") 1) (global $kept (mut i32) (i32.const 0))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "unit") (param $rows i32) (param $count i32) (result i32)
              (global.set $kept (i32.add (global.get $kept) (i32.load (local.get $rows))))
              (i32.add (global.get $kept) (local.get $count))))"#,
    );
    let report = report(&model);
    assert_ne!(report.verdict(), Severity::Refuse, "{report}");
    assert_eq!(report.tests.tests.len(), 11);
    assert!(
        report
            .tests
            .tests
            .iter()
            .all(|test| test.passed == Some(true)),
        "{report}"
    );
    assert!(report.outputs[0].distinct > 10, "{report}");
}

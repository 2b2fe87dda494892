//! What becomes of figures: the page, the array, the comparison, the charts.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use weir_bench::{
    Chart, Comparison, Drawn, Figure, Goal, Machine, Options, Report, Samples, Section, Table,
};

fn report(ratios: &[f64], ms: &[f64]) -> Report {
    let samples = |values: &[f64]| Samples::new(values.to_vec());
    let section = Section {
        workload: "queries".to_owned(),
        title: "Ten reporting queries".to_owned(),
        text: vec!["What was done.".to_owned()],
        tables: vec![Table {
            head: vec!["query".to_owned(), "÷ plain".to_owned()],
            rows: vec![vec!["one".to_owned(), samples(ratios).spread(2)]],
        }],
        charts: vec![Chart {
            name: "queries".to_owned(),
            title: "Time ÷ plain".to_owned(),
            drawn: Drawn::Bars {
                labels: vec!["Q1".to_owned(), "Q2".to_owned()],
                series: vec![("Weir".to_owned(), vec![1.2, 1.4])],
                unit: "×".to_owned(),
            },
            goal: Some(1.3),
        }],
        figures: vec![
            Figure::held(
                "ten queries ÷ plain",
                &samples(ratios),
                "×",
                Goal::AtMost(1.3),
            ),
            Figure::held("runs", &samples(&[250.0]), "runs/s", Goal::AtLeast(200.0)),
            Figure::told("a table", &samples(ms), "ms", true),
        ],
        raw: BTreeMap::from([("weir".to_owned(), samples(&[1.0, 2.0]))]),
    };
    Report {
        form: 1,
        began: "2026-01-01T00:00:00Z".to_owned(),
        took_s: 12.0,
        runs: 1,
        options: Options::new(PathBuf::from("data"), true),
        machine: Machine {
            processor: "A processor".to_owned(),
            cores: 2,
            memory_mib: 8_192,
            system: "linux 6.1 x86_64".to_owned(),
        },
        versions: BTreeMap::from([("weir".to_owned(), "0.1.0".to_owned())]),
        skipped: vec!["DuckDB is not measured".to_owned()],
        sections: vec![section],
    }
}

#[test]
fn the_page_says_what_was_measured_where_and_how_to_do_it_again() {
    insta::assert_snapshot!(report(&[1.25, 1.2, 1.5], &[4.0]).to_markdown());
}

#[test]
fn the_array_has_what_has_a_goal_and_says_whether_it_is_met() {
    let report = report(&[1.5, 1.4, 1.6], &[4.0]);
    assert!(!report.is_ok());
    insta::assert_snapshot!(format!("{:#}", report.goals_json()));
}

#[test]
fn a_regression_is_a_tenth_worse_and_outside_the_spread() {
    let before = report(&[1.2, 1.1, 1.3], &[4.0, 3.9, 4.1]);
    let now = report(&[1.31, 1.305, 1.32], &[8.0]);
    let compared = Comparison::of(&now, &before);
    let regressions: Vec<&str> = compared
        .regressions()
        .map(|of| of.workload.as_str())
        .collect();
    // The ratio is outside the spread of then, and not a tenth worse; the time is twice as long.
    assert_eq!(regressions, ["a table"]);
    let worse = report(&[1.35], &[4.0]);
    let compared = Comparison::of(&worse, &before);
    let regressions: Vec<&str> = compared
        .regressions()
        .map(|of| of.workload.as_str())
        .collect();
    assert_eq!(regressions, ["ten queries ÷ plain"]);
    assert_eq!(Comparison::of(&before, &worse).regressions().count(), 0);
    insta::assert_snapshot!(compared.to_text());
}

#[test]
fn on_another_machine_ratios_alone_are_compared_and_on_other_data_nothing() {
    let before = report(&[1.2], &[4.0]);
    let mut elsewhere = report(&[1.2], &[40.0]);
    elsewhere.machine.cores = 64;
    let compared = Comparison::of(&elsewhere, &before);
    assert_eq!(compared.changes.len(), 1);
    assert_eq!(compared.not_compared, ["runs", "a table"]);
    assert_eq!(compared.regressions().count(), 0);
    let mut larger = report(&[2.0], &[4.0]);
    larger.options.scale = Some(7.0);
    assert!(Comparison::of(&larger, &before).changes.is_empty());
}

#[test]
fn a_report_is_written_with_its_charts_and_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = report(&[1.2], &[4.0]);
    report.write(folder.path()).expect("written");
    let read = Report::read(&folder.path().join("report.json")).expect("read");
    assert_eq!(read.goals_json(), report.goals_json());
    let svg = std::fs::read_to_string(folder.path().join("queries.svg")).expect("a chart");
    for expected in ["<svg", "Time ÷ plain", "Q1", "Q2", "Weir", "goal"] {
        assert!(svg.contains(expected), "{expected}");
    }
    // The same report has the same bytes.
    assert_eq!(report.sections[0].charts[0].to_svg().expect("a chart"), svg);
}

#[test]
fn workloads_that_were_measured_one_by_one_are_put_together() {
    let (queries, mut ledger) = (report(&[1.2], &[4.0]), report(&[1.2], &[4.0]));
    ledger.sections[0].workload = "ledger".to_owned();
    let both = ledger.clone().joined(queries.clone()).expect("one report");
    let names: Vec<&str> = both
        .sections
        .iter()
        .map(|of| of.workload.as_str())
        .collect();
    assert_eq!(
        (names, both.runs, both.took_s),
        (vec!["queries", "ledger"], 2, 24.0)
    );
    assert!(both.to_markdown().contains("2 runs"));
    // The same workload twice: the first report's.
    let mut again = queries.clone();
    again.sections[0].title = "Again".to_owned();
    let once = queries.clone().joined(again).expect("one report");
    assert_eq!(
        (once.sections.len(), once.sections[0].title.as_str()),
        (1, "Ten reporting queries")
    );
    // Of other data or another machine nothing is put together.
    for change in [
        |of: &mut Report| of.options.scale = Some(9.0),
        |of: &mut Report| of.machine.cores = 9,
    ] {
        let mut other = ledger.clone();
        change(&mut other);
        let error = queries.clone().joined(other).expect_err("two reports");
        assert_eq!(error.code(), "BENCH_JOIN");
    }
}

#[test]
fn what_is_no_report_is_said_to_be_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("other.json");
    std::fs::write(&file, "{}").expect("a file");
    for path in [file, folder.path().join("missing.json")] {
        let error = Report::read(&path).expect_err("no report");
        assert_eq!(error.code(), "BENCH_EARLIER");
        assert!(error.to_string().contains("report.json"), "{error}");
    }
}

#[test]
fn lines_are_drawn_over_numbers_that_grow_by_factors() {
    let chart = Chart {
        name: "lines".to_owned(),
        title: "By rows".to_owned(),
        drawn: Drawn::Lines {
            across: "rows".to_owned(),
            unit: "ns a row".to_owned(),
            series: vec![("Weir".to_owned(), vec![(1e6, 2.0), (1e8, 2.1)])],
        },
        goal: None,
    };
    let svg = chart.to_svg().expect("a chart");
    assert!(svg.contains("ns a row") && svg.contains("10 M"), "{svg}");
}

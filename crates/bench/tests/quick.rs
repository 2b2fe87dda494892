//! The whole quick run on tiny data: that it measures, compares answers and tells. No time is asserted: this may be a
//! development build on a busy machine. Ratios are, far from where they could fall by chance.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::cell::RefCell;
use std::path::PathBuf;

use weir_bench::{Options, Report, Workload};

/// How much slower than plain an aggregate with all checks may be in a development build on tiny data, before something
/// is broken rather than slow.
const RATIO_MAX: f64 = 60.0;

fn tiny(data: PathBuf) -> Options {
    Options {
        scale: Some(0.004),
        turns: Some(1),
        ledger_cells: Some(1_000),
        service_s: Some(1.0),
        // Peers are absent, whatever is installed here.
        python: PathBuf::from("/no/such/python"),
        arrow_udf: PathBuf::from("/no/such/program"),
        ..Options::new(data, true)
    }
}

fn measured(options: &Options) -> (Report, Vec<String>) {
    let said = RefCell::new(Vec::new());
    let say = |what: &str| said.borrow_mut().push(what.to_owned());
    let report = weir_bench::run(options, &say).expect("a report");
    (report, said.into_inner())
}

#[test]
fn a_quick_run_on_tiny_data_measures_everything_without_peers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (report, said) = measured(&tiny(folder.path().to_owned()));
    let names: Vec<&str> = report
        .sections
        .iter()
        .map(|section| section.workload.as_str())
        .collect();
    assert_eq!(names, Workload::ALL.map(Workload::name));

    // Each peer is one line, with what installs it.
    for peer in ["DuckDB", "SQLite", "OpenDP", "ACRO", "arrow-udf-runtime"] {
        let lines: Vec<_> = said.iter().filter(|line| line.starts_with(peer)).collect();
        assert_eq!(lines.len(), 1, "{peer}: {lines:?}");
        assert!(
            lines[0].contains("is not measured") && lines[0].contains("install")
                || lines[0].contains("builds it")
        );
    }

    // The array: what can be measured without a peer, each with the five members and no other.
    let array = report.goals_json();
    let array = array.as_array().expect("an array");
    assert_eq!(array.len(), 9, "{array:#?}");
    for row in array {
        let row = row.as_object().expect("an object");
        let mut members: Vec<&str> = row.keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["goal", "measured", "ok", "unit", "workload"]);
        assert!(
            row["measured"]
                .as_f64()
                .is_some_and(|measured| measured > 0.0),
            "{row:?}"
        );
    }

    // Ratios.
    let ratio = |name: &str| {
        let mut figures = report.figures();
        figures
            .find(|figure| figure.workload == name)
            .expect("a figure")
            .measured
    };
    assert!(ratio("ten queries ÷ plain DataFusion, median") < RATIO_MAX);
    assert!(
        ratio("ten queries ÷ plain DataFusion, median")
            <= ratio("ten queries with ledger ÷ plain DataFusion, median") * 1.5
    );
    assert!(ratio("scoring: speed against native Rust in the same plan") > 1.0 / RATIO_MAX);

    // Data is found again: a second run generates nothing.
    let again = Options {
        workloads: vec![Workload::Queries],
        ..tiny(folder.path().to_owned())
    };
    let (_, said) = measured(&again);
    assert!(
        !said.iter().any(|line| line.contains("generating")),
        "{said:?}"
    );

    report
        .write(&folder.path().join("report"))
        .expect("written");
    let page = std::fs::read_to_string(folder.path().join("report/README.md")).expect("a page");
    for chart in report.sections.iter().flat_map(|section| &section.charts) {
        assert!(
            page.contains(&format!("({}.svg)", chart.name)),
            "{}",
            chart.name
        );
        assert!(
            folder
                .path()
                .join(format!("report/{}.svg", chart.name))
                .exists()
        );
    }
}

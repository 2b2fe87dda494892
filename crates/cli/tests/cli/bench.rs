//! `weir bench` as a process: what it prints, what it ends with, and that peers may be absent.

use std::process::{Command, Output};

fn bench(data: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["bench", "--quick", "--format", "json", "--scale", "0.004"])
        .args(["--turns", "1", "--python", "/no/such/python", "--data"])
        .arg(data)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_array_on_standard_output_and_everything_else_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let named = out.display().to_string();
    let arguments = ["--only", "memory", "--only", "disclosure", "--out", &named];
    let first = bench(folder.path(), &arguments);
    let said = text(&first.stderr);
    // A run of a few thousand rows in a process of its own: far below what is allowed.
    assert!(first.status.success(), "{said}");
    let array: serde_json::Value = serde_json::from_slice(&first.stdout).unwrap();
    assert_eq!(array.as_array().unwrap().len(), 1, "{array}");
    assert_eq!(array[0]["ok"], true);
    assert_eq!(array[0]["unit"], "MiB");
    assert_eq!(array[0]["goal"], 1536.0);
    assert!(said.contains("ACRO is not measured"), "{said}");
    assert!(said.contains("-m pip install acro"), "{said}");
    assert!(out.join("README.md").exists() && out.join("memory.svg").exists());

    // Beside itself it may be worse, but is compared.
    let earlier = out.join("report.json").display().to_string();
    let again = bench(folder.path(), &["--only", "memory", "--compare", &earlier]);
    assert!(
        text(&again.stderr).contains("largest memory of a run"),
        "{}",
        text(&again.stderr)
    );
}

#[test]
fn what_is_no_report_is_said_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let refused = bench(folder.path(), &["--compare", "/no/such/report.json"]);
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
    assert!(
        text(&refused.stderr).contains("[BENCH_EARLIER]"),
        "{}",
        text(&refused.stderr)
    );
    assert!(!text(&refused.stderr).contains("workload"));
}

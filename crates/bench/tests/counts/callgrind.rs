//! This program under callgrind.

use std::path::Path;
use std::process::Command;

/// The argument by which it knows that it is counted.
pub(crate) const CHILD: &str = "--counted";
/// Each call of it is counted by itself, whatever it calls included.
const COUNTED: &str = "counts::counted";

/// What came of counting.
pub(crate) enum Counts {
    /// Instructions of each step, in order.
    Of(Vec<f64>),
    /// Nothing, because of this.
    Absent(&'static str),
}

/// Instructions of so many steps.
pub(crate) fn counts(steps: usize) -> Counts {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Counts::Absent("bounds are known for Linux on x86-64 alone");
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Counts::Absent("valgrind is not installed (Debian: valgrind)");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("counts");
    let program = std::env::current_exe().expect("a path");
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(format!("--zero-before={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(program)
        .arg(CHILD)
        .output()
        .expect("valgrind started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "under valgrind: {said}");
    let part = |at: usize| total(&out.with_extension((at + 1).to_string()));
    Counts::Of((0..steps).map(part).collect())
}

/// The sum of a file that callgrind wrote at the end of a step.
fn total(file: &Path) -> f64 {
    let text = std::fs::read_to_string(file).expect("a file for each step");
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total
        .and_then(|total| total.trim().parse().ok())
        .expect("a sum")
}

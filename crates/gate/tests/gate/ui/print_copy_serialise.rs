//! What has not been released cannot be printed, copied or serialised.

fn print<T: std::fmt::Debug>() {}
fn show<T: std::fmt::Display>() {}
fn copy<T: Clone>() {}
fn serialise<T: serde::Serialize>() {}

fn main() {
    print::<weir_gate::Unreleased>();
    show::<weir_gate::Unreleased>();
    copy::<weir_gate::Unreleased>();
    serialise::<weir_gate::Unreleased>();
    print::<weir_gate::EvidenceColumns>();
    print::<weir_gate::Judged>();
    copy::<weir_gate::Judged>();
    serialise::<weir_gate::Judged>();
    print::<weir_gate::Reviewed>();
    copy::<weir_gate::Reviewed>();
    print::<weir_gate::EvidenceKey>();
    copy::<weir_gate::EvidenceKey>();
}

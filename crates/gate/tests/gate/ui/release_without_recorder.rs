//! A judged table is not readable, and there is no release without the ledger and a recorder.

fn read(judged: weir_gate::Judged) -> arrow::array::RecordBatch {
    judged.batch
}

fn release(recorded: weir_gate::Recorded) {
    let _ = recorded.release();
}

fn release_unrecorded<R: weir_gate::Recorder>(judged: weir_gate::Judged, recorder: &mut R) {
    let _ = judged.release(recorder);
}

fn convert(judged: weir_gate::Judged) -> weir_gate::Released {
    judged.into()
}

fn main() {}

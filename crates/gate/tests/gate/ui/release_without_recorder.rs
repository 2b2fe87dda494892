//! A judged table is not readable, and there is no release without a recorder.

fn read(judged: weir_gate::Judged) -> arrow::array::RecordBatch {
    judged.batch
}

fn release(judged: weir_gate::Judged) {
    let _ = judged.release();
}

fn convert(judged: weir_gate::Judged) -> weir_gate::Released {
    judged.into()
}

fn main() {}

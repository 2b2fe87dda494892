//! Nobody else puts together a judged or a released table, or an approval.

fn judged(batch: arrow::array::RecordBatch, record: weir_gate::DecisionRecord) -> weir_gate::Judged {
    weir_gate::Judged { batch, arrow_ipc: vec![], record, ground: None }
}

fn released(batch: arrow::array::RecordBatch) -> weir_gate::Released {
    weir_gate::Released { batch, arrow_ipc: vec![], digest: String::new(), cells_withheld_at_most: 10 }
}

fn approval() -> weir_gate::Approval {
    weir_gate::Approval { reviewers: vec![] }
}

fn main() {}

//! The constructor of a released table is private, and the record of a decision cannot be made up.

fn released(batch: arrow::array::RecordBatch, decision: &weir_gate::DecisionRecord) -> weir_gate::Released {
    weir_gate::Released::new(batch, vec![], decision)
}

fn record() -> weir_gate::DecisionRecord {
    weir_gate::DecisionRecord {
        cells_released: 1,
        cells_withheld: 0,
        policy_digest: String::new(),
        table_digest: String::new(),
    }
}

fn main() {}

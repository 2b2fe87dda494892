//! Nobody looks into an unreleased table.

fn read(table: weir_gate::Unreleased) {
    let _ = table.cells;
    let _ = table.evidence;
}

fn main() {}

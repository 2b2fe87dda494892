//! How many stand behind a cell.

/// The threshold rule, on units and on rows: fewer than the least. Equal to it is enough.
///
/// Source: ACRO `safe_threshold`, on contributors with a value; DataSHIELD `nfilter.tab`.
pub(super) fn too_few(count: u64, min: u64) -> bool {
    count < min
}

//! How alike those in a cell are.

/// Distinct l-diversity: fewer distinct values of a sensitive column than l. Equal to l is enough.
///
/// Source: Machanavajjhala et al., *l-Diversity* (2007); ARX, sdcMicro, pycanon `l_diversity`.
pub(super) fn too_alike(distinct_values: u64, values_min: u64) -> bool {
    distinct_values < values_min
}

//! The keys a policy has, with their floors, ceilings and defaults: one row per key, read by everything else.

/// Fewest units a policy may ask for per cell. Source: DataSHIELD `nfilter.tab` (3).
pub const UNITS_MIN_FLOOR: u64 = 3;
/// Fewest rows a policy may ask for per cell. Set equal to [`UNITS_MIN_FLOOR`], because each unit has a row.
pub const ROWS_MIN_FLOOR: u64 = 3;
/// Largest threshold a policy may name, in units or rows. More than that releases nothing and is a typing error.
pub const THRESHOLD_CEILING: u64 = 1_000_000_000;
/// Fewest cells a policy may allow per table: a grand total.
pub const CELLS_MAX_FLOOR: u64 = 1;
/// Most cells a policy may allow per table: ten times the default of OpenSAFELY's job-runner (5,000).
pub const CELLS_MAX_CEILING: u64 = 50_000;
/// Fewest bytes a policy may allow per table: room for a schema and one cell.
pub const BYTES_MAX_FLOOR: u64 = 4_096;
/// Most bytes a policy may allow per table: four times the default of OpenSAFELY's job-runner (16 MiB).
pub const BYTES_MAX_CEILING: u64 = 64 * 1024 * 1024;

/// How many limits a policy holds.
pub(crate) const KEYS: usize = 4;

/// One limit of a policy. The discriminant is its place in the policy's array of values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    UnitsMin = 0,
    RowsMin = 1,
    CellsMax = 2,
    BytesMax = 3,
}

/// What is known of a key at compile time.
pub(crate) struct Spec {
    /// Table and key as written in the file, such as `cell` and `units_min`.
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
    pub(crate) floor: u64,
    pub(crate) ceiling: u64,
    pub(crate) default: u64,
    /// Whether the larger of two values is the stricter one.
    pub(crate) larger_is_stricter: bool,
    /// Why nothing below the floor is accepted; completes "the floor is N: …".
    pub(crate) floor_reason: &'static str,
    /// Why nothing above the ceiling is accepted; completes "the ceiling is N: …".
    pub(crate) ceiling_reason: &'static str,
}

const UNITS_MIN: Spec = Spec {
    table: "cell",
    name: "units_min",
    floor: UNITS_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    larger_is_stricter: true,
    floor_reason: "a cell of 1–2 units shows one unit's value to the other",
    ceiling_reason: "a larger threshold releases nothing",
};

const ROWS_MIN: Spec = Spec {
    table: "cell",
    name: "rows_min",
    floor: ROWS_MIN_FLOOR,
    ceiling: THRESHOLD_CEILING,
    default: 10,
    larger_is_stricter: true,
    floor_reason: "a cell of 1–2 rows shows a record",
    ceiling_reason: "a larger threshold releases nothing",
};

const CELLS_MAX: Spec = Spec {
    table: "table",
    name: "cells_max",
    floor: CELLS_MAX_FLOOR,
    ceiling: CELLS_MAX_CEILING,
    default: 5_000,
    larger_is_stricter: false,
    floor_reason: "a table needs a cell; to release nothing, suspend the grant",
    ceiling_reason: "a table nearly as fine as the data is the data",
};

const BYTES_MAX: Spec = Spec {
    table: "table",
    name: "bytes_max",
    floor: BYTES_MAX_FLOOR,
    ceiling: BYTES_MAX_CEILING,
    default: 16 * 1024 * 1024,
    larger_is_stricter: false,
    floor_reason: "a table needs room for its schema; to release nothing, suspend the grant",
    ceiling_reason: "a release is a table of aggregates, not an export",
};

impl Key {
    /// Every key, in the order of the canonical form (tables together, so that it is valid TOML).
    pub(crate) const ALL: [Key; KEYS] = [Key::UnitsMin, Key::RowsMin, Key::CellsMax, Key::BytesMax];

    pub(crate) fn spec(self) -> &'static Spec {
        match self {
            Key::UnitsMin => &UNITS_MIN,
            Key::RowsMin => &ROWS_MIN,
            Key::CellsMax => &CELLS_MAX,
            Key::BytesMax => &BYTES_MAX,
        }
    }

    /// The key written as `table.name`, if there is one.
    pub(crate) fn find(table: &str, name: &str) -> Option<Key> {
        Key::ALL
            .into_iter()
            .find(|key| key.spec().table == table && key.spec().name == name)
    }

    /// The key in full, such as `cell.units_min`.
    pub(crate) fn path(self) -> String {
        let spec = self.spec();
        format!("{}.{}", spec.table, spec.name)
    }

    /// The stricter of two values.
    pub(crate) fn stricter(self, left: u64, right: u64) -> u64 {
        if self.spec().larger_is_stricter {
            left.max(right)
        } else {
            left.min(right)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn every_default_lies_between_floor_and_ceiling() {
        for key in Key::ALL {
            let spec = key.spec();
            assert!(
                spec.floor <= spec.default && spec.default <= spec.ceiling,
                "{}",
                key.path()
            );
        }
    }

    #[test]
    fn the_array_position_of_a_key_is_its_discriminant() {
        for (position, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!(position, key as usize);
            assert_eq!(Key::find(key.spec().table, key.spec().name), Some(key));
        }
    }
}

//! The keys a policy has, and what is done with each of them alike.

use crate::spec::{self, OFF, Spec};

/// How many limits a policy holds.
pub(crate) const KEYS: usize = 27;

/// One limit of a policy. The discriminant is its place in the policy's array of values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Key {
    UnitsMin = 0,
    RowsMin = 1,
    ComplementUnitsMin = 2,
    ClassDisclosure = 3,
    SensitiveValuesMin = 4,
    Top1ShareMax = 5,
    Top2ShareMax = 6,
    Top3ShareMax = 7,
    RatioMin = 8,
    ZerosAreDisclosive = 9,
    ResidualDofMin = 10,
    ParametersShareMax = 11,
    QuantileUnitsMin = 12,
    NegativeContributions = 13,
    CountBase = 14,
    SignificantDigits = 15,
    LeaveOneOut = 16,
    Keyed = 17,
    ModelLeaveOneOut = 18,
    ModelKeyed = 19,
    HistoryUnitsMin = 20,
    CellsMax = 21,
    BytesMax = 22,
    LevelsMax = 23,
    BitsRunMax = 24,
    BitsPerUnit = 25,
    BitsChosenPerUnit = 26,
}

impl Key {
    /// Every key, in the order of the canonical form (tables together, so that it is valid TOML).
    pub(crate) const ALL: [Key; KEYS] = [
        Key::UnitsMin,
        Key::RowsMin,
        Key::ComplementUnitsMin,
        Key::ClassDisclosure,
        Key::SensitiveValuesMin,
        Key::Top1ShareMax,
        Key::Top2ShareMax,
        Key::Top3ShareMax,
        Key::RatioMin,
        Key::ZerosAreDisclosive,
        Key::ResidualDofMin,
        Key::ParametersShareMax,
        Key::QuantileUnitsMin,
        Key::NegativeContributions,
        Key::CountBase,
        Key::SignificantDigits,
        Key::LeaveOneOut,
        Key::Keyed,
        Key::ModelLeaveOneOut,
        Key::ModelKeyed,
        Key::HistoryUnitsMin,
        Key::CellsMax,
        Key::BytesMax,
        Key::LevelsMax,
        Key::BitsRunMax,
        Key::BitsPerUnit,
        Key::BitsChosenPerUnit,
    ];

    pub(crate) fn spec(self) -> &'static Spec {
        match self {
            Key::UnitsMin => &spec::UNITS_MIN,
            Key::RowsMin => &spec::ROWS_MIN,
            Key::ComplementUnitsMin => &spec::COMPLEMENT_UNITS_MIN,
            Key::ClassDisclosure => &spec::CLASS_DISCLOSURE,
            Key::SensitiveValuesMin => &spec::SENSITIVE_VALUES_MIN,
            Key::Top1ShareMax => &spec::TOP1_SHARE_MAX,
            Key::Top2ShareMax => &spec::TOP2_SHARE_MAX,
            Key::Top3ShareMax => &spec::TOP3_SHARE_MAX,
            Key::RatioMin => &spec::RATIO_MIN,
            Key::ZerosAreDisclosive => &spec::ZEROS_ARE_DISCLOSIVE,
            Key::ResidualDofMin => &spec::RESIDUAL_DOF_MIN,
            Key::ParametersShareMax => &spec::PARAMETERS_SHARE_MAX,
            Key::QuantileUnitsMin => &spec::QUANTILE_UNITS_MIN,
            Key::NegativeContributions => &spec::NEGATIVE_CONTRIBUTIONS,
            Key::CountBase => &spec::COUNT_BASE,
            Key::SignificantDigits => &spec::SIGNIFICANT_DIGITS,
            Key::LeaveOneOut => &spec::LEAVE_ONE_OUT,
            Key::Keyed => &spec::KEYED,
            Key::ModelLeaveOneOut => &spec::MODEL_LEAVE_ONE_OUT,
            Key::ModelKeyed => &spec::MODEL_KEYED,
            Key::HistoryUnitsMin => &spec::HISTORY_UNITS_MIN,
            Key::CellsMax => &spec::CELLS_MAX,
            Key::BytesMax => &spec::BYTES_MAX,
            Key::LevelsMax => &spec::LEVELS_MAX,
            Key::BitsRunMax => &spec::BITS_RUN_MAX,
            Key::BitsPerUnit => &spec::BITS_PER_UNIT,
            Key::BitsChosenPerUnit => &spec::BITS_CHOSEN_PER_UNIT,
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

    /// The laxest value that a policy can have: the floor, or not set where that is allowed.
    pub(crate) fn laxest(self) -> u64 {
        let spec = self.spec();
        if spec.larger_is_stricter {
            spec.floor
        } else if spec.default == OFF {
            OFF
        } else {
            spec.ceiling
        }
    }

    /// The value as a file would have it, unless it is not set.
    pub(crate) fn write(self, value: u64) -> Option<String> {
        (value != OFF).then(|| self.spec().form.write(value))
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
    use super::{Key, OFF};
    use crate::form::Form;

    #[test]
    fn every_default_lies_between_floor_and_ceiling() {
        for key in Key::ALL {
            let spec = key.spec();
            let off = spec.default == OFF && !spec.larger_is_stricter;
            assert!(
                spec.floor <= spec.default && (spec.default <= spec.ceiling || off),
                "{}",
                key.path()
            );
            assert!(
                spec.form != Form::Switch || (spec.floor, spec.ceiling) == (0, 1),
                "{}",
                key.path()
            );
        }
    }

    #[test]
    fn a_limit_that_is_not_set_gives_way_to_any_that_is() {
        for key in Key::ALL {
            let spec = key.spec();
            if spec.default == OFF {
                assert_eq!(key.stricter(OFF, spec.ceiling), spec.ceiling);
                assert_eq!(key.stricter(spec.ceiling, OFF), spec.ceiling);
            }
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

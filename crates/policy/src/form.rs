//! How a limit is written, and how it is held: every limit is a `u64`, so that merging and comparing are of whole
//! numbers, with one result on every machine.

/// The unit of a fraction: a limit of 0.90 is held as 9,000 parts.
pub(crate) const PARTS: u64 = 10_000;
/// Decimals that [`PARTS`] can hold.
pub(crate) const DECIMALS_MAX: usize = 4;
/// What is left of a number of parts when it has more decimals than are held, at least. Reading a decimal number and
/// multiplying it by [`PARTS`] is off by far less.
const REST_MIN: f64 = 1e-6;

/// How a limit is written in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// A whole number, held as it is.
    Whole,
    /// One of [`crate::COUNT_BASES`], held as it is.
    Base,
    /// A number with up to [`DECIMALS_MAX`] decimals, held in [`PARTS`].
    Fraction,
    /// `true` or `false`, held as 1 or 0.
    Switch,
}

impl Form {
    /// What such a value must be; completes "but must be …".
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Form::Whole => "a whole number, such as `10`",
            Form::Base => "a whole number, such as `5`",
            Form::Fraction => "a number, such as `0.90`",
            Form::Switch => "`true` or `false`",
        }
    }

    /// The value as a policy file would have it.
    pub(crate) fn write(self, value: u64) -> String {
        match self {
            Form::Whole | Form::Base => value.to_string(),
            // Two decimals as people write shares, four where they are needed.
            Form::Fraction if value.is_multiple_of(100) => {
                format!("{}.{:02}", value / PARTS, value % PARTS / 100)
            }
            Form::Fraction => format!("{}.{:04}", value / PARTS, value % PARTS),
            Form::Switch => (value != 0).to_string(),
        }
    }
}

/// The number in parts, and whether it has no more decimals than parts hold. Saturates: what is out of every range
/// stays out of it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the caller has refused negative numbers and NaN"
)]
pub(crate) fn parts(number: f64) -> (u64, bool) {
    let parts = number * PARTS as f64;
    let whole = parts.round();
    (whole as u64, (parts - whole).abs() < REST_MIN)
}

/// A number of parts as the number that it stands for: the nearest there is, so that 9,000 parts are exactly `0.9`.
pub(crate) fn number(parts: u64) -> f64 {
    parts as f64 / PARTS as f64
}

#[cfg(test)]
mod tests {
    use super::{Form, PARTS, number, parts};

    #[test]
    fn every_fraction_survives_writing_and_reading() {
        for value in 0..=PARTS {
            let read: f64 = Form::Fraction.write(value).parse().unwrap_or(f64::NAN);
            assert_eq!(parts(read), (value, true));
            // The nearest number to the decimal, as a literal in a program would be.
            assert_eq!(read.to_bits(), number(value).to_bits());
        }
    }

    #[test]
    fn too_many_decimals_are_noticed() {
        for number in [0.000_01, 0.900_05, 0.123_456, 0.999_999] {
            assert!(!parts(number).1, "{number}");
        }
    }
}

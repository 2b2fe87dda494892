//! How much a release can say at most, in bits, from what is known before any data is read.
//!
//! A table whose shape is fixed can take so many forms; the logarithm of their number bounds what it can tell anybody
//! about anything, whatever the model behind it tried. With, per place of the table (one combination of keys),
//!
//! ```text
//! bits(place) = log₂( 1 + Π over statistics (1 + values) )
//! bits(table) = Σ bits(place) + bits for which keys there are, where no domain is declared
//! ```
//! A place is withheld or shown, and each of its statistics is null or one of its values: so the suppression pattern is
//! counted with the numbers. The number of values of a statistic is its range over its rounding step, plus one. Without a
//! declared range it is what the format can hold: a number of d significant digits has 2 · 9 · 10^(d−1) · exponents
//! values, and zero.
//!
//! Where keys have no declared domain, the keys say something too: a place is then any key of the text's length, and the
//! table any set of places up to the most it may have.
//!
//! It is an upper bound and mostly far too large: charge it against a budget, do not call it a leak.

/// Decimal exponents that a 64-bit float can have: −324 to 308.
const EXPONENTS: f64 = 633.0;

/// What a statistic can be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Values {
    /// Multiples of `step` from `from` to `to`, both included.
    Steps {
        /// Smallest value.
        from: f64,
        /// Largest value.
        to: f64,
        /// The rounding base.
        step: f64,
    },
    /// Numbers of so many significant digits, of any sign and size.
    Digits(u32),
}

/// What a key can be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Keys {
    /// One of so many combinations, known before. Each is a place of the table, shown or withheld.
    Closed(u64),
    /// Nothing is declared: the table has at most so many rows, each with keys of at most so many bits.
    Open {
        /// Most rows.
        rows_max: u64,
        /// Most bits of the keys of a row.
        key_bits: f64,
    },
}

impl Values {
    /// The base-2 logarithm of the number of values and null.
    fn bits(&self) -> f64 {
        let values = match *self {
            Values::Steps { from, to, step } => ((to - from) / step).floor() + 1.0,
            Values::Digits(digits) => {
                // 2 · 9 · 10^(d−1) · exponents, in logarithms, because it may be large.
                let log10 = f64::from(digits.max(1)) - 1.0;
                return (18.0 * EXPONENTS).log2() + log10 * std::f64::consts::LOG2_10 + 1e-9;
            }
        };
        if values.is_finite() && values >= 1.0 {
            (values + 1.0).log2()
        } else {
            // What has no sound range is as wide as the format.
            64.0
        }
    }
}

/// The bits that a table can carry at most: of these keys, with these statistics in each row.
pub fn bits_max(keys: Keys, statistics: &[Values]) -> f64 {
    let shown: f64 = statistics.iter().map(Values::bits).sum();
    match keys {
        Keys::Closed(places) => places as f64 * one_more(shown),
        Keys::Open { rows_max, key_bits } => {
            // Sets of at most n of 2^b keys number at most (1 + 2^b)^n.
            rows_max as f64 * one_more(key_bits.max(0.0) + shown)
        }
    }
}

/// log₂(1 + 2^bits), without leaving the range of floats.
fn one_more(bits: f64) -> f64 {
    if bits > 60.0 {
        // 2^−60 more than that.
        return bits + 1e-15;
    }
    (1.0 + bits.exp2()).log2()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: Values = Values::Steps {
        from: 0.0,
        to: 25.0,
        step: 5.0,
    };

    /// The number of tables, by listing all.
    fn tables(places: u32, statistics: &[u32]) -> f64 {
        let forms: u32 = 1 + statistics.iter().map(|values| values + 1).product::<u32>();
        f64::from(forms).powf(f64::from(places)).log2()
    }

    #[test]
    fn it_is_the_number_of_tables_where_that_can_be_counted() {
        let coin = Values::Steps {
            from: 0.0,
            to: 1.0,
            step: 1.0,
        };
        for places in 0..5 {
            let near =
                |bits: f64, listed: f64| assert!((bits - listed).abs() < 1e-9, "{bits} {listed}");
            near(
                bits_max(Keys::Closed(places), &[]),
                tables(places as u32, &[]),
            );
            near(
                bits_max(Keys::Closed(places), &[SIX]),
                tables(places as u32, &[6]),
            );
            near(
                bits_max(Keys::Closed(places), &[SIX, coin]),
                tables(places as u32, &[6, 2]),
            );
        }
    }

    #[test]
    fn the_suppression_pattern_alone_is_a_bit_a_place() {
        assert_eq!(bits_max(Keys::Closed(10), &[]), 10.0);
    }

    #[test]
    fn coarser_is_less_and_more_is_more() {
        let steps = |step: f64| Values::Steps {
            from: 0.0,
            to: 1e6,
            step,
        };
        let bits = |step: f64| bits_max(Keys::Closed(40), &[steps(step)]);
        assert!(bits(1.0) > bits(5.0) && bits(5.0) > bits(100.0));
        let digits = |digits: u32| bits_max(Keys::Closed(1), &[Values::Digits(digits)]);
        assert!(digits(3) < digits(4) && digits(17) < 70.0);
        let open = Keys::Open {
            rows_max: 40,
            key_bits: 64.0,
        };
        assert!(bits_max(open, &[steps(5.0)]) > bits(5.0));
    }

    #[test]
    fn what_makes_no_sense_is_wide() {
        for (from, to, step) in [
            (0.0, 1.0, 0.0),
            (f64::NAN, 1.0, 1.0),
            (2.0, 1.0, 1.0),
            (0.0, f64::INFINITY, 1.0),
        ] {
            assert!(bits_max(Keys::Closed(1), &[Values::Steps { from, to, step }]) >= 64.0);
        }
        assert!(bits_max(Keys::Closed(u64::MAX), &[Values::Digits(u32::MAX)]).is_finite());
    }
}

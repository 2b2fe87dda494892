//! The laws of rounding: nearest, within its bound, without bias, the same when done again.

use arrow::datatypes::i256;
use proptest::prelude::*;

use super::{Range, float_to_digits, to_base, to_digits, wide_to_digits};

const I64: Range = Range {
    min: i64::MIN as i128,
    max: i64::MAX as i128,
    scale: 0,
};
const BASES: [u64; 10] = weir_policy::COUNT_BASES;

#[test]
fn counts_are_off_by_half_a_base_at_most_and_by_nothing_on_average() {
    for base in BASES {
        let period = 2 * i128::from(base);
        for start in [0, 7, 1_000_003] {
            let errors = (start..start + period).map(|count| to_base(count, base, I64) - count);
            assert!(
                errors
                    .clone()
                    .all(|error| 2 * error.abs() <= i128::from(base)),
                "{base}"
            );
            assert_eq!(errors.sum::<i128>(), 0, "{base}");
        }
    }
}

#[test]
fn whole_numbers_lose_digits_without_bias() {
    for digits in 1..5_u64 {
        // An even number of the last place kept, so that ties go up as often as down.
        let errors = (10_000..90_000).map(|number| to_digits(number, digits, I64) - number);
        let unit = 10_i128.pow(5 - digits as u32);
        assert!(
            errors.clone().all(|error| 2 * error.abs() <= unit),
            "{digits}"
        );
        assert_eq!(errors.sum::<i128>(), 0, "{digits}");
    }
}

/// Numbers of an even spread from 1 to 10, the same on every machine.
fn spread(count: usize) -> impl Iterator<Item = f64> + Clone {
    let next = |state: &u64| {
        let product = state.wrapping_mul(6_364_136_223_846_793_005);
        Some(product.wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(42_u64), next)
        .map(|state| 1.0 + 9.0 * (state >> 11) as f64 / (1_u64 << 53) as f64)
        .take(count)
}

#[test]
fn floats_lose_digits_without_bias() {
    const COUNT: usize = 20_000;
    for digits in [1, 2, 3, 4] {
        let unit = 10_f64.powi(1 - digits);
        let errors = spread(COUNT).map(|number| float_to_digits(number, digits as u64) - number);
        let mean = errors.clone().sum::<f64>() / COUNT as f64;
        assert!(
            errors
                .clone()
                .all(|error| error.abs() <= unit / 2.0 + 1e-12)
        );
        // The mean of so many errors, even over a unit, is off by less than this but for one time in millions.
        let deviation = unit / 12_f64.sqrt() / (COUNT as f64).sqrt();
        assert!(mean.abs() < 5.0 * deviation, "{digits}: {mean}");
    }
}

/// Rounds a number in decimal notation as a person does on paper.
fn on_paper(text: &str, keep: usize) -> String {
    let (sign, size) = text
        .strip_prefix('-')
        .map_or(("", text), |size| ("-", size));
    let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
    let figures: Vec<u8> = [whole, fraction]
        .concat()
        .bytes()
        .map(|figure| figure - b'0')
        .collect();
    let first = figures
        .iter()
        .position(|figure| *figure != 0)
        .unwrap_or(figures.len());
    let cut = (first + keep).min(figures.len());
    let (mut kept, rest) = (figures[..cut].to_vec(), &figures[cut..]);
    let half = [&[5][..], &vec![0; rest.len().saturating_sub(1)]].concat();
    let odd = kept.last().is_some_and(|figure| figure % 2 == 1);
    if !rest.is_empty() && (rest > half.as_slice() || (rest == half.as_slice() && odd)) {
        let mut place = kept.len();
        loop {
            if place == 0 {
                kept.insert(0, 1);
                break;
            }
            place -= 1;
            if kept[place] < 9 {
                kept[place] += 1;
                break;
            }
            kept[place] = 0;
        }
    }
    let digits: String = kept
        .iter()
        .map(|figure| char::from(figure + b'0'))
        .collect();
    // The place of the last kept figure: positive before the point, negative behind it.
    let place = whole.len() as i64 - cut as i64;
    format!(
        "{sign}{}e{place}",
        if digits.is_empty() { "0" } else { &digits }
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn floats_are_rounded_as_on_paper(bits in any::<u64>(), near in -1e9..1e9_f64, digits in 1..17_usize) {
        for number in [f64::from_bits(bits), near, (near * 1e3).round() / 1e3, near.round()] {
            if !number.is_finite() {
                continue;
            }
            let rounded = float_to_digits(number, digits as u64);
            let paper: f64 = on_paper(&number.to_string(), digits).parse().unwrap_or(f64::NAN);
            prop_assert!(rounded == paper || paper.is_infinite(), "{} {} {}", number, rounded, paper);
            prop_assert_eq!(float_to_digits(rounded, digits as u64), rounded, "once is enough");
            prop_assert_eq!(float_to_digits(-number, digits as u64), -rounded, "no side is favoured");
        }
    }

    #[test]
    fn whole_numbers_are_rounded_as_on_paper(number in any::<i64>(), small in -99_999..99_999_i64, digits in 1..17_usize) {
        for number in [number, small] {
            let rounded = to_digits(number.into(), digits as u64, I64);
            let paper = on_paper(&number.to_string(), digits);
            let (figures, place) = paper.split_once('e').unwrap_or(("", ""));
            let power = 10_i128.pow(place.parse().unwrap_or(0));
            let paper = figures.parse::<i128>().unwrap_or(0) * power;
            let fits = (I64.min..=I64.max).contains(&paper);
            prop_assert!(!fits || paper == rounded, "{} {} {}", number, rounded, paper);
            prop_assert!((I64.min..=I64.max).contains(&rounded));
            prop_assert_eq!(to_digits(rounded, digits as u64, I64), rounded);
            let wide = wide_to_digits(i256::from_i128(number.into()), digits as u64, i256::MAX);
            prop_assert_eq!(wide, i256::from_i128(paper));
        }
    }

    #[test]
    fn larger_numbers_stay_larger(one in any::<i64>(), more in 0..10_000_i64, base in 0..BASES.len(), digits in 1..17_u64) {
        let other = one.saturating_add(more);
        let (one, other) = (i128::from(one), i128::from(other));
        prop_assert!(to_base(one, BASES[base], I64) <= to_base(other, BASES[base], I64));
        prop_assert!(to_digits(one, digits, I64) <= to_digits(other, digits, I64));
        prop_assert!(float_to_digits(one as f64, digits) <= float_to_digits(other as f64, digits));
    }
}

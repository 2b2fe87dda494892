//! Rounding on texts.

use super::world::Limits;

/// The nearest multiple, found by trying; of two, the even one.
pub(super) fn count(number: i64, limits: &Limits) -> i64 {
    let base = limits.count_base;
    let multiples = (0..)
        .map(|nth| nth * base)
        .take_while(|multiple| *multiple <= number + base);
    multiples
        .min_by_key(|multiple| ((number - multiple).abs(), multiple / base % 2))
        .unwrap()
}

/// The number in plain decimal notation, such as `-0.0123`, rounded to significant digits, half to even.
pub(super) fn digits(text: &str, limits: &Limits) -> String {
    let keep = limits.significant_digits;
    if keep == 17 {
        return text.to_owned();
    }
    let (sign, size) = text
        .strip_prefix('-')
        .map_or(("", text), |size| ("-", size));
    let mut figures: Vec<u8> = size.bytes().collect();
    let first = figures
        .iter()
        .position(|figure| (b'1'..=b'9').contains(figure));
    let Some(first) = first else {
        return text.to_owned();
    };
    let places: Vec<usize> = (first..figures.len())
        .filter(|place| figures[*place] != b'.')
        .collect();
    let Some(cut) = places.get(keep).copied() else {
        return text.to_owned();
    };
    let rest: Vec<u8> = places[keep..].iter().map(|place| figures[*place]).collect();
    let last_is_odd = figures[places[keep - 1]] % 2 == 1;
    let half = rest[0] == b'5' && rest[1..].iter().all(|figure| *figure == b'0');
    let up = if half { last_is_odd } else { rest[0] >= b'5' };
    for place in &places[keep..] {
        figures[*place] = b'0';
    }
    if up {
        carry(&mut figures, cut);
    }
    format!("{sign}{}", String::from_utf8(figures).unwrap())
}

/// Adds one to the figure before `cut`.
fn carry(figures: &mut Vec<u8>, cut: usize) {
    for place in (0..cut).rev() {
        match figures[place] {
            b'.' => {}
            b'9' => figures[place] = b'0',
            _ => {
                figures[place] += 1;
                return;
            }
        }
    }
    figures.insert(0, b'1');
}

#[test]
fn texts_are_rounded() {
    let to = |text: &str, keep: usize| {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let any = proptest::strategy::Strategy::new_tree(&super::world::limits(), &mut runner);
        let mut limits = proptest::strategy::ValueTree::current(&any.unwrap());
        limits.significant_digits = keep;
        digits(text, &limits)
    };
    assert_eq!(to("12345", 2), "12000");
    assert_eq!(to("-0.0999", 2), "-0.1000");
    assert_eq!(to("9.96", 2), "10.00");
    assert_eq!(to("2.5", 1), "2.0");
    assert_eq!(to("3.5", 1), "4.0");
    assert_eq!(to("0", 1), "0");
}

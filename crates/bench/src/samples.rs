//! Measured values: medians, quantiles, and contenders that take turns.

use serde::{Deserialize, Serialize};

use crate::error::Result;

/// What was measured of one thing, turn by turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Samples in the order in which they were taken.
    #[must_use]
    pub fn new(values: Vec<f64>) -> Self {
        Self(values)
    }

    /// Adds the sample of a turn.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The samples in the order of the turns.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value below which this share of the samples lies, by the nearest rank; NaN where there is none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The lowest.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The highest.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.quantile(1.0)
    }

    /// This divided by the other, turn by turn: what the machine did meanwhile hits both.
    #[must_use]
    pub fn over(&self, other: &Samples) -> Samples {
        let pairs = self.0.iter().zip(&other.0);
        Samples(pairs.map(|(one, other)| one / other).collect())
    }

    /// Median, lowest and highest as a cell of a table.
    #[must_use]
    pub fn spread(&self, digits: usize) -> String {
        if self.is_empty() {
            return "–".to_owned();
        }
        let [median, low, high] = [self.median(), self.low(), self.high()];
        format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Something that is done once a turn and says how long it took, in seconds.
pub(crate) type Contender<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// Each contender once without counting, then all of them in every turn. Who goes first changes from turn to turn.
pub(crate) fn interleaved(turns: usize, contenders: &mut [Contender<'_>]) -> Result<Vec<Samples>> {
    for contender in contenders.iter_mut() {
        contender()?;
    }
    let mut samples = vec![Samples::default(); contenders.len()];
    for turn in 0..turns {
        for place in 0..contenders.len() {
            let at = (turn + place) % contenders.len();
            samples[at].push(contenders[at]()?);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn the_median_is_the_middle_and_the_spread_its_ends() {
        let samples = Samples::new(vec![3.0, 1.0, 2.0, 10.0, 4.0]);
        assert_eq!(samples.median(), 3.0);
        assert_eq!(samples.spread(1), "3.0 (1.0–10.0)");
        assert!(Samples::default().median().is_nan());
        assert_eq!(Samples::default().spread(1), "–");
    }

    #[test]
    fn quantiles_are_samples() {
        let samples: Samples = (1..=100).map(f64::from).collect();
        assert_eq!(samples.quantile(0.99), 99.0);
        assert_eq!(samples.quantile(1.0), 100.0);
    }

    #[test]
    fn ratios_are_taken_within_a_turn() {
        let (slow, fast) = (Samples::new(vec![2.0, 40.0]), Samples::new(vec![1.0, 10.0]));
        assert_eq!(slow.over(&fast).values(), [2.0, 4.0]);
    }

    #[test]
    fn everybody_is_first_once() {
        let order = std::cell::RefCell::new(Vec::new());
        let contender = |name: char| -> Contender<'_> {
            let order = &order;
            Box::new(move || {
                order.borrow_mut().push(name);
                Ok(1.0)
            })
        };
        let samples = interleaved(2, &mut [contender('a'), contender('b')]).expect("samples");
        assert_eq!(*order.borrow(), ['a', 'b', 'a', 'b', 'b', 'a']);
        assert_eq!(samples[0].values().len(), 2);
    }
}

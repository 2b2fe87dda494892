//! Logistic regression by iteratively reweighted least squares.

use nalgebra::{DMatrix, DVector};

use super::fit::{Fitted, Fitting};
use super::linear::inverse;

/// Most steps. Newton's method doubles the right digits with each; what has not come to rest by then will not.
const STEPS_MAX: usize = 40;
/// The relative change of the deviance at which it has come to rest, as in R's `glm` but stricter.
const CHANGE_MAX: f64 = 1e-10;
/// Beyond this the fitted share is 0 or 1 to every digit a number has.
const LOGIT_MAX: f64 = 36.0;

/// The rows themselves: each step needs all of them.
#[derive(Debug)]
pub(super) struct Logistic {
    terms: usize,
    /// Row by row: the fitted number, then the regressors.
    values: Vec<f64>,
}

impl Logistic {
    pub(super) const fn new(regressors: usize) -> Self {
        Self {
            terms: regressors + 1,
            values: Vec::new(),
        }
    }

    /// Mean and spread of each regressor, or 0 and 1 for the constant: steps are taken on scaled regressors, so that
    /// nothing overflows.
    fn scale(&self) -> Vec<(f64, f64)> {
        let rows = self.rows() as f64;
        let mut scale = vec![(0.0, 1.0)];
        for term in 1..self.terms {
            let of = || {
                self.values
                    .chunks_exact(self.terms)
                    .map(move |row| row[term])
            };
            let mean = of().sum::<f64>() / rows;
            let spread = (of().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
            scale.push((mean, spread));
        }
        scale
    }

    /// One pass: the deviance at `at`, the gradient of the likelihood and its curvature.
    fn pass(&self, at: &DVector<f64>, scale: &[(f64, f64)]) -> (f64, DVector<f64>, DMatrix<f64>) {
        let terms = self.terms;
        let (mut deviance, mut gradient) = (0.0, DVector::zeros(terms));
        let mut curvature = DMatrix::zeros(terms, terms);
        let mut scaled = vec![1.0; terms];
        for row in self.values.chunks_exact(terms) {
            for term in 1..terms {
                scaled[term] = (row[term] - scale[term].0) / scale[term].1;
            }
            let logit: f64 = scaled.iter().zip(at.iter()).map(|(x, b)| x * b).sum();
            let logit = logit.clamp(-LOGIT_MAX, LOGIT_MAX);
            let share = 1.0 / (1.0 + (-logit).exp());
            // ln(1 + e^z) − y·z, the negative logarithm of the likelihood, without cancellation.
            deviance += 2.0 * (logit.max(0.0) + (-logit.abs()).exp().ln_1p() - row[0] * logit);
            let weight = share * (1.0 - share);
            for one in 0..terms {
                gradient[one] += (row[0] - share) * scaled[one];
                for other in 0..=one {
                    curvature[(one, other)] += weight * scaled[one] * scaled[other];
                }
            }
        }
        curvature.fill_upper_triangle_with_lower_triangle();
        (deviance, gradient, curvature)
    }
}

impl Fitting for Logistic {
    fn row(&mut self, values: &[f64]) {
        if values[0] == 0.0 || values[0] == 1.0 {
            self.values.extend_from_slice(values);
        }
    }

    fn rows(&self) -> u64 {
        (self.values.len() / self.terms) as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "rows are far fewer than 2^52")]
    fn fit(&self) -> Option<Fitted> {
        let rows = self.rows() as f64;
        if rows < self.terms as f64 + 1.0 {
            return None;
        }
        let scale = self.scale();
        if scale
            .iter()
            .any(|(mean, spread)| !mean.is_finite() || spread.is_nan() || *spread <= 0.0)
        {
            return None;
        }
        let mut at = DVector::zeros(self.terms);
        let (mut deviance, mut gradient, mut curvature) = self.pass(&at, &scale);
        let mut at_rest = false;
        for _ in 0..STEPS_MAX {
            at += inverse(&curvature)? * &gradient;
            let before = deviance;
            (deviance, gradient, curvature) = self.pass(&at, &scale);
            if (before - deviance).abs() <= CHANGE_MAX * (deviance.abs() + 0.1) {
                at_rest = true;
                break;
            }
        }
        // Where the regressors tell the number apart, coefficients grow without end and mean nothing.
        if !at_rest || deviance < 1e-6 * rows {
            return None;
        }
        let covariance = inverse(&curvature)?;
        Some(self.unscaled(&at, &covariance, &scale, deviance))
    }

    fn state(&self) -> Vec<f64> {
        self.values.clone()
    }

    fn merge(&mut self, state: &[f64]) {
        self.values.extend_from_slice(state);
    }

    fn size(&self) -> usize {
        self.values.capacity() * size_of::<f64>()
    }
}

impl Logistic {
    /// Coefficients and errors in the units of the regressors.
    fn unscaled(
        &self,
        at: &DVector<f64>,
        covariance: &DMatrix<f64>,
        scale: &[(f64, f64)],
        deviance: f64,
    ) -> Fitted {
        let slopes = (1..self.terms).map(|term| at[term] / scale[term].1);
        let mut coefficients = vec![0.0];
        coefficients.extend(slopes);
        coefficients[0] = at[0]
            - coefficients
                .iter()
                .zip(scale)
                .skip(1)
                .map(|(slope, (mean, _))| slope * mean)
                .sum::<f64>();
        // The intercept is a combination of all scaled coefficients.
        let direction = DVector::from_fn(self.terms, |term, _| match term {
            0 => 1.0,
            _ => -scale[term].0 / scale[term].1,
        });
        let mut standard_errors = vec![direction.dot(&(covariance * &direction)).sqrt()];
        standard_errors
            .extend((1..self.terms).map(|term| covariance[(term, term)].sqrt() / scale[term].1));
        Fitted {
            measures: [deviance, self.null_deviance()],
            coefficients,
            standard_errors,
        }
    }

    /// The deviance of the constant alone.
    fn null_deviance(&self) -> f64 {
        let rows = self.rows() as f64;
        let ones: f64 = self.values.chunks_exact(self.terms).map(|row| row[0]).sum();
        let part = |of: f64| if of > 0.0 { of * (of / rows).ln() } else { 0.0 };
        -2.0 * (part(ones) + part(rows - ones))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(rows: impl IntoIterator<Item = [f64; 2]>) -> Option<Fitted> {
        let mut logistic = Logistic::new(1);
        rows.into_iter().for_each(|row| logistic.row(&row));
        logistic.fit()
    }

    /// With one regressor that is 0 or 1 the fit is known: the logits of the shares on either side.
    #[test]
    fn two_groups_have_the_logits_of_their_shares() {
        let side = |x: f64, ones: usize, zeros: usize| {
            let ones = std::iter::repeat_n([1.0, x], ones);
            ones.chain(std::iter::repeat_n([0.0, x], zeros))
        };
        let fitted = fitted(side(0.0, 20, 60).chain(side(1.0, 30, 30))).unwrap();
        let logit = |ones: f64, zeros: f64| (ones / zeros).ln();
        let slope = logit(30.0, 30.0) - logit(20.0, 60.0);
        assert!((fitted.coefficients[0] - logit(20.0, 60.0)).abs() < 1e-8);
        assert!((fitted.coefficients[1] - slope).abs() < 1e-8);
        let error = (1.0 / 20.0 + 1.0 / 60.0 + 1.0 / 30.0 + 1.0 / 30.0_f64).sqrt();
        assert!((fitted.standard_errors[1] - error).abs() < 1e-6);
        let error = (1.0 / 20.0 + 1.0 / 60.0_f64).sqrt();
        assert!((fitted.standard_errors[0] - error).abs() < 1e-6);
        assert!(fitted.measures[0] < fitted.measures[1]);
    }

    #[test]
    fn what_tells_the_number_apart_is_not_fitted() {
        let apart = (0..40).map(|at| [f64::from(at / 20), f64::from(at)]);
        assert_eq!(fitted(apart), None);
        let constant = (0..40).map(|at| [f64::from(at % 2), 1.0]);
        assert_eq!(fitted(constant), None);
        let never = (0..40).map(|at| [0.0, f64::from(at)]);
        assert_eq!(fitted(never), None);
    }
}

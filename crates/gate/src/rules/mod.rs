//! The rules a cell is judged by, one function each. A rule answers whether the cell breaks it.
//!
//! Most rules look at one cell (`threshold`, `concentration`, `homogeneity`, `model`). The last two look at what surrounds
//! it in its table (`margins`, with `complement` and `class`), and are asked of cells that keep all others: they cost
//! more, and a cell that is withheld needs no second reason.

mod class;
mod complement;
mod concentration;
mod deep_margins;
mod homogeneity;
mod margins;
mod model;
#[cfg(test)]
mod tests;
mod threshold;

use weir_policy::Policy;

use crate::evidence::EvidenceColumns;
use crate::record::WithheldBy;
use crate::shape::Shape;

pub(crate) use margins::{Neighbours, by_margins};

/// The rules that one cell breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Broken {
    pub(crate) units: bool,
    pub(crate) rows: bool,
    pub(crate) not_finite: bool,
    pub(crate) dominance: bool,
    pub(crate) p_ratio: bool,
    pub(crate) homogeneity: bool,
    pub(crate) fit: bool,
    pub(crate) quantile: bool,
    pub(crate) off_domain: bool,
    pub(crate) complement: bool,
    pub(crate) class_disclosure: bool,
    pub(crate) history: bool,
    /// It hides what another grouping of the same rows withholds.
    pub(crate) crossing: bool,
}

impl Broken {
    /// Judges one cell for every kind of unit, by the rules that look at the cell alone. Each is asked, also where one is
    /// broken already: the record counts them all.
    pub(crate) fn by(
        evidence: &[EvidenceColumns],
        shape: &Shape,
        cell: usize,
        policy: &Policy,
    ) -> Broken {
        let mut broken = Broken::default();
        for of_one_kind in evidence {
            broken.join(of_one_kind, shape, cell, policy);
        }
        broken
    }

    /// Adds what the cell breaks for one kind of unit.
    fn join(&mut self, evidence: &EvidenceColumns, shape: &Shape, cell: usize, policy: &Policy) {
        for (units, rows) in evidence.contributors(cell) {
            self.units |= threshold::too_few(units, policy.units_min());
            self.rows |= threshold::too_few(rows, policy.rows_min());
        }
        for contribution in evidence.contributions(cell) {
            if !contribution.is_finite() {
                // Fail closed: the formulas below are not for such numbers.
                self.not_finite = true;
                continue;
            }
            self.dominance |= concentration::dominated(&contribution, &policy.top_share_max());
            self.p_ratio |= concentration::deducible(
                &contribution,
                policy.p_ratio_min(),
                policy.zeros_are_disclosive(),
            );
        }
        for values in &evidence.sensitive {
            self.homogeneity |=
                homogeneity::too_alike(values.value(cell), policy.sensitive_values_min());
        }
        for fit in &shape.fits {
            let units = evidence.fits[fit.fitted].value(cell);
            self.fit |= model::overfitted(units, fit.parameters, policy);
        }
        for quantiles in &shape.quantiles {
            let of = &evidence.contributions[quantiles.contributions];
            let units = of.units.value(cell);
            self.quantile |= model::too_fine(units, quantiles.count, policy.quantile_units_min());
        }
    }

    pub(crate) fn any(self) -> bool {
        self != Broken::default()
    }

    /// Whether it is withheld for its own sake, and not to hide another one.
    pub(crate) fn by_itself(self) -> bool {
        Broken {
            crossing: false,
            ..self
        }
        .any()
    }

    /// The names of the broken rules, as the record has them. What hides another cell is one of what surrounds it.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let all = [
            (self.units, "units"),
            (self.rows, "rows"),
            (self.not_finite, "not_finite"),
            (self.dominance, "dominance"),
            (self.p_ratio, "p_ratio"),
            (self.homogeneity, "homogeneity"),
            (self.fit, "fit"),
            (self.quantile, "quantile"),
            (self.off_domain, "off_domain"),
            (self.complement || self.crossing, "complement"),
            (self.class_disclosure, "class_disclosure"),
            (self.history, "history"),
        ];
        all.iter()
            .filter_map(|(broken, name)| broken.then_some(*name))
            .collect()
    }
}

impl WithheldBy {
    pub(crate) fn count(&mut self, broken: Broken) {
        self.units += u64::from(broken.units);
        self.rows += u64::from(broken.rows);
        self.not_finite += u64::from(broken.not_finite);
        self.dominance += u64::from(broken.dominance);
        self.p_ratio += u64::from(broken.p_ratio);
        self.homogeneity += u64::from(broken.homogeneity);
        self.fit += u64::from(broken.fit);
        self.quantile += u64::from(broken.quantile);
        self.off_domain += u64::from(broken.off_domain);
        self.complement += u64::from(broken.complement || broken.crossing);
        self.class_disclosure += u64::from(broken.class_disclosure);
        self.history += u64::from(broken.history);
    }
}

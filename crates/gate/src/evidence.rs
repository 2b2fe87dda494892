//! What stands behind each cell: the numbers that the rules read.

use arrow::array::{Array, BooleanArray, Float64Array, UInt64Array};

use crate::error::GateError;
use crate::first_units::FirstUnits;

/// How many of the largest contributions to a cell are handed over.
pub const TOP_UNITS: usize = weir_policy::TOP_UNITS_MAX;

/// What stands behind each cell of a table; in every array one entry per row of the table, in its order, none null.
///
/// A cell shows one number per aggregate, and each number speaks of the units that have a value in it: a mean over a
/// column that is null for all but one unit is that unit's value, however many units the cell has. So there is
/// evidence for the cell as a whole, and for each argument of an aggregate.
pub struct EvidenceColumns {
    /// Distinct units in the cell.
    pub units: UInt64Array,
    /// Rows in the cell.
    pub rows: UInt64Array,
    /// One per nullable argument that is counted and not summed, such as `x` in `COUNT(x)`.
    pub counted: Vec<Contributors>,
    /// One per argument that a number is made of (a sum, a mean, a variance, a quantile …), nullable or not.
    pub contributions: Vec<Contributions>,
    /// The first units of each cell, by name: what the complement is counted from.
    pub first_units: FirstUnits,
    /// One per nullable argument of a count or a sum. What a margin has beside a cell may be of few units there, though many
    /// have rows.
    pub arguments: Vec<ArgumentUnits>,
    /// One per sensitive column that the query aggregates: its distinct values in the cell, counted up to a cap that is
    /// no smaller than `cell.sensitive_values_min`.
    pub sensitive: Vec<UInt64Array>,
    /// One per fitted model: the units that entered it.
    pub fits: Vec<UInt64Array>,
}

/// Who has a value in a nullable argument, by name where they are few.
pub struct ArgumentUnits {
    /// Units with at least one value that is not null.
    pub units: UInt64Array,
    /// The first of them.
    pub first_units: FirstUnits,
}

/// Who has a value in a counted argument.
pub struct Contributors {
    /// Units with at least one value that is not null.
    pub units: UInt64Array,
    /// Rows with a value that is not null.
    pub rows: UInt64Array,
}

/// Who contributes how much to a sum or mean: a *unit's contribution* is the sum of its values in the cell, without
/// its sign. All rows of a unit are summed before the largest are sought, or one unit could hide behind its many rows.
pub struct Contributions {
    /// Units with at least one value that is not null.
    pub units: UInt64Array,
    /// Rows with a value that is not null.
    pub rows: UInt64Array,
    /// The contributions of all units, summed. Infinite or NaN where a value is, or where the sum overflows: such a
    /// cell is withheld.
    pub total: Float64Array,
    /// The largest contribution, the second largest and so on; 0.0 where there are fewer units.
    pub top: [Float64Array; TOP_UNITS],
    /// Whether the sum of some unit is negative.
    pub negative: BooleanArray,
}

/// The contributions to one sum or mean of one cell.
pub(crate) struct Contribution {
    pub(crate) units: u64,
    pub(crate) rows: u64,
    pub(crate) total: f64,
    pub(crate) top: [f64; TOP_UNITS],
    pub(crate) negative: bool,
}

impl EvidenceColumns {
    /// Evidence of a table that shows counts of rows and units, and nothing that depends on a nullable argument.
    pub fn of_counts(
        units: UInt64Array,
        rows: UInt64Array,
        first_units: FirstUnits,
    ) -> EvidenceColumns {
        EvidenceColumns {
            units,
            rows,
            counted: Vec::new(),
            contributions: Vec::new(),
            first_units,
            arguments: Vec::new(),
            sensitive: Vec::new(),
            fits: Vec::new(),
        }
    }

    /// (units, rows) of one cell as a whole and of each of its arguments.
    pub(crate) fn contributors(&self, cell: usize) -> impl Iterator<Item = (u64, u64)> {
        self.pairs()
            .map(move |(units, rows)| (units.value(cell), rows.value(cell)))
    }

    /// The contributions to each sum and mean of one cell.
    pub(crate) fn contributions(&self, cell: usize) -> impl Iterator<Item = Contribution> {
        self.contributions.iter().map(move |of| of.at(cell))
    }

    fn pairs(&self) -> impl Iterator<Item = (&UInt64Array, &UInt64Array)> {
        let counted = self.counted.iter().map(|of| (&of.units, &of.rows));
        let summed = self.contributions.iter().map(|of| (&of.units, &of.rows));
        std::iter::once((&self.units, &self.rows))
            .chain(counted)
            .chain(summed)
    }

    /// Whether there is evidence for each of `cells` cells, and none that contradicts itself.
    ///
    /// Only what holds in whatever order numbers are added is checked. What rounding could bring about, such as a
    /// largest contribution a little over the total, is left to the rules: they withhold it.
    pub(crate) fn check(&self, cells: usize) -> Result<(), GateError> {
        for column in self.columns() {
            if column.len() != cells {
                return Err(GateError::EvidenceLength);
            }
            if column.null_count() > 0 {
                return Err(GateError::EvidenceMissing);
            }
        }
        self.first_units.check(&self.units)?;
        for of in &self.arguments {
            if of.units.len() != cells {
                return Err(GateError::EvidenceLength);
            }
            if of.units.null_count() > 0 {
                return Err(GateError::EvidenceMissing);
            }
            of.first_units.check(&of.units)?;
        }
        let sound = |cell: &usize| {
            let (units, rows) = (self.units.value(*cell), self.rows.value(*cell));
            // Each unit that contributes does so with at least one row of the cell.
            self.contributors(*cell)
                .all(|of| of.0 <= of.1 && of.0 <= units && of.1 <= rows)
                && self.contributions(*cell).all(|of| of.is_sound())
                && self
                    .arguments
                    .iter()
                    .all(|of| of.units.value(*cell) <= units)
                && self.fits.iter().all(|fitted| fitted.value(*cell) <= units)
        };
        if (0..cells).all(|cell| sound(&cell)) {
            Ok(())
        } else {
            Err(GateError::EvidenceContradiction)
        }
    }

    fn columns(&self) -> impl Iterator<Item = &dyn Array> {
        let counts = self
            .pairs()
            .flat_map(|(units, rows)| [units as &dyn Array, rows]);
        let amounts = self.contributions.iter().flat_map(|of| {
            let numbers = of.top.iter().chain([&of.total]);
            numbers
                .map(|column| column as &dyn Array)
                .chain([&of.negative as &dyn Array])
        });
        let others = self.sensitive.iter().chain(&self.fits);
        counts
            .chain(amounts)
            .chain(others.map(|column| column as &dyn Array))
    }
}

impl Contributions {
    fn at(&self, cell: usize) -> Contribution {
        Contribution {
            units: self.units.value(cell),
            rows: self.rows.value(cell),
            total: self.total.value(cell),
            top: self.top.each_ref().map(|column| column.value(cell)),
            negative: self.negative.value(cell),
        }
    }
}

impl Contribution {
    /// Whether total and largest contributions are numbers. A NaN compares as false with everything: a rule that read
    /// one would release.
    pub(crate) fn is_finite(&self) -> bool {
        self.total.is_finite() && self.top.iter().all(|contribution| contribution.is_finite())
    }

    /// Largest first, none negative, none without a unit, and one exactly where the total is not zero. Contributions
    /// that are no numbers have no order; they are no contradiction, since data may hold them.
    fn is_sound(&self) -> bool {
        if !self.is_finite() {
            return true;
        }
        let descending = self.top.is_sorted_by(|larger, smaller| larger >= smaller);
        let of_units = self
            .top
            .iter()
            .zip(1..)
            .all(|(amount, nth)| *amount == 0.0 || (*amount > 0.0 && self.units >= nth));
        descending && of_units && self.total >= 0.0 && (self.total > 0.0) == (self.top[0] > 0.0)
    }
}

//! How a model's rows are kept apart: found by analysis of its code, never by asking.

/// What keeps one row from seeing another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// No instruction changes any state: there is nothing to see.
    Pure,
    /// Memory, its size and globals are set back after each row, from within.
    Restored,
    /// A fresh instance for each row, at some microseconds each: for models that change tables or drop segments, that
    /// take or return strings other than in UTF-8, or whose component is oddly made.
    Fresh,
}

/// How a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// What keeps one row from seeing another.
    pub isolation: Isolation,
    /// The most instructions a row can execute, where the code itself bounds it below
    /// [`Limits::row_fuel`](crate::Limits::row_fuel): such a model runs without metering. None for one that is metered.
    pub row_cost_max: Option<u64>,
}

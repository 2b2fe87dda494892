//! Months and the days in them, UTC.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

use crate::fault::Fault;

/// Most months in a report: ten years.
const MONTHS_MAX: i32 = 120;

/// A month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    /// Its first day.
    first: NaiveDate,
}

impl Month {
    /// The month of a moment.
    pub(super) fn of(at: DateTime<Utc>) -> Self {
        let day = at.date_naive();
        Self {
            first: day.with_day(1).unwrap_or(day),
        }
    }

    /// Reads `2026-11`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let first = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok()?;
        let month = Self { first };
        (month.to_string() == text).then_some(month)
    }

    /// The one after it.
    fn next(self) -> Self {
        let first = self.first.checked_add_months(Months::new(1));
        Self {
            first: first.unwrap_or(self.first),
        }
    }

    /// How many of its days lie from `from` to `to`, both included.
    pub(super) fn days_between(self, from: NaiveDate, to: NaiveDate) -> u64 {
        let from = from.max(self.first);
        let last = self.next().first.pred_opt().unwrap_or(self.first);
        let days = (to.min(last) - from).num_days() + 1;
        u64::try_from(days).unwrap_or(0)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.first.format("%Y-%m"))
    }
}

/// The months that are asked for, both included. What is empty is this month.
pub(super) fn asked(from: &str, to: &str, now: DateTime<Utc>) -> Result<Vec<Month>, Fault> {
    let read = |text: &str, otherwise: Month| match text {
        "" => Ok(otherwise),
        text => Month::parse(text).ok_or_else(invalid),
    };
    let to = read(to, Month::of(now))?;
    let from = read(from, to)?;
    let apart = (to.first.year() - from.first.year()) * 12
        + (to.first.month().cast_signed() - from.first.month().cast_signed());
    if !(0..MONTHS_MAX).contains(&apart) {
        return Err(invalid());
    }
    Ok(std::iter::successors(Some(from), |month| (*month < to).then(|| month.next())).collect())
}

fn invalid() -> Fault {
    Fault::caller(
        "USAGE_MONTH",
        format!(
            "months are written as in `2026-11`, the first is not after the last, and at most {MONTHS_MAX} are reported at once"
        ),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn months_are_asked_for() {
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let named = |from, to| {
            let months = asked(from, to, now).map_err(|fault| fault.code)?;
            Ok(months.iter().map(Month::to_string).collect::<Vec<_>>())
        };
        assert_eq!(named("", ""), Ok(vec!["2026-11".to_owned()]));
        assert_eq!(named("2025-12", "2026-02").unwrap().len(), 3);
        for (from, to) in [
            ("2026-12", ""),
            ("2026-1", ""),
            ("", "2026-13"),
            ("1900-01", "2026-01"),
            ("２０２６-01", ""),
            ("-2026-01", ""),
        ] {
            assert_eq!(named(from, to), Err("USAGE_MONTH"), "{from} {to}");
        }
    }

    #[test]
    fn a_day_that_has_begun_counts_and_no_day_counts_twice() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let (from, to) = (day("2026-01-30"), day("2026-03-01"));
        let days = ["2025-12", "2026-01", "2026-02", "2026-03", "2026-04"]
            .map(|month| Month::parse(month).unwrap().days_between(from, to));
        assert_eq!(days, [0, 2, 28, 1, 0]);
        assert_eq!(days.iter().sum::<u64>(), 31);
        assert_eq!(Month::parse("2026-01").unwrap().days_between(to, from), 0);
    }
}

//! What is kept of one subject for one rule, and what it comes to.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use weir_audit::Digest;

/// Releases remembered for one organisation's share; older ones are forgotten beyond it.
const RELEASES_MAX: usize = 10_000;

/// What a rule has found: it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holds {
    /// When what was measured began.
    pub(crate) since: DateTime<Utc>,
    /// What was measured.
    pub(crate) measured: u64,
    /// From where on the rule holds.
    pub(crate) limit: u64,
}

/// The newest events of a subject, as many as the rule asks for: more are never needed.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<(DateTime<Utc>, Option<Digest>)>);

impl Recent {
    /// One more event; one that has the digest of an earlier one takes its place.
    pub(crate) fn add(
        &mut self,
        at: DateTime<Utc>,
        same: Option<Digest>,
        count: u64,
        window: TimeDelta,
    ) -> Option<Holds> {
        if same.is_some() {
            self.0.retain(|(_, digest)| *digest != same);
        }
        self.0.push_back((at, same));
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        while self.0.len() > wanted {
            self.0.pop_front();
        }
        let since = self.0.front()?.0;
        let holds = self.0.len() == wanted && at - since <= window;
        holds.then_some(Holds {
            since,
            measured: count,
            limit: count,
        })
    }
}

/// The cells of an organisation's releases.
#[derive(Debug, Default)]
pub(crate) struct Share {
    releases: VecDeque<(DateTime<Utc>, u64, u64)>,
    released: u64,
    withheld: u64,
}

impl Share {
    /// One more release.
    pub(crate) fn add(
        &mut self,
        at: DateTime<Utc>,
        (released, withheld): (u64, u64),
        (share_percent, cells_min): (u32, u64),
        window: TimeDelta,
    ) -> Option<Holds> {
        self.releases.push_back((at, released, withheld));
        self.released = self.released.saturating_add(released);
        self.withheld = self.withheld.saturating_add(withheld);
        while let Some((first, released, withheld)) = self.releases.front().copied()
            && (at - first > window || self.releases.len() > RELEASES_MAX)
        {
            self.releases.pop_front();
            self.released = self.released.saturating_sub(released);
            self.withheld = self.withheld.saturating_sub(withheld);
        }
        let cells = self.released.saturating_add(self.withheld);
        let percent = self.withheld.saturating_mul(100).checked_div(cells)?;
        let limit = u64::from(share_percent);
        let holds = cells >= cells_min && percent >= limit;
        holds.then_some(Holds {
            since: self.releases.front()?.0,
            measured: percent,
            limit,
        })
    }
}

/// The cells an organisation took in each window.
#[derive(Debug, Default)]
pub(crate) struct Usual {
    /// Number of the window, and cells.
    windows: VecDeque<(i64, u64)>,
}

impl Usual {
    /// Cells more.
    pub(crate) fn add(
        &mut self,
        at: DateTime<Utc>,
        cells: u64,
        rule: &crate::rules::QuotaSpike,
    ) -> Option<Holds> {
        let length_s = i64::from(rule.window_minutes.max(1)) * 60;
        let now = at.timestamp().div_euclid(length_s);
        match self.windows.back_mut() {
            Some((window, taken)) if *window == now => *taken = taken.saturating_add(cells),
            _ => self.windows.push_back((now, cells)),
        }
        let baseline = i64::from(rule.baseline_windows);
        while let Some((window, _)) = self.windows.front()
            && *window < now - baseline
        {
            self.windows.pop_front();
        }
        let taken = self.windows.back()?.1;
        let before = self.windows.iter().rev().skip(1);
        let before = before.fold(0_u64, |sum, (_, cells)| sum.saturating_add(*cells));
        let usual = before.checked_div(u64::from(rule.baseline_windows))?;
        let limit = usual
            .saturating_mul(u64::from(rule.factor))
            .max(rule.cells_min);
        let holds = taken >= limit;
        holds.then_some(Holds {
            since: DateTime::from_timestamp(now * length_s, 0).unwrap_or(at),
            measured: taken,
            limit,
        })
    }
}

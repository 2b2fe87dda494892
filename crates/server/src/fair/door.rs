//! The door: what is cheap, but can be asked for without end.
//!
//! A run that is refused before it reads, a status, a list: each takes milliseconds, and as many as an operator has
//! connections could be under way at once. So each operator has a door of its own, which calls pass one at a time, and while
//! an operator that was served much less of late is at work, they give way to it: for a moment, not without end, as what is
//! asked may be how to end what is under way. Whoever waits counts as at work: many who ask at once make it more.

use std::sync::Arc;
use std::time::Duration;

use super::FairUse;
use super::slots::{Slot, Slots};

/// Longest time for which a call gives way.
const GIVES_WAY_MAX: Duration = Duration::from_millis(250);

/// Calls of one operator that pass at once, of this many processors: half of them, and at least one.
pub(super) fn doors(processors: usize) -> Slots {
    Slots::new(usize::MAX, (processors / 2).max(1))
}

/// A call that passes. Whoever is next passes when it is dropped.
pub(crate) struct AtTheDoor {
    _passes: Option<Slot>,
    _at_work: Arc<dyn weir_inside::Turns>,
}

impl FairUse {
    /// Waits until a call of this operator may pass.
    pub(crate) async fn door(&self, organisation: &str) -> AtTheDoor {
        let at_work = self.turns(organisation);
        let passes = self.doors.take(organisation).await;
        let gives_way = self.turns.lets_pass(organisation);
        drop(tokio::time::timeout(GIVES_WAY_MAX, gives_way).await);
        AtTheDoor {
            _passes: passes,
            _at_work: at_work,
        }
    }
}

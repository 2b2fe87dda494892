//! Fair use: what one operator may have at once, and whose turn it is.
//!
//! Three things are shared out. **Slots** (`slots.rs`): a run that computes holds memory, so only some compute at once; those
//! that wait do so in a queue of their organisation, and the queues are served in turn. No organisation has every slot. What
//! else takes a processor for long has such queues too: vetting, and planning for an estimate.
//! **Processors** (`turns.rs`): a run gives way after each batch while one of an organisation that has had less of late is
//! at work, so that a small query is not made to share the machine with an endless one. **The door** (`door.rs`): what comes
//! before a run waits for a slot, and every other short call, passes one at a time for each operator.

mod door;
mod slots;
mod turns;

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub(crate) use door::AtTheDoor;
pub(crate) use slots::{Slot, Slots};
pub(crate) use turns::Turns;

/// Settings of fair use. What is not named follows from the machine, or has no bound.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FairUseConfig {
    /// Runs of one operator under way at once, those that wait included. Default: 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<NonZeroUsize>,
    /// Runs that compute at once. Default: one for each processor, and at least two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computing: Option<NonZeroUsize>,
    /// Runs of one operator that compute at once. Default: one less than all, and at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computing_per_operator: Option<NonZeroUsize>,
    /// Memory of one run that computes, in MiB. Default: 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib_per_run: Option<NonZeroUsize>,
    /// Millions of instructions charged to one operator in a day (UTC). Default: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel_per_day: Option<NonZeroU64>,
}

/// Runs of one operator under way at once, unless the settings say otherwise.
const UNDER_WAY: usize = 16;

impl FairUseConfig {
    /// Runs of one operator under way at once.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.map_or(UNDER_WAY, NonZeroUsize::get)
    }

    /// The slots of a machine with this many processors: in all, and of one operator.
    fn slots(&self, processors: usize) -> (usize, usize) {
        let all = self
            .computing
            .map_or_else(|| processors.max(2), NonZeroUsize::get);
        let own = self
            .computing_per_operator
            .map_or_else(|| all - 1, NonZeroUsize::get);
        (all, own.clamp(1, all))
    }

    /// Bounds of one run.
    pub(crate) fn limits(&self) -> weir_inside::Limits {
        let default = weir_inside::Limits::default();
        weir_inside::Limits {
            memory_bytes_max: self
                .memory_mib_per_run
                .map_or(default.memory_bytes_max, |mib| mib.get() << 20),
            ..default
        }
    }
}

/// What an open domain keeps of fair use.
pub(crate) struct FairUse {
    slots: Arc<Slots>,
    vettings: Arc<Slots>,
    estimates: Arc<Slots>,
    doors: Arc<Slots>,
    turns: Arc<Turns>,
}

/// Vettings at work at once: each runs a foreign model for some seconds.
const VETTINGS_MAX: usize = 1;

impl FairUse {
    pub(crate) fn new(config: &FairUseConfig) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let (all, own) = config.slots(processors);
        Self {
            slots: Arc::new(Slots::new(all, own)),
            vettings: Arc::new(Slots::new(VETTINGS_MAX, VETTINGS_MAX)),
            estimates: Arc::new(Slots::new(all, own)),
            doors: Arc::new(door::doors(processors)),
            turns: Arc::default(),
        }
    }

    /// Waits for a slot.
    pub(crate) async fn slot(&self, organisation: &str) -> Option<Slot> {
        self.slots.take(organisation).await
    }

    /// Waits for the one place where models are vetted, and until those who had less of late are served.
    pub(crate) async fn vetting(&self, organisation: &str) -> Option<Slot> {
        let slot = self.vettings.take(organisation).await;
        let _at_work = self.turns(organisation);
        self.turns.waits(organisation).await;
        slot
    }

    /// Places for vetting that nobody has.
    pub(crate) fn vettings_free(&self) -> usize {
        self.vettings.free()
    }

    /// Waits for a place to plan an estimate in, and until those who had less of late are served. What is given back is held
    /// for as long as it is planned.
    pub(crate) async fn estimate(
        &self,
        organisation: &str,
    ) -> (Option<Slot>, Arc<dyn weir_inside::Turns>) {
        let slot = self.estimates.take(organisation).await;
        let turns = self.turns(organisation);
        self.turns.waits(organisation).await;
        (slot, turns)
    }

    /// Slots that nobody has.
    pub(crate) fn slots_free(&self) -> usize {
        self.slots.free()
    }

    /// Counts a run of this organisation as at work, as long as what is given back is there: others that had more of late
    /// give way.
    pub(crate) fn turns(&self, organisation: &str) -> Arc<dyn weir_inside::Turns> {
        self.turns.enter(organisation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_every_slot() {
        let slots = |config: &str, processors| {
            let config: FairUseConfig = toml::from_str(config).unwrap_or_default();
            config.slots(processors)
        };
        assert_eq!([1, 2, 8].map(|n| slots("", n)), [(2, 1), (2, 1), (8, 7)]);
        assert_eq!(slots("computing = 1", 8), (1, 1));
        assert_eq!(slots("computing_per_operator = 99", 4), (4, 4));
    }
}

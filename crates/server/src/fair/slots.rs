//! Slots for runs that compute: a queue for each organisation, served in turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// So many runs compute at once.
#[derive(Debug)]
pub(crate) struct Slots {
    /// Most slots of one organisation.
    own_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Slots that organisations have; those that have none are not in it.
    held: BTreeMap<String, usize>,
    /// Those who wait, the organisation that waits longest for its turn first.
    waiting: VecDeque<(String, VecDeque<oneshot::Sender<Slot>>)>,
}

/// A slot; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    organisation: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.give_back(&self.organisation);
        drop(state);
        self.slots.serve();
    }
}

impl Slots {
    /// `all` slots, `own_max` of one organisation.
    pub(crate) fn new(all: usize, own_max: usize) -> Self {
        Self {
            own_max,
            state: Mutex::new(State {
                free: all,
                held: BTreeMap::new(),
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Waits for a slot. None where there will never be one.
    pub(crate) async fn take(self: &Arc<Self>, organisation: &str) -> Option<Slot> {
        let (sender, receiver) = oneshot::channel();
        self.state().wait(organisation, sender);
        self.serve();
        receiver.await.ok()
    }

    /// Slots that nobody has.
    pub(crate) fn free(&self) -> usize {
        self.state().free
    }

    /// Hands out what is free.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut state = self.state();
            let Some((organisation, next)) = state.next(self.own_max) else {
                return;
            };
            drop(state);
            // Whoever no longer waits leaves the slot with us, which gives it back: outside the lock, which that takes.
            drop(next.send(Slot {
                slots: Arc::clone(self),
                organisation,
            }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, organisation: &str, sender: oneshot::Sender<Slot>) {
        match self.waiting.iter_mut().find(|(of, _)| of == organisation) {
            Some((_, queue)) => queue.push_back(sender),
            None => self
                .waiting
                .push_back((organisation.to_owned(), VecDeque::from([sender]))),
        }
    }

    /// Takes a slot for whoever is next: of the organisations that may have one more, the one that has fewest; among equals
    /// the one that waits longest for its turn.
    fn next(&mut self, own_max: usize) -> Option<(String, oneshot::Sender<Slot>)> {
        self.waiting.iter_mut().for_each(|(_, queue)| {
            queue.retain(|sender| !sender.is_closed());
        });
        self.waiting.retain(|(_, queue)| !queue.is_empty());
        if self.free == 0 {
            return None;
        }
        let held = |of: &String| self.held.get(of).copied().unwrap_or(0);
        let turns = self.waiting.iter().enumerate();
        let (at, _) = turns
            .map(|(at, (of, _))| (at, held(of)))
            .filter(|(_, held)| *held < own_max)
            .min_by_key(|(at, held)| (*held, *at))?;
        let (organisation, mut queue) = self.waiting.remove(at)?;
        let sender = queue.pop_front()?;
        if !queue.is_empty() {
            self.waiting.push_back((organisation.clone(), queue));
        }
        self.free -= 1;
        *self.held.entry(organisation.clone()).or_default() += 1;
        Some((organisation, sender))
    }

    fn give_back(&mut self, organisation: &str) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(organisation) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(organisation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Option<Slot>>>>;

    /// Somebody who asks, without a runtime.
    struct Asked {
        of: &'static str,
        future: Waiting,
        slot: Option<Slot>,
    }

    fn ask(slots: &Arc<Slots>, of: &'static str) -> Asked {
        let slots = Arc::clone(slots);
        let mut asked = Asked {
            of,
            future: Box::pin(async move { slots.take(of).await }),
            slot: None,
        };
        asked.look();
        asked
    }

    impl Asked {
        fn look(&mut self) -> bool {
            if self.slot.is_none() {
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(slot) = self.future.as_mut().poll(&mut context) {
                    self.slot = Some(slot.unwrap());
                }
            }
            self.slot.is_some()
        }
    }

    /// Ends runs one by one, the longest running first, and tells who began in which order.
    fn order(all: usize, own: usize, asking: &[&'static str]) -> String {
        let slots = Arc::new(Slots::new(all, own));
        let mut waiting: Vec<Asked> = asking.iter().map(|of| ask(&slots, of)).collect();
        let (mut begun, mut computing) = (String::new(), VecDeque::new());
        loop {
            let mut still = Vec::new();
            for mut asked in waiting {
                if asked.look() {
                    begun += asked.of;
                    computing.push_back(asked);
                } else {
                    still.push(asked);
                }
            }
            waiting = still;
            if computing.pop_front().is_none() {
                return begun;
            }
        }
    }

    #[test]
    fn queues_are_served_in_turn() {
        // One slot: a hog that came first does not have its whole queue served first.
        assert_eq!(order(1, 1, &["a", "a", "a", "a", "b", "c", "b"]), "aabcaba");
        // Two slots, of which one organisation has one: the other's run begins at once.
        assert_eq!(order(2, 1, &["a", "a", "a", "b"]), "abaa");
        // An organisation alone may be given more than one.
        assert_eq!(order(3, 2, &["a", "a", "a"]), "aaa");
    }

    #[test]
    fn whoever_no_longer_waits_is_passed_over_and_keeps_nothing() {
        let slots = Arc::new(Slots::new(1, 1));
        let mut first = ask(&slots, "a");
        assert!(first.look());
        let gone = ask(&slots, "a");
        let mut last = ask(&slots, "b");
        drop(gone);
        drop(first);
        assert!(last.look());
        // One that was given a slot and never looked leaves it.
        let unlooked = ask(&slots, "a");
        drop(last);
        drop(unlooked);
        assert!(ask(&slots, "c").look());
        let state = slots.state();
        assert_eq!(
            (state.free, state.held.len(), state.waiting.len()),
            (1, 0, 0)
        );
    }

    proptest! {
        #[test]
        fn no_slot_is_lost_or_made_and_nobody_has_too_many(
            (all, own) in (1..4_usize, 1..4_usize),
            steps in prop::collection::vec((0..3_u8, 0..3_usize), 0..60),
        ) {
            let names = ["a", "b", "c"];
            let slots = Arc::new(Slots::new(all, own));
            let mut asked: Vec<Asked> = Vec::new();
            for (act, which) in steps {
                match act {
                    0 | 1 => asked.push(ask(&slots, names[which])),
                    _ if asked.is_empty() => {}
                    _ => drop(asked.remove(which % asked.len())),
                }
                asked.iter_mut().for_each(|one| { one.look(); });
                let computing: Vec<_> = asked.iter().filter(|one| one.slot.is_some()).collect();
                prop_assert_eq!(slots.state().free + computing.len(), all);
                for name in names {
                    let has = computing.iter().filter(|one| one.of == name).count();
                    let waits = asked.iter().any(|one| one.of == name && one.slot.is_none());
                    prop_assert!(has <= own);
                    // Nobody waits for what is there.
                    prop_assert!(!waits || has == own || computing.len() == all);
                }
            }
        }
    }
}

//! The ledger of everything that was ever released, shared by all runs.
//!
//! A run holds the ledger from the moment it asks until what it releases is recorded: nothing else may be recorded in
//! between, or two tables that must not stand beside each other would both be let go. Everything before and after, such
//! as computing, the log and its witnesses, is outside of that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_audit::{Digest, Event, LedgerState};
use weir_gate::{DecisionRecord, GateError, Past, Recorded, Verdict};
use weir_ledger::rounding::CoinKey;
use weir_ledger::{Asked, Earlier, History, Ledger, LedgerKey, Question, Release, State};
use weir_vault::Vault;

use crate::fault::Fault;
use crate::faults::LedgerDisk;
use crate::folder::Folder;
use crate::preparing::Preparing;
use crate::record::Record;

/// What the ledger's key is derived for.
const LEDGER_KEY: &str = "weir ledger v1";

/// How many of the log's last entries are looked through for the newest state of the ledger.
const ENTRIES_LOOKED_AT: u64 = 4096;

/// What was released, and the coins of keyed rounding.
pub(crate) struct Released {
    ledger: Arc<Mutex<Ledger>>,
    preparing: Preparing,
    coins: CoinKey,
    /// Whether each run is judged as if nothing had been released before it.
    forgets: bool,
}

impl Released {
    /// Opens the ledger of a domain, and makes it where nothing has been released yet. Blocks.
    ///
    /// # Errors
    /// A ledger that is gone, damaged, or lacks releases that are in the log.
    pub(crate) fn open(
        folder: &Folder,
        (vault, disk): (&Vault, Box<dyn LedgerDisk>),
        record: &Record,
    ) -> Result<Self, Fault> {
        let key = || Ok::<_, Fault>(LedgerKey::new(*vault.derive_key(LEDGER_KEY)?));
        let known = last_state(record)?;
        if known.is_none() && !folder.ledger().exists() {
            Ledger::create(&folder.ledger(), &key()?)?;
        }
        let ledger = Ledger::open_on(&folder.ledger(), key()?, disk)?;
        if let Some(known) = known {
            ledger.check_state(&known)?;
        }
        let ledger = Arc::new(Mutex::new(ledger));
        let preparing = Preparing::new(&ledger);
        preparing.begin();
        Ok(Self {
            ledger,
            preparing,
            coins: CoinKey::new(&key()?)?,
            forgets: false,
        })
    }

    /// How many releases are recorded.
    pub(crate) fn releases(&self) -> u64 {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.releases()
    }

    /// Reads every byte of the ledger again. Blocks.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ledger.check()?)
    }

    /// As if nothing had ever been released, for each run anew: to show what thresholds alone let through.
    pub(crate) fn forget(&mut self) {
        self.forgets = true;
    }

    /// Whether nothing is remembered from one run to the next.
    pub(crate) const fn forgets(&self) -> bool {
        self.forgets
    }

    /// What is decided of a table that was released, judged beside what was in the ledger then; beside everything that is in
    /// it by now where the log does not say how far it went. Nothing is recorded. Blocks.
    ///
    /// # Errors
    /// Refusals of the gate; whatever keeps the ledger from answering.
    pub(crate) fn judge_again(
        &self,
        of: &RunRead<'_>,
        then: Option<(State, Earlier)>,
        judge: impl FnOnce(&mut Past<'_>) -> Result<DecisionRecord, GateError>,
    ) -> Result<DecisionRecord, Fault> {
        let mut turn = Turn::new(self);
        if let Some((state, which)) = then.filter(|_| !self.forgets) {
            let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            turn.held = Some(Held::Own(Box::new(ledger.earlier(&state, which)?)));
        }
        Ok(judge(&mut self.past(&mut turn, of))?)
    }

    fn past<'a>(&'a self, history: &'a mut Turn<'_>, of: &RunRead<'_>) -> Past<'a> {
        Past {
            history,
            coins: &self.coins,
            snapshots: of.snapshots_digest(),
            release: of.run.to_owned(),
        }
    }

    /// Judges a table beside everything that was released before, and records it there. Blocks.
    ///
    /// `judge` is the gate's judgement, and `let_go` decides whether a table that people have to look at may leave.
    ///
    /// # Errors
    /// Refusals of the gate; whatever keeps the ledger from answering or recording.
    pub(crate) fn judge<T>(
        &self,
        of: &RunRead<'_>,
        judge: impl FnOnce(&mut Past<'_>) -> Result<Verdict, GateError>,
        let_go: impl FnOnce(Verdict) -> Result<(weir_gate::Judged, T), Fault>,
    ) -> Result<(Recorded, LedgerState, T), Fault> {
        let mut turn = Turn::new(self);
        let mut past = self.past(&mut turn, of);
        let (judged, beside) = let_go(judge(&mut past)?)?;
        let recorded = judged.record_units(&mut turn)?;
        let (state, is_behind) = (turn.state(), turn.ledger().is_behind());
        drop(turn);
        if is_behind && !self.forgets {
            self.preparing.begin();
        }
        Ok((recorded, state, beside))
    }
}

/// What the ledger has to know of a run.
pub(crate) struct RunRead<'a> {
    pub(crate) run: &'a str,
    pub(crate) snapshots: &'a [String],
}

impl RunRead<'_> {
    fn snapshots_digest(&self) -> weir_ledger::Digest {
        let mut ids: Vec<&str> = self.snapshots.iter().map(String::as_str).collect();
        ids.sort_unstable();
        *Digest::of(ids.join("\n").as_bytes()).as_bytes()
    }
}

/// The ledger, held from the first question on.
struct Turn<'a> {
    released: &'a Released,
    held: Option<Held<'a>>,
}

enum Held<'a> {
    Shared(MutexGuard<'a, Ledger>),
    Own(Box<Ledger>),
}

impl<'a> Turn<'a> {
    fn new(released: &'a Released) -> Self {
        Self {
            released,
            held: None,
        }
    }

    fn ledger(&mut self) -> &mut Ledger {
        let released = self.released;
        let held = self.held.get_or_insert_with(|| {
            if released.forgets {
                return Held::Own(Box::new(Ledger::in_memory([0; 16])));
            }
            // A ledger whose holder panicked reads its disk again before it answers.
            let held = released.ledger.lock();
            Held::Shared(held.unwrap_or_else(PoisonError::into_inner))
        });
        match held {
            Held::Shared(ledger) => ledger,
            Held::Own(ledger) => ledger,
        }
    }

    fn state(&mut self) -> LedgerState {
        let State { releases, chain } = self.ledger().state();
        LedgerState {
            releases,
            chain: Digest::from_bytes(chain),
        }
    }
}

impl History for Turn<'_> {
    fn ask(&mut self, question: Question) -> weir_ledger::Result<Asked> {
        self.ledger().ask(question)
    }

    fn again(&mut self, asked: Asked) -> weir_ledger::Result<Asked> {
        self.ledger().again(asked)
    }

    fn record_all(&mut self, releases: Vec<(Asked, Release)>) -> weir_ledger::Result<()> {
        self.ledger().record_all(releases)
    }
}

/// The newest state of the ledger that the log knows of. What was recorded last need not have been logged last, so the
/// largest of the last ones counts.
fn last_state(record: &Record) -> Result<Option<State>, Fault> {
    record.with(|log| {
        let mut newest: Option<LedgerState> = None;
        let from = log.size().saturating_sub(ENTRIES_LOOKED_AT);
        for entry in log.entries(from..log.size())? {
            if let Event::ReleaseDecided {
                ledger: Some(state),
                ..
            } = entry.event
                && newest
                    .as_ref()
                    .is_none_or(|newest| newest.releases < state.releases)
            {
                newest = Some(state);
            }
        }
        Ok(newest.map(|state| State {
            releases: state.releases,
            chain: *state.chain.as_bytes(),
        }))
    })
}

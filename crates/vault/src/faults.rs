//! Faults for tests: every change of [`crate::durable::step`] can be lost, land and yet fail, or end the process.
//!
//! One plan for the whole process, because a registration works on two threads. It is armed only in processes that run
//! one test alone (`faults/tests.rs` starts them); in all others the two functions do nothing.

mod check;
mod tests;

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::durable::Op;

/// What happens at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The change does not happen, and is an error.
    Lost,
    /// The change happens, and is an error all the same.
    Landed,
    /// The process ends before the change.
    AbortBefore,
    /// The process ends after the change.
    AbortAfter,
}

/// What is done at each step.
#[derive(Debug, Default)]
struct State {
    armed: bool,
    /// The step at which something happens, counted from 0, and what.
    plan: Option<(usize, How)>,
    /// The steps so far.
    seen: Vec<String>,
}

static STATE: Mutex<State> = Mutex::new(State {
    armed: false,
    plan: None,
    seen: Vec::new(),
});

fn state() -> std::sync::MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts steps from here on, and does what is planned.
fn arm(plan: Option<(usize, How)>) {
    *state() = State {
        armed: true,
        plan,
        seen: Vec::new(),
    };
}

/// Stops counting. Returns the steps.
fn disarm() -> Vec<String> {
    std::mem::take(&mut *state()).seen
}

pub(crate) fn before(op: Op, path: &Path) -> io::Result<()> {
    let mut state = state();
    if !state.armed {
        return Ok(());
    }
    state.seen.push(format!("{op:?} {}", check::place(path)));
    match planned(&state) {
        Some(How::AbortBefore) => std::process::abort(),
        Some(How::Lost) => Err(failure(op)),
        _ => Ok(()),
    }
}

pub(crate) fn after(op: Op, _path: &Path) -> io::Result<()> {
    let state = state();
    if !state.armed {
        return Ok(());
    }
    match planned(&state) {
        Some(How::AbortAfter) => std::process::abort(),
        Some(How::Landed) => Err(failure(op)),
        _ => Ok(()),
    }
}

/// Only the step itself: what is done to clear up after it works.
fn planned(state: &State) -> Option<How> {
    let (step, how) = state.plan?;
    (step + 1 == state.seen.len()).then_some(how)
}

/// What the system would say.
fn failure(op: Op) -> io::Error {
    let kind = match op {
        Op::Write | Op::Create | Op::CreateFolder | Op::Put => io::ErrorKind::StorageFull,
        _ => io::ErrorKind::Other,
    };
    kind.into()
}

//! A fault at every durable step of a ledger's life: nothing that was acknowledged is ever missing, and the ledger goes on.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Disk, LedgerKey, Store};
use crate::{History, Ledger, LedgerError, Question, Release, Result, Verdict};

/// What becomes of the step that fails. All later steps of the process fail without effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// Nothing happened.
    Lost,
    /// Half of it happened (of a write; another step does not happen).
    Torn,
    /// It happened, and the error came afterwards.
    Landed,
    /// Nothing happened, and the process goes on: later steps work.
    OnceLost,
    /// Half of it happened, and the process goes on.
    OnceTorn,
    /// It happened, the error came afterwards, and the process goes on.
    OnceLanded,
}

const HOWS: [How; 6] = [
    How::Lost,
    How::Torn,
    How::Landed,
    How::OnceLost,
    How::OnceTorn,
    How::OnceLanded,
];

/// What becomes of what was not made durable.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Power {
    /// The process died, the machine did not.
    Stays,
    /// The machine died: every name changed since its folder was last synced is as before, and so is every byte that was
    /// written without an acknowledged sync.
    Fails,
}

/// How a file was before a change that is not durable yet.
struct Before {
    /// The folder whose sync makes it durable.
    folder: PathBuf,
    path: PathBuf,
    content: Option<Vec<u8>>,
}

#[derive(Clone)]
struct FaultyDisk(Arc<Mutex<State>>);

struct State {
    step: usize,
    fail_at: usize,
    how: How,
    /// How many steps after the failed one the process ends with a torn step; where it goes on that far.
    ends_after: Option<usize>,
    failed: bool,
    volatile: Vec<Before>,
}

impl FaultyDisk {
    fn failing(fail_at: usize, how: How) -> FaultyDisk {
        FaultyDisk(Arc::new(Mutex::new(State {
            step: 0,
            fail_at,
            how,
            ends_after: None,
            failed: false,
            volatile: Vec::new(),
        })))
    }

    fn then_ending(self, ends_after: Option<usize>) -> FaultyDisk {
        self.0.lock().unwrap().ends_after = ends_after;
        self
    }

    fn reached(&self) -> bool {
        let state = self.0.lock().unwrap();
        state.step > state.fail_at
    }

    fn crash(&self, power: Power) {
        let volatile = std::mem::take(&mut self.0.lock().unwrap().volatile);
        if power == Power::Stays {
            return;
        }
        for before in volatile.into_iter().rev() {
            match before.content {
                Some(content) if before.folder.is_dir() => {
                    fs::write(&before.path, content).unwrap()
                }
                Some(_) => {}
                None if before.path.is_dir() => drop(fs::remove_dir_all(&before.path)),
                None => drop(fs::remove_file(&before.path)),
            }
        }
    }

    /// One step: `act` is told whether it is torn. `before` is undone by a loss of power unless the step is one that
    /// makes its own effect durable and succeeds.
    fn step(
        &self,
        before: Vec<Before>,
        durable: bool,
        act: impl Fn(bool) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let dead = || Err(io::Error::other("the disk failed"));
        if state.failed {
            return dead();
        }
        let fails = state.step == state.fail_at;
        let ends = state
            .ends_after
            .is_some_and(|after| state.step == state.fail_at + after);
        state.step += 1;
        state.failed |= fails && [How::Lost, How::Torn, How::Landed].contains(&state.how);
        if ends {
            state.failed = true;
            act(true)?;
            state.volatile.extend(before);
            return dead();
        }
        if !fails {
            act(false)?;
            if !durable {
                state.volatile.extend(before);
            }
            return Ok(());
        }
        match state.how {
            How::Lost | How::OnceLost => return dead(),
            How::Torn | How::OnceTorn => act(true)?,
            How::Landed | How::OnceLanded => act(false)?,
        }
        state.volatile.extend(before);
        dead()
    }
}

fn as_is(path: &Path) -> Before {
    Before {
        folder: path.parent().unwrap().to_owned(),
        path: path.to_owned(),
        content: fs::read(path).ok(),
    }
}

/// Without the real syncs, which would take minutes.
fn append(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all_at(bytes, offset)
}

fn set_length(path: &Path, bytes: u64) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .set_len(bytes)
}

fn half(torn: bool, bytes: &[u8]) -> &[u8] {
    if torn {
        &bytes[..bytes.len() / 2]
    } else {
        bytes
    }
}

impl Disk for FaultyDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let act = |torn: bool| {
            if torn { Ok(()) } else { fs::create_dir(path) }
        };
        self.step(vec![as_is(path)], false, act)
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // The bytes are durable, the name of a new file is not.
        let is_new = !path.exists();
        let before = vec![as_is(path)];
        self.step(before, !is_new, |torn| fs::write(path, half(torn, bytes)))
    }

    fn append(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.step(vec![as_is(path)], true, |torn| {
            append(path, offset, half(torn, bytes))
        })
    }

    fn set_length(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let act = |torn: bool| {
            if torn {
                Ok(())
            } else {
                set_length(path, bytes)
            }
        };
        self.step(vec![as_is(path)], true, act)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let act = |torn: bool| {
            if torn { Ok(()) } else { fs::rename(from, to) }
        };
        self.step(vec![as_is(to), as_is(from)], false, act)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step(Vec::new(), true, |_| Ok(()))?;
        let mut state = self.0.lock().unwrap();
        state.volatile.retain(|before| before.folder != path);
        Ok(())
    }
}

fn key() -> LedgerKey {
    LedgerKey::new([3; 32])
}

/// The cell of the release of this number: far from all others.
fn question(number: u32) -> Question {
    Question::of_units(number * 1000..number * 1000 + 500)
}

fn record(ledger: &mut Ledger, number: u32) -> Result<()> {
    let asked = ledger.ask(question(number))?;
    let fresh = asked.verdicts()[0][0] == Verdict::Fresh;
    // A release that landed without being acknowledged is answered the same.
    let answers = vec![vec![fresh.then(|| number.to_le_bytes().to_vec())]];
    let id = number.to_string();
    ledger.record(asked, Release { id, answers })
}

/// A ledger's life until something fails: which releases were acknowledged. Where the process goes on, it tries each
/// release once more.
fn live(folder: &Path, disk: &FaultyDisk, acknowledged: &mut Vec<u32>) -> Result<()> {
    match Store::create(folder, &key(), disk) {
        Err(LedgerError::Exists { .. }) => {}
        Err(_) => Store::create(folder, &key(), disk).or_else(exists_is_fine)?,
        Ok(()) => {}
    }
    for life in 0..2 {
        let open = || Ledger::open_on(folder, key(), Box::new(disk.clone()));
        let mut ledger = open().or_else(|_| open())?;
        for number in 0..2 {
            let number = life * 2 + number;
            if record(&mut ledger, number).is_err() {
                record(&mut ledger, number)?;
            }
            acknowledged.push(number);
        }
    }
    Ok(())
}

fn exists_is_fine(error: LedgerError) -> Result<()> {
    match error {
        LedgerError::Exists { .. } => Ok(()),
        error => Err(error),
    }
}

/// After a crash: everything that was acknowledged is there with its answer, and the ledger goes on.
fn check(folder: &Path, acknowledged: &[u32], case: &str) {
    let whole = FaultyDisk::failing(usize::MAX, How::Lost);
    if acknowledged.is_empty() {
        Store::create(folder, &key(), &whole)
            .or_else(exists_is_fine)
            .expect(case);
    }
    for life in 0..2 {
        let mut ledger = Ledger::open_on(folder, key(), Box::new(whole.clone())).expect(case);
        for number in acknowledged {
            let asked = ledger.ask(question(*number)).expect(case);
            let answer = number.to_le_bytes().as_slice().into();
            assert_eq!(
                asked.verdicts(),
                [[Verdict::Same(answer)]],
                "{case}: {number}"
            );
        }
        let made = ledger.releases();
        assert!(
            made as usize <= acknowledged.len() + 1 + 2 * life as usize,
            "{case}: {made}"
        );
        record(&mut ledger, 10 + life).expect(case);
    }
}

/// Lives with a fault at each step in turn. Returns the number of steps.
fn every_step(how: How, power: Power, ends_after: Option<usize>) -> usize {
    for fail_at in 0.. {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("ledger");
        let disk = FaultyDisk::failing(fail_at, how).then_ending(ends_after);
        let mut acknowledged = Vec::new();
        let lived = live(&folder, &disk, &mut acknowledged);
        let case = format!("step {fail_at}, {how:?}, {power:?}, {ends_after:?}: {lived:?}");
        assert!(lived.is_ok() || disk.reached(), "{case}");
        disk.crash(power);
        check(&folder, &acknowledged, &case);
        if !disk.reached() {
            return fail_at;
        }
    }
    0
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    for how in HOWS {
        for power in [Power::Stays, Power::Fails] {
            assert!(every_step(how, power, None) > 20);
        }
    }
}

#[test]
fn nor_where_a_second_fault_follows() {
    for how in [How::OnceLost, How::OnceTorn, How::OnceLanded] {
        for power in [Power::Stays, Power::Fails] {
            for ends_after in 1..5 {
                every_step(how, power, Some(ends_after));
            }
        }
    }
}

//! One count over every durable step of a domain, whichever part takes it, and a fault at one of them.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use weir_server::faults::{Faults, LedgerDisk, LedgerOsDisk, LogDisk, LogOsDisk, WriteFaults};

/// What becomes of the step that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Nothing happened, and the process is dead: no later step happens either. So it is for the next two.
    Lost,
    /// Half of it happened (of a write; of another step, and of a transaction, nothing).
    Torn,
    /// It happened, and the error came afterwards.
    Landed,
    /// The same three, and the process goes on: later steps work.
    OnceLost,
    OnceTorn,
    OnceLanded,
    /// No room: what needs some fails for a while, and then there is room again.
    Full,
}

pub(crate) const HOWS: [How; 7] = [
    How::Lost,
    How::Torn,
    How::Landed,
    How::OnceLost,
    How::OnceTorn,
    How::OnceLanded,
    How::Full,
];

/// Steps for which there is no room.
const FULL_STEPS: usize = 5;

#[derive(Clone, Copy, Debug)]
struct Fault {
    at: usize,
    how: How,
}

#[derive(Debug, Default)]
struct State {
    step: usize,
    fault: Option<Fault>,
    is_dead: bool,
    /// Transactions that have landed and answer with an error.
    after: usize,
}

/// What a step is to do.
enum Turn {
    Go,
    Fail,
    Half,
    Land,
}

/// Counts steps from when it is armed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty(Arc<Mutex<State>>);

fn failed() -> io::Error {
    io::Error::other("the disk failed")
}

impl Faulty {
    /// From here on steps are counted, and the one of this number fails; none where there is no number.
    pub(crate) fn arm(&self, fault: Option<(usize, How)>) {
        let mut state = self.0.lock().unwrap();
        *state = State {
            fault: fault.map(|(at, how)| Fault { at, how }),
            ..State::default()
        };
    }

    /// Steps taken since.
    pub(crate) fn steps(&self) -> usize {
        self.0.lock().unwrap().step
    }

    pub(crate) fn parts(&self) -> Faults {
        Faults {
            log: Box::new(self.clone()),
            ledger: Box::new(self.clone()),
            registry: Some(Arc::new(self.clone())),
        }
    }

    fn turn(&self, needs_room: bool) -> Turn {
        let mut state = self.0.lock().unwrap();
        let step = state.step;
        state.step += 1;
        if state.is_dead {
            return Turn::Fail;
        }
        let Some(fault) = state.fault.filter(|fault| fault.at <= step) else {
            return Turn::Go;
        };
        if fault.how == How::Full {
            let is_full = step < fault.at + FULL_STEPS;
            return if is_full && needs_room {
                Turn::Fail
            } else {
                Turn::Go
            };
        }
        if step > fault.at {
            return Turn::Go;
        }
        state.is_dead = [How::Lost, How::Torn, How::Landed].contains(&fault.how);
        match fault.how {
            How::Lost | How::OnceLost | How::Full => Turn::Fail,
            How::Torn | How::OnceTorn => Turn::Half,
            How::Landed | How::OnceLanded => Turn::Land,
        }
    }

    /// A step that happens whole or not at all.
    fn whole(&self, needs_room: bool, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match self.turn(needs_room) {
            Turn::Go => act(),
            Turn::Fail | Turn::Half => Err(failed()),
            Turn::Land => act().and_then(|()| Err(failed())),
        }
    }

    /// A write, of which half may happen.
    fn write(&self, bytes: &[u8], act: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self.turn(true) {
            Turn::Go => act(bytes),
            Turn::Fail => Err(failed()),
            Turn::Half => act(&bytes[..bytes.len() / 2]).and_then(|()| Err(failed())),
            Turn::Land => act(bytes).and_then(|()| Err(failed())),
        }
    }
}

// Without the real syncs: what a loss of power does is in the tables of each part.
impl LogDisk for Faulty {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.whole(true, || fs::create_dir(path))
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, |bytes| fs::write(path, bytes))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        Faulty::write(self, bytes, |bytes| fs::write(path, bytes))
    }

    fn sync_file(&self, _: &Path) -> io::Result<()> {
        self.whole(false, || Ok(()))
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        Faulty::write(self, bytes, |bytes| {
            let file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all_at(bytes, offset)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(false, || LogOsDisk.rename(from, to))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.whole(false, || Ok(()))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.whole(false, || LogOsDisk.remove_file(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.whole(false, || LogOsDisk.remove_dir(path))
    }
}

impl LedgerDisk for Faulty {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.whole(true, || LedgerOsDisk.make_folder(path))
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, |bytes| fs::write(path, bytes))
    }

    fn append(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, |bytes| {
            let file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all_at(bytes, offset)
        })
    }

    fn set_length(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.whole(false, || LedgerOsDisk.set_length(path, bytes))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(false, || LedgerOsDisk.rename(from, to))
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.whole(false, || Ok(()))
    }
}

impl WriteFaults for Faulty {
    fn before(&self) -> io::Result<()> {
        match self.turn(true) {
            Turn::Go => Ok(()),
            // A transaction is there whole or not at all.
            Turn::Fail | Turn::Half => Err(failed()),
            Turn::Land => {
                self.0.lock().unwrap().after += 1;
                Ok(())
            }
        }
    }

    fn after(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        match state.after.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                state.after = left;
                Err(failed())
            }
        }
    }
}

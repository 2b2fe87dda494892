//! A disk that fails at a chosen step, and can then lose what was not yet made durable.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::disk::Disk;

/// What becomes of the step that fails. All later steps fail without effect: the process is as good as dead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing happened.
    Lost,
    /// Half of it happened (of a write; another step does not happen).
    Torn,
    /// It happened, and the error came afterwards.
    Landed,
}

/// What becomes of names that were not made durable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Power {
    /// The process died, the machine did not.
    Stays,
    /// The machine died: every name changed since its directory was last synced is as before.
    Fails,
    /// The same, but newly created files happened to be kept.
    FailsKeepingTemporaries,
    /// The same, but every name happened to be kept, and of what was not made durable the first half.
    FailsKeepingNames,
}

#[derive(Clone)]
pub(super) struct FaultyDisk(Arc<Mutex<State>>);

struct State {
    step: usize,
    fail_at: usize,
    how: Step,
    failed: bool,
    /// What is not durable yet, oldest first: directory of the changed name, how it was before.
    volatile: Vec<(PathBuf, Before)>,
    /// Files whose bytes are not durable yet, by the name that they have now.
    unsynced: HashSet<PathBuf>,
}

enum Before {
    /// A file with this content, or none.
    File {
        path: PathBuf,
        content: Option<Vec<u8>>,
        created_by_write: bool,
    },
    /// No such directory.
    NoDir(PathBuf),
    /// An empty directory.
    Dir(PathBuf),
}

impl Before {
    fn path(&self) -> PathBuf {
        let (Self::File { path, .. } | Self::NoDir(path) | Self::Dir(path)) = self;
        path.clone()
    }
}

impl FaultyDisk {
    pub(super) fn never() -> Self {
        Self::failing(usize::MAX, Step::Lost)
    }

    pub(super) fn failing(fail_at: usize, how: Step) -> Self {
        Self(Arc::new(Mutex::new(State {
            step: 0,
            fail_at,
            how,
            failed: false,
            volatile: Vec::new(),
            unsynced: HashSet::new(),
        })))
    }

    /// The disk as the next process finds it: what was not durable still is not.
    pub(super) fn revived(&self, fail_at: usize, how: Step) -> Self {
        let next = Self::failing(fail_at, how);
        let mut last = self.0.lock().unwrap();
        let mut state = next.0.lock().unwrap();
        state.volatile = std::mem::take(&mut last.volatile);
        state.unsynced = std::mem::take(&mut last.unsynced);
        drop(state);
        next
    }

    pub(super) fn failed(&self) -> bool {
        self.0.lock().unwrap().failed
    }

    /// The end of the process, perhaps of the power.
    pub(super) fn crash(&self, power: Power) {
        let mut state = self.0.lock().unwrap();
        let mut volatile = std::mem::take(&mut state.volatile);
        let unsynced = std::mem::take(&mut state.unsynced);
        if power == Power::Stays {
            return;
        }
        if power == Power::FailsKeepingNames {
            volatile.clear();
        }
        let undone: HashSet<PathBuf> = volatile.iter().map(|(_, of)| of.path()).collect();
        for path in unsynced.difference(&undone).filter(|path| path.exists()) {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }
        for (_, before) in volatile.into_iter().rev() {
            match before {
                Before::File {
                    created_by_write: true,
                    ..
                } if power == Power::FailsKeepingTemporaries => {}
                Before::File {
                    path,
                    content: Some(content),
                    ..
                } => {
                    // Where the directory itself is durably gone, nothing can come back.
                    if path.parent().unwrap().is_dir() {
                        fs::write(path, content).unwrap();
                    }
                }
                Before::File {
                    path,
                    content: None,
                    ..
                } => drop(fs::remove_file(path)),
                Before::NoDir(path) => drop(fs::remove_dir_all(path)),
                Before::Dir(path) => drop(fs::create_dir(path)),
            }
        }
    }

    fn step(&self, before: Vec<Before>, act: impl Fn(bool) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let dead = io::Error::other("the disk failed");
        if state.failed {
            return Err(dead);
        }
        let fails = state.step == state.fail_at;
        state.step += 1;
        state.failed |= fails;
        if fails && state.how == Step::Lost {
            return Err(dead);
        }
        let torn = fails && state.how == Step::Torn;
        let named = before.into_iter().map(|before| (parent(&before), before));
        state.volatile.extend(named);
        act(torn)?;
        if fails { Err(dead) } else { Ok(()) }
    }
}

fn parent(before: &Before) -> PathBuf {
    before.path().parent().unwrap().to_owned()
}

fn half(torn: bool, bytes: &[u8]) -> &[u8] {
    match torn {
        true => &bytes[..bytes.len() / 2],
        false => bytes,
    }
}

fn file(path: &Path) -> Before {
    Before::File {
        path: path.to_owned(),
        content: fs::read(path).ok(),
        created_by_write: false,
    }
}

impl Disk for FaultyDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let act = |torn: bool| if torn { Ok(()) } else { fs::create_dir(path) };
        let before = Before::NoDir(path.to_owned());
        // A torn directory is no directory: there is nothing to undo.
        let result = self.step(vec![before], act);
        if !path.is_dir() {
            self.0
                .lock()
                .unwrap()
                .volatile
                .retain(|(_, before)| !matches!(before, Before::NoDir(dir) if dir == path));
        }
        result
    }

    fn write_synced(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let act = |torn: bool| fs::write(path, half(torn, bytes));
        // Writing over a file changes no name.
        let before = (!path.exists()).then(|| Before::File {
            path: path.to_owned(),
            content: None,
            created_by_write: true,
        });
        self.step(before.into_iter().collect(), act)?;
        self.0.lock().unwrap().unsynced.remove(path);
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let before = Before::File {
            path: path.to_owned(),
            content: fs::read(path).ok(),
            created_by_write: !path.exists(),
        };
        self.0.lock().unwrap().unsynced.insert(path.to_owned());
        self.step(vec![before], |torn| fs::write(path, half(torn, bytes)))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.step(Vec::new(), |_| fs::metadata(path).map(drop))?;
        self.0.lock().unwrap().unsynced.remove(path);
        Ok(())
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.step(Vec::new(), |torn| {
            let file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all_at(half(torn, bytes), offset)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let act = |torn: bool| if torn { Ok(()) } else { fs::rename(from, to) };
        let done = self.step(vec![file(to), file(from)], act);
        if !from.exists() {
            let mut state = self.0.lock().unwrap();
            match state.unsynced.remove(from) {
                true => state.unsynced.insert(to.to_owned()),
                false => state.unsynced.remove(to),
            };
        }
        done
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step(Vec::new(), |_| Ok(()))?;
        self.0
            .lock()
            .unwrap()
            .volatile
            .retain(|(dir, _)| dir != path);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        if !path.exists() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let act = |torn: bool| if torn { Ok(()) } else { fs::remove_file(path) };
        self.step(vec![file(path)], act)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let act = |torn: bool| if torn { Ok(()) } else { fs::remove_dir(path) };
        self.step(vec![Before::Dir(path.to_owned())], act)
    }
}

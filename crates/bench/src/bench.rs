//! What every workload has at hand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::runtime::Runtime;

use crate::data::Sealed;
use crate::error::{Result, failed};
use crate::machine::threads;
use crate::options::Options;
use crate::{child, machine};

/// Hears what is being done; for a person, on standard error.
pub type Say<'a> = &'a dyn Fn(&str);

/// Options, threads, and what is noted on the way.
pub(crate) struct Bench<'a> {
    pub(crate) options: &'a Options,
    pub(crate) runtime: Runtime,
    pub(crate) threads: usize,
    pub(crate) versions: RefCell<BTreeMap<String, String>>,
    pub(crate) skipped: RefCell<Vec<String>>,
    say: Say<'a>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(options: &'a Options, say: Say<'a>) -> Result<Self> {
        let threads = threads();
        Ok(Self {
            options,
            runtime: runtime(threads)?,
            threads,
            versions: RefCell::new(machine::versions()),
            skipped: RefCell::default(),
            say,
        })
    }

    pub(crate) fn say(&self, what: &str) {
        (self.say)(what);
    }

    /// Notes, once, that a peer is not there and how it comes.
    pub(crate) fn skip(&self, line: &str) {
        let mut skipped = self.skipped.borrow_mut();
        if !skipped.iter().any(|known| known == line) {
            self.say(line);
            skipped.push(line.to_owned());
        }
    }

    pub(crate) fn note_version(&self, of: &str, version: &str) {
        let mut versions = self.versions.borrow_mut();
        versions.insert(of.to_owned(), version.to_owned());
    }

    /// The sealed line items of about so many rows, registered if they are not there.
    pub(crate) fn sealed(&self, rows: u64) -> Result<Sealed> {
        Sealed::line_items(&self.options.data, rows, self.options.unit, self.say)
    }

    /// Does a task in a process of its own, so that its peak memory is its own.
    pub(crate) fn apart(&self, task: &child::Task) -> Result<child::Taken> {
        match &self.options.program {
            Some((program, arguments)) => child::start(program, arguments, task),
            None => child::done(task),
        }
    }

    /// A folder below the data's, empty.
    pub(crate) fn empty_folder(&self, name: &str) -> Result<PathBuf> {
        crate::data::empty(&self.options.data.join(name))
    }
}

/// A runtime with so many threads for computing.
pub(crate) fn runtime(threads: usize) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(failed("starting threads"))
}

//! Backups: a domain copied while it is served, and put back on a fresh machine.
//!
//! **The order is the argument.** A running domain writes every fact in one order: sealed files and sets of units, then the
//! log, then what makes the fact take effect (a key's name, a row of the registry). A backup copies in the opposite order:
//! registry, wrapped keys, certificates, population maps, sealed files, log, ledger. So whatever a copied part refers to is
//! copied later, and is there: no release without its entry, no entry without its sets of units, no dataset without its
//! snapshot. What the later parts have beyond that is what a crash leaves too, and opening the domain deals with it in the
//! same way: a snapshot that no dataset names is discarded, an entry without a row is an entry for something that did not
//! happen.
//!
//! Within a part the same rule holds: of the log what witnesses cosigned, then the checkpoint, then what it covers; of the
//! ledger its head, then the releases. The registry is copied as it was between two transactions. A key that is copied
//! while its snapshot is being destroyed is copied beside the certificate, which is asked before the key.
//!
//! `backup.json`, with the digest of every file, gets its name last: without it a folder is no backup.
//!
//! The secret keys are a part of their own, in a folder of their own: beside the sealed files they would be the raw data.

mod copying;
mod create;
mod manifest;
mod restore;
mod restored;
mod verify;

pub(crate) use copying::publish;
pub use create::create_backup;
pub use restore::restore_backup;
pub(crate) use restored::note as note_restored;
pub use verify::verify_backup;

use crate::fault::Fault;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// The domain's name.
    pub domain: String,
    /// When it was begun: RFC 3339, UTC.
    pub made_at: String,
    /// Files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Entries of the log.
    pub log_entries: u64,
    /// The log's signed checkpoint.
    pub checkpoint: String,
    /// Snapshots whose sealed files are in it.
    pub snapshots: u64,
    /// Snapshots that are live and whose files lie in a store, which is backed up by its own means.
    pub snapshots_elsewhere: u64,
    /// Answered runs.
    pub runs: u64,
}

/// What is not as a backup has to be.
fn damaged(problem: impl std::fmt::Display) -> Fault {
    Fault::environment(
        "BACKUP_DAMAGED",
        format!("the backup is not whole: {problem}. Take another one; nothing was restored"),
    )
}

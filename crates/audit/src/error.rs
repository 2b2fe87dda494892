//! What can go wrong, who can mend it, and the stable codes operators look up.
//!
//! Messages name files and positions, never the content of an entry.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who can do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The request was wrong: another one may succeed.
    Caller,
    /// Disk, permissions, another process, or somebody who altered files: the operator of this installation acts.
    Environment,
    /// A mistake in Weir.
    Bug,
}

/// Everything this crate refuses or fails at. It can be cloned: everybody who waited for an append learns how it ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message says what each field is")]
pub enum AuditError {
    /// A log's name breaks the rules of C2SP signed-note.
    #[error("`{given}` cannot name a log: {reason}; use a name like `weir.example/traffic-bureau`")]
    OriginInvalid { given: String, reason: &'static str },
    /// A text is not a verifier key.
    #[error(
        "`{given}` is not a verifier key: {reason}; give the line `<origin>+<8 hexadecimal digits>+<base64>` that the domain publishes"
    )]
    VerifierKeyInvalid { given: String, reason: &'static str },
    /// A file does not hold a signing key.
    #[error("the signing key file `{}` is unusable: {reason}; restore it from its backup", file.display())]
    SigningKeyInvalid { file: PathBuf, reason: &'static str },
    /// Others may read the signing key.
    #[error("the signing key file `{}` can be read by others (mode {mode:03o}); run `chmod 600` on it, and consider the key known to whoever had access", file.display())]
    SigningKeyExposed { file: PathBuf, mode: u32 },
    /// A signing key is never overwritten.
    #[error("the signing key file `{}` exists already and is never overwritten; choose another path", file.display())]
    SigningKeyExists { file: PathBuf },
    /// A log has had as many keys as are accepted at once.
    #[error(
        "the log has had {keys_max} keys, the most that are accepted at once; begin a new log, or take the oldest out of its key file"
    )]
    SigningKeysTooMany { keys_max: usize },
    /// The system gave no random bytes.
    #[error(
        "the system gave no random bytes for a new signing key; try again when its entropy source works"
    )]
    Randomness,

    /// A digest is not written as digests are.
    #[error("`{given}` is not a digest; write `sha256:` and 64 lowercase hexadecimal digits")]
    DigestInvalid { given: String },
    /// A time is not written as times are.
    #[error(
        "`{given}` is not a time; write UTC to the millisecond, like `2026-01-31T09:30:00.000Z`"
    )]
    TimeInvalid { given: String },
    /// An entry does not fit a bundle.
    #[error(
        "the entry takes {bytes} bytes and a log entry at most {bytes_max}; shorten its texts or lists"
    )]
    EntryTooLarge { bytes: usize, bytes_max: usize },
    /// Bytes are not the canonical encoding of an entry.
    #[error(
        "the entry is not in canonical form from its byte {at_byte} on; only the bytes the log wrote are an entry"
    )]
    EntryNotCanonical { at_byte: usize },
    /// An entry of a version this build does not know.
    #[error(
        "the entry has version {version} and this build reads version {version_known}; use a newer build"
    )]
    EntryVersion { version: u32, version_known: u32 },
    /// Too many entries at once.
    #[error(
        "{entries} entries are too many for one append (at most {entries_max}); append them in parts"
    )]
    BatchTooLarge { entries: usize, entries_max: usize },
    /// The log is full.
    #[error("the log holds {size} entries and may hold no more than {size_max}; start a new log")]
    LogFull { size: u64, size_max: u64 },
    /// No such entry.
    #[error("the log has {size} entries, numbered from 0; there is no entry {index}")]
    NoSuchEntry { index: u64, size: u64 },

    /// A file operation failed.
    #[error("could not {action} `{}`: {source}; mend the cause (space, permissions, the disk) and open the log again", file.display())]
    Io {
        action: &'static str,
        file: PathBuf,
        source: Arc<std::io::Error>,
    },
    /// The log has a writer already.
    #[error("the log in `{}` is open in another process; a log has one writer: stop the other one first", dir.display())]
    Locked { dir: PathBuf },
    /// There is a log already.
    #[error("`{}` holds a log already (`{found}` is there); open it, or choose an empty directory", dir.display())]
    LogExists { dir: PathBuf, found: &'static str },
    /// There is no log.
    #[error("`{}` holds no log: it has no `checkpoint`; check the path, or restore the directory from its backup", dir.display())]
    NoLog { dir: PathBuf },
    /// An earlier append failed half-way.
    #[error("an earlier append to the log in `{}` failed and may have landed; open the log again before appending", dir.display())]
    Interrupted { dir: PathBuf },

    /// A checkpoint does not parse.
    #[error("`{file}` is not a checkpoint: {reason}; restore it from its backup")]
    CheckpointMalformed { file: String, reason: &'static str },
    /// A checkpoint is not by the expected key.
    #[error(
        "`{file}` is not signed by `{expected}`: {reason}; check that this is the right log and the right key"
    )]
    CheckpointUnsigned {
        file: String,
        expected: String,
        reason: &'static str,
    },
    /// A tile or bundle is gone.
    #[error("`{file}` is missing; restore it from its backup")]
    FileMissing { file: String },
    /// A tile, bundle or checkpoint cannot have this length.
    #[error(
        "`{file}` has {bytes} bytes where {expected} belong; it was cut or extended: restore it from its backup"
    )]
    FileLength {
        file: String,
        bytes: u64,
        expected: String,
    },
    /// A directory, pipe or device stands where a file belongs.
    #[error("`{file}` is not a regular file; restore it from its backup")]
    NotAFile { file: String },
    /// A bundle is cut.
    #[error(
        "`{file}` ends inside entry {index}; it was cut or altered: restore it from its backup"
    )]
    BundleCut { file: String, index: u64 },
    /// A bundle holds an entry that is none.
    #[error(
        "`{file}`: entry {index} is not a log entry ({source}); it was altered: restore it from its backup"
    )]
    BundleEntry {
        file: String,
        index: u64,
        source: Box<AuditError>,
    },
    /// A bundle and its tile disagree.
    #[error(
        "`{file}` and `{tile}` disagree about entry {index}: one of them was altered; restore both from their backup"
    )]
    EntryMismatch {
        file: String,
        tile: String,
        index: u64,
    },
    /// A tile does not hold the hashes of what lies below it, or above it.
    #[error(
        "`{file}` contradicts the rest of the log from its hash {position} on; it was altered: restore it from its backup"
    )]
    TileMismatch { file: String, position: usize },
    /// A bundle and its tile agree with each other, and with nothing above them.
    #[error(
        "`{file}` and `{tile}` were both replaced: `{witness}` and the checkpoint speak of other entries; restore both from their backup"
    )]
    EntriesReplaced {
        file: String,
        tile: String,
        witness: String,
    },
    /// An outdated partial file is no prefix of its successor.
    #[error(
        "`{file}` contradicts the fuller version of itself; it was altered: delete it, nothing needs it any more"
    )]
    ObsoleteMismatch { file: String },
    /// The tree does not have the root that was signed.
    #[error(
        "`{file}` signs another tree than the {size} entries beside it; it belongs to another state of the log: restore the whole directory"
    )]
    RootMismatch { file: String, size: u64 },
    /// The checkpoint is older than its tiles.
    #[error(
        "`{file}` belongs to a tree of {size_found} entries or more, yet `checkpoint` signs {size}: an older checkpoint was put back; restore the newest one"
    )]
    RolledBack {
        file: String,
        size_found: u64,
        size: u64,
    },

    /// The log is smaller than it was.
    #[error(
        "the log has {size} entries, yet its checkpoint of {size_before} was signed before: an older state of it is shown; ask for the newest, and keep both checkpoints"
    )]
    Shrunk { size: u64, size_before: u64 },
    /// Two signed checkpoints of one size have different roots.
    #[error(
        "two checkpoints of {size} entries are signed with different roots: the log's key has shown two histories; keep both, they are the evidence"
    )]
    SplitView { size: u64 },
    /// A later tree is not shown to extend an earlier one.
    #[error(
        "the log of {size} entries is not shown to continue the one of {size_before} that was signed before: its past was changed, or the proof is wrong; keep both checkpoints"
    )]
    Inconsistent { size: u64, size_before: u64 },
    /// Text is not a consistency proof.
    #[error(
        "this is not a consistency proof: {reason}; give its hashes in base64 as they were received"
    )]
    ProofMalformed { reason: &'static str },

    /// A witness's line is not a cosignature of this checkpoint.
    #[error(
        "the cosignature by `{witness}` does not fit the checkpoint; do not rely on either before the witness has been asked"
    )]
    CosignatureInvalid { witness: String },
    /// Fewer witnesses than asked for.
    #[error(
        "{found} of the witnesses have cosigned the checkpoint of {size} entries and {required} are required; ask for a later receipt, or ask the witnesses why they do not cosign"
    )]
    WitnessesMissing {
        found: usize,
        required: usize,
        size: u64,
    },
    /// Evidence that does not show what evidence has to show.
    #[error("this is no evidence against a log: {reason}; keep it, but accuse nobody with it")]
    EvidenceUnproven { reason: &'static str },

    /// Nothing in the log has this name.
    #[error(
        "no entry of the log names `{subject}`; give a run id, a digest, or a name of a dataset, snapshot, model, policy, person or organisation as it is in the log"
    )]
    NotInLog { subject: String },

    /// A receipt does not parse.
    #[error("this is not a receipt: {reason}; give the receipt file as it was received")]
    ReceiptMalformed { reason: &'static str },
    /// A receipt does not prove what it says.
    #[error("the receipt does not prove that its entry is in the log: {reason}; do not rely on it")]
    ReceiptUnproven { reason: &'static str },

    /// A mistake in Weir.
    #[error("a mistake in Weir: {what}; please report it")]
    Bug { what: &'static str },
}

impl AuditError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OriginInvalid { .. } => "AUDIT_ORIGIN_INVALID",
            Self::VerifierKeyInvalid { .. } => "AUDIT_VERIFIER_KEY_INVALID",
            Self::SigningKeyInvalid { .. } => "AUDIT_SIGNING_KEY_INVALID",
            Self::SigningKeyExposed { .. } => "AUDIT_SIGNING_KEY_EXPOSED",
            Self::SigningKeyExists { .. } => "AUDIT_SIGNING_KEY_EXISTS",
            Self::SigningKeysTooMany { .. } => "AUDIT_SIGNING_KEYS_TOO_MANY",
            Self::Randomness => "AUDIT_RANDOMNESS",
            Self::DigestInvalid { .. } => "AUDIT_DIGEST_INVALID",
            Self::TimeInvalid { .. } => "AUDIT_TIME_INVALID",
            Self::EntryTooLarge { .. } => "AUDIT_ENTRY_TOO_LARGE",
            Self::EntryNotCanonical { .. } => "AUDIT_ENTRY_NOT_CANONICAL",
            Self::EntryVersion { .. } => "AUDIT_ENTRY_VERSION",
            Self::BatchTooLarge { .. } => "AUDIT_BATCH_TOO_LARGE",
            Self::LogFull { .. } => "AUDIT_LOG_FULL",
            Self::NoSuchEntry { .. } => "AUDIT_NO_SUCH_ENTRY",
            Self::Io { .. } => "AUDIT_IO",
            Self::Locked { .. } => "AUDIT_LOCKED",
            Self::LogExists { .. } => "AUDIT_LOG_EXISTS",
            Self::NoLog { .. } => "AUDIT_NO_LOG",
            Self::Interrupted { .. } => "AUDIT_INTERRUPTED",
            Self::CheckpointMalformed { .. } => "AUDIT_CHECKPOINT_MALFORMED",
            Self::CheckpointUnsigned { .. } => "AUDIT_CHECKPOINT_UNSIGNED",
            Self::FileMissing { .. } => "AUDIT_FILE_MISSING",
            Self::FileLength { .. } => "AUDIT_FILE_LENGTH",
            Self::NotAFile { .. } => "AUDIT_NOT_A_FILE",
            Self::BundleCut { .. } => "AUDIT_BUNDLE_CUT",
            Self::BundleEntry { .. } => "AUDIT_BUNDLE_ENTRY",
            Self::EntryMismatch { .. } => "AUDIT_ENTRY_MISMATCH",
            Self::TileMismatch { .. } => "AUDIT_TILE_MISMATCH",
            Self::EntriesReplaced { .. } => "AUDIT_ENTRIES_REPLACED",
            Self::ObsoleteMismatch { .. } => "AUDIT_OBSOLETE_MISMATCH",
            Self::RootMismatch { .. } => "AUDIT_ROOT_MISMATCH",
            Self::RolledBack { .. } => "AUDIT_ROLLED_BACK",
            Self::Shrunk { .. } => "AUDIT_SHRUNK",
            Self::SplitView { .. } => "AUDIT_SPLIT_VIEW",
            Self::Inconsistent { .. } => "AUDIT_INCONSISTENT",
            Self::ProofMalformed { .. } => "AUDIT_PROOF_MALFORMED",
            Self::CosignatureInvalid { .. } => "AUDIT_COSIGNATURE_INVALID",
            Self::WitnessesMissing { .. } => "AUDIT_WITNESSES_MISSING",
            Self::EvidenceUnproven { .. } => "AUDIT_EVIDENCE_UNPROVEN",
            Self::NotInLog { .. } => "AUDIT_NOT_IN_LOG",
            Self::ReceiptMalformed { .. } => "AUDIT_RECEIPT_MALFORMED",
            Self::ReceiptUnproven { .. } => "AUDIT_RECEIPT_UNPROVEN",
            Self::Bug { .. } => "AUDIT_BUG",
        }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::OriginInvalid { .. }
            | Self::VerifierKeyInvalid { .. }
            | Self::SigningKeyExists { .. }
            | Self::SigningKeysTooMany { .. }
            | Self::DigestInvalid { .. }
            | Self::TimeInvalid { .. }
            | Self::EntryTooLarge { .. }
            | Self::EntryNotCanonical { .. }
            | Self::EntryVersion { .. }
            | Self::BatchTooLarge { .. }
            | Self::NoSuchEntry { .. }
            | Self::LogExists { .. }
            | Self::NotInLog { .. }
            | Self::ProofMalformed { .. }
            | Self::EvidenceUnproven { .. }
            | Self::ReceiptMalformed { .. }
            | Self::ReceiptUnproven { .. } => Family::Caller,
            Self::Bug { .. } => Family::Bug,
            _ => Family::Environment,
        }
    }

    pub(crate) fn io(action: &'static str, file: &Path, source: std::io::Error) -> Self {
        Self::Io {
            action,
            file: file.to_owned(),
            source: Arc::new(source),
        }
    }
}

/// User input for a message: cut to a length a line can bear.
pub(crate) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    let mut short: String = text
        .chars()
        .take(CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_input_stays_on_one_short_line() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a\nb\u{1b}[0m"), "a\u{fffd}b\u{fffd}[0m");
        assert_eq!(quoted(&"é".repeat(101)).chars().count(), 101);
        assert!(quoted(&"é".repeat(101)).ends_with('…'));
        assert!(!quoted(&"é".repeat(100)).ends_with('…'));
    }
}

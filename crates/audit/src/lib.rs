//! The transparency log of a domain: what was decided, by whom, in an order nobody can change afterwards.
//!
//! **What it is for.** Every state change of a domain becomes an [`Entry`]. [`Log::append`] makes it durable in an
//! append-only Merkle tree and answers with a [`Receipt`]: the entry, its inclusion proof and a signed checkpoint.
//! Whoever holds the log's [`VerifierKey`] checks a receipt offline with [`Receipt::verify`], and a whole log, byte by
//! byte, with [`verify_log`]; [`trace`] ties its entries together. The formats are those of C2SP ([tlog-tiles], [tlog-checkpoint], [signed-note]), so tools
//! nobody here wrote can do the same.
//!
//! **What it is not for.** It decides nothing and authorises nobody: callers hand it finished facts, a clock reading
//! included. It keeps no secret but its signing key: entries are for the auditor to read, so no raw data value may be
//! put into one (events have digests, names and counts, and no field for a value). It does not defend against a holder
//! of the signing key who shows two histories to two people; witnesses that cosign checkpoints ([`Witness`]) do.
//!
//! **Invariants.**
//! - An entry is durable, and the checkpoint that covers it published, before its receipt exists.
//! - A checkpoint is shown only after every entry it covers is durable; once its bytes have reached the disk whole it is never
//!   abandoned for another (reopening completes it).
//! - A byte of `tile/` that a checkpoint covers is never written again.
//! - What witnesses have cosigned is part of the log, or the log does not open.
//! - A witness writes down what it has seen before it answers.
//! - A log has one writer: the second one is turned away.
//! - An entry has one encoding: what does not serialise back to the same bytes is not an entry.
//! - A [`VerifiedEntry`] and a [`Checkpoint`] exist only because a signature and a proof were checked.
//! - This crate depends on no other crate of Weir.
//!
//! On disk a log is a directory: `checkpoint`, `tile/<level>/…`, `tile/entries/…` (servable as they are), `cosigned`,
//! `lock`, `journal` (what was appended since the files were last made durable), and while something is written `write.tmp`, `checkpoint.tmp` or `cosigned.tmp`.
//!
//! [tlog-tiles]: https://c2sp.org/tlog-tiles
//! [tlog-checkpoint]: https://c2sp.org/tlog-checkpoint
//! [signed-note]: https://c2sp.org/signed-note

mod bundle;
mod certificate;
mod checkpoint;
mod consistency;
mod copy;
mod cosignature;
mod digest;
mod disk;
mod entry;
mod error;
mod event;
mod evidence;
mod files;
mod key;
mod layout;
mod log;
mod public;
mod receipt;
mod shared;
mod statement;
mod trace;
mod tree;
mod verify;
mod witness;

pub use certificate::Certificate;
pub use checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, RootHash};
pub use consistency::ConsistencyProof;
pub use copy::copy_log;
pub use cosignature::{Cosignature, WitnessKey, WitnessVerifierKey};
pub use digest::Digest;
#[doc(hidden)]
pub use disk::{Disk, OsDisk};
pub use entry::{Actor, ENTRY_BYTES_MAX, ENTRY_VERSION, Entry, PreparedEntry, Timestamp};
pub use error::{AuditError, Family};
pub use event::{
    DatasetRef, Event, LedgerState, ModelRef, ReadCharge, request_bytes, request_digest,
};
pub use evidence::{EVIDENCE_BYTES_MAX, Evidence};
pub use key::{
    KEY_FILE_BYTES_MAX, KEYS_MAX, LogKey, ORIGIN_BYTES_MAX, VERIFIER_KEY_BYTES_MAX, VerifierKey,
};
pub use layout::TREE_SIZE_MAX;
pub use log::{BATCH_ENTRIES_MAX, Log};
pub use public::{PUBLIC_FILE_BYTES_MAX, PublicFile, PublicFiles};
pub use receipt::{PROOF_HASHES_MAX, RECEIPT_BYTES_MAX, RECEIPT_VERSION, Receipt, VerifiedEntry};
pub use shared::SharedLog;
pub use statement::STATEMENT_BYTES_MAX;
pub use trace::{TRACE_ENTRIES_MAX, Trace, TracedEntry, trace};
pub use verify::{LogReport, STRAY_FILES_MAX, read_log, verify_log, verify_log_since};
pub use witness::{ADD_CHECKPOINT_BYTES_MAX, Witness, WitnessAnswer, add_checkpoint};

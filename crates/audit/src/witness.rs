//! A witness (C2SP tlog-witness): it keeps the largest tree that it has seen of each log, and cosigns a checkpoint only
//! where that continues it. Whoever asks for its cosignature asks that nobody was shown another history.
//!
//! What is here answers one request's bytes; how they travel is somebody else's business.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::consistency::ConsistencyProof;
use crate::cosignature::WitnessKey;
use crate::digest::Digest;
use crate::disk::{OsDisk, Publisher, lock, make_dir_all};
use crate::error::AuditError;
use crate::evidence::Evidence;
use crate::files::Files;
use crate::key::VerifierKey;

/// The longest request looked at: a checkpoint, a proof, and the lines between.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + 4_096;
/// The most hashes a request's proof may have (C2SP tlog-witness).
const PROOF_LINES_MAX: usize = 63;
/// Pieces of evidence kept for one log; those that come later say nothing new.
const EVIDENCE_MAX: usize = 16;

const KEY: &str = "witness.key";
const TMP: &str = "witness.tmp";

/// A witness, with its folder. One process has it at a time.
pub struct Witness {
    key: WitnessKey,
    logs: Vec<VerifierKey>,
    files: Files,
    publisher: Publisher,
    /// The largest tree cosigned of each log, by origin. Checking a request and writing down its tree is one step.
    seen: Mutex<HashMap<String, Checkpoint>>,
    _lock: File,
}

/// What a witness answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessAnswer {
    /// The cosignature: a line that goes below the checkpoint's other signatures.
    Cosigned(String),
    /// The request is not about the tree it cosigned last, which has this size; or it is about another of that size.
    Conflict {
        /// The size cosigned last.
        size: u64,
    },
    /// Not a request.
    Malformed,
    /// The checkpoint is not signed by the log's key.
    Unsigned,
    /// It does not watch this log.
    UnknownLog,
    /// The proof does not show that the tree continues the one it cosigned last.
    Unproven,
}

impl WitnessAnswer {
    /// The HTTP status that says so.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Malformed => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::Unproven => 422,
        }
    }

    /// The media type of [`WitnessAnswer::body`].
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// What goes with the status.
    #[must_use]
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(line) => line.clone(),
            Self::Conflict { size } => format!("{size}\n"),
            Self::Malformed => "not an add-checkpoint request\n".to_owned(),
            Self::Unsigned => "no signature by the log's key\n".to_owned(),
            Self::UnknownLog => "this log is not watched here\n".to_owned(),
            Self::Unproven => "the proof does not show that the log continues\n".to_owned(),
        }
    }
}

/// The request for a cosignature: the proof that the tree of `checkpoint` continues that of its first `old_size` entries,
/// and the checkpoint.
#[must_use]
pub fn add_checkpoint(old_size: u64, proof: &ConsistencyProof, checkpoint: &Checkpoint) -> String {
    let proof: Vec<_> = proof
        .to_base64()
        .iter()
        .map(|hash| format!("{hash}\n"))
        .collect();
    format!("old {old_size}\n{}\n{}", proof.concat(), checkpoint.note())
}

impl Witness {
    /// Makes a witness of this name in a new folder, with a key of its own.
    ///
    /// # Errors
    /// `AUDIT_SIGNING_KEY_EXISTS` where the folder has one; those of [`WitnessKey::generate`]; `AUDIT_IO`.
    pub fn create(dir: &Path, name: &str) -> Result<WitnessKey, AuditError> {
        let key = WitnessKey::generate(name)?;
        make_dir_all(dir).map_err(|error| AuditError::io("create the directory", dir, error))?;
        key.save(&dir.join(KEY))?;
        Ok(key)
    }

    /// Opens a witness for some logs. What it saw of each must be signed by that log's key.
    ///
    /// # Errors
    /// Those of [`WitnessKey::load`]; `AUDIT_LOCKED`; `AUDIT_CHECKPOINT_MALFORMED` and `AUDIT_CHECKPOINT_UNSIGNED` for what
    /// was altered; `AUDIT_IO`.
    pub fn open(dir: &Path, logs: Vec<VerifierKey>) -> Result<Self, AuditError> {
        let key = WitnessKey::load(&dir.join(KEY))?;
        let lock = lock(dir)?;
        let files = Files::new(dir);
        let mut seen = HashMap::new();
        for log in &logs {
            let name = seen_file(log.origin());
            if let Some(bytes) = files.read(&name, CHECKPOINT_BYTES_MAX)? {
                seen.insert(
                    log.origin().to_owned(),
                    Checkpoint::read(&name, &bytes, log)?,
                );
            }
        }
        Ok(Self {
            key,
            logs,
            publisher: Publisher::new(dir, Box::new(OsDisk)),
            files,
            seen: Mutex::new(seen),
            _lock: lock,
        })
    }

    /// The key it cosigns with.
    #[must_use]
    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Answers a request for a cosignature. `time_s` is now, in seconds since 1970.
    ///
    /// # Errors
    /// `AUDIT_IO`: what cannot be written down is not cosigned.
    pub fn add_checkpoint(&self, request: &[u8], time_s: u64) -> Result<WitnessAnswer, AuditError> {
        let Some(asked) = Asked::read(request) else {
            return Ok(WitnessAnswer::Malformed);
        };
        let Some(log) = self.logs.iter().find(|log| log.origin() == asked.origin) else {
            return Ok(WitnessAnswer::UnknownLog);
        };
        let new = match Checkpoint::verify(asked.note.as_bytes(), log) {
            Ok(new) => new,
            Err(AuditError::CheckpointMalformed { .. }) => return Ok(WitnessAnswer::Malformed),
            Err(_) => return Ok(WitnessAnswer::Unsigned),
        };
        if asked.old_size > new.size() {
            return Ok(WitnessAnswer::Malformed);
        }
        // Held until the new tree is written down: of two requests at once, one waits and is then told the other's size.
        let mut seen = self.seen();
        let last = seen.get(new.origin());
        let last_size = last.map_or(0, Checkpoint::size);
        let conflict = Ok(WitnessAnswer::Conflict { size: last_size });
        if asked.old_size != last_size {
            // A smaller tree is no news; a smaller tree that is no part of what was seen cannot be told from one that is.
            return conflict;
        }
        if let Some(last) = last
            && let Err(error) = asked.proof.verify(last, &new)
        {
            self.keep_evidence(&Evidence::new(last, &new, &asked.proof), new.origin())?;
            return match error {
                AuditError::SplitView { .. } => conflict,
                _ => Ok(WitnessAnswer::Unproven),
            };
        }
        if last.is_none() && asked.proof != ConsistencyProof::default() {
            return Ok(WitnessAnswer::Unproven);
        }
        let line = self.key.cosign(new.text().as_bytes(), time_s)?;
        let cosigned = new.with_cosignatures(&line, std::slice::from_ref(self.key.verifier()))?;
        // A crash before this returns: the answer was not given, and the log asks again. After it: the tree counts as seen,
        // whether or not the answer arrives.
        self.publisher
            .publish(&seen_file(new.origin()), TMP, cosigned.note().as_bytes())?;
        seen.insert(new.origin().to_owned(), new);
        Ok(WitnessAnswer::Cosigned(line))
    }

    /// The largest tree cosigned of a log.
    #[must_use]
    pub fn seen_of(&self, origin: &str) -> Option<Checkpoint> {
        self.seen().get(origin).cloned()
    }

    /// Where evidence against a log is kept, a file for each piece.
    #[must_use]
    pub fn evidence_dir(&self, origin: &str) -> PathBuf {
        self.files.path(&evidence_dir(origin))
    }

    fn keep_evidence(&self, evidence: &Evidence, origin: &str) -> Result<(), AuditError> {
        tracing::error!(
            origin,
            "the log does not continue what it showed before: evidence is kept"
        );
        let json = evidence.to_json()?;
        let digest = hex::encode(Digest::of(json.as_bytes()).as_bytes());
        let dir = self.evidence_dir(origin);
        let kept = std::fs::read_dir(&dir).map_or(0, Iterator::count);
        let name = format!(
            "{}/{}.json",
            evidence_dir(origin),
            digest.get(..16).unwrap_or_default()
        );
        if kept >= EVIDENCE_MAX || self.files.exists(&name)? {
            return Ok(());
        }
        self.publisher.publish(&name, TMP, json.as_bytes())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Checkpoint>> {
        // The map is changed in one statement, after the disk.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request, taken apart.
struct Asked<'a> {
    old_size: u64,
    proof: ConsistencyProof,
    origin: &'a str,
    note: &'a str,
}

impl<'a> Asked<'a> {
    fn read(request: &'a [u8]) -> Option<Self> {
        if request.len() > ADD_CHECKPOINT_BYTES_MAX {
            return None;
        }
        let (head, note) = std::str::from_utf8(request).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = lines.next()?.strip_prefix("old ")?;
        let old_size: u64 = old.parse().ok()?;
        // One way to write a number.
        if old_size.to_string() != old {
            return None;
        }
        let hashes: Vec<_> = lines.collect();
        if hashes.len() > PROOF_LINES_MAX {
            return None;
        }
        Some(Self {
            old_size,
            proof: ConsistencyProof::from_base64(hashes).ok()?,
            origin: note.split('\n').next()?,
            note,
        })
    }
}

/// An origin is somebody else's text, so files are named by its digest.
fn seen_file(origin: &str) -> String {
    format!("{}.checkpoint", named(origin))
}

fn evidence_dir(origin: &str) -> String {
    format!("{}.evidence", named(origin))
}

fn named(origin: &str) -> String {
    hex::encode(Digest::of(origin.as_bytes()).as_bytes())
}

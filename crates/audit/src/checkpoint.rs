//! Checkpoints: the signed statement "the log of this name has this many entries, under this root".

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use signed_note::{Note, NoteError, Signature, Verifier, VerifierList};
use tlog_tiles::{EMPTY_HASH, Hash};

use crate::cosignature::{Cosignature, WitnessVerifierKey};
use crate::error::{AuditError, quoted};
use crate::key::{LogKey, VerifierKey};
use crate::layout::TREE_SIZE_MAX;

/// The longest checkpoint looked at: three lines, and room for the cosignatures of a hundred witnesses.
pub const CHECKPOINT_BYTES_MAX: usize = 65_536;

/// The root of a log's Merkle tree (RFC 6962 with SHA-256), written in base64 as in checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootHash([u8; tlog_tiles::HASH_SIZE]);

impl RootHash {
    /// The 32 bytes of the hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; tlog_tiles::HASH_SIZE] {
        &self.0
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A checkpoint whose signature was checked, or made, by this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: RootHash,
    note: String,
}

impl Checkpoint {
    /// Reads a signed checkpoint and checks its signature. Further signatures, by witnesses for instance, and extension
    /// lines are let through.
    ///
    /// # Errors
    /// `AUDIT_CHECKPOINT_MALFORMED` or `AUDIT_CHECKPOINT_UNSIGNED`.
    pub fn verify(note: &[u8], key: &VerifierKey) -> Result<Self, AuditError> {
        Self::read("checkpoint", note, key)
    }

    /// As [`Checkpoint::verify`], for messages about `file`.
    pub(crate) fn read(file: &str, bytes: &[u8], key: &VerifierKey) -> Result<Self, AuditError> {
        let malformed = |reason| AuditError::CheckpointMalformed {
            file: file.to_owned(),
            reason,
        };
        let unsigned = |reason| AuditError::CheckpointUnsigned {
            file: file.to_owned(),
            expected: key.single().to_string(),
            reason,
        };
        if bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        let note = Note::from_bytes(bytes).map_err(|_| malformed("it is not a signed note"))?;
        note.verify(&key.verifiers()).map_err(|error| match error {
            NoteError::InvalidSignature { .. } => unsigned("the signature does not fit the text"),
            _ => unsigned("it has no signature by that key"),
        })?;
        let text = tlog_tiles::Checkpoint::from_bytes(note.text())
            .map_err(|_| malformed("its text is not origin, size and root hash"))?;
        if text.origin() != key.origin() {
            return Err(unsigned("its first line names another log"));
        }
        if text.size() > TREE_SIZE_MAX {
            return Err(malformed("its size is beyond any log"));
        }
        if text.size() == 0 && *text.hash() != EMPTY_HASH {
            return Err(malformed("its root is not that of an empty log"));
        }
        let note = String::from_utf8(bytes.to_vec()).map_err(|_| malformed("it is not text"))?;
        Ok(Self {
            origin: text.origin().to_owned(),
            size: text.size(),
            root: RootHash(text.hash().0),
            note,
        })
    }

    /// Signs. The caller has made durable whatever the checkpoint covers.
    pub(crate) fn sign(key: &LogKey, size: u64, root: Hash) -> Result<Self, AuditError> {
        let bug = || AuditError::Bug {
            what: "a checkpoint could not be signed",
        };
        let text = tlog_tiles::Checkpoint::new(key.origin(), size, root, "").map_err(|_| bug())?;
        let mut note = Note::new(&text.to_bytes(), &[]).map_err(|_| bug())?;
        note.add_sigs(&key.signers()).map_err(|_| bug())?;
        // Read back: a checkpoint that its own key does not verify must never be published.
        Self::read("checkpoint", &note.to_bytes(), key.verifier()).map_err(|_| bug())
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries covered.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the Merkle tree over them.
    #[must_use]
    pub fn root(&self) -> RootHash {
        self.root
    }

    /// The signed note, as it is published.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }

    /// What is signed, without the signatures.
    #[must_use]
    pub fn text(&self) -> &str {
        let end = self.note.rfind("\n\n").unwrap_or_default();
        self.note.get(..=end).unwrap_or_default()
    }

    /// The cosignatures by these witnesses. Each key counts once, however often and under however many names it is
    /// given.
    ///
    /// # Errors
    /// `AUDIT_COSIGNATURE_INVALID` where one of them is there and does not fit: such a note is not to be relied on.
    pub fn cosignatures(
        &self,
        witnesses: &[WitnessVerifierKey],
    ) -> Result<Vec<Cosignature>, AuditError> {
        let mut known: Vec<&WitnessVerifierKey> = Vec::new();
        for witness in witnesses {
            if known
                .iter()
                .all(|other| other.encoded() != witness.encoded())
            {
                known.push(witness);
            }
        }
        let verifiers = known.into_iter().cloned();
        let verifiers = verifiers
            .map(|key| Box::new(key) as Box<dyn Verifier>)
            .collect();
        let note = Note::from_bytes(self.note.as_bytes()).map_err(|_| AuditError::Bug {
            what: "a verified checkpoint did not parse",
        })?;
        match note.verify(&VerifierList::new(verifiers)) {
            Ok((signatures, _)) => Ok(signatures.iter().filter_map(Cosignature::of).collect()),
            Err(NoteError::InvalidSignature { name, .. }) => {
                Err(AuditError::CosignatureInvalid { witness: name })
            }
            Err(_) => Ok(Vec::new()),
        }
    }

    /// The cosignatures by these witnesses, of which there have to be at least `required`.
    ///
    /// # Errors
    /// `AUDIT_WITNESSES_MISSING`; those of [`Checkpoint::cosignatures`].
    pub fn require_witnesses(
        &self,
        witnesses: &[WitnessVerifierKey],
        required: usize,
    ) -> Result<Vec<Cosignature>, AuditError> {
        let found = self.cosignatures(witnesses)?;
        if found.len() < required {
            return Err(AuditError::WitnessesMissing {
                found: found.len(),
                required,
                size: self.size,
            });
        }
        Ok(found)
    }

    /// This checkpoint with further signature lines, of which those by other keys than these are left out: whoever
    /// answers could add any.
    ///
    /// # Errors
    /// `AUDIT_COSIGNATURE_INVALID` where a line is none, or does not fit.
    pub fn with_cosignatures(
        &self,
        lines: &str,
        witnesses: &[WitnessVerifierKey],
    ) -> Result<Self, AuditError> {
        let invalid = |witness: &str| AuditError::CosignatureInvalid {
            witness: quoted(witness),
        };
        let mut note = self.note.clone();
        for line in lines.lines() {
            let signature = Signature::from_bytes(line.as_bytes()).map_err(|_| invalid(line))?;
            let by = |key: &&WitnessVerifierKey| {
                key.name() == signature.name() && key.key_id() == signature.id()
            };
            let Some(key) = witnesses.iter().find(by) else {
                continue;
            };
            if !key.verify(self.text().as_bytes(), signature.signature()) {
                return Err(invalid(key.name()));
            }
            // One line for each witness: the newest says the most.
            let prefix = format!("— {} ", key.name());
            let is_of_key = |old: &str| {
                Signature::from_bytes(old.as_bytes()).is_ok_and(|old| old.id() == key.key_id())
            };
            let kept = note
                .lines()
                .filter(|old| !(old.starts_with(&prefix) && is_of_key(old)));
            note = kept.flat_map(|line| [line, "\n"]).collect();
            note.push_str(line);
            note.push('\n');
        }
        if note.len() > CHECKPOINT_BYTES_MAX {
            return Err(invalid("too many witnesses"));
        }
        Ok(Self {
            note,
            ..self.clone()
        })
    }

    pub(crate) fn root_hash(&self) -> Hash {
        Hash(self.root.0)
    }
}

#[cfg(test)]
mod tests;

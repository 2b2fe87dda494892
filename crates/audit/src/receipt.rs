//! Receipts: everything needed to check, offline and years later, that an entry is in the log.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};
use tlog_tiles::{Hash, check_record, record_hash};

use crate::checkpoint::{Checkpoint, RootHash};
use crate::cosignature::{Cosignature, WitnessVerifierKey};
use crate::entry::Entry;
use crate::error::AuditError;
use crate::key::VerifierKey;

/// The receipt format written today.
pub const RECEIPT_VERSION: u32 = 1;
/// The longest receipt looked at: an entry of the greatest length with every character escaped, a proof, a checkpoint.
pub const RECEIPT_BYTES_MAX: usize = 524_288;
/// The longest proof looked at; the tree of the greatest size needs 40 hashes.
pub const PROOF_HASHES_MAX: usize = 64;

/// An entry's proof of inclusion. Untrusted until [`Receipt::verify`] has turned it into a [`VerifiedEntry`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    version: u32,
    /// The entry's canonical text.
    entry: String,
    /// Its number in the log, from 0.
    index: u64,
    /// The size of the tree that the proof is for; the checkpoint says the same.
    tree_size: u64,
    /// The inclusion proof, leaf to root, each hash in base64.
    proof: Vec<String>,
    /// The signed checkpoint.
    checkpoint: String,
}

/// An entry that is proved to be in the log. Only [`Receipt::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedEntry {
    entry: Entry,
    index: u64,
    checkpoint: Checkpoint,
}

impl Receipt {
    pub(crate) fn new(
        entry: &[u8],
        index: u64,
        proof: &[Hash],
        checkpoint: &Checkpoint,
    ) -> Result<Self, AuditError> {
        let entry = String::from_utf8(entry.to_vec()).map_err(|_| AuditError::Bug {
            what: "an entry is not text",
        })?;
        Ok(Self {
            version: RECEIPT_VERSION,
            entry,
            index,
            tree_size: checkpoint.size(),
            proof: proof
                .iter()
                .map(|hash| BASE64_STANDARD.encode(hash.0))
                .collect(),
            checkpoint: checkpoint.note().to_owned(),
        })
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `AUDIT_RECEIPT_MALFORMED`. A receipt that parses may still prove nothing.
    pub fn from_json(json: &[u8]) -> Result<Self, AuditError> {
        if json.len() > RECEIPT_BYTES_MAX {
            return Err(AuditError::ReceiptMalformed {
                reason: "it is too long",
            });
        }
        serde_json::from_slice(json).map_err(|_| AuditError::ReceiptMalformed {
            reason: "it is not JSON with the fields of a receipt",
        })
    }

    /// The JSON form: one object, a file of its own.
    ///
    /// # Errors
    /// `AUDIT_BUG` only.
    pub fn to_json(&self) -> Result<String, AuditError> {
        serde_json::to_string_pretty(self).map_err(|_| AuditError::Bug {
            what: "a receipt did not serialise",
        })
    }

    /// The number of the entry in the log, from 0; a claim until verified.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The size of the tree the receipt speaks of; a claim until verified.
    #[must_use]
    pub fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// Checks the checkpoint's signature, the entry's form and its proof of inclusion.
    ///
    /// # Errors
    /// `AUDIT_RECEIPT_MALFORMED`, `AUDIT_RECEIPT_UNPROVEN`, those of [`Checkpoint::verify`] and
    /// [`Entry::from_canonical`].
    pub fn verify(&self, key: &VerifierKey) -> Result<VerifiedEntry, AuditError> {
        let unproven = |reason| AuditError::ReceiptUnproven { reason };
        if self.version != RECEIPT_VERSION {
            return Err(AuditError::ReceiptMalformed {
                reason: "its version is not one this build reads",
            });
        }
        let checkpoint =
            Checkpoint::read("the receipt's checkpoint", self.checkpoint.as_bytes(), key)?;
        if checkpoint.size() != self.tree_size {
            return Err(unproven("its tree size is not the checkpoint's"));
        }
        if self.index >= self.tree_size {
            return Err(unproven("its index lies beyond its tree"));
        }
        let proof = self.proof_hashes()?;
        let leaf = record_hash(self.entry.as_bytes());
        check_record(
            &proof,
            self.tree_size,
            checkpoint.root_hash(),
            self.index,
            leaf,
        )
        .map_err(|_| unproven("entry and proof do not lead to the checkpoint's root"))?;
        let entry = Entry::from_canonical(self.entry.as_bytes())?;
        Ok(VerifiedEntry {
            entry,
            index: self.index,
            checkpoint,
        })
    }

    /// As [`Receipt::verify`], and at least `required` of these witnesses have cosigned the checkpoint.
    ///
    /// # Errors
    /// Those of [`Receipt::verify`] and [`Checkpoint::require_witnesses`].
    pub fn verify_witnessed(
        &self,
        key: &VerifierKey,
        witnesses: &[WitnessVerifierKey],
        required: usize,
    ) -> Result<(VerifiedEntry, Vec<Cosignature>), AuditError> {
        let entry = self.verify(key)?;
        let cosignatures = entry.checkpoint.require_witnesses(witnesses, required)?;
        Ok((entry, cosignatures))
    }

    fn proof_hashes(&self) -> Result<Vec<Hash>, AuditError> {
        if self.proof.len() > PROOF_HASHES_MAX {
            return Err(AuditError::ReceiptMalformed {
                reason: "its proof is too long",
            });
        }
        let hash = |text: &String| {
            Hash::parse_hash(text).map_err(|_| AuditError::ReceiptMalformed {
                reason: "its proof has a bad hash",
            })
        };
        self.proof.iter().map(hash).collect()
    }
}

impl VerifiedEntry {
    /// The entry.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its number in the log, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The size of the tree it was proved to be in.
    #[must_use]
    pub fn tree_size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The root it was proved under.
    #[must_use]
    pub fn root(&self) -> RootHash {
        self.checkpoint.root()
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.checkpoint.origin()
    }
}

#[cfg(test)]
mod tests;

//! Consistency proofs: that a later tree only added to an earlier one (RFC 6962, section 2.1.2).

use tlog_tiles::{Hash, HashReader, check_tree, prove_tree};

use crate::checkpoint::Checkpoint;
use crate::error::AuditError;
use crate::receipt::PROOF_HASHES_MAX;
use crate::tree::root_at;

/// The proof that one tree starts with all the entries of another. It says nothing until [`ConsistencyProof::verify`]
/// has held it against two signed checkpoints.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsistencyProof {
    hashes: Vec<Hash>,
}

impl ConsistencyProof {
    /// Proves that the tree of `size` continues that of `from_size` (less than `size`, more than 0).
    pub(crate) fn make(
        from_size: u64,
        size: u64,
        hashes: &impl HashReader,
    ) -> Result<Self, AuditError> {
        let bug = |what| AuditError::Bug { what };
        let proof = prove_tree(size, from_size, hashes)
            .map_err(|_| bug("the tiles of an entry do not suffice for a consistency proof"))?;
        let (new, old) = (root_at(size, hashes)?, root_at(from_size, hashes)?);
        check_tree(&proof, size, new, from_size, old)
            .map_err(|_| bug("a consistency proof did not lead to the roots"))?;
        Ok(Self { hashes: proof })
    }

    /// Reads the hashes as they travel: in base64, in the order of RFC 6962.
    ///
    /// # Errors
    /// `AUDIT_PROOF_MALFORMED`.
    pub fn from_base64<'a>(hashes: impl IntoIterator<Item = &'a str>) -> Result<Self, AuditError> {
        let malformed = |reason| AuditError::ProofMalformed { reason };
        let mut read = Vec::new();
        for text in hashes {
            if read.len() == PROOF_HASHES_MAX {
                return Err(malformed("it has too many hashes"));
            }
            read.push(Hash::parse_hash(text).map_err(|_| malformed("it has a bad hash"))?);
        }
        Ok(Self { hashes: read })
    }

    /// The hashes in base64.
    #[must_use]
    pub fn to_base64(&self) -> Vec<String> {
        self.hashes.iter().map(Hash::to_string).collect()
    }

    /// Checks that the log of `new` starts with all the entries of `old`. Both were signed by the log's key, or they
    /// would not be here.
    ///
    /// # Errors
    /// `AUDIT_CHECKPOINT_UNSIGNED` where they are of different logs; `AUDIT_SHRUNK`; `AUDIT_SPLIT_VIEW` where they are of
    /// one size and differ; `AUDIT_INCONSISTENT`.
    pub fn verify(&self, old: &Checkpoint, new: &Checkpoint) -> Result<(), AuditError> {
        let (size_before, size) = (old.size(), new.size());
        let inconsistent = AuditError::Inconsistent { size, size_before };
        if old.origin() != new.origin() {
            return Err(AuditError::CheckpointUnsigned {
                file: "the earlier checkpoint".to_owned(),
                expected: new.origin().to_owned(),
                reason: "its first line names another log",
            });
        }
        if size < size_before {
            return Err(AuditError::Shrunk { size, size_before });
        }
        if size == size_before && old.root() != new.root() {
            return Err(AuditError::SplitView { size });
        }
        // An empty tree starts every tree, and every tree starts itself: there is nothing to prove.
        if size_before == 0 || size == size_before {
            return if self.hashes.is_empty() {
                Ok(())
            } else {
                Err(inconsistent)
            };
        }
        check_tree(
            &self.hashes,
            size,
            new.root_hash(),
            size_before,
            old.root_hash(),
        )
        .map_err(|_| inconsistent)
    }
}

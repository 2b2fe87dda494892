//! Evidence that a log has shown two histories, in a form that convinces people who were not there.

use serde::{Deserialize, Serialize};

use crate::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint};
use crate::consistency::ConsistencyProof;
use crate::error::AuditError;
use crate::key::VerifierKey;

/// The evidence format written today.
const EVIDENCE_VERSION: u32 = 1;
/// The longest evidence looked at: two checkpoints and a proof, escaped.
pub const EVIDENCE_BYTES_MAX: usize = 4 * CHECKPOINT_BYTES_MAX;

/// Two checkpoints signed by one log, of which the later does not continue the earlier. Of one size, they prove by
/// themselves that two histories were shown. Of two sizes, they show that the log was asked for the proof and gave one that
/// fails; the log can answer with one that does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    version: u32,
    earlier: String,
    later: String,
    /// What the log gave as proof that the later continues the earlier, in base64.
    proof: Vec<String>,
}

impl Evidence {
    /// Puts evidence together; [`Evidence::verify`] says what it is worth.
    #[must_use]
    pub fn new(earlier: &Checkpoint, later: &Checkpoint, proof: &ConsistencyProof) -> Self {
        Self {
            version: EVIDENCE_VERSION,
            earlier: earlier.note().to_owned(),
            later: later.note().to_owned(),
            proof: proof.to_base64(),
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `AUDIT_PROOF_MALFORMED`.
    pub fn from_json(json: &[u8]) -> Result<Self, AuditError> {
        let malformed = |reason| AuditError::ProofMalformed { reason };
        if json.len() > EVIDENCE_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        let evidence: Self = serde_json::from_slice(json)
            .map_err(|_| malformed("it is not JSON with the fields of evidence"))?;
        if evidence.version != EVIDENCE_VERSION {
            return Err(malformed("its version is not one this build reads"));
        }
        Ok(evidence)
    }

    /// The JSON form: one object, a file of its own.
    ///
    /// # Errors
    /// `AUDIT_BUG` only.
    pub fn to_json(&self) -> Result<String, AuditError> {
        serde_json::to_string_pretty(self).map_err(|_| AuditError::Bug {
            what: "evidence did not serialise",
        })
    }

    /// Checks both signatures and that the two contradict each other. Answers with what is wrong with the log:
    /// `AUDIT_SPLIT_VIEW`, which is final, `AUDIT_INCONSISTENT` or `AUDIT_SHRUNK`.
    ///
    /// # Errors
    /// `AUDIT_EVIDENCE_UNPROVEN` where the two agree; those of [`Checkpoint::verify`]; `AUDIT_PROOF_MALFORMED`.
    pub fn verify(&self, key: &VerifierKey) -> Result<AuditError, AuditError> {
        let read = |file, note: &str| Checkpoint::read(file, note.as_bytes(), key);
        let earlier = read("the earlier checkpoint", &self.earlier)?;
        let later = read("the later checkpoint", &self.later)?;
        let proof = ConsistencyProof::from_base64(self.proof.iter().map(String::as_str))?;
        match proof.verify(&earlier, &later) {
            Err(finding) => Ok(finding),
            Ok(()) => Err(AuditError::EvidenceUnproven {
                reason: "its later checkpoint continues the earlier one",
            }),
        }
    }
}

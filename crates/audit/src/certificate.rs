//! Certificates: a document, and the receipt of the log entry that holds its digest.
//!
//! Destroying a snapshot yields one. Its text is for people and files; what makes it worth anything is the receipt, by
//! which anyone with the log's key can check, offline and years later, that the domain stated it.

use serde::{Deserialize, Serialize};

use crate::cosignature::{Cosignature, WitnessVerifierKey};
use crate::digest::Digest;
use crate::error::AuditError;
use crate::event::Event;
use crate::key::VerifierKey;
use crate::receipt::{RECEIPT_BYTES_MAX, Receipt, VerifiedEntry};

/// The longest certificate looked at.
const CERTIFICATE_BYTES_MAX: usize = 2 * RECEIPT_BYTES_MAX;

/// A document with its receipt. Untrusted until [`Certificate::verify`] has accepted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The document's canonical text.
    certificate: String,
    receipt: Receipt,
}

impl Certificate {
    /// Puts a document and the receipt of its entry together.
    #[must_use]
    pub fn new(certificate: String, receipt: Receipt) -> Self {
        Self {
            certificate,
            receipt,
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `AUDIT_RECEIPT_MALFORMED`. A certificate that parses may still prove nothing.
    pub fn from_json(json: &[u8]) -> Result<Self, AuditError> {
        let malformed = |reason| AuditError::ReceiptMalformed { reason };
        if json.len() > CERTIFICATE_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        serde_json::from_slice(json)
            .map_err(|_| malformed("it is not JSON with the fields of a certificate"))
    }

    /// The JSON form: one object, a file of its own.
    ///
    /// # Errors
    /// `AUDIT_BUG` only.
    pub fn to_json(&self) -> Result<String, AuditError> {
        serde_json::to_string_pretty(self).map_err(|_| AuditError::Bug {
            what: "a certificate did not serialise",
        })
    }

    /// The document; a claim until verified.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.certificate
    }

    /// Checks the receipt, and that its entry is about exactly this document.
    ///
    /// # Errors
    /// Those of [`Receipt::verify`]; `AUDIT_RECEIPT_UNPROVEN` where the entry is about something else.
    pub fn verify(&self, key: &VerifierKey) -> Result<VerifiedEntry, AuditError> {
        let (entry, _) = self.verify_witnessed(key, &[], 0)?;
        Ok(entry)
    }

    /// As [`Certificate::verify`], and at least `required` of these witnesses have cosigned the checkpoint.
    ///
    /// # Errors
    /// Those of [`Certificate::verify`] and of [`Receipt::verify_witnessed`].
    pub fn verify_witnessed(
        &self,
        key: &VerifierKey,
        witnesses: &[WitnessVerifierKey],
        required: usize,
    ) -> Result<(VerifiedEntry, Vec<Cosignature>), AuditError> {
        let unproven = |reason| AuditError::ReceiptUnproven { reason };
        let (entry, cosignatures) = self.receipt.verify_witnessed(key, witnesses, required)?;
        let Event::SnapshotDestroyed { certificate, .. } = &entry.entry().event else {
            return Err(unproven("its entry is of another kind"));
        };
        if *certificate != Digest::of(self.certificate.as_bytes()) {
            return Err(unproven("its entry is about another certificate"));
        }
        Ok((entry, cosignatures))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::{Actor, Entry, Log, LogKey, Timestamp};

    #[test]
    fn a_certificate_proves_its_text_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::generate("weir/test").unwrap();
        let verifier = key.verifier().clone();
        let mut log = Log::create(&folder.path().join("log"), key).unwrap();
        let text = r#"{"version":1,"snapshot":"s1"}"#;
        let mut append = |event| {
            let actor = Actor {
                person: "wang".to_owned(),
                organisation: "bureau".to_owned(),
                role: "bureau".to_owned(),
            };
            log.append(&Entry::new(
                Timestamp::from(chrono::Utc::now()),
                actor,
                event,
            ))
            .unwrap()
        };
        let destroyed = append(Event::SnapshotDestroyed {
            dataset: "flights".to_owned(),
            snapshot: "s1".to_owned(),
            digest: Digest::of(b"snapshot"),
            certificate: Digest::of(text.as_bytes()),
            reason: "term ended".to_owned(),
        });
        let other = append(Event::ModelApproved {
            model: "m".to_owned(),
            digest: Digest::of(text.as_bytes()),
        });

        let good = Certificate::new(text.to_owned(), destroyed.clone());
        let read = Certificate::from_json(good.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(read.verify(&verifier).unwrap().index(), 0);
        assert_eq!(read.text(), text);
        let altered = Certificate::new(text.replace("s1", "s2"), destroyed);
        let misused = Certificate::new(text.to_owned(), other);
        for bad in [altered, misused] {
            assert_eq!(
                bad.verify(&verifier).unwrap_err().code(),
                "AUDIT_RECEIPT_UNPROVEN"
            );
        }
        for bad in ["", "{}", r#"{"certificate":"x"}"#] {
            assert_eq!(
                Certificate::from_json(bad.as_bytes()).unwrap_err().code(),
                "AUDIT_RECEIPT_MALFORMED"
            );
        }
    }
}

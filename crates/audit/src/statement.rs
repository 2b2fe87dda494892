//! Statements that the domain signs with its log's key: texts that must be known to be the domain's when they are read
//! again, such as a grant.
//!
//! A statement is a C2SP signed note. Its first line names its kind and has a space in it, which no log's name has: a
//! statement can never pass for a checkpoint, nor a checkpoint for a statement.

use signed_note::Note;

use crate::error::AuditError;
use crate::key::{LogKey, VerifierKey};

/// How the first line begins.
const HEAD: &str = "weir statement v1: ";

/// The longest statement looked at, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 256 * 1024;

impl LogKey {
    /// Signs a body of one kind. Neither may be empty; the kind has no line break.
    ///
    /// # Errors
    /// `AUDIT_BUG` where the note cannot be made: a body with control characters other than line breaks, for instance.
    pub fn sign_statement(&self, kind: &str, body: &str) -> Result<String, AuditError> {
        let bug = || AuditError::Bug {
            what: "a statement could not be signed",
        };
        let text = format!("{HEAD}{kind}\n{body}\n");
        let mut note = Note::new(text.as_bytes(), &[]).map_err(|_| bug())?;
        note.add_sigs(&self.signers()).map_err(|_| bug())?;
        let note = String::from_utf8(note.to_bytes()).map_err(|_| bug())?;
        // Read back: what its own key does not verify must not be kept.
        match self.verifier().read_statement(kind, &note) {
            Some(read) if read == body => Ok(note),
            _ => Err(bug()),
        }
    }
}

impl VerifierKey {
    /// The body of a statement of this kind; `None` where the note is malformed, of another kind, or not signed by this
    /// key.
    #[must_use]
    pub fn read_statement(&self, kind: &str, note: &str) -> Option<String> {
        if note.len() > STATEMENT_BYTES_MAX {
            return None;
        }
        let note = Note::from_bytes(note.as_bytes()).ok()?;
        note.verify(&self.verifiers()).ok()?;
        let text = std::str::from_utf8(note.text()).ok()?;
        let body = text
            .strip_prefix(HEAD)?
            .strip_prefix(kind)?
            .strip_prefix('\n')?;
        Some(body.strip_suffix('\n')?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use crate::{Checkpoint, LogKey};

    #[test]
    fn a_statement_reads_back_and_no_other_does() {
        let key = LogKey::generate("weir/test").unwrap();
        let other = LogKey::generate("weir/test").unwrap();
        let body = "{\"granted\":\"统计\"}";
        let note = key.sign_statement("grant", body).unwrap();
        let read = |kind: &str, note: &str| key.verifier().read_statement(kind, note);
        assert_eq!(read("grant", &note).as_deref(), Some(body));
        assert_eq!(read("gran", &note), None, "another kind");
        assert_eq!(read("grant", &note.replace("granted", "Granted")), None);
        assert_eq!(read("grant", ""), None);
        assert_eq!(other.verifier().read_statement("grant", &note), None);
        assert!(Checkpoint::verify(note.as_bytes(), key.verifier()).is_err());
    }

    #[test]
    fn a_checkpoint_is_no_statement() {
        let folder = tempfile::tempdir().unwrap();
        let key = LogKey::generate("weir/test").unwrap();
        let verifier = key.verifier().clone();
        let log = crate::Log::create(&folder.path().join("log"), key).unwrap();
        let checkpoint = log.checkpoint().note().to_owned();
        assert_eq!(verifier.read_statement("", &checkpoint), None);
    }
}

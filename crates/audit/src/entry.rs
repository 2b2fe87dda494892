//! Entries and their canonical encoding: compact JSON, fields in a fixed order, one encoding per entry.

use std::fmt;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{AuditError, quoted};
use crate::event::Event;

/// The entry format written today. Older versions stay readable for as long as records last.
pub const ENTRY_VERSION: u32 = 1;

/// The longest entry: its length is a 16-bit number in an entry bundle (C2SP tlog-tiles, "Log entries").
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// A moment in UTC to the millisecond, written `2026-01-31T09:30:00.000Z` (RFC 3339).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Reads the one accepted spelling.
    ///
    /// # Errors
    /// `AUDIT_TIME_INVALID` for any other text, including other spellings of the same moment.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let invalid = || AuditError::TimeInvalid {
            given: quoted(text),
        };
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| invalid())?;
        let time = Self::from(moment.with_timezone(&Utc));
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(invalid())
        }
    }

    /// The moment itself.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Cuts the moment to the millisecond.
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment.trunc_subsecs(3))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = AuditError;

    fn try_from(text: String) -> Result<Self, AuditError> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The person, as their certificate names them.
    pub person: String,
    /// The organisation they act for.
    pub organisation: String,
    /// The role they acted in.
    pub role: String,
}

/// One entry of the log: who did what, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The format of this entry; [`ENTRY_VERSION`] for new ones.
    pub version: u32,
    /// When it happened, by the caller's clock.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// An entry of today's version.
    #[must_use]
    pub fn new(time: Timestamp, actor: Actor, event: Event) -> Self {
        Self {
            version: ENTRY_VERSION,
            time,
            actor,
            event,
        }
    }

    /// The entry's canonical bytes: what the log stores and the Merkle tree covers.
    ///
    /// # Errors
    /// `AUDIT_ENTRY_TOO_LARGE` above [`ENTRY_BYTES_MAX`]; `AUDIT_ENTRY_VERSION` and `AUDIT_ENTRY_NOT_CANONICAL` for an
    /// entry that nobody could read back (another version; a year beyond 9999).
    pub fn to_canonical(&self) -> Result<Vec<u8>, AuditError> {
        let bytes = serde_json::to_vec(self).map_err(|_| AuditError::Bug {
            what: "an entry did not serialise",
        })?;
        // What is written must be readable for as long as records last, so every entry is read back before it is stored.
        Self::from_canonical(&bytes)?;
        Ok(bytes)
    }

    /// Reads canonical bytes, strictly: unknown fields, other field orders, spaces and other spellings are refused.
    ///
    /// # Errors
    /// `AUDIT_ENTRY_TOO_LARGE`, `AUDIT_ENTRY_NOT_CANONICAL` or `AUDIT_ENTRY_VERSION`. No message quotes the entry.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, AuditError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(AuditError::EntryTooLarge {
                bytes: bytes.len(),
                bytes_max: ENTRY_BYTES_MAX,
            });
        }
        let entry: Self =
            serde_json::from_slice(bytes).map_err(|error| AuditError::EntryNotCanonical {
                // The parser's own message could quote the text; its position cannot.
                at_byte: error.column(),
            })?;
        let again = serde_json::to_vec(&entry).map_err(|_| AuditError::Bug {
            what: "an entry did not serialise",
        })?;
        if again != bytes {
            let same = again.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            return Err(AuditError::EntryNotCanonical { at_byte: same + 1 });
        }
        if entry.version != ENTRY_VERSION {
            return Err(AuditError::EntryVersion {
                version: entry.version,
                version_known: ENTRY_VERSION,
            });
        }
        Ok(entry)
    }
}

/// An entry in the form the log stores: checked, and ready to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedEntry(Vec<u8>);

impl PreparedEntry {
    /// Encodes and checks an entry; no lock is needed for it, so it is done before waiting for one.
    ///
    /// # Errors
    /// Those of [`Entry::to_canonical`].
    pub fn new(entry: &Entry) -> Result<Self, AuditError> {
        entry.to_canonical().map(Self)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests;

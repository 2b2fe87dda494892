//! Cosignatures (C2SP tlog-cosignature, Ed25519): a witness's statement that, at a time, it had seen no larger tree of a
//! log than this one, and that this one continues all it had seen before.
//!
//! The signature arithmetic and the note's form are `signed_note`'s; what is here is the message that is signed and the
//! number that tells such keys from others.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine};
use signed_note::{Signature, Signer, StandardVerifier, Verifier};

use crate::error::{AuditError, quoted};
use crate::key::{LogKey, VERIFIER_KEY_BYTES_MAX, check_origin, known_by_its_text};

/// The type of these keys among those of C2SP signed-note.
const TYPE_COSIGNATURE_V1: u8 = 4;
/// The type of plain Ed25519 keys, which these are underneath.
const TYPE_ED25519: u8 = 1;
const PUBLIC_KEY_BYTES: usize = 32;
/// The time in front of each signature, seconds since 1970 in big-endian order.
const TIME_BYTES: usize = 8;
/// The latest time the specification allows.
const TIME_S_MAX: u64 = i64::MAX as u64;

/// The key that a witness cosigns with. On disk it is an Ed25519 signer key like a log's.
#[derive(Debug)]
pub struct WitnessKey {
    secret: LogKey,
    verifier: WitnessVerifierKey,
}

impl WitnessKey {
    /// A new key for the witness of this name, which should be a URL without its scheme.
    ///
    /// # Errors
    /// Those of [`LogKey::generate`].
    pub fn generate(name: &str) -> Result<Self, AuditError> {
        Self::of(LogKey::generate(name)?)
    }

    /// Reads a key that [`WitnessKey::save`] wrote.
    ///
    /// # Errors
    /// Those of [`LogKey::load`].
    pub fn load(path: &Path) -> Result<Self, AuditError> {
        Self::of(LogKey::load(path)?)
    }

    /// Writes the key to a new file that only its owner may read.
    ///
    /// # Errors
    /// Those of [`LogKey::save`].
    pub fn save(&self, path: &Path) -> Result<(), AuditError> {
        self.secret.save(path)
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &WitnessVerifierKey {
        &self.verifier
    }

    /// The line that cosigns the text of a checkpoint.
    pub(crate) fn cosign(&self, text: &[u8], time_s: u64) -> Result<String, AuditError> {
        let bug = || AuditError::Bug {
            what: "a checkpoint could not be cosigned",
        };
        let signature = self
            .secret
            .signer
            .sign(&message(text, time_s))
            .map_err(|_| bug())?;
        let stamped = [time_s.to_be_bytes().as_slice(), &signature].concat();
        // Read back: what its own key does not verify must never be shown.
        if time_s > TIME_S_MAX || !self.verifier.verify(text, &stamped) {
            return Err(bug());
        }
        let line = Signature::new(
            self.verifier.name().to_owned(),
            self.verifier.key_id(),
            stamped,
        )
        .map_err(|_| bug())?;
        String::from_utf8(line.to_bytes()).map_err(|_| bug())
    }

    fn of(secret: LogKey) -> Result<Self, AuditError> {
        let public = secret.verifier().public_bytes();
        let verifier =
            WitnessVerifierKey::new(secret.origin(), &public).ok_or(AuditError::Bug {
                what: "a fresh witness key was not readable",
            })?;
        Ok(Self { secret, verifier })
    }
}

/// The key that checks a witness's cosignatures: `<name>+<8 hexadecimal digits>+<base64>`, of type 4.
#[derive(Clone)]
pub struct WitnessVerifierKey {
    /// The same key as a plain one: it checks the signature beneath the time.
    plain: StandardVerifier,
    id: u32,
    text: String,
}

impl WitnessVerifierKey {
    fn new(name: &str, public: &[u8]) -> Option<Self> {
        let plain = [[TYPE_ED25519].as_slice(), public].concat();
        let plain_id = signed_note::key_id(name, &plain);
        let plain = format!("{name}+{plain_id:08x}+{}", BASE64_STANDARD.encode(&plain));
        let encoded = [[TYPE_COSIGNATURE_V1].as_slice(), public].concat();
        let id = signed_note::key_id(name, &encoded);
        Some(Self {
            plain: StandardVerifier::new(&plain).ok()?,
            id,
            text: format!("{name}+{id:08x}+{}", BASE64_STANDARD.encode(&encoded)),
        })
    }

    /// The witness's name.
    #[must_use]
    pub fn witness(&self) -> &str {
        self.plain.name()
    }

    /// What makes two keys one, whatever they are called: the signed message does not hold the witness's name.
    pub(crate) fn encoded(&self) -> &str {
        self.text.rsplit('+').next().unwrap_or_default()
    }
}

impl Verifier for WitnessVerifierKey {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    /// Reports whether a time and the signature behind it cosign a checkpoint's text.
    fn verify(&self, text: &[u8], stamped: &[u8]) -> bool {
        time_of(stamped).is_some_and(|(time_s, signature)| {
            time_s <= TIME_S_MAX && self.plain.verify(&message(text, time_s), signature)
        })
    }
}

impl FromStr for WitnessVerifierKey {
    type Err = AuditError;

    /// Reads a key; space around it is not minded.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let text = text.trim_ascii();
        let invalid = |reason| AuditError::VerifierKeyInvalid {
            given: quoted(text),
            reason,
        };
        if text.len() > VERIFIER_KEY_BYTES_MAX {
            return Err(invalid("it is too long for a key"));
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid("it is malformed"));
        };
        check_origin(name).map_err(invalid)?;
        let encoded = BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| invalid("it is malformed"))?;
        let public = match encoded.split_first() {
            Some((&TYPE_COSIGNATURE_V1, public)) if public.len() == PUBLIC_KEY_BYTES => public,
            Some((&TYPE_ED25519, _)) => {
                return Err(invalid("it is a log's key and not a witness's"));
            }
            _ => return Err(invalid("it is not a witness's Ed25519 key")),
        };
        let key = Self::new(name, public).ok_or_else(|| invalid("it is not an Ed25519 key"))?;
        if !id.eq_ignore_ascii_case(&format!("{:08x}", key.id)) {
            return Err(invalid(
                "its parts do not belong together (it was altered or cut)",
            ));
        }
        Ok(key)
    }
}

impl fmt::Display for WitnessVerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

known_by_its_text!(WitnessVerifierKey);

/// A cosignature that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cosignature {
    /// The witness's name.
    pub witness: String,
    /// When it cosigned, by its own clock, in seconds since 1970.
    pub time_s: u64,
}

impl Cosignature {
    /// What a signature whose verification succeeded says.
    pub(crate) fn of(signature: &Signature) -> Option<Self> {
        Some(Self {
            witness: signature.name().to_owned(),
            time_s: time_of(signature.signature())?.0,
        })
    }
}

/// The time in front of a signature, and the signature.
fn time_of(stamped: &[u8]) -> Option<(u64, &[u8])> {
    let (time, signature) = stamped.split_first_chunk::<TIME_BYTES>()?;
    Some((u64::from_be_bytes(*time), signature))
}

/// What is signed: two lines, then the whole text of the checkpoint.
fn message(text: &[u8], time_s: u64) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time_s}\n").as_bytes(), text].concat()
}

#[cfg(test)]
mod tests;

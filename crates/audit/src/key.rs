//! The log's keys: the secret one that signs checkpoints, the public one that everybody else checks them with.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use signed_note::{StandardSigner, StandardVerifier, Verifier, VerifierError};
use zeroize::Zeroizing;

use crate::disk::sync_parent;
use crate::error::{AuditError, quoted};

/// The longest name of a log. A checkpoint's first line stays readable, and a file system or URL can hold it.
pub const ORIGIN_BYTES_MAX: usize = 255;
/// The longest verifier key looked at: the name, the key and some room.
pub const VERIFIER_KEY_BYTES_MAX: usize = 1_024;
/// The longest signing key file looked at.
pub const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// Ed25519's number among the signature types of C2SP signed-note.
const ALGORITHM_ED25519: u8 = 1;
const SEED_BYTES: usize = 32;
const OWNER_ONLY: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// The key that signs a log's checkpoints. It has no `Display`, and its `Debug` shows the public half only.
///
/// Its text form (a signed-note signer key, `PRIVATE+KEY+…`) is wiped from memory when it is dropped.
pub struct LogKey {
    pub(crate) signer: StandardSigner,
    verifier: VerifierKey,
    secret: Zeroizing<String>,
}

impl LogKey {
    /// A new key from the system's randomness, for the log named `origin`.
    ///
    /// # Errors
    /// `AUDIT_ORIGIN_INVALID` when the name is empty, longer than [`ORIGIN_BYTES_MAX`], or has spaces, control
    /// characters or a plus (C2SP signed-note); `AUDIT_RANDOMNESS`.
    pub fn generate(origin: &str) -> Result<Self, AuditError> {
        check_origin(origin).map_err(|reason| AuditError::OriginInvalid {
            given: quoted(origin),
            reason,
        })?;
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        SystemRandom::new()
            .fill(seed.as_mut())
            .map_err(|_| AuditError::Randomness)?;
        let bug = AuditError::Bug {
            what: "a fresh signing key was not usable",
        };
        let public = public_key(seed.as_ref()).ok_or(bug)?;
        let id = signed_note::key_id(origin, &public);
        let private = Zeroizing::new([[ALGORITHM_ED25519].as_slice(), seed.as_ref()].concat());
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(private.as_slice()));
        let secret = Zeroizing::new(format!(
            "PRIVATE+KEY+{origin}+{id:08x}+{}",
            encoded.as_str()
        ));
        Self::from_secret(secret).map_err(|_| AuditError::Bug {
            what: "a fresh signing key was not readable",
        })
    }

    /// Writes the key to a new file that only its owner may read; durable when this returns.
    ///
    /// # Errors
    /// `AUDIT_SIGNING_KEY_EXISTS` when there is such a file (it stays as it is); `AUDIT_IO`.
    pub fn save(&self, path: &Path) -> Result<(), AuditError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(OWNER_ONLY)
            .open(path)
            .map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => AuditError::SigningKeyExists {
                    file: path.to_owned(),
                },
                _ => AuditError::io("create the signing key file", path, error),
            })?;
        let written = file
            .write_all(self.secret.as_bytes())
            .and_then(|()| file.write_all(b"\n"));
        written
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_parent(path))
            .map_err(|error| AuditError::io("write the signing key file", path, error))
    }

    /// Reads a key that [`LogKey::save`] wrote.
    ///
    /// # Errors
    /// `AUDIT_SIGNING_KEY_EXPOSED` when group or others have any access to the file; `AUDIT_SIGNING_KEY_INVALID` when
    /// it holds no key; `AUDIT_IO`.
    pub fn load(path: &Path) -> Result<Self, AuditError> {
        let invalid = |reason| AuditError::SigningKeyInvalid {
            file: path.to_owned(),
            reason,
        };
        let io = |error| AuditError::io("read the signing key file", path, error);
        if !fs::metadata(path).map_err(io)?.is_file() {
            return Err(invalid("it is not a regular file"));
        }
        let file = fs::File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(AuditError::SigningKeyExposed {
                file: path.to_owned(),
                mode,
            });
        }
        // Room for the whole text at once: a growing buffer would leave copies of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize + 2));
        file.take(KEY_FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidData => invalid("it is not text"),
                _ => io(error),
            })?;
        if text.len() as u64 > KEY_FILE_BYTES_MAX {
            return Err(invalid("it is too long for a key"));
        }
        Self::from_secret(Zeroizing::new(text.trim_ascii().to_owned())).map_err(invalid)
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.verifier.origin()
    }

    fn from_secret(secret: Zeroizing<String>) -> Result<Self, &'static str> {
        const REASON: &str =
            "it holds no `PRIVATE+KEY+…` line of an Ed25519 key that agrees with itself";
        let signer = StandardSigner::new(&secret).map_err(|_| REASON)?;
        let mut fields = secret.splitn(5, '+').skip(2);
        let (origin, encoded) = fields.next().zip(fields.nth(1)).ok_or(REASON)?;
        check_origin(origin)?;
        let private = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| REASON)?);
        let public = private.get(1..).and_then(public_key).ok_or(REASON)?;
        let id = signed_note::key_id(origin, &public);
        let verifier = format!("{origin}+{id:08x}+{}", BASE64_STANDARD.encode(&public));
        let verifier = verifier.parse().map_err(|_| REASON)?;
        Ok(Self {
            signer,
            verifier,
            secret,
        })
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({})", self.verifier)
    }
}

/// The encoded public key of a seed: the algorithm's byte, then the key.
fn public_key(seed: &[u8]) -> Option<Vec<u8>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    Some([[ALGORITHM_ED25519].as_slice(), pair.public_key().as_ref()].concat())
}

pub(crate) fn check_origin(origin: &str) -> Result<(), &'static str> {
    if origin.len() > ORIGIN_BYTES_MAX {
        return Err("it is longer than 255 bytes");
    }
    if origin.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    if !signed_note::is_key_name_valid(origin) {
        return Err("it is empty or has a space or a plus");
    }
    Ok(())
}

/// The key that checks a log's checkpoints: a signed-note verifier key, `<origin>+<8 hexadecimal digits>+<base64>`.
#[derive(Clone)]
pub struct VerifierKey {
    pub(crate) verifier: StandardVerifier,
    text: String,
}

impl VerifierKey {
    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }
}

impl VerifierKey {
    /// The 32 bytes of the Ed25519 key.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        let encoded = self.text.splitn(3, '+').nth(2).unwrap_or_default();
        // It was decoded before, or there would be no such key.
        let encoded = BASE64_STANDARD.decode(encoded).unwrap_or_default();
        encoded.get(1..).unwrap_or_default().to_vec()
    }
}

impl FromStr for VerifierKey {
    type Err = AuditError;

    /// Reads a key; space around it, as a file or a clipboard leaves it, is not minded.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let text = text.trim_ascii();
        let invalid = |reason| AuditError::VerifierKeyInvalid {
            given: quoted(text),
            reason,
        };
        if text.len() > VERIFIER_KEY_BYTES_MAX {
            return Err(invalid("it is too long for a key"));
        }
        let verifier = StandardVerifier::new(text).map_err(|error| {
            invalid(match error {
                VerifierError::Format => "it is malformed",
                VerifierError::Alg => "it is not an Ed25519 key",
                VerifierError::Id => "its parts do not belong together (it was altered or cut)",
            })
        })?;
        check_origin(verifier.name()).map_err(invalid)?;
        // The key number may come in capitals; one key has one text here, so that keys compare as texts.
        let encoded = text.splitn(3, '+').nth(2).unwrap_or_default();
        let text = format!("{}+{:08x}+{encoded}", verifier.name(), verifier.key_id());
        Ok(Self { verifier, text })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({})", self.text)
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for VerifierKey {}

#[cfg(test)]
mod tests;

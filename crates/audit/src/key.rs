//! The log's keys: the secret one that signs checkpoints, the public one that everybody else checks them with.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use signed_note::{
    Signer, StandardSigner, StandardVerifier, Verifier, VerifierError, VerifierList,
};
use zeroize::Zeroizing;

use crate::disk::sync_parent;
use crate::error::{AuditError, quoted};

/// The longest name of a log. A checkpoint's first line stays readable, and a file system or URL can hold it.
pub const ORIGIN_BYTES_MAX: usize = 255;
/// The longest verifier key looked at: the name, the key and some room; for each of the keys a log may have had.
pub const VERIFIER_KEY_BYTES_MAX: usize = 1_024 * KEYS_MAX;
/// The most keys of one log that are accepted at once.
pub const KEYS_MAX: usize = 8;
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
    /// Earlier keys that still sign beside it, so that whoever knows none but them goes on verifying.
    beside: Vec<LogKey>,
}

impl LogKey {
    /// A new key for the same log. The ones before sign beside it, until they are [retired](LogKey::retire_others).
    ///
    /// # Errors
    /// As [`LogKey::generate`]; `AUDIT_SIGNING_KEYS_TOO_MANY`.
    pub fn successor(self) -> Result<Self, AuditError> {
        let mut next = Self::generate(self.origin())?;
        let mut all = next.verifier.clone();
        all.also.extend(self.verifier.singles());
        if all.also.len() >= KEYS_MAX {
            return Err(AuditError::SigningKeysTooMany { keys_max: KEYS_MAX });
        }
        next.verifier = all;
        let mut last = self;
        let before = std::mem::take(&mut last.beside);
        last.verifier.also.clear();
        next.beside.push(last);
        next.beside.extend(before);
        Ok(next)
    }

    /// Has this key sign alone from here on. What the others signed goes on verifying.
    pub fn retire_others(&mut self) {
        self.beside.clear();
    }

    /// How many keys sign.
    #[must_use]
    pub fn signs_with(&self) -> usize {
        1 + self.beside.len()
    }

    /// Everything that signs, for a note.
    pub(crate) fn signers(&self) -> Vec<&dyn Signer> {
        let beside = self.beside.iter().map(|key| &key.signer as &dyn Signer);
        std::iter::once(&self.signer as &dyn Signer)
            .chain(beside)
            .collect()
    }

    /// What a file holds: the keys that sign, each on a line, and then the public halves of those that did.
    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX as usize + 2));
        let mut signing = vec![self.verifier.single()];
        text.extend([self.secret.as_str(), "\n"]);
        for key in &self.beside {
            text.extend([key.secret.as_str(), "\n"]);
            signing.push(key.verifier.single());
        }
        for key in self.verifier.singles() {
            if !signing.contains(&key) {
                text.extend([key.text.as_str(), "\n"]);
            }
        }
        text
    }

    fn from_text(text: &str) -> Result<Self, &'static str> {
        let mut signing = Vec::new();
        let mut accepted = Vec::new();
        for line in text
            .lines()
            .map(str::trim_ascii)
            .filter(|line| !line.is_empty())
        {
            if line.starts_with("PRIVATE+KEY+") || signing.is_empty() {
                signing.push(Self::from_secret(Zeroizing::new(line.to_owned()))?);
            } else {
                accepted
                    .push(VerifierKey::from_line(line).map_err(|_| "one of its lines is no key")?);
            }
        }
        let mut signing = signing.into_iter();
        let mut key = signing.next().ok_or("it is empty")?;
        key.beside = signing.collect();
        let others = key.beside.iter().map(|key| key.verifier.clone());
        key.verifier.also = others.chain(accepted).collect();
        match key.verifier.is_one_log() {
            true => Ok(key),
            false => Err("its keys are of several logs, too many, or one is there twice"),
        }
    }

    /// Puts the key into a file in place of the one there, in one step: a crash leaves the one or the other.
    ///
    /// # Errors
    /// `AUDIT_IO`. Either may be there then.
    pub fn replace(&self, path: &Path) -> Result<(), AuditError> {
        let io = |error| AuditError::io("replace the signing key file", path, error);
        let unfinished = path.with_extension("key.new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        self.save(&unfinished)?;
        fs::rename(&unfinished, path).map_err(io)?;
        sync_parent(path).map_err(io)
    }

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
        let written = file.write_all(self.to_text().as_bytes());
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
        Self::from_text(&text).map_err(invalid)
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
            beside: Vec::new(),
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

/// The key that checks a log's checkpoints: a signed-note verifier key, `<origin>+<8 hexadecimal digits>+<base64>`. Where a
/// log has changed its key, one such line for each key it has had, the newest first; a signature by any of them will do.
#[derive(Clone)]
pub struct VerifierKey {
    pub(crate) verifier: StandardVerifier,
    text: String,
    /// Earlier keys, without any of their own.
    also: Vec<VerifierKey>,
}

impl VerifierKey {
    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }
}

impl VerifierKey {
    /// The newest key alone.
    #[must_use]
    pub fn single(&self) -> Self {
        Self {
            also: Vec::new(),
            ..self.clone()
        }
    }

    /// Every key by itself, the newest first.
    pub fn singles(&self) -> Vec<Self> {
        let earlier = self.also.iter().cloned();
        std::iter::once(self.single()).chain(earlier).collect()
    }

    /// What a note is verified with: one signature will do.
    pub(crate) fn verifiers(&self) -> VerifierList {
        let all = self.singles().into_iter();
        VerifierList::new(
            all.map(|key| Box::new(key.verifier) as Box<dyn Verifier>)
                .collect(),
        )
    }

    /// Whether all keys are of one log, and each is there once.
    fn is_one_log(&self) -> bool {
        let texts: BTreeSet<&str> = self.also.iter().map(|key| key.text.as_str()).collect();
        self.also.len() < KEYS_MAX
            && texts.len() == self.also.len()
            && !texts.contains(self.text.as_str())
            && self.also.iter().all(|key| key.origin() == self.origin())
    }

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

    /// Reads a key, or each key of a log on a line; space around them, as a file or a clipboard leaves it, is not minded.
    fn from_str(text: &str) -> Result<Self, AuditError> {
        let text = text.trim_ascii();
        let invalid = |reason| AuditError::VerifierKeyInvalid {
            given: quoted(text),
            reason,
        };
        if text.len() > VERIFIER_KEY_BYTES_MAX {
            return Err(invalid("it is too long for a key"));
        }
        let mut lines = text.split('\n');
        let mut key = Self::from_line(lines.next().unwrap_or_default())?;
        key.also = lines.map(Self::from_line).collect::<Result<_, _>>()?;
        match key.is_one_log() {
            true => Ok(key),
            false => Err(invalid(
                "its lines are of several logs, too many, or one is there twice",
            )),
        }
    }
}

impl VerifierKey {
    fn from_line(text: &str) -> Result<Self, AuditError> {
        let text = text.trim_ascii();
        let invalid = |reason| AuditError::VerifierKeyInvalid {
            given: quoted(text),
            reason,
        };
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
        Ok(Self {
            verifier,
            text,
            also: Vec::new(),
        })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.also.iter().try_for_each(|key| write!(f, "\n{key}"))
    }
}

/// A public key is its text: by it two are one, and it is all there is to show.
macro_rules! known_by_its_text {
    ($key:ident) => {
        impl std::fmt::Debug for $key {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let text = self.to_string().replace('\n', ", ");
                write!(f, concat!(stringify!($key), "({})"), text)
            }
        }

        impl PartialEq for $key {
            fn eq(&self, other: &Self) -> bool {
                self.to_string() == other.to_string()
            }
        }

        impl Eq for $key {}
    };
}
pub(crate) use known_by_its_text;

known_by_its_text!(VerifierKey);

#[cfg(test)]
mod tests;

//! A checked SHA-256 digest: the one way entries refer to bytes kept elsewhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{AuditError, quoted};

const PREFIX: &str = "sha256:";
const DIGEST_BYTES: usize = 32;

/// A SHA-256 digest, written `sha256:` followed by 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; DIGEST_BYTES]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = [0; DIGEST_BYTES];
        sum.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
        Self(sum)
    }

    /// A digest computed elsewhere (streaming, for instance).
    #[must_use]
    pub fn from_bytes(sum: [u8; DIGEST_BYTES]) -> Self {
        Self(sum)
    }

    /// The 32 bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let invalid = || AuditError::DigestInvalid {
            given: quoted(text),
        };
        let digits = text.strip_prefix(PREFIX).ok_or_else(invalid)?;
        // `hex` reads capitals too; one digest has one spelling here.
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid());
        }
        let mut sum = [0; DIGEST_BYTES];
        hex::decode_to_slice(digits, &mut sum).map_err(|_| invalid())?;
        Ok(Self(sum))
    }
}

impl TryFrom<String> for Digest {
    type Error = AuditError;

    fn try_from(text: String) -> Result<Self, AuditError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_published_one() {
        // FIPS 180-4 example: SHA-256 of the empty string.
        let expected = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), expected);
        assert_eq!(expected.parse::<Digest>().unwrap(), Digest::of(b""));
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = Digest::of(b"x").to_string();
        let cases = [
            String::new(),
            good[PREFIX.len()..].to_owned(),
            good.to_uppercase(),
            good.replace("sha256:", "sha256:A")
                .chars()
                .take(good.len())
                .collect(),
            good[..good.len() - 1].to_owned(),
            format!("{good}0"),
            format!(" {good}"),
            good.replace("sha256", "sha512"),
            format!("sha256:{}", "é".repeat(32)),
        ];
        for text in cases {
            let error = text.parse::<Digest>().unwrap_err();
            assert_eq!(error.code(), "AUDIT_DIGEST_INVALID", "{text}");
        }
    }
}

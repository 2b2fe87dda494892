//! The head: up to where the file of releases is acknowledged.
//!
//! It is replaced whole, now and then and when the ledger is closed. What it covers was acknowledged, and is damage where it
//! does not open; what lies beyond it is read as far as it is whole.

use std::path::Path;

use crate::question::Digest;
use crate::store::seal::{LedgerKey, TAG_LEN, random};
use crate::{LedgerError, Result};

const SALT_LEN: usize = 32;
const PLAIN_LEN: usize = 16 + 8 + 8 + 32;
pub(crate) const HEAD_LEN: usize = SALT_LEN + PLAIN_LEN + TAG_LEN;
const PURPOSE: &str = "head";

/// Length of the id of a file of releases.
pub(crate) const ID_LEN: usize = 16;

/// Up to where a file of releases is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// The file's id.
    pub(crate) id: [u8; ID_LEN],
    pub(crate) releases: u64,
    pub(crate) bytes: u64,
    /// A digest over all releases, each with the one before.
    pub(crate) chain: Digest,
}

impl Head {
    /// The head of an empty file.
    pub(crate) fn start(id: [u8; ID_LEN]) -> Head {
        Head {
            id,
            releases: 0,
            bytes: super::HEADER_LEN,
            chain: [0; 32],
        }
    }

    /// The head with one release more.
    pub(crate) fn after(&self, bytes: u64, chain: Digest) -> Head {
        Head {
            id: self.id,
            releases: self.releases + 1,
            bytes: self.bytes + bytes,
            chain,
        }
    }

    pub(crate) fn seal(&self, key: &LedgerKey) -> Result<Vec<u8>> {
        let salt: [u8; SALT_LEN] = random()?;
        let mut plain = Vec::with_capacity(PLAIN_LEN);
        plain.extend_from_slice(&self.id);
        plain.extend_from_slice(&self.releases.to_le_bytes());
        plain.extend_from_slice(&self.bytes.to_le_bytes());
        plain.extend_from_slice(&self.chain);
        let mut sealed = salt.to_vec();
        key.pieces(PURPOSE, &salt)?
            .seal_onto(&mut sealed, 0, &[], &plain)?;
        Ok(sealed)
    }

    /// # Errors
    /// [`LedgerError::Damaged`] where the bytes are not a head under this key.
    pub(crate) fn open(key: &LedgerKey, path: &Path, mut bytes: Vec<u8>) -> Result<Head> {
        let damaged = || {
            LedgerError::damaged(
                path,
                "it does not open: it was changed, or the key is another",
            )
        };
        let (salt, sealed) = bytes.split_at_mut_checked(SALT_LEN).ok_or_else(damaged)?;
        let length = key
            .pieces(PURPOSE, salt)?
            .open(0, &[], sealed)
            .ok_or_else(damaged)?;
        let plain = &sealed[..length];
        let number = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(plain.get(at..at + 8)?.try_into().ok()?))
        };
        let head = || {
            Some(Head {
                id: plain.get(..16)?.try_into().ok()?,
                releases: number(16)?,
                bytes: number(24)?,
                chain: plain.get(32..)?.try_into().ok()?,
            })
        };
        head().ok_or_else(damaged)
    }
}

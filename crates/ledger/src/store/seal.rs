//! Sealing: AES-256-GCM, each piece bound to its place.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::{LedgerError, Result};

/// Length of every key, in bytes.
const KEY_LEN: usize = 32;
/// What a seal adds, in bytes.
pub(crate) const TAG_LEN: usize = 16;

/// The key of a ledger: 256 random bits that open it and nothing else. The caller keeps it, and wraps it where it lies
/// on a disk.
pub struct LedgerKey(Zeroizing<[u8; KEY_LEN]>);

/// A key that seals the pieces of one thing, each under its own number. A piece is sealed once.
pub(crate) struct PieceKey(LessSafeKey);

impl LedgerKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; KEY_LEN]) -> LedgerKey {
        LedgerKey(Zeroizing::new(bytes))
    }

    pub(crate) fn again(&self) -> LedgerKey {
        LedgerKey(self.0.clone())
    }

    /// Bytes for one purpose and one salt (HKDF-SHA-256, RFC 5869), so that no two uses share a key.
    pub(crate) fn derive(&self, purpose: &str, salt: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>> {
        let failed = |_| LedgerError::Internal {
            action: "deriving a key",
        };
        let mut derived = Zeroizing::new([0; KEY_LEN]);
        let salted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt);
        let info = [b"weir ledger v1 ".as_slice(), purpose.as_bytes()];
        let prk = salted.extract(self.0.as_slice());
        let okm = prk.expand(&info, hkdf::HKDF_SHA256).map_err(failed)?;
        okm.fill(derived.as_mut_slice()).map_err(failed)?;
        Ok(derived)
    }

    pub(crate) fn pieces(&self, purpose: &str, salt: &[u8]) -> Result<PieceKey> {
        let key = self.derive(purpose, salt)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice());
        let key = key.map_err(|_| LedgerError::Internal {
            action: "making a key",
        })?;
        Ok(PieceKey(LessSafeKey::new(key)))
    }
}

/// The key takes a random salt, so that it seals each number once even where a write is repeated.
fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

impl PieceKey {
    /// Seals what these bytes begin with: the tag takes the last of them.
    pub(crate) fn seal(&self, number: u64, place: &[u8], bytes: &mut [u8]) -> Result<()> {
        let sealing = LedgerError::Internal { action: "sealing" };
        let plain = bytes.len().checked_sub(TAG_LEN).ok_or(sealing)?;
        let (plain, room) = bytes.split_at_mut(plain);
        let sealed = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(place), plain);
        let tag = sealed.map_err(|_| LedgerError::Internal { action: "sealing" })?;
        room.copy_from_slice(tag.as_ref());
        Ok(())
    }

    /// Appends the sealed piece: ciphertext and tag.
    pub(crate) fn seal_onto(
        &self,
        out: &mut Vec<u8>,
        number: u64,
        place: &[u8],
        plain: &[u8],
    ) -> Result<()> {
        let at = out.len();
        out.extend_from_slice(plain);
        out.resize(out.len() + TAG_LEN, 0);
        self.seal(number, place, &mut out[at..])
    }

    /// Opens a piece; none where key, number, place or a single bit differs.
    pub(crate) fn open(&self, number: u64, place: &[u8], sealed: &mut [u8]) -> Option<usize> {
        let opened = self
            .0
            .open_in_place(nonce(number), Aad::from(place), sealed);
        Some(opened.ok()?.len())
    }
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| LedgerError::Random)?;
    Ok(bytes)
}

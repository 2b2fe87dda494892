//! Sealing: AES-256-GCM with a random nonce, bound to a purpose and a place.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::{Result, VaultError};

/// Length of every key, in bytes.
pub(crate) const KEY_LEN: usize = 32;

/// Fills a buffer with random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| VaultError::Random)?;
    Ok(bytes)
}

/// A key for one purpose, derived from `key` with HKDF-SHA-256 (RFC 5869), so that no two uses share a key.
pub(crate) fn derive(
    key: &[u8; KEY_LEN],
    purpose: &'static str,
) -> Result<Zeroizing<[u8; KEY_LEN]>> {
    expand(key, purpose)
}

/// A key for one purpose that nobody can derive who lacks any one of these keys. Their order matters.
pub(crate) fn derive_of_all(
    keys: &[Zeroizing<[u8; KEY_LEN]>],
    purpose: &'static str,
) -> Result<Zeroizing<[u8; KEY_LEN]>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(keys.len() * KEY_LEN));
    for key in keys {
        secret.extend_from_slice(key.as_slice());
    }
    expand(&secret, purpose)
}

fn expand(secret: &[u8], purpose: &'static str) -> Result<Zeroizing<[u8; KEY_LEN]>> {
    let failed = |_| VaultError::Internal {
        action: "deriving a key",
    };
    let mut derived = Zeroizing::new([0; KEY_LEN]);
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"weir vault v1");
    let info = [purpose.as_bytes()];
    let okm = salt
        .extract(secret)
        .expand(&info, hkdf::HKDF_SHA256)
        .map_err(failed)
        .and_then(|okm| {
            // The expanded length equals the key length: both are one SHA-256 output.
            okm.fill(derived.as_mut_slice()).map_err(failed)
        });
    okm.map(|()| derived)
}

/// Seals `plain`: nonce, ciphertext, tag. `place` must be given again to open it.
///
/// A random 96-bit nonce is safe for 2^32 messages under one key (NIST SP 800-38D §8.3); the vault's keys seal a few
/// messages each, the master key one per dataset and population.
pub(crate) fn seal(key: &[u8; KEY_LEN], place: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let failed = |_| VaultError::Internal { action: "sealing" };
    let nonce = random::<NONCE_LEN>()?;
    let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(failed)?);
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place),
            &mut sealed[NONCE_LEN..],
        )
        .map_err(failed)?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

/// Opens what [`seal`] sealed; `None` where key, place or a single bit differs.
pub(crate) fn open(key: &[u8; KEY_LEN], place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut body = Zeroizing::new(body.to_vec());
    let length = key
        .open_in_place(nonce, Aad::from(place), body.as_mut_slice())
        .ok()?
        .len();
    body.truncate(length);
    Some(body)
}

/// As [`seal`], without a second copy of a large message.
pub(crate) fn seal_in_place(
    key: &[u8; KEY_LEN],
    place: &[u8],
    mut plain: Vec<u8>,
) -> Result<Vec<u8>> {
    let failed = |_| VaultError::Internal { action: "sealing" };
    let nonce = random::<NONCE_LEN>()?;
    let length = plain.len();
    plain.reserve_exact(NONCE_LEN + AES_256_GCM.tag_len());
    plain.extend_from_slice(&nonce);
    plain.copy_within(..length, NONCE_LEN);
    plain[..NONCE_LEN].copy_from_slice(&nonce);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(failed)?);
    let tag = key
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place),
            &mut plain[NONCE_LEN..],
        )
        .map_err(failed)?;
    plain.extend_from_slice(tag.as_ref());
    Ok(plain)
}

/// As [`open`], without a second copy of a large message.
pub(crate) fn open_in_place(
    key: &[u8; KEY_LEN],
    place: &[u8],
    mut sealed: Vec<u8>,
) -> Option<Vec<u8>> {
    let nonce = Nonce::try_assume_unique_for_key(sealed.get(..NONCE_LEN)?).ok()?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let length = key
        .open_within(nonce, Aad::from(place), &mut sealed, NONCE_LEN..)
        .ok()?
        .len();
    sealed.truncate(length);
    Some(sealed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn opens_only_with_the_same_key_place_and_bits() {
        let key = random().unwrap();
        let sealed = seal(&key, b"here", b"secret").unwrap();
        assert_eq!(open(&key, b"here", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(
            open_in_place(&key, b"here", sealed.clone()).unwrap(),
            b"secret"
        );
        let other = seal_in_place(&key, b"here", b"secret".to_vec()).unwrap();
        assert_eq!(open(&key, b"here", &other).unwrap().as_slice(), b"secret");
        assert!(open(&key, b"there", &sealed).is_none());
        assert!(open(&random().unwrap(), b"here", &sealed).is_none());
        for length in 0..sealed.len() {
            assert!(open(&key, b"here", &sealed[..length]).is_none());
        }
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, b"here", &flipped).is_none(), "bit {bit}");
            assert!(open_in_place(&key, b"here", flipped).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn purposes_have_different_keys() {
        let key = random().unwrap();
        assert_ne!(*derive(&key, "one").unwrap(), *derive(&key, "two").unwrap());
        assert_eq!(*derive(&key, "one").unwrap(), *derive(&key, "one").unwrap());
    }
}

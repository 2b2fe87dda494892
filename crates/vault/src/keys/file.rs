//! The master key in a file.

use std::fmt;
use std::fs;
use std::path::Path;

use zeroize::{Zeroize, Zeroizing};

use super::{DataKey, KeyKeeper};
use crate::durable;
use crate::seal::{self, KEY_LEN};
use crate::{Result, VaultError};

/// First characters of a master key file; the version is part of them.
const FILE_PREFIX: &str = "weir-master-key-v1:";
/// No master key file is longer, in bytes.
const FILE_BYTES_MAX: u64 = 256;

/// The domain's master key, kept in a file that only its owner may read.
pub struct MasterKey(Zeroizing<[u8; KEY_LEN]>);

impl MasterKey {
    /// Makes a new key and stores it in a new file (0600).
    ///
    /// # Errors
    /// When the file exists ([`VaultError::MasterKeyExists`]: a master key is never overwritten) or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        if path.exists() {
            return Err(VaultError::MasterKeyExists {
                path: path.to_owned(),
            });
        }
        let key = Self::random()?;
        durable::write_new(path, key.to_text().as_bytes())?;
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            durable::sync_folder(folder)?;
        }
        Ok(key)
    }

    pub(super) fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(seal::random()?)))
    }

    /// What its file holds.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize));
        let mut digits = hex::encode(self.0.as_slice());
        text.extend([FILE_PREFIX, &digits, "\n"]);
        digits.zeroize();
        text
    }

    /// Reads the key from its file.
    ///
    /// # Errors
    /// When there is no such file, others than its owner may read it, or it is not a key file.
    pub fn load(path: &Path) -> Result<Self> {
        let problem = |problem| VaultError::MasterKeyFile {
            path: path.to_owned(),
            problem,
        };
        let bytes = durable::read_if_there(path, FILE_BYTES_MAX)
            .map_err(|_| {
                problem("cannot be read as a master key file; check the path and its permissions")
            })?
            .ok_or_else(|| problem("no such file; check the path, or create the domain first"))?;
        let bytes = Zeroizing::new(bytes);
        if open_to_others(path) {
            return Err(problem(
                "others than its owner may read this key file; run `chmod 600` on it",
            ));
        }
        let damaged = "not a master key file, or damaged; restore it from a backup";
        let digits = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.strip_prefix(FILE_PREFIX))
            .ok_or_else(|| problem(damaged))?;
        let mut key = Zeroizing::new([0; KEY_LEN]);
        hex::decode_to_slice(digits.trim_end(), key.as_mut_slice())
            .map_err(|_| problem(damaged))?;
        Ok(Self(key))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl KeyKeeper for MasterKey {
    fn wrap_key(&self, key: &DataKey, place: &str) -> Result<Vec<u8>> {
        seal::seal(&self.0, place.as_bytes(), key.expose_secret())
    }

    fn unwrap_key(&self, wrapped: &[u8], place: &str) -> Result<Option<DataKey>> {
        let Some(plain) = seal::open(&self.0, place.as_bytes(), wrapped) else {
            return Ok(None);
        };
        let mut key = Zeroizing::new([0; KEY_LEN]);
        if plain.len() != KEY_LEN {
            return Ok(None);
        }
        key.copy_from_slice(&plain);
        Ok(Some(DataKey(key)))
    }
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_master_key_survives_its_file_and_shows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::create(&path).unwrap();
        let loaded = MasterKey::load(&path).unwrap();
        let key = DataKey::random().unwrap();
        let wrapped = made.wrap_key(&key, "here").unwrap();
        let unwrapped = loaded.unwrap_key(&wrapped, "here").unwrap().unwrap();
        assert_eq!(unwrapped.expose_secret(), key.expose_secret());
        assert!(loaded.unwrap_key(&wrapped, "there").unwrap().is_none());
        assert_eq!(format!("{made:?} {key:?}"), "MasterKey(..) DataKey(..)");
        assert_eq!(
            MasterKey::create(&path).unwrap_err().code(),
            "MASTER_KEY_EXISTS"
        );
    }

    #[test]
    fn a_bad_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert_eq!(
            MasterKey::load(&path).unwrap_err().code(),
            "MASTER_KEY_FILE"
        );
        durable::write_new(&path, b"weir-master-key-v1:abcd").unwrap();
        assert_eq!(
            MasterKey::load(&path).unwrap_err().code(),
            "MASTER_KEY_FILE"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            MasterKey::load(&path)
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
    }
}

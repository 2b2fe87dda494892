//! Keys, and who keeps the one that wraps the others: a file ([`MasterKey`]) or a token ([`TokenKey`]).

mod file;
mod rotating;
mod token;

use std::fmt;

use zeroize::Zeroizing;

use crate::Result;
use crate::seal::{self, KEY_LEN};
pub use file::MasterKey;
pub use rotating::FileKeeper;
pub use token::{TokenKey, TokenSettings};

/// A key for one population or one snapshot. Wiped when dropped; its `Debug` shows nothing.
pub struct DataKey(Zeroizing<[u8; KEY_LEN]>);

impl DataKey {
    /// A new key from the system's random number generator.
    pub fn random() -> Result<Self> {
        Ok(Self(Zeroizing::new(seal::random()?)))
    }

    /// The key with these bytes, as a keeper unwraps it.
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for a keeper to wrap. Handle with care: whoever has them reads the data.
    pub fn expose_secret(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// A key for one purpose, independent of those for the others.
    pub(crate) fn derive(&self, purpose: &'static str) -> Result<Zeroizing<[u8; KEY_LEN]>> {
        seal::derive(&self.0, purpose)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// Wraps and unwraps data keys.
///
/// An implementation MUST authenticate: `unwrap_key` answers `None` for a wrapped key that was altered, that another
/// master key wrapped, or that was wrapped for another `place`.
pub trait KeyKeeper: Send + Sync {
    /// Wraps `key` for `place`, a name that is unique in the vault.
    ///
    /// # Errors
    /// When the keeper cannot be reached or refuses.
    fn wrap_key(&self, key: &DataKey, place: &str) -> Result<Vec<u8>>;

    /// Unwraps what `wrap_key` made for the same `place`; `None` where it does not open.
    ///
    /// # Errors
    /// When the keeper cannot be reached or refuses.
    fn unwrap_key(&self, wrapped: &[u8], place: &str) -> Result<Option<DataKey>>;
}

//! The master key in a token: a hardware module, or software that speaks PKCS#11.
//!
//! The key is made in the token and cannot leave it. Wrapping is AES-256-GCM in the token, the place being the
//! additional authenticated data, so a wrapped key opens nowhere else. The layout is that of [`crate::seal`]: nonce,
//! ciphertext, tag. Data keys themselves do leave the token when they are unwrapped: the vault works with them.
//!
//! The module is loaded while running. It must be one that an operator of the domain trusts: it runs in this process.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::{Zeroize, Zeroizing};

use super::{DataKey, KeyKeeper};
use crate::seal::{self, KEY_LEN};
use crate::{Result, VaultError};

/// Length of a nonce, in bytes.
const NONCE_LEN: usize = 12;
/// Length of a tag, in bits.
const TAG_BITS: u64 = 128;

/// Modules that were loaded: PKCS#11 wants each to be initialised once in a process, and not to be unloaded.
static MODULES: Mutex<Option<HashMap<PathBuf, Pkcs11>>> = Mutex::new(None);

/// Which key in which token.
#[derive(Clone)]
pub struct TokenSettings {
    /// The module, a shared library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The key's label. Exactly one AES key of the token has it.
    pub key: String,
    /// The user's PIN.
    pub pin: Zeroizing<String>,
}

impl fmt::Debug for TokenSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSettings")
            .field("module", &self.module)
            .field("token", &self.token)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The domain's master key, kept in a token.
pub struct TokenKey {
    settings: TokenSettings,
    /// Logged in, with the key found. One request at a time; replaced when the token was away.
    open: Mutex<Option<Open>>,
}

struct Open {
    session: Session,
    key: ObjectHandle,
}

impl TokenKey {
    /// Finds the key in the token, or makes it there where it is not.
    ///
    /// # Errors
    /// [`VaultError::Token`] where module, token or PIN are wrong, or the key is one that could leave the token.
    pub fn create(settings: TokenSettings) -> Result<Self> {
        let session = log_in(&settings)?;
        if find(&settings, &session)?.is_none() {
            generate(&settings, &session)?;
        }
        drop(session);
        Self::load(settings)
    }

    /// Finds the key in the token.
    ///
    /// # Errors
    /// As [`TokenKey::create`], and where there is no such key.
    pub fn load(settings: TokenSettings) -> Result<Self> {
        let open = Open::new(&settings)?;
        Ok(Self {
            settings,
            open: Mutex::new(Some(open)),
        })
    }

    /// Does something with the key. Where the token fails, once more with a new session: the old one may have ended.
    fn with<T>(&self, work: impl Fn(&Open) -> Result<T, Error>) -> Result<Result<T, Error>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = open.as_ref() {
            let done = work(there);
            if done.is_ok() {
                return Ok(done);
            }
        }
        // The old session is closed first: the login ends with the last session, and must, for the new one to be real.
        *open = None;
        let again = Open::new(&self.settings)?;
        let done = work(&again);
        *open = Some(again);
        Ok(done)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("token", &self.settings.token)
            .finish_non_exhaustive()
    }
}

impl KeyKeeper for TokenKey {
    fn wrap_key(&self, key: &DataKey, place: &str) -> Result<Vec<u8>> {
        let nonce = seal::random::<NONCE_LEN>()?;
        let sealed = self.with(|open| open.encrypt(nonce, place, key.expose_secret()))?;
        let sealed = sealed.map_err(|error| failed(&self.settings, &error))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn unwrap_key(&self, wrapped: &[u8], place: &str) -> Result<Option<DataKey>> {
        let Some((nonce, body)) = wrapped.split_first_chunk::<NONCE_LEN>() else {
            return Ok(None);
        };
        let plain = match self.with(|open| open.decrypt(*nonce, place, body))? {
            Ok(plain) => Zeroizing::new(plain),
            // Modules answer a wrong tag in different ways, some as if they had failed. A token that still encrypts
            // has not: it is the bytes that are wrong.
            Err(error) => {
                let probe = self.with(|open| open.encrypt([0; NONCE_LEN], "probe", &[]))?;
                return match probe {
                    Ok(_) => Ok(None),
                    Err(_) => Err(failed(&self.settings, &error)),
                };
            }
        };
        let mut key = [0; KEY_LEN];
        if plain.len() != KEY_LEN {
            return Ok(None);
        }
        key.copy_from_slice(&plain);
        let unwrapped = DataKey::from_bytes(key);
        key.zeroize();
        Ok(Some(unwrapped))
    }
}

impl Open {
    fn new(settings: &TokenSettings) -> Result<Self> {
        let session = log_in(settings)?;
        let key = find(settings, &session)?.ok_or_else(|| {
            refused(
                settings,
                "it has no AES key with the label of the settings; check `key`, or restore the token from its backup",
            )
        })?;
        check_stays(settings, &session, key)?;
        Ok(Self { session, key })
    }

    fn encrypt(&self, nonce: [u8; NONCE_LEN], place: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = nonce;
        let params = GcmParams::new(&mut nonce, place.as_bytes(), TAG_BITS.into())?;
        self.session
            .encrypt(&Mechanism::AesGcm(params), self.key, plain)
    }

    fn decrypt(&self, nonce: [u8; NONCE_LEN], place: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = nonce;
        let params = GcmParams::new(&mut nonce, place.as_bytes(), TAG_BITS.into())?;
        self.session
            .decrypt(&Mechanism::AesGcm(params), self.key, body)
    }
}

fn module(settings: &TokenSettings) -> Result<Pkcs11> {
    let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
    let modules = modules.get_or_insert_default();
    if let Some(module) = modules.get(&settings.module) {
        return Ok(module.clone());
    }
    let module = start(&settings.module).ok_or_else(|| {
        refused(
            settings,
            "its PKCS#11 module cannot be loaded; check `module` and that the library is installed",
        )
    })?;
    modules.insert(settings.module.clone(), module.clone());
    Ok(module)
}

fn start(path: &Path) -> Option<Pkcs11> {
    let module = Pkcs11::new(path).ok()?;
    let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    match module.initialize(locking) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Some(module),
        Err(_) => None,
    }
}

fn log_in(settings: &TokenSettings) -> Result<Session> {
    let failed = |error| failed(settings, &error);
    let module = module(settings)?;
    let slot = module
        .get_slots_with_initialized_token()
        .map_err(failed)?
        .into_iter()
        .find(|slot| {
            module
                .get_token_info(*slot)
                .is_ok_and(|token| token.label() == settings.token)
        })
        .ok_or_else(|| {
            refused(
                settings,
                "there is no such token; check `token` and that the module sees it",
            )
        })?;
    let session = module.open_rw_session(slot).map_err(failed)?;
    let pin = AuthPin::new(settings.pin.as_str().into());
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
        Err(error) => Err(failed(error)),
    }
}

/// The key with the label of the settings.
fn find(settings: &TokenSettings, session: &Session) -> Result<Option<ObjectHandle>> {
    let found = session
        .find_objects(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(settings.key.clone().into_bytes()),
        ])
        .map_err(|error| failed(settings, &error))?;
    match found.as_slice() {
        [] => Ok(None),
        [key] => Ok(Some(*key)),
        _ => Err(refused(
            settings,
            "it has several AES keys with the label of the settings; leave one",
        )),
    }
}

fn generate(settings: &TokenSettings, session: &Session) -> Result<()> {
    let length = KEY_LEN as u64;
    session
        .generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::ValueLen(length.into()),
                Attribute::Label(settings.key.clone().into_bytes()),
            ],
        )
        .map(drop)
        .map_err(|error| failed(settings, &error))
}

/// A key that can be taken out is no better than one in a file, and looks as if it were.
fn check_stays(settings: &TokenSettings, session: &Session, key: ObjectHandle) -> Result<()> {
    let attributes = session
        .get_attributes(key, &[AttributeType::Sensitive, AttributeType::Extractable])
        .map_err(|error| failed(settings, &error))?;
    let stays = attributes.contains(&Attribute::Sensitive(true))
        && attributes.contains(&Attribute::Extractable(false));
    if stays {
        return Ok(());
    }
    Err(refused(
        settings,
        "the key can be taken out of it; make one that is sensitive and not extractable",
    ))
}

fn refused(settings: &TokenSettings, problem: &'static str) -> VaultError {
    VaultError::Token {
        token: settings.token.clone(),
        problem,
    }
}

fn failed(settings: &TokenSettings, error: &Error) -> VaultError {
    let problem = match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _) => {
            "the PIN is wrong; a few more attempts may lock the token"
        }
        Error::Pkcs11(RvError::PinLocked, _) => {
            "its PIN is locked; the token's security officer unlocks it"
        }
        _ => "it failed or was taken away; check the device and its driver, then try again",
    };
    refused(settings, problem)
}

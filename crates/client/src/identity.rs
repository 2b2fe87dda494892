//! An identity on disk: what a client needs to be somebody.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use serde::{Deserialize, Serialize};

use crate::error::ClientError;

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const AUTHORITY: &str = "authority.pem";
const SETTINGS: &str = "identity.toml";

/// A key that was made here, and the request to have it certified. The key never travels.
pub struct NewKey {
    /// The private key, PEM.
    pub key_pem: String,
    /// PKCS#10 request, PEM.
    pub signing_request_pem: String,
}

impl NewKey {
    /// Makes a key.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn generate() -> Result<Self, ClientError> {
        let made = KeyPair::generate().and_then(|key| {
            let request = CertificateParams::default().serialize_request(&key)?;
            Ok(Self {
                key_pem: key.serialize_pem(),
                signing_request_pem: request.pem()?,
            })
        });
        made.map_err(|error| ClientError::Identity {
            folder: PathBuf::new(),
            reason: error.to_string(),
        })
    }
}

/// An identity: certificate, key, the domain's authority, where the server is and the log's public key.
#[derive(Clone)]
pub struct IdentityFolder {
    /// Certificate, PEM.
    pub certificate_pem: String,
    /// Private key, PEM.
    pub key_pem: String,
    /// The domain's authority, PEM.
    pub authority_pem: String,
    /// Where the server is: `https://host:port`.
    pub server_url: String,
    /// The log's public key in C2SP vkey form.
    pub log_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    server_url: String,
    log_key: String,
}

impl IdentityFolder {
    /// Reads an identity.
    ///
    /// # Errors
    /// [`ClientError::Identity`], naming the file.
    pub fn load(folder: &Path) -> Result<Self, ClientError> {
        let read = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .map_err(|error| invalid(folder, format!("`{name}`: {error}")))
        };
        let settings: Settings = toml::from_str(&read(SETTINGS)?)
            .map_err(|error| invalid(folder, format!("`{SETTINGS}`: {error}")))?;
        Ok(Self {
            certificate_pem: read(CERTIFICATE)?,
            key_pem: read(KEY)?,
            authority_pem: read(AUTHORITY)?,
            server_url: settings.server_url,
            log_key: settings.log_key,
        })
    }

    /// Writes an identity into a folder that is not there yet, readable by this user alone.
    ///
    /// # Errors
    /// [`ClientError::Identity`] where the folder is there already or cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ClientError> {
        let settings = Settings {
            server_url: self.server_url.clone(),
            log_key: self.log_key.clone(),
        };
        let settings =
            toml::to_string(&settings).map_err(|error| invalid(folder, error.to_string()))?;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(|error| invalid(folder, error.to_string()))?;
        let files = [
            (CERTIFICATE, &self.certificate_pem),
            (KEY, &self.key_pem),
            (AUTHORITY, &self.authority_pem),
            (SETTINGS, &settings),
        ];
        files.into_iter().try_for_each(|(name, text)| {
            write_private(&folder.join(name), text)
                .map_err(|error| invalid(folder, format!("`{name}`: {error}")))
        })
    }
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    open.write_all(text.as_bytes())?;
    open.sync_all()
}

fn invalid(folder: &Path, reason: String) -> ClientError {
    ClientError::Identity {
        folder: folder.to_owned(),
        reason,
    }
}

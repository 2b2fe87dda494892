//! Where things lie in a domain's folder. Scripts and backups depend on these names.

use std::path::{Path, PathBuf};

/// A domain's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `root`, which need not exist.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Settings.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("domain.toml")
    }

    /// The release policy in force.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.0.join("policy.toml")
    }

    /// The registry's database.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.0.join("registry.sqlite")
    }

    /// The transparency log, in tlog-tiles layout.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The log's public key, for auditors.
    #[must_use]
    pub fn log_verifier_key(&self) -> PathBuf {
        self.0.join("log.vkey")
    }

    /// The ledger of what was released: sets of units, sealed.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    /// Sealed snapshots.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.0.join("vault")
    }

    /// Where files to be registered are put, unless the settings name other folders.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.0.join("inbox")
    }

    /// Identities made by `weir init`.
    #[must_use]
    pub fn identities(&self) -> PathBuf {
        self.0.join("identities")
    }

    /// Secret keys. Nobody but the server's user may read it.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// Compiled models. It may be emptied at any time.
    #[must_use]
    pub fn model_cache(&self) -> PathBuf {
        self.0.join("cache").join("models")
    }

    /// Says that the domain was restored from a backup and has not been served since.
    pub(crate) fn restored(&self) -> PathBuf {
        self.0.join("restored.json")
    }

    pub(crate) fn authority_certificate(&self) -> PathBuf {
        self.keys().join("authority.pem")
    }

    pub(crate) fn authority_key(&self) -> PathBuf {
        self.keys().join("authority.key")
    }

    pub(crate) fn log_key(&self) -> PathBuf {
        self.keys().join("log.key")
    }

    pub(crate) fn webhook_secret(&self) -> PathBuf {
        self.keys().join("webhook.secret")
    }

    pub(crate) fn master_key(&self) -> PathBuf {
        self.keys().join("master.key")
    }
}

//! The log's signing key, as the domain uses it beside the log: it signs grants, is told to clients, and is changed for
//! another one.
//!
//! The earlier key goes on signing beside the new one, so that nobody has to learn of the new one at once: a signed note
//! takes any number of signatures, and whoever knows one of the keys verifies it. Once everybody has the new key, the
//! earlier ones are retired. What they have signed verifies as before.
//!
//! The order of the steps of a change: *on record*, in an entry under the last key alone, which so vouches for the new one;
//! *the file of the key*, in one step: from here on the next start uses the new key; *the public file*; *the log*, beginning
//! with a checkpoint under both; *grants and clients*. A crash leaves an entry for a change that did not happen, or a change
//! that the next start completes.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use tokio::runtime::Handle;
use weir_audit::{Actor, Digest, Event, LogKey, VerifierKey};
use weir_registry::Registry;

use crate::declared::{self, Kept};
use crate::fault::Fault;
use crate::folder::Folder;
use crate::record::Record;

/// The key in use.
pub(crate) struct Signing(RwLock<LogKey>);

impl Signing {
    pub(crate) fn new(key: LogKey) -> Self {
        Self(RwLock::new(key))
    }

    /// What verifies whatever any key of the log has signed.
    pub(crate) fn verifier(&self) -> VerifierKey {
        self.key().verifier().clone()
    }

    /// The same, for clients: a key on each line, the newest first.
    pub(crate) fn text(&self) -> String {
        self.key().verifier().to_string()
    }

    /// Stands for what the key is to others: what it and those before it verify, and how many of them sign.
    pub(crate) fn public(&self) -> Digest {
        public(&self.key())
    }

    /// The newest key.
    pub(crate) fn newest(&self) -> String {
        self.key().verifier().single().to_string()
    }

    /// Earlier keys, and whether each still signs.
    pub(crate) fn earlier(&self) -> Vec<(String, bool)> {
        let key = self.key();
        let all = key.verifier().singles().into_iter().enumerate().skip(1);
        all.map(|(at, one)| (one.to_string(), at < key.signs_with()))
            .collect()
    }

    pub(crate) fn sign_statement(&self, kind: &str, body: &str) -> Result<String, Fault> {
        Ok(self.key().sign_statement(kind, body)?)
    }

    /// Writes the public file where it is not that of the key: a change was cut off.
    pub(crate) fn publish(&self, folder: &Folder) -> Result<(), Fault> {
        let file = folder.log_verifier_key();
        let text = format!("{}\n", self.text());
        match std::fs::read_to_string(&file) {
            Ok(found) if found == text => Ok(()),
            _ => {
                tracing::warn!(file = %file.display(), "the file was not what the log's key says; it is written again");
                crate::backup::publish(&file, &text)
            }
        }
    }

    /// Changes the key for a new one. Blocks.
    pub(crate) fn rotate(
        &self,
        folder: &Folder,
        (registry, record): (&Registry, &Record),
        actor: &Actor,
    ) -> Result<(), Fault> {
        let next = LogKey::load(&folder.log_key())?.successor()?;
        let event = Event::KeyRotated {
            key: "signing".to_owned(),
            public: next.verifier().single().to_string(),
        };
        record.append(actor.clone(), event)?;
        self.put(next, folder, (registry, record))
    }

    /// Has the newest key sign alone. Blocks.
    pub(crate) fn retire(
        &self,
        folder: &Folder,
        (registry, record): (&Registry, &Record),
        actor: &Actor,
    ) -> Result<(), Fault> {
        let mut key = LogKey::load(&folder.log_key())?;
        for (public, _) in self.earlier().into_iter().filter(|(_, signs)| *signs) {
            let event = Event::KeyRetired {
                key: "signing".to_owned(),
                public,
            };
            record.append(actor.clone(), event)?;
        }
        key.retire_others();
        self.put(key, folder, (registry, record))
    }

    fn put(
        &self,
        key: LogKey,
        folder: &Folder,
        (registry, record): (&Registry, &Record),
    ) -> Result<(), Fault> {
        key.replace(&folder.log_key())?;
        let file = folder.log_verifier_key();
        let text = format!("{}\n", key.verifier());
        crate::backup::publish(&file, &text)?;
        let of_log = LogKey::load(&folder.log_key())?;
        // Before anything could take the change for done.
        let known = declared::put(registry, record, Kept::Signing, public(&key));
        Handle::current().block_on(known)?;
        record.with(|log| Ok(log.set_key(of_log)?))?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    fn key(&self) -> RwLockReadGuard<'_, LogKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn public(key: &LogKey) -> Digest {
    let text = format!("{}\n{}", key.verifier(), key.signs_with());
    Digest::of(text.as_bytes())
}

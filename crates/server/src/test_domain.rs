//! A domain in a folder of its own, opened and closed as often as a test likes.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::net::{Ipv4Addr, SocketAddr};

use weir_audit::Event;

use crate::domain::Domain;
use crate::folder::Folder;
use crate::init::{InitOptions, init};
use crate::vault_settings::VaultConfig;

pub(crate) struct TestFolder {
    folder: Folder,
    _temporary: tempfile::TempDir,
}

impl TestFolder {
    pub(crate) async fn made() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path().join("domain"));
        let options = InitOptions {
            name: "test".to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            inboxes: Vec::new(),
            vault: VaultConfig::default(),
            organisation: "Data Bureau".to_owned(),
            person: "wang".to_owned(),
        };
        init(folder.root(), &options).await.unwrap();
        Self {
            folder,
            _temporary: temporary,
        }
    }

    pub(crate) async fn open(&self) -> Domain {
        Domain::open(self.folder.root()).await.unwrap()
    }

    pub(crate) async fn close(&self, domain: Domain) {
        domain.registry.close().await;
    }
}

/// Everything the log says.
pub(crate) fn entries(domain: &Domain) -> Vec<Event> {
    let events = |log: &mut weir_audit::Log| {
        let entries = log.entries(0..log.size())?.into_iter();
        Ok(entries.map(|entry| entry.event).collect())
    };
    domain.record.with(events).unwrap()
}

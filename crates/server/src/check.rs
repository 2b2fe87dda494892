//! Every byte of a domain that is not served, held against what the domain wrote.
//!
//! A start looks at what it needs and at what is small. This looks at all of it, however long it takes: the log down to each
//! hash, the registry against its seal and its indices, the ledger down to each set, the maps of all populations, every file
//! of every snapshot.

use std::path::Path;
use std::sync::Arc;

use weir_audit::verify_log;

use crate::domain::Domain;
use crate::fault::{Fault, panicked};

/// What was looked at, and is what the domain wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedDomain {
    /// Entries of the log.
    pub log_entries: u64,
    /// Rows of the registry.
    pub registry_rows: u64,
    /// Releases in the ledger.
    pub releases: u64,
    /// Populations.
    pub populations: u64,
    /// Snapshots that can be read.
    pub snapshots: u64,
}

/// Opens the domain in a folder as `serve` would, which settles what a crash may have left, and looks at every byte of it.
///
/// # Errors
/// Those of [`Domain::open`]; the first file that is not what the domain wrote, by its code.
pub async fn check_domain(root: &Path) -> Result<CheckedDomain, Fault> {
    let domain = Arc::new(Domain::open(root).await?);
    let registry = domain.registry.check().await?;
    let mut live = Vec::new();
    for dataset in domain.registry.datasets().await? {
        let snapshots = domain.registry.snapshots(&dataset.name).await?;
        let snapshots = snapshots.into_iter().filter(|one| one.is_live());
        live.extend(snapshots.map(|one| one.id));
    }
    let of_domain = Arc::clone(&domain);
    let checked = tokio::task::spawn_blocking(move || files(&of_domain, registry.rows, &live));
    let checked = checked.await.map_err(|_| panicked())?;
    domain.registry.close().await;
    checked
}

fn files(domain: &Domain, registry_rows: u64, live: &[String]) -> Result<CheckedDomain, Fault> {
    let key = domain.signing.verifier();
    let log_entries = verify_log(&domain.folder.log(), &key, &mut |_, _| {})?.entries;
    domain.released.check()?;
    let populations = domain.vault.check_populations(u64::MAX)?;
    for id in live {
        domain.vault.verify(id)?;
    }
    Ok(CheckedDomain {
        log_entries,
        registry_rows,
        releases: domain.released.releases(),
        populations,
        snapshots: live.len() as u64,
    })
}

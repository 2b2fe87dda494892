//! The snapshots of a dataset: which one a run reads, what an update may change, and how one ends.

use std::sync::Arc;

use weir_api::v1::{DestroySnapshotRequest, DestroySnapshotResponse};
use weir_audit::{Actor, Certificate, Digest, Event};
use weir_catalogue::Manifest;
use weir_registry::{DatasetRecord, Registry, Role, SnapshotEnd, SnapshotRecord};
use weir_vault::{Destruction, DestructionCertificate, Vault};

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, panicked, stopping};
use crate::record::Record;

/// Longest reason for destroying a snapshot, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Longest id that is quoted back, in characters.
const ID_CHARS_QUOTED: usize = 100;

/// The snapshot of a dataset that a run reads: the pinned one, or the newest that is not destroyed.
pub(crate) async fn choose(
    registry: &Registry,
    dataset: &DatasetRecord,
    pinned: &[String],
) -> Result<SnapshotRecord, Fault> {
    let snapshots = registry.snapshots(&dataset.name).await?;
    let mut asked = snapshots
        .iter()
        .filter(|snapshot| pinned.contains(&snapshot.id));
    let chosen = match (asked.next(), asked.next()) {
        (Some(one), None) => one,
        (Some(one), Some(other)) => {
            return Err(Fault::caller(
                "SNAPSHOT_PINNED_TWICE",
                format!(
                    "`{}` and `{}` are snapshots of one dataset. Pin one of them",
                    one.id, other.id
                ),
            ));
        }
        (None, _) => snapshots
            .iter()
            .find(|snapshot| snapshot.is_live())
            .ok_or_else(|| gone(&format!("every snapshot of `{}`", dataset.name), None))?,
    };
    match &chosen.end.destroyed_at {
        None => Ok(chosen.clone()),
        Some(at) => Err(gone(&format!("snapshot `{}`", chosen.id), Some(at))),
    }
}

/// Refuses pins that are no snapshot of what was read: a caller who names one believes that it was used.
pub(crate) fn all_used(pinned: &[String], read: &[&str]) -> Result<(), Fault> {
    match pinned.iter().find(|id| !read.contains(&id.as_str())) {
        None => Ok(()),
        Some(stray) => Err(Fault::caller(
            "SNAPSHOT_NOT_READ",
            format!(
                "`{}` is no snapshot of a dataset in the query. `weir dataset show NAME` lists those there are",
                quoted(stray)
            ),
        )),
    }
}

fn gone(what: &str, at: Option<&str>) -> Fault {
    let at = at.map(|at| format!(" on {at}")).unwrap_or_default();
    Fault::caller(
        "SNAPSHOT_DESTROYED",
        format!(
            "{what} was destroyed{at}; nobody can read it any more. `weir dataset show NAME` lists what is left"
        ),
    )
}

fn quoted(id: &str) -> String {
    id.chars().take(ID_CHARS_QUOTED).collect()
}

/// Whether a manifest may describe the next snapshot of a dataset: the same population, and every stored column still
/// there with its type and role. Queries and models that worked go on working.
pub(crate) fn check_update(old: &Manifest, new: &Manifest) -> Result<(), Fault> {
    let refused = |problem: String| {
        Err(Fault::caller(
            "DATASET_UPDATE_INCOMPATIBLE",
            format!(
                "`{}` cannot be updated so: {problem}. Columns may be added; for anything else register another dataset",
                new.name()
            ),
        ))
    };
    let units = |manifest: &Manifest| {
        let units = manifest.units().iter().map(|unit| {
            let identifier = &manifest.columns()[unit.column].name;
            format!("`{identifier}` of `{}`", unit.population)
        });
        units.collect::<Vec<_>>().join(", ")
    };
    if units(old) != units(new) {
        return refused(format!(
            "its rows are about {}, and not about {}",
            units(old),
            units(new)
        ));
    }
    for column in old.columns() {
        let name = &column.name;
        match new.columns().iter().find(|other| other.name == *name) {
            None => return refused(format!("column `{name}` is missing")),
            Some(other) if other.kind != column.kind => {
                return refused(format!(
                    "column `{name}` has the type {}, and not {}",
                    column.kind.name(),
                    other.kind.name()
                ));
            }
            Some(other) if other.role != column.role => {
                return refused(format!(
                    "column `{name}` has the role {}, and not {}",
                    column.role.name(),
                    other.role.name()
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Destroys a snapshot and puts it on record. The order is the vault's (`weir_vault`, `destroy.rs`), and then the log's
/// before the registry's: the log never says of a snapshot that could still be read that it was destroyed. A crash in
/// between is completed by [`complete`] at the next start.
pub(crate) async fn destroy(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: DestroySnapshotRequest,
) -> Result<DestroySnapshotResponse, Fault> {
    let DestroySnapshotRequest {
        dataset,
        snapshot,
        reason,
    } = request;
    let reason = check_reason(&reason)?;
    // Under the slot of registrations: what is newest does not change meanwhile.
    let slot = Arc::clone(&domain.registration_slots)
        .acquire_owned()
        .await
        .map_err(|_| stopping())?;
    let record = named(&domain.registry, &dataset, &snapshot).await?;
    let certificate_json = match record.end.certificate.clone() {
        Some(certificate) => certificate,
        None => {
            let order = Destruction {
                dataset: record.dataset.clone(),
                digest: record.digest.clone(),
                person: caller.person.clone(),
                organisation: caller.organisation.clone(),
                reason,
                at_unix_ms: domain.clock.now().timestamp_millis(),
            };
            let (vault, id) = (Arc::clone(&domain.vault), record.id.clone());
            let certificate = tokio::task::spawn_blocking(move || vault.destroy(&id, &order))
                .await
                .map_err(|_| panicked())??;
            put_on_record(&domain.record, &domain.registry, &certificate).await?
        }
    };
    drop(slot);
    Ok(DestroySnapshotResponse {
        dataset: record.dataset,
        snapshot: record.id,
        certificate_json,
    })
}

/// The snapshot that a request names: by id, or as the only one there is.
async fn named(registry: &Registry, dataset: &str, id: &str) -> Result<SnapshotRecord, Fault> {
    let snapshots = registry.snapshots(dataset).await?;
    if snapshots.is_empty() {
        return Err(Fault::caller(
            "DATASET_UNKNOWN",
            format!(
                "there is no dataset `{}`. `weir dataset list` shows those there are",
                quoted(dataset)
            ),
        ));
    }
    if !id.is_empty() {
        return snapshots
            .into_iter()
            .find(|snapshot| snapshot.id == id)
            .ok_or_else(|| {
                Fault::caller(
                    "SNAPSHOT_UNKNOWN",
                    format!(
                        "`{}` is no snapshot of `{dataset}`. `weir dataset show {dataset}` lists those there are",
                        quoted(id)
                    ),
                )
            });
    }
    let mut live: Vec<_> = snapshots
        .into_iter()
        .filter(SnapshotRecord::is_live)
        .collect();
    match live.len() {
        0 => Err(gone(&format!("every snapshot of `{dataset}`"), None)),
        1 => Ok(live.remove(0)),
        several => Err(Fault::caller(
            "SNAPSHOT_AMBIGUOUS",
            format!(
                "`{dataset}` has {several} snapshots. Name one with --snapshot ID; `weir dataset show {dataset}` lists them"
            ),
        )),
    }
}

fn check_reason(reason: &str) -> Result<String, Fault> {
    let reason = reason.trim();
    let fits = !reason.is_empty()
        && reason.chars().count() <= REASON_CHARS_MAX
        && !reason.chars().any(char::is_control);
    if fits {
        return Ok(reason.to_owned());
    }
    Err(Fault::caller(
        "REASON_INVALID",
        format!(
            "say why in one line of 1 to {REASON_CHARS_MAX} characters; it goes into the certificate and the log"
        ),
    ))
}

/// Logs a certificate, and marks its snapshot in the registry with certificate and receipt.
async fn put_on_record(
    record: &Record,
    registry: &Registry,
    certificate: &DestructionCertificate,
) -> Result<String, Fault> {
    let text = certificate.to_json()?;
    let actor = Actor {
        person: certificate.person.clone(),
        organisation: certificate.organisation.clone(),
        role: Role::Bureau.to_string(),
    };
    let event = Event::SnapshotDestroyed {
        dataset: certificate.dataset.clone(),
        snapshot: certificate.snapshot.clone(),
        digest: certificate.digest.parse()?,
        certificate: Digest::of(text.as_bytes()),
        reason: certificate.reason.clone(),
    };
    let receipt = record.append_async(actor, event).await?;
    let json = Certificate::new(text, receipt).to_json()?;
    let end = SnapshotEnd {
        destroyed_at: Some(certificate.destroyed_at.clone()),
        destroyed_by: Some(format!(
            "{} ({})",
            certificate.person, certificate.organisation
        )),
        destroy_reason: Some(certificate.reason.clone()),
        certificate: Some(json.clone()),
    };
    registry.end_snapshot(&certificate.snapshot, &end).await?;
    Ok(json)
}

/// Puts on record what a crash kept from it: certificates in the vault whose snapshots the registry takes for live. One
/// that was logged just before the crash is logged again.
pub(crate) async fn complete(
    vault: &Vault,
    registry: &Registry,
    record: &Record,
) -> Result<(), Fault> {
    let snapshots = registry.all_snapshots().await?;
    let certificates = vault.certificates()?;
    for certificate in &certificates {
        let known = snapshots
            .iter()
            .any(|snapshot| snapshot.id == certificate.snapshot && snapshot.is_live());
        if known {
            put_on_record(record, registry, certificate).await?;
        }
    }
    // The others are the ones that are on record: a certificate keeps a key that a backup brings back from being used.
    for snapshot in &snapshots {
        let Some(on_record) = &snapshot.end.certificate else {
            continue;
        };
        let on_record = Certificate::from_json(on_record.as_bytes())?;
        let there = certificates.iter().find(|one| one.snapshot == snapshot.id);
        let there = there.map(DestructionCertificate::to_json).transpose()?;
        if there.as_deref() != Some(on_record.text()) {
            return Err(Fault::environment(
                "CERTIFICATE_DAMAGED",
                format!(
                    "`vault/destroyed/{}.json` is not the certificate that is on record, or is gone. Put it back from a \
                     backup",
                    snapshot.id
                ),
            ));
        }
    }
    Ok(())
}

/// Removes snapshots that no dataset names: a crash came between sealing and registering, and nobody was told that they
/// were registered.
pub(crate) async fn discard_orphans(vault: &Vault, registry: &Registry) -> Result<(), Fault> {
    let snapshots = registry.all_snapshots().await?;
    for id in vault.snapshot_ids()? {
        if snapshots.iter().all(|snapshot| snapshot.id != id) {
            tracing::warn!(
                snapshot = id,
                "discarding a snapshot whose registration was interrupted"
            );
            vault.discard(&id)?;
        }
    }
    Ok(())
}

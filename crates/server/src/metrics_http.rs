//! The metrics over plain HTTP, on an address of their own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::domain::Domain;
use crate::fault::Fault;
use crate::http::{Answer, Asked, HttpServing, serve_http};
use crate::metrics::Snapshot;

/// What Prometheus understands.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long the size of the vault's folder is kept: finding it walks the folder.
const VAULT_SIZE_KEPT: Duration = Duration::from_secs(60);

/// Files that are looked at to find it.
const FILES_MAX: usize = 100_000;

/// Serves the metrics of a domain for as long as it is open.
pub(crate) async fn serve_metrics(
    listen: SocketAddr,
    domain: &Arc<Domain>,
) -> Result<HttpServing, Fault> {
    // Not the domain itself: a connection must not hold it open.
    let domain = Arc::downgrade(domain);
    let runtime = Handle::current();
    let size = Mutex::new(None);
    serve_http(
        listen,
        Arc::new(move |asked| answer(&domain, &runtime, &size, &asked)),
    )
    .await
}

type VaultSize = Mutex<Option<(Instant, u64)>>;

fn answer(domain: &Weak<Domain>, runtime: &Handle, size: &VaultSize, asked: &Asked) -> Answer {
    if asked.is_post {
        return Answer::text(405, "metrics are only read here");
    }
    if asked.path != "metrics" {
        return Answer::text(404, "the metrics are at /metrics");
    }
    let Some(domain) = domain.upgrade() else {
        return Answer::text(503, "the domain is closing");
    };
    let found = runtime.block_on(look(&domain)).and_then(|mut now| {
        now.vault_bytes = vault_bytes(&domain.vault_folder, size);
        domain.metrics.text(now)
    });
    match found {
        Ok(text) => Answer {
            status: 200,
            media_type: MEDIA_TYPE,
            cache: "no-store",
            body: text.into_bytes(),
        },
        Err(fault) => {
            tracing::error!(code = fault.code, reason = fault.message, "no metrics");
            Answer::text(500, "the metrics cannot be read")
        }
    }
}

async fn look(domain: &Domain) -> Result<Snapshot, Fault> {
    let witnesses = domain.record.witnesses();
    let (log_entries, log_cosigned_entries) = domain.record.with(|log| {
        let cosigned = log
            .cosigned()
            .filter(|cosigned| witnesses.are_enough(cosigned));
        Ok((log.size(), cosigned.map_or(0, |cosigned| cosigned.size())))
    })?;
    Ok(Snapshot {
        log_entries,
        log_cosigned_entries,
        witnesses_required: witnesses.required(),
        witness_entries: witnesses.seen(),
        slots_free: [
            ("run", domain.fair.slots_free()),
            (
                "registration",
                domain.registration_slots.available_permits(),
            ),
            ("vetting", domain.fair.vettings_free()),
        ],
        alerts_open: domain.registry.alerts_open().await?,
        alerts_unsent: domain.registry.alerts_waiting_count().await?,
        signals_waiting: domain.ear.waiting(),
        signals_lost: domain.ear.lost(),
        vault_bytes: 0,
    })
}

fn vault_bytes(folder: &Path, kept: &VaultSize) -> u64 {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    match *kept {
        Some((at, bytes)) if at.elapsed() < VAULT_SIZE_KEPT => bytes,
        _ => {
            let bytes = bytes_below(folder);
            *kept = Some((Instant::now(), bytes));
            bytes
        }
    }
}

/// The files of a folder and those below it. What cannot be read, or goes meanwhile, counts nothing.
fn bytes_below(folder: &Path) -> u64 {
    let (mut bytes, mut files) = (0_u64, 0);
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            files += 1;
            match entry.metadata() {
                _ if files > FILES_MAX => return bytes,
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

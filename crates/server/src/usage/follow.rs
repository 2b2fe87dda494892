//! Reads usage out of the log, and goes on where it stopped.

use chrono::{DateTime, Utc};
use weir_audit::{Entry, Event};
use weir_registry::{UsageFact, UsageRead, UsageRun};

use super::month::Month;
use crate::domain::Domain;
use crate::fault::{Fault, count, panicked};
use crate::grants::moment;

/// Entries read at once: nothing is appended meanwhile.
const ENTRIES_AT_ONCE: u64 = 256;

/// Takes over what the log says and the registry does not yet. Gives the number of entries read in all.
pub(crate) async fn catch_up(domain: &Domain) -> Result<u64, Fault> {
    loop {
        let from = domain.registry.usage_read_to().await?;
        let (size, facts, to) = read(domain, from).await?;
        if from > size {
            // The log is not the one that was read: a domain that was put back begins anew.
            domain.registry.forget_usage().await?;
            continue;
        }
        if from == to {
            return Ok(to);
        }
        domain.registry.add_usage((from, to), &facts).await?;
    }
}

/// The log's size, what the next entries say, and how far they reach.
async fn read(domain: &Domain, from: u64) -> Result<(u64, Vec<UsageFact>, u64), Fault> {
    let record = domain.record.clone();
    tokio::task::spawn_blocking(move || {
        record.with(|log| {
            let size = log.size();
            let to = size.min(from.saturating_add(ENTRIES_AT_ONCE));
            let mut facts = Vec::new();
            for index in from..to {
                facts.extend(fact(&log.entry(index)?)?);
            }
            Ok((size, facts, to))
        })
    })
    .await
    .map_err(|_| panicked())?
}

/// What an entry says of usage.
fn fact(entry: &Entry) -> Result<Option<UsageFact>, Fault> {
    let run = |run: &str, digest: &weir_audit::Digest| UsageRun {
        operator: entry.actor.organisation.clone(),
        run: run.to_owned(),
        request_digest: digest.to_string(),
    };
    let at: DateTime<Utc> = entry.time.to_utc();
    Ok(match &entry.event {
        Event::RunCharged {
            run: id,
            request_digest,
            grant,
            product,
            reads,
            ..
        } => {
            let reads = reads.iter().map(|read| {
                Ok(UsageRead {
                    dataset: read.dataset.clone(),
                    provider: read.provider.clone(),
                    rows: count(read.rows)?,
                    bytes: count(read.bytes)?,
                    fuel: count(read.fuel)?,
                })
            });
            Some(UsageFact::Charged {
                run: run(id, request_digest),
                product: product.clone(),
                grant: grant.clone(),
                month: Month::of(at).to_string(),
                reads: reads.collect::<Result<_, Fault>>()?,
            })
        }
        Event::ReleaseDecided {
            run: id,
            request_digest,
            cells_released,
            ..
        } => Some(UsageFact::Released {
            run: run(id, request_digest),
            cells: count(*cells_released)?,
        }),
        Event::DatasetRegistered {
            dataset,
            snapshot,
            rows,
            ..
        } => Some(UsageFact::Stored {
            snapshot: snapshot.clone(),
            dataset: dataset.clone(),
            rows: count(*rows)?,
            at: moment(at),
        }),
        Event::SnapshotDestroyed { snapshot, .. } => Some(UsageFact::Destroyed {
            snapshot: snapshot.clone(),
            at: moment(at),
        }),
        _ => None,
    })
}

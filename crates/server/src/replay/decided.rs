//! What the log says of a release.

use std::sync::Arc;

use weir_audit::{DatasetRef, Digest, Entry, Event, ModelRef};

use weir_ledger::State;

use crate::basis::{Basis, altered};
use crate::domain::Domain;
use crate::fault::{Fault, count, panicked};

/// Characters of what a caller named that are quoted back.
const NAME_CHARS_QUOTED: usize = 64;

/// A release as its entry in the log has it.
pub(super) struct Decided {
    /// The entry's number.
    pub(super) index: u64,
    pub(super) run: String,
    pub(super) table_digest: Digest,
    pub(super) receipt_json: String,
    /// Up to where the ledger went with it; none in entries of before the log said so.
    pub(super) ledger: Option<State>,
    request_digest: Digest,
    datasets: Vec<DatasetRef>,
    models: Vec<ModelRef>,
    policy_digest: Digest,
}

impl Decided {
    /// The release with this number in the log, or the one that a run was answered with.
    pub(super) async fn find(domain: &Arc<Domain>, release: &str) -> Result<Self, Fault> {
        let index = match release.parse::<u64>() {
            Ok(index) => index,
            Err(_) => match domain.registry.run(release).await? {
                Some(run) => run.log_index.unsigned_abs(),
                None => return Err(unknown(release)),
            },
        };
        let (entry, receipt_json) = read(domain, index).await?;
        let Event::ReleaseDecided {
            run,
            request_digest,
            datasets,
            models,
            policy_digest,
            table_digest,
            ledger,
            ..
        } = entry.event
        else {
            return Err(unknown(release));
        };
        if release.parse::<u64>().is_err() && release != run {
            return Err(altered("the run", "has another entry in the log"));
        }
        Ok(Self {
            index,
            run,
            table_digest,
            receipt_json,
            ledger: ledger.map(|state| State {
                releases: state.releases,
                chain: *state.chain.as_bytes(),
            }),
            request_digest,
            datasets,
            models,
            policy_digest,
        })
    }

    /// What it was made from: the basis that the run's last entry before this one names, if that agrees with this one.
    pub(super) async fn basis(&self, domain: &Arc<Domain>) -> Result<Basis, Fault> {
        let kept = domain
            .registry
            .basis_before(&self.run, count(self.index)?)
            .await?;
        let kept = kept.ok_or_else(|| {
            Fault::caller(
                "REPLAY_BASIS_MISSING",
                format!(
                    "the domain does not have what entry {} was computed from: it was released by a version of Weir that did \
                     not keep it, or the registry was restored from before",
                    self.index
                ),
            )
        })?;
        let digest: Digest = kept.basis.parse()?;
        let (entry, _) = read(domain, kept.log_index.unsigned_abs()).await?;
        let said = Event::BasisKept {
            run: self.run.clone(),
            request_digest: self.request_digest,
            basis: digest,
        };
        if entry.event != said {
            return Err(altered(
                "what it was computed from",
                "is not what the log says",
            ));
        }
        let basis = Basis::read(&domain.registry, digest).await?;
        match self.agrees_with(&basis) {
            true => Ok(basis),
            false => Err(altered(
                "what it was computed from",
                "does not agree with the entry of the release",
            )),
        }
    }

    fn agrees_with(&self, basis: &Basis) -> bool {
        let datasets = self
            .datasets
            .iter()
            .map(|read| (&read.name, &read.snapshot));
        let models = self.models.iter().map(|ran| (&ran.name, ran.digest));
        basis.request == self.request_digest
            && basis.policy == self.policy_digest
            && datasets.eq(basis
                .datasets
                .iter()
                .map(|read| (&read.name, &read.snapshot)))
            && models.eq(basis.models.iter().map(|ran| (&ran.name, ran.digest)))
    }
}

/// An entry, checked against the tree, with its receipt.
async fn read(domain: &Arc<Domain>, index: u64) -> Result<(Entry, String), Fault> {
    let record = domain.record.clone();
    tokio::task::spawn_blocking(move || {
        record.with(|log| {
            let receipt = match log.witnessed_receipt(index)? {
                Some(receipt) => receipt,
                None => log.receipt(index)?,
            };
            Ok((log.entry(index)?, receipt.to_json()?))
        })
    })
    .await
    .map_err(|_| panicked())?
}

fn unknown(release: &str) -> Fault {
    let quoted: String = release.chars().take(NAME_CHARS_QUOTED).collect();
    Fault::caller(
        "RELEASE_UNKNOWN",
        format!(
            "`{quoted}` is no release. `weir release list` shows those there are, with their entries in the log"
        ),
    )
}

//! What a release is made from, kept so that it can be made again.
//!
//! A basis is a short text with the digests of request, manifests, models and policy and the ids of snapshots. It stands in
//! the registry under its own digest, beside the texts it names, and its digest stands in the log before the run computes.
//! So whoever replays a release can check every byte on the way from the log's entry to the engine.

use serde::{Deserialize, Serialize};
use weir_audit::{Digest, Event};
use weir_policy::Policy;
use weir_registry::{BasisRecord, KeptKind, KeptText, Registry};

use crate::fault::{Fault, count};
use crate::release::Found;

/// Version of a basis's text.
const VERSION: u32 = 1;

/// The version of Weir that is running.
pub(crate) const WEIR: &str = env!("CARGO_PKG_VERSION");

/// What a release is made from. Fields are written in this order, so equal bases have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basis {
    version: u32,
    /// The version of Weir that computed.
    pub(crate) weir: String,
    /// Digest of the request's bytes.
    pub(crate) request: Digest,
    /// What was read, in the order of names, each once.
    pub(crate) datasets: Vec<BasisDataset>,
    /// What ran, in the order of names, each once.
    pub(crate) models: Vec<BasisModel>,
    /// Digest of the policy, folded.
    pub(crate) policy: Digest,
}

/// A dataset that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasisDataset {
    pub(crate) name: String,
    pub(crate) snapshot: String,
    /// Digest of the sealed snapshot.
    pub(crate) digest: Digest,
    /// Digest of the manifest by which it was read: the newest of the dataset's then.
    pub(crate) manifest: Digest,
}

/// A model that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasisModel {
    pub(crate) name: String,
    /// Digest of its component.
    pub(crate) digest: Digest,
}

/// A basis whose policy is not known yet, and the texts it names.
pub(crate) struct Draft {
    request: Digest,
    datasets: Vec<BasisDataset>,
    models: Vec<BasisModel>,
    texts: Vec<KeptText>,
}

impl Draft {
    /// What a run over these relations is about to compute from.
    pub(crate) fn of(sql: &str, pinned: &[String], found: &[Found]) -> Result<Self, Fault> {
        let mut texts = Vec::new();
        let bytes = weir_audit::request_bytes(sql, pinned);
        let request = keep(&mut texts, KeptKind::Request, bytes);
        let (mut datasets, mut models) = (Vec::new(), Vec::new());
        for found in found {
            let manifest = found.dataset.manifest_toml.as_bytes().to_vec();
            datasets.push(BasisDataset {
                name: found.dataset.name.clone(),
                snapshot: found.snapshot.clone(),
                digest: found.snapshot_digest.parse()?,
                manifest: keep(&mut texts, KeptKind::Manifest, manifest),
            });
            if let Some(model) = &found.model {
                models.push(BasisModel {
                    name: model.name.clone(),
                    digest: model.digest.parse()?,
                });
            }
        }
        datasets.sort_by(|one, other| one.name.cmp(&other.name));
        datasets.dedup();
        models.sort_by(|one, other| one.name.cmp(&other.name));
        models.dedup();
        Ok(Self {
            request,
            datasets,
            models,
            texts,
        })
    }

    /// What is computed from, now that the policy is known too.
    pub(crate) fn complete(self, run: &str, policy: &Policy) -> Result<Complete, Fault> {
        let mut texts = self.texts;
        let basis = Basis {
            version: VERSION,
            weir: WEIR.to_owned(),
            request: self.request,
            datasets: self.datasets,
            models: self.models,
            policy: keep(
                &mut texts,
                KeptKind::Policy,
                policy.canonical().into_bytes(),
            ),
        };
        Ok(Complete {
            run: run.to_owned(),
            request: basis.request,
            basis: keep(&mut texts, KeptKind::Basis, basis.to_text()?),
            texts,
        })
    }
}

/// A basis that is to be put on record, and then kept. A crash in between leaves an entry for a run that computed nothing.
pub(crate) struct Complete {
    run: String,
    request: Digest,
    basis: Digest,
    texts: Vec<KeptText>,
}

impl Complete {
    /// The entry of the log.
    pub(crate) fn event(&self) -> Event {
        Event::BasisKept {
            run: self.run.clone(),
            request_digest: self.request,
            basis: self.basis,
        }
    }

    /// Keeps it and what it names, once that entry is in the log.
    pub(crate) async fn keep(self, registry: &Registry, log_index: u64) -> Result<(), Fault> {
        let record = BasisRecord {
            log_index: count(log_index)?,
            run: self.run,
            request_digest: self.request.to_string(),
            basis: self.basis.to_string(),
        };
        Ok(registry.add_basis(&record, &self.texts).await?)
    }
}

fn keep(texts: &mut Vec<KeptText>, kind: KeptKind, text: Vec<u8>) -> Digest {
    let digest = Digest::of(&text);
    texts.push(KeptText {
        digest: digest.to_string(),
        kind,
        text,
    });
    digest
}

impl Basis {
    fn to_text(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|_| {
            Fault::bug(
                "BUG_BASIS",
                "what the run computes from cannot be written down. Please report this",
            )
        })
    }

    /// The basis under a digest that the log has.
    pub(crate) async fn read(registry: &Registry, digest: Digest) -> Result<Self, Fault> {
        let text = kept(registry, digest, "what it was computed from").await?;
        serde_json::from_slice(&text)
            .ok()
            .filter(|basis: &Self| basis.version == VERSION)
            .ok_or_else(|| {
                Fault::caller(
                    "REPLAY_VERSION",
                    "what it was computed from was written down by a newer version of Weir. Replay it with that one",
                )
            })
    }
}

/// A text that the registry keeps, once it has the digest it is asked for by.
pub(crate) async fn kept(
    registry: &Registry,
    digest: Digest,
    what: &str,
) -> Result<Vec<u8>, Fault> {
    let text = registry.kept_text(&digest.to_string()).await?;
    let text = text.ok_or_else(|| altered(what, "is not in the registry any more"))?;
    if Digest::of(&text) != digest {
        return Err(altered(what, "is not what the log has the digest of"));
    }
    Ok(text)
}

/// What a release was made from is there, but not as the log says that it was.
pub(crate) fn altered(what: &str, problem: &str) -> Fault {
    Fault::environment(
        "REPLAY_ALTERED",
        format!(
            "the release cannot be made again: {what} {problem}. Somebody changed the registry, or part of it was restored \
             from another time; compare it with a backup"
        ),
    )
}

//! What a run reads: for the grant that has to cover it, and for the log.

use weir_audit::{DatasetRef, Digest, ModelRef};

use super::Found;
use crate::fault::Fault;
use crate::grants::Need;

/// The part of the log entry that says what was read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) datasets: Vec<DatasetRef>,
    pub(super) models: Vec<ModelRef>,
}

impl Read {
    pub(super) fn add(&mut self, found: &Found) -> Result<(), Fault> {
        self.datasets.push(DatasetRef {
            name: found.dataset.name.clone(),
            snapshot: found.snapshot.clone(),
        });
        if let Some(model) = &found.model {
            self.models.push(ModelRef {
                name: model.name.clone(),
                digest: model.digest.parse()?,
            });
        }
        Ok(())
    }

    /// Each once, in the order of names.
    pub(super) fn in_order(mut self) -> Self {
        self.datasets
            .sort_by(|one, other| one.name.cmp(&other.name));
        self.datasets.dedup();
        self.models.sort_by(|one, other| one.name.cmp(&other.name));
        self.models.dedup();
        self
    }

    pub(super) fn datasets(&self) -> Vec<String> {
        let datasets = self.datasets.iter();
        datasets.map(|read| read.name.clone()).collect()
    }

    /// What a grant has to cover.
    pub(super) fn need(&self) -> Need {
        let models = self.models.iter();
        Need {
            datasets: self.datasets(),
            models: models
                .map(|model| (model.name.clone(), model.digest.to_string()))
                .collect(),
        }
    }

    /// What stands for the question that a request is over what it reads.
    pub(super) fn asked(&self, request: &Digest) -> String {
        let datasets = self.datasets.iter().map(|read| read.snapshot.clone());
        let models = self.models.iter().map(|model| model.digest.to_string());
        let all: Vec<String> = datasets.chain(models).collect();
        format!("{request}\n{}", all.join("\n"))
    }

    pub(super) fn snapshots(&self) -> Vec<String> {
        let datasets = self.datasets.iter();
        datasets.map(|read| read.snapshot.clone()).collect()
    }

    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self
            .datasets
            .iter()
            .map(|read| read.name.as_str())
            .collect();
        names.join(", ")
    }
}

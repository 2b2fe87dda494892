//! A snapshot that is kept, or destroyed.

use weir_client::ClientError;
use weir_client::v1::{DestroySnapshotRequest, RegisterDatasetRequest};
use weir_tests::{TRIPS_MANIFEST, TestDomain};

use super::{Subject, matrix};
use crate::airlock::csv;
use crate::cast::{Person, cast, stage};

struct Snapshots<'a> {
    domain: &'a TestDomain,
    made: u32,
}

impl Subject for Snapshots<'_> {
    const OF: &'static str = "";

    fn states(&self) -> Vec<&'static str> {
        vec!["kept", "destroyed"]
    }

    fn acts(&self) -> Vec<&'static str> {
        vec!["read", "destroy"]
    }

    /// A dataset with one snapshot; its name.
    async fn make(&mut self, state: &str) -> String {
        self.made += 1;
        let name = format!("trips_{}", self.made);
        let file = self.domain.inbox.join(format!("{name}.csv"));
        std::fs::write(&file, csv(50)).unwrap();
        let request = RegisterDatasetRequest {
            manifest_toml: TRIPS_MANIFEST.replace("\"trips\"", &format!("\"{name}\"")),
            manifest_name: "manifest.toml".to_owned(),
            source_path: file.display().to_string(),
            update: false,
        };
        let bureau = &self.domain.bureau;
        bureau.register_dataset(request, |_| {}).await.unwrap();
        if state == "destroyed" {
            bureau.destroy_snapshot(destroying(&name)).await.unwrap();
        }
        name
    }

    async fn act(&self, who: &Person, act: &str, name: &str) -> Result<(), ClientError> {
        match act {
            "read" => who.client.dataset(name).await.map(drop),
            _ => {
                let request = destroying(name);
                who.client.destroy_snapshot(request).await.map(drop)
            }
        }
    }

    async fn state(&self, name: &str) -> String {
        let dataset = self.domain.bureau.dataset(name).await.unwrap();
        let destroyed = |one: &weir_client::v1::Snapshot| !one.destroyed_at.is_empty();
        match dataset.snapshots.iter().any(destroyed) {
            true => "destroyed",
            false => "kept",
        }
        .to_owned()
    }

    fn is_party(&self, _who: &Person, _act: &str) -> bool {
        true
    }
}

fn destroying(name: &str) -> DestroySnapshotRequest {
    DestroySnapshotRequest {
        dataset: name.to_owned(),
        reason: "its time is over".to_owned(),
        ..Default::default()
    }
}

/// Every call by everybody in every state.
pub(super) async fn tried() -> String {
    let domain = stage("").await;
    let people = cast(&domain).await;
    let mut subject = Snapshots {
        domain: &domain,
        made: 0,
    };
    matrix(&mut subject, &people).await
}

//! The linkage risk of a snapshot, for the bureau.

use std::sync::Arc;

use weir_api::v1::assess_risk_response::Step;
use weir_api::v1::{self, AssessRiskRequest, AssessRiskResponse};
use weir_audit::Event;
use weir_catalogue::limits::RISK_SIZE_MAX;
use weir_catalogue::risk::{self, Combination, Options, RiskReport};
use weir_catalogue::{Manifest, Role as ColumnRole};

use super::dataset;
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, panicked, stopping};
use crate::services::Sender;

pub(super) async fn assess(
    domain: &Arc<Domain>,
    caller: &Caller,
    request: AssessRiskRequest,
    steps: Sender<AssessRiskResponse>,
) -> Result<v1::Risk, Fault> {
    let (record, manifest) = dataset(domain, &request.dataset).await?;
    let columns = columns(&manifest, &request.columns)?;
    let size = match request.size {
        0 => RISK_SIZE_MAX,
        size => usize::try_from(size)
            .unwrap_or(RISK_SIZE_MAX)
            .min(RISK_SIZE_MAX),
    };
    let slot = domain.fair.slot(&caller.organisation).await;
    let slot = slot.ok_or_else(stopping)?;
    // Logged before anything is read: whoever looks at the risk of people is on record.
    let event = Event::RiskAssessed {
        dataset: record.name.clone(),
        snapshot: record.snapshot.clone(),
        columns: columns.clone(),
    };
    domain.record.append_async(caller.actor(), event).await?;
    let domain = Arc::clone(domain);
    let report = tokio::task::spawn_blocking(move || {
        let described: Vec<_> = columns
            .iter()
            .filter_map(|name| manifest.column(name))
            .collect();
        domain.vault.linkage_risk::<Fault>(
            &record.snapshot,
            &described,
            Options {
                size,
                ..Options::default()
            },
            &mut |progress| tell(&steps, progress),
        )
    })
    .await
    .map_err(|_| panicked())??;
    drop(slot);
    Ok(to_proto(report))
}

/// The columns asked for; the quasi-identifiers unless some are.
fn columns(manifest: &Manifest, asked: &[String]) -> Result<Vec<String>, Fault> {
    if asked.is_empty() {
        let quasi = manifest
            .columns()
            .iter()
            .filter(|column| column.role == ColumnRole::QuasiIdentifier);
        return Ok(quasi.map(|column| column.name.clone()).collect());
    }
    for (index, name) in asked.iter().enumerate() {
        let stored = manifest
            .column(name)
            .is_some_and(|column| column.role != ColumnRole::Identifier);
        if !stored || asked[..index].contains(name) {
            let name: String = name.chars().take(super::NAME_CHARS_MAX).collect();
            return Err(Fault::caller(
                "RISK_COLUMN_UNKNOWN",
                format!(
                    "`{name}` is no stored column of `{}`, or is named twice. `weir dataset show {}` lists them",
                    manifest.name(),
                    manifest.name()
                ),
            ));
        }
    }
    Ok(asked.to_vec())
}

/// Sends progress where the client has room for it, and stops where the client is gone.
fn tell(steps: &Sender<AssessRiskResponse>, progress: risk::Progress) -> Result<(), Fault> {
    let percent = (progress.done * 100).checked_div(progress.total);
    let step = Step::Progress(v1::Progress {
        stage: "counting units by combination".to_owned(),
        percent: percent.and_then(|percent| u32::try_from(percent.min(100)).ok()),
        rows: Some(progress.rows),
    });
    drop(steps.try_send(Ok(AssessRiskResponse { step: Some(step) })));
    if steps.is_closed() {
        return Err(Fault::caller(
            "RISK_CANCELLED",
            "the assessment was cancelled; nothing was kept",
        ));
    }
    Ok(())
}

fn to_proto(report: RiskReport) -> v1::Risk {
    v1::Risk {
        rows: report.rows,
        units: report.units,
        whole: Some(combination(report.whole)),
        classes: report.classes,
        combinations: report.combinations.into_iter().map(combination).collect(),
        coarsened: report
            .coarsened
            .into_iter()
            .map(|coarsened| v1::CoarsenedRisk {
                columns: coarsened.columns,
                column: coarsened.column,
                how: coarsened.how.words().to_owned(),
                k: coarsened.k,
                unique_units: coarsened.unique_units,
            })
            .collect(),
        scans: report.scans,
    }
}

fn combination(combination: Combination) -> v1::RiskCombination {
    v1::RiskCombination {
        columns: combination.columns,
        k: combination.k,
        unique_units: combination.unique_units,
        minimal_units: combination.minimal_units,
    }
}

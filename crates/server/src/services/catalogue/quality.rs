//! A dataset's quality: exact for those who see counts, coarse for the rest.

use chrono::{DateTime, TimeDelta};
use weir_api::v1;
use weir_catalogue::Manifest;
use weir_catalogue::quality::{CoarseQuality, Distinct, QualityReport};
use weir_registry::{DatasetRecord, Role};

use super::dataset;
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, panicked};
use crate::policies::policy_in_force;

pub(super) async fn get(
    domain: &Domain,
    caller: &Caller,
    name: &str,
) -> Result<v1::Quality, Fault> {
    let (record, manifest) = dataset(domain, name).await?;
    let (vault, snapshot) = (
        std::sync::Arc::clone(&domain.vault),
        record.snapshot.clone(),
    );
    let meta = tokio::task::spawn_blocking(move || vault.snapshot(&snapshot))
        .await
        .map_err(|_| panicked())?
        .map_err(|error| Fault::from(error).for_operator())?;
    let report = meta.quality.ok_or_else(|| {
        Fault::caller(
            "QUALITY_NOT_MEASURED",
            "this snapshot was registered before quality was measured. Register the dataset again",
        )
    })?;
    let head = v1::Quality {
        dataset: record.name.clone(),
        snapshot: record.snapshot.clone(),
        update_frequency: manifest
            .terms()
            .update_frequency
            .map_or_else(String::new, |frequency| frequency.name().to_owned()),
        overdue: overdue(domain, &record, &manifest),
        ..Default::default()
    };
    if matches!(caller.role, Role::Bureau | Role::Auditor) {
        return Ok(exact(head, &report, meta.created_unix_ms));
    }
    let policy = policy_in_force(domain, std::slice::from_ref(&record.name)).await?;
    let coarse = report.coarse(&manifest, meta.units, policy.units_min());
    Ok(rounded(head, coarse))
}

/// Whether the promised update is due. Asks when the dataset was registered, not what is in it.
fn overdue(domain: &Domain, record: &DatasetRecord, manifest: &Manifest) -> Option<bool> {
    let days = manifest.terms().update_frequency?.days()?;
    let registered = DateTime::parse_from_rfc3339(&record.registered_at).ok()?;
    Some(domain.clock.now().signed_duration_since(registered) > TimeDelta::days(days.into()))
}

fn exact(head: v1::Quality, report: &QualityReport, created_unix_ms: i64) -> v1::Quality {
    let rows = report.rows;
    let columns = report.columns.iter().map(|column| v1::ColumnQuality {
        name: column.name.clone(),
        completeness: column.completeness(rows),
        validity: column.validity(rows),
        uniqueness: Some(column.uniqueness(rows)),
        missing: Some(column.missing),
        outside: column.outside,
        distinct: Some(distinct(column.distinct)),
    });
    let rules = report.rules.iter().map(|rule| v1::RuleQuality {
        description: rule.description.clone(),
        consistency: rule.consistency(),
        checked: Some(rule.checked),
        broken: Some(rule.broken),
    });
    v1::Quality {
        columns: columns.collect(),
        rules: rules.collect(),
        rows: Some(rows),
        distinct_rows: Some(distinct(report.distinct_rows)),
        age_days: report.age_days(created_unix_ms),
        ..head
    }
}

/// Nothing but what the coarse report holds, which is nothing for a dataset with few units.
fn rounded(head: v1::Quality, coarse: Option<CoarseQuality>) -> v1::Quality {
    let (columns, rules) = coarse.map_or_else(Default::default, |coarse| {
        let columns = coarse.columns.into_iter().map(|column| v1::ColumnQuality {
            name: column.name,
            completeness: column.completeness,
            validity: column.validity,
            ..Default::default()
        });
        let rules = coarse.rules.into_iter().map(|rule| v1::RuleQuality {
            description: rule.description,
            consistency: rule.consistency,
            ..Default::default()
        });
        (columns.collect(), rules.collect())
    });
    v1::Quality {
        coarse: true,
        columns,
        rules,
        ..head
    }
}

fn distinct(distinct: Distinct) -> v1::Distinct {
    v1::Distinct {
        count: distinct.count,
        exact: distinct.exact,
    }
}

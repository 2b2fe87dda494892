//! Applications, grants and freezes as answers, and who may see which.

use weir_api::v1::{self, GrantedDataset, ListFreezesResponse};
use weir_catalogue::Manifest;
use weir_registry::{ApplicationRecord, GrantRecord, Role};

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;
use crate::grants::terms::Columns;
use crate::grants::{self, APPLICATIONS_LISTED_MAX, Form, Need, Quotas, Terms};

pub(super) async fn applications(
    domain: &Domain,
    caller: &Caller,
    open_only: bool,
) -> Result<Vec<v1::Application>, Fault> {
    let listed = domain
        .registry
        .applications(APPLICATIONS_LISTED_MAX)
        .await?;
    let mut shown = Vec::new();
    for record in listed {
        let open = grants::is_open(record.state);
        if (open || !open_only) && may_see_application(domain, caller, &record).await? {
            shown.push(application(domain, record).await?);
        }
    }
    Ok(shown)
}

pub(super) async fn one_application(
    domain: &Domain,
    caller: &Caller,
    id: &str,
) -> Result<v1::Application, Fault> {
    let record = grants::find_application(domain, id).await?;
    match may_see_application(domain, caller, &record).await? {
        true => application(domain, record).await,
        false => Err(grants::application_unknown(id)),
    }
}

async fn may_see_application(
    domain: &Domain,
    caller: &Caller,
    record: &ApplicationRecord,
) -> Result<bool, Fault> {
    Ok(match caller.role {
        Role::Bureau | Role::Auditor => true,
        Role::Operator => record.organisation == caller.organisation,
        Role::Provider => {
            let form = Form::parse(&record.text, "the stored application")?;
            provides(domain, caller, &form.datasets).await?
        }
    })
}

/// Whether any of these datasets is of the caller's organisation.
async fn provides(domain: &Domain, caller: &Caller, datasets: &Columns) -> Result<bool, Fault> {
    for name in datasets.keys() {
        let Some(record) = domain.registry.dataset(name).await? else {
            continue;
        };
        let manifest = Manifest::from_toml(&record.manifest_toml, "the stored manifest")?;
        if manifest.terms().provider.as_deref() == Some(caller.organisation.as_str()) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn application(
    domain: &Domain,
    record: ApplicationRecord,
) -> Result<v1::Application, Fault> {
    let form = Form::parse(&record.text, "the stored application")?;
    let outstanding = match grants::is_open(record.state) {
        true => grants::outstanding(domain, &record, &form).await?,
        false => Vec::new(),
    };
    let opinions = domain.registry.opinions(&record.id).await?;
    let opinions = opinions
        .into_iter()
        .filter(|opinion| opinion.digest == record.digest)
        .map(|opinion| v1::GivenOpinion {
            dataset: opinion.dataset,
            organisation: opinion.organisation,
            person: opinion.person,
            supports: opinion.supports,
            text: opinion.text,
            given_at: opinion.given_at,
        });
    Ok(v1::Application {
        opinions: opinions.collect(),
        outstanding,
        datasets: datasets(&form.datasets),
        id: record.id,
        organisation: record.organisation,
        person: record.person,
        scenario: record.scenario,
        purpose: form.purpose,
        text: record.text,
        digest: record.digest,
        state: record.state.as_str().to_owned(),
        submitted_at: record.submitted_at,
        decided_by: record.decided_by.unwrap_or_default(),
        decided_at: record.decided_at.unwrap_or_default(),
        reason: record.reason.unwrap_or_default(),
        grant: record.grant_id.unwrap_or_default(),
    })
}

pub(super) async fn grants(
    domain: &Domain,
    caller: &Caller,
    live_only: bool,
) -> Result<Vec<v1::Grant>, Fault> {
    grants::settle(domain).await?;
    let mut shown = Vec::new();
    for record in domain.registry.grants().await? {
        if (grants::is_live(record.state) || !live_only)
            && may_see_grant(domain, caller, &record).await?
        {
            shown.push(grant(domain, record).await?);
        }
    }
    Ok(shown)
}

pub(super) async fn one_grant(
    domain: &Domain,
    caller: &Caller,
    id: &str,
) -> Result<v1::Grant, Fault> {
    grants::settle(domain).await?;
    let record = grants::find(domain, id).await?;
    match may_see_grant(domain, caller, &record).await? {
        true => grant(domain, record).await,
        false => Err(grants::grant_unknown(id)),
    }
}

/// A grant that the caller may see, with those above it.
pub(in crate::services) async fn chain_to_show(
    domain: &Domain,
    caller: &Caller,
    id: &str,
) -> Result<Vec<(GrantRecord, Terms)>, Fault> {
    let record = grants::find(domain, id).await?;
    match may_see_grant(domain, caller, &record).await? {
        true => grants::chain(domain, record).await,
        false => Err(grants::grant_unknown(id)),
    }
}

async fn may_see_grant(
    domain: &Domain,
    caller: &Caller,
    record: &GrantRecord,
) -> Result<bool, Fault> {
    Ok(match caller.role {
        Role::Bureau | Role::Auditor => true,
        Role::Operator => {
            let chain = grants::chain(domain, record.clone()).await?;
            let mut holders = chain.iter().map(|(grant, _)| &grant.organisation);
            holders.any(|holder| *holder == caller.organisation)
        }
        Role::Provider => {
            let terms = Terms::read(domain, record)?;
            provides(domain, caller, &terms.datasets).await?
        }
    })
}

pub(super) async fn grant(domain: &Domain, record: GrantRecord) -> Result<v1::Grant, Fault> {
    let chain = grants::chain(domain, record.clone()).await?;
    let terms = Terms::read(domain, &record)?;
    let all = Need {
        datasets: terms.datasets.keys().cloned().collect(),
        models: Vec::new(),
    };
    let blocked = match grants::usable(domain, &chain, &all, domain.clock.now()).await {
        Ok(()) => String::new(),
        Err(fault) => fault.code.to_owned(),
    };
    let used = domain.registry.grant_use(&record.id).await?;
    let above = chain.into_iter().skip(1);
    Ok(v1::Grant {
        above: above.map(|(grant, _)| grant.id).collect(),
        renewable_from: terms.renewable_from()?,
        datasets: datasets(&terms.datasets),
        models: terms.models.names(),
        quotas: Some(quotas(&terms.quotas)),
        partners: terms.partners.into_iter().collect(),
        purpose: terms.purpose,
        policy: terms.policy,
        blocked,
        runs_used: used.runs.unsigned_abs(),
        cells_used: used.charged.cells.unsigned_abs(),
        bits_out_used: used.charged.bits_out.unsigned_abs(),
        epsilon_millionths_used: used.charged.epsilon_millionths.unsigned_abs(),
        fuel_used: used.charged.fuel.unsigned_abs(),
        bytes_used: used.charged.bytes.unsigned_abs(),
        id: record.id,
        application: record.application,
        organisation: record.organisation,
        scenario: record.scenario,
        not_before: record.not_before,
        not_after: record.not_after,
        state: record.state.as_str().to_owned(),
        deadline: record.deadline.unwrap_or_default(),
        reason: record.reason.unwrap_or_default(),
        changed_by: record.changed_by,
        changed_at: record.changed_at,
        note: record.note,
        digest: record.digest,
    })
}

pub(super) async fn freezes(domain: &Domain) -> Result<ListFreezesResponse, Fault> {
    let frozen = domain.registry.freezes().await?;
    let frozen = frozen.into_iter().map(|freeze| v1::Frozen {
        scope: freeze.scope,
        name: freeze.name,
        reason: freeze.reason,
        frozen_by: freeze.frozen_by,
        frozen_at: freeze.frozen_at,
    });
    Ok(ListFreezesResponse {
        frozen: frozen.collect(),
    })
}

fn datasets(columns: &Columns) -> Vec<GrantedDataset> {
    let datasets = columns.iter().map(|(name, columns)| GrantedDataset {
        name: name.clone(),
        columns: columns.iter().cloned().collect(),
    });
    datasets.collect()
}

const fn quotas(quotas: &Quotas) -> v1::Quotas {
    v1::Quotas {
        runs: quotas.runs,
        cells: quotas.cells,
        bits_out: quotas.bits_out,
        epsilon_millionths: quotas.epsilon_millionths,
        fuel: quotas.fuel,
        bytes: quotas.bytes,
    }
}

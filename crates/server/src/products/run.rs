//! Running a product: by whoever of its operator asks, or by the schedule.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_api::v1::RunResult;
use weir_policy::{Layer, Policy};
use weir_registry::{ProductRecord, ProductRunRecord, ProductState};

use super::slot::run_id;
use super::terms::Terms;
use super::{change, find, unknown};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Family, Fault};
use crate::grants::{Need, moment};
use crate::release;
use crate::services::run_id_or_new;

/// What a product holds a run to.
pub(crate) struct Pin {
    pub(crate) product: String,
    models: BTreeMap<String, String>,
    policy: Policy,
}

impl Pin {
    /// Refuses models other than those that were reviewed.
    pub(crate) fn check(&self, need: &Need) -> Result<(), Fault> {
        let other = need
            .models
            .iter()
            .find(|(name, digest)| self.models.get(name) != Some(digest));
        match other {
            None => Ok(()),
            Some((name, _)) => Err(Fault::policy(
                "PRODUCT_MODEL",
                format!(
                    "model `{name}` is not the one that product `{}` was reviewed with. Register the product again",
                    self.product
                ),
            )),
        }
    }

    /// The policy that was in force when it was registered: no run is judged by a laxer one.
    pub(crate) fn layer(&self) -> (Layer, Policy) {
        (change::layer(&self.product), self.policy.clone())
    }
}

/// The answer of a product: of a slot, which is run where it is due and was not run; or of a run.
pub(crate) async fn run(
    domain: &Arc<Domain>,
    caller: &Caller,
    name: &str,
    (slot, id): (&str, &str),
    stage: impl Fn(&'static str),
) -> Result<RunResult, Fault> {
    let product = find(domain, caller, name).await?;
    if product.organisation != caller.organisation {
        // Listed for everybody, it is its own operator's to run.
        return Err(match product.state {
            ProductState::Approved => Fault::policy(
                "PRODUCT_OF_ANOTHER",
                format!(
                    "product `{name}` is run by its own operator, `{}`. Ask them for its answers",
                    product.organisation
                ),
            ),
            _ => unknown(name),
        });
    }
    let terms = Terms::read(&product)?;
    let Some(slots) = &terms.slots else {
        if !slot.is_empty() {
            return Err(no_slot(name));
        }
        let id = run_id_or_new(id)?;
        return in_force(domain, caller, &product, terms, id, stage).await;
    };
    let newest = slots.newest(domain.clock.now())?;
    let wanted = match slot {
        "" => newest.clone(),
        slot => slots.beginning(slot)?,
    };
    let wanted = wanted.ok_or_else(|| no_slot(name))?;
    if newest.as_ref().is_none_or(|newest| wanted > *newest) {
        return Err(no_slot(name));
    }
    let id = run_id(&product.digest, &wanted);
    let is_done = domain.registry.run(&id).await?.is_some();
    match (is_done, Some(&wanted) == newest.as_ref()) {
        (false, false) => Err(no_slot(name)),
        (true, _) => in_force(domain, caller, &product, terms, id, stage).await,
        (false, true) => due(domain, caller, (&product, terms), wanted, stage).await,
    }
}

/// Runs the newest slot and puts down how it ended.
pub(super) async fn due(
    domain: &Arc<Domain>,
    caller: &Caller,
    (product, terms): (&ProductRecord, Terms),
    slot: String,
    stage: impl Fn(&'static str),
) -> Result<RunResult, Fault> {
    let id = run_id(&product.digest, &slot);
    let done = in_force(domain, caller, product, terms, id.clone(), stage).await;
    let code = match &done {
        Ok(_) => "",
        Err(fault) if is_final(fault) => fault.code,
        // Tried again: the machine failed, or somebody else is at it.
        Err(_) => return done,
    };
    let ended = ProductRunRecord {
        name: product.name.clone(),
        digest: product.digest.clone(),
        slot,
        run: id,
        code: code.to_owned(),
        ended_at: moment(domain.clock.now()),
    };
    domain.registry.end_product_run(&ended).await?;
    done
}

/// Whether a refusal is the slot's answer.
fn is_final(fault: &Fault) -> bool {
    let passes = [
        "RUN_UNDER_WAY",
        "RUN_IN_REVIEW",
        "RUNS_TOO_MANY",
        "FUEL_PER_DAY",
        "PRODUCT_NOT_APPROVED",
    ];
    !matches!(fault.family, Family::Environment | Family::Bug) && !passes.contains(&fault.code)
}

/// Runs an approved product under one run id. A run that was answered is answered as before, whatever became of the product.
async fn in_force(
    domain: &Arc<Domain>,
    caller: &Caller,
    product: &ProductRecord,
    terms: Terms,
    run: String,
    stage: impl Fn(&'static str),
) -> Result<RunResult, Fault> {
    if product.state != ProductState::Approved && domain.registry.run(&run).await?.is_none() {
        return Err(Fault::policy(
            "PRODUCT_NOT_APPROVED",
            format!(
                "product `{}` is {} and is not run. `weir product show {}` says more",
                product.name,
                product.state.as_str(),
                product.name
            ),
        ));
    }
    let pin = Pin {
        product: product.name.clone(),
        policy: terms.layer()?,
        models: terms.models,
    };
    let request = release::Request {
        run,
        sql: terms.sql,
        snapshots: Vec::new(),
        grant: terms.grant,
        product: Some(pin),
    };
    release::run(domain, caller, request, stage).await
}

fn no_slot(name: &str) -> Fault {
    Fault::caller(
        "PRODUCT_SLOT",
        format!(
            "product `{name}` has no answer for that slot: it has not begun, was not run, or is none. `weir product show \
             {name}` lists those there are"
        ),
    )
}

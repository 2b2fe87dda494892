//! The kill switch: a dataset nobody reads, an operator that reads nothing, a domain where nothing is read.

use weir_audit::Event;
use weir_registry::FreezeRecord;

use super::{check_reason, moment};
use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::{Fault, dataset_unknown};

/// Longest name of what is frozen, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Freezes something. What is frozen already stays as it is.
pub(crate) async fn freeze(
    domain: &Domain,
    caller: &Caller,
    (scope, name): (&str, &str),
    reason: &str,
) -> Result<(), Fault> {
    let reason = check_reason(reason)?;
    check_scope(domain, scope, name).await?;
    let _one = domain.grants.changing.lock().await;
    if is_frozen(domain, scope, name).await? {
        return Ok(());
    }
    log(domain, caller, (scope, name), &reason, true).await?;
    let freeze = FreezeRecord {
        scope: scope.to_owned(),
        name: name.to_owned(),
        reason,
        frozen_by: caller.signature(),
        frozen_at: moment(domain.clock.now()),
    };
    let kept = async { Ok(domain.registry.freeze(&freeze).await?) };
    domain.grants.take_effect(kept).await
}

/// Lets something go again.
pub(crate) async fn unfreeze(
    domain: &Domain,
    caller: &Caller,
    (scope, name): (&str, &str),
    reason: &str,
) -> Result<(), Fault> {
    let reason = check_reason(reason)?;
    let _one = domain.grants.changing.lock().await;
    if !is_frozen(domain, scope, name).await? {
        return Ok(());
    }
    if scope == "operator" {
        super::not_own(caller, (name, super::ANYBODY), "what is frozen")?;
    }
    log(domain, caller, (scope, name), &reason, false).await?;
    Ok(domain.registry.unfreeze(scope, name).await?)
}

async fn is_frozen(domain: &Domain, scope: &str, name: &str) -> Result<bool, Fault> {
    let frozen = domain.registry.freezes().await?;
    Ok(frozen
        .iter()
        .any(|freeze| freeze.scope == scope && freeze.name == name))
}

async fn check_scope(domain: &Domain, scope: &str, name: &str) -> Result<(), Fault> {
    match (scope, name) {
        ("domain", "") => Ok(()),
        ("operator", name) if (1..=NAME_CHARS_MAX).contains(&name.chars().count()) => Ok(()),
        ("dataset", name) => match domain.registry.dataset(name).await? {
            Some(_) => Ok(()),
            None => Err(dataset_unknown(name)),
        },
        _ => Err(Fault::caller(
            "FREEZE_SCOPE",
            "name what to freeze: a `dataset` or an `operator` with its name, or the `domain` without one",
        )),
    }
}

async fn log(
    domain: &Domain,
    caller: &Caller,
    (scope, name): (&str, &str),
    reason: &str,
    frozen: bool,
) -> Result<(), Fault> {
    let event = Event::FreezeChanged {
        scope: scope.to_owned(),
        name: name.to_owned(),
        frozen,
        reason: reason.to_owned(),
    };
    domain
        .record
        .append_async(caller.actor(), event)
        .await
        .map(drop)
}

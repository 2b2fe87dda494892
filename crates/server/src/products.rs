//! Products: a query with its models and its policy, registered by an operator, reviewed by the bureau, listed for
//! everybody, and run on a schedule within its grant.
//!
//! What is reviewed is what runs: the terms have a digest, a run uses the digests of models that they name, and it is judged
//! by the policy that was in force at registration as well as by the one in force now. A slot of the schedule has one run id,
//! which follows from the terms and the slot: however often a server starts, a slot is run once.

mod change;
mod due;
mod run;
mod schedule;
mod slot;
pub(crate) mod states;
mod terms;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use weir_registry::{ProductRecord, ProductState, Role};

pub(crate) use change::{Registering, decide, register, retire};
pub(crate) use run::{Pin, run};
pub(crate) use schedule::Schedule;
pub(crate) use terms::Terms;

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// What an open domain keeps of products.
#[derive(Default)]
pub(crate) struct Products {
    /// Held by whoever changes one.
    changing: tokio::sync::Mutex<()>,
    /// Rung when something may be due.
    changed: tokio::sync::Notify,
    /// Products that the schedule is at.
    at_work: Mutex<BTreeSet<String>>,
}

impl Products {
    fn at_work(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The product of this name, where the caller may see it.
pub(crate) async fn find(
    domain: &Domain,
    caller: &Caller,
    name: &str,
) -> Result<ProductRecord, Fault> {
    let product = domain.registry.product(name).await?;
    product
        .filter(|product| may_see(caller, product))
        .ok_or_else(|| unknown(name))
}

/// The products that the caller may see.
pub(crate) async fn list(domain: &Domain, caller: &Caller) -> Result<Vec<ProductRecord>, Fault> {
    let mut products = domain.registry.products().await?;
    products.retain(|product| may_see(caller, product));
    Ok(products)
}

fn may_see(caller: &Caller, product: &ProductRecord) -> bool {
    product.state == ProductState::Approved || may_see_runs(caller, product)
}

/// Whether somebody may see how its runs ended, and it at all before it is approved.
pub(crate) fn may_see_runs(caller: &Caller, product: &ProductRecord) -> bool {
    match caller.role {
        Role::Bureau | Role::Auditor => true,
        Role::Operator => product.organisation == caller.organisation,
        Role::Provider => false,
    }
}

fn unknown(name: &str) -> Fault {
    let name: String = name.chars().take(crate::services::NAME_CHARS_MAX).collect();
    Fault::caller(
        "PRODUCT_UNKNOWN",
        format!(
            "there is no product `{name}` that you may see. `weir product list` shows those there are"
        ),
    )
}

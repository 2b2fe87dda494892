//! What is due now.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use weir_audit::Digest;
use weir_registry::{ProductRecord, ProductState, Role};

use super::run::due;
use super::terms::Terms;
use crate::access::{self, Caller};
use crate::domain::Domain;
use crate::fault::Fault;

/// Begins what is due and not under way, each in a task of its own: an endless product delays no other.
pub(super) async fn begin_due(
    domain: &Arc<Domain>,
    now: DateTime<Utc>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Fault> {
    while tasks.try_join_next().is_some() {}
    for product in domain.registry.products().await? {
        if product.state != ProductState::Approved {
            continue;
        }
        let Some(at_work) = AtWork::enter(domain, &product.name) else {
            continue;
        };
        tasks.spawn(async move {
            if let Err(fault) = run_one(&at_work.domain, &product, now).await {
                tracing::warn!(
                    product = product.name,
                    code = fault.code,
                    "a product was not run"
                );
            }
        });
    }
    Ok(())
}

/// That the schedule is at a product.
struct AtWork {
    domain: Arc<Domain>,
    name: String,
}

impl AtWork {
    fn enter(domain: &Arc<Domain>, name: &str) -> Option<Self> {
        domain
            .products
            .at_work()
            .insert(name.to_owned())
            .then(|| Self {
                domain: Arc::clone(domain),
                name: name.to_owned(),
            })
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.domain.products.at_work().remove(&self.name);
    }
}

async fn run_one(
    domain: &Arc<Domain>,
    product: &ProductRecord,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let terms = Terms::read(product)?;
    let Some(slots) = &terms.slots else {
        return Ok(());
    };
    let Some(slot) = slots.newest(now)? else {
        return Ok(());
    };
    let of = (product.name.as_str(), product.digest.as_str());
    if domain.registry.has_ended(of, &slot).await? {
        return Ok(());
    }
    let caller = in_the_name_of(domain, product).await?;
    let done = due(domain, &caller, (product, terms), slot, |_| {}).await;
    done.map(drop)
}

/// A product runs in the name of whoever registered it, as long as that person has a certificate that is accepted.
async fn in_the_name_of(domain: &Domain, product: &ProductRecord) -> Result<Caller, Fault> {
    for identity in domain.registry.identities().await? {
        let is_theirs = identity.role == Role::Operator
            && identity.organisation == product.organisation
            && identity.person == product.person;
        if !is_theirs {
            continue;
        }
        let fingerprint: Digest = identity.fingerprint.parse()?;
        if access::still_known(domain, fingerprint).await.is_ok() {
            return Ok(Caller {
                role: Role::Operator,
                organisation: identity.organisation,
                person: identity.person,
                fingerprint,
            });
        }
    }
    Err(Fault::policy(
        "PRODUCT_NOBODY",
        "whoever registered the product has no certificate that is accepted. Register it again as somebody who has",
    ))
}

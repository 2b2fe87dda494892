//! Registering a product, deciding on it, ending it. In the log first, then in the registry.

use std::sync::Arc;

use weir_audit::{Digest, Event};
use weir_inside::Query;
use weir_policy::Layer;
use weir_registry::{ProductRecord, ProductState, Role};

use super::slot::Slots;
use super::states::{PRODUCT, ProductAct};
use super::terms::{Terms, VERSION};
use super::{find, unknown};
use crate::access::Caller;
use crate::domain::Domain;
use crate::estimate::described_plan;
use crate::fault::Fault;
use crate::grants::states::next;
use crate::grants::{self, check_reason, moment};
use crate::policies;
use crate::release;
use crate::services::check_name;

/// Longest title and longest purpose, in characters.
const TITLE_CHARS_MAX: usize = 200;
const PURPOSE_CHARS_MAX: usize = 2_000;

/// Most products of one operator that are not retired or rejected.
const PRODUCTS_MAX: usize = 1_000;

/// What an operator hands in.
pub(crate) struct Registering {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) purpose: String,
    pub(crate) sql: String,
    pub(crate) grant: String,
    pub(crate) every: String,
    pub(crate) from: String,
}

/// Registers a product, in place of one of the same organisation that is not approved.
pub(crate) async fn register(
    domain: &Arc<Domain>,
    caller: &Caller,
    asked: Registering,
) -> Result<ProductRecord, Fault> {
    check_name("product", &asked.name)?;
    check_text("title", &asked.title, TITLE_CHARS_MAX)?;
    check_text("purpose", &asked.purpose, PURPOSE_CHARS_MAX)?;
    let terms = terms(domain, caller, asked).await?;
    let _one = domain.products.changing.lock().await;
    let text = terms.write()?;
    let digest = Digest::of(text.as_bytes()).to_string();
    if let Some(before) = domain.registry.product(&terms.name).await? {
        let same = before.organisation == caller.organisation
            && before.person == caller.person
            && before.digest == digest
            && before.state == ProductState::Registered;
        if same {
            // Registered again, as when an answer got lost.
            return Ok(before);
        }
    }
    is_free(domain, caller, &terms.name).await?;
    let now = moment(domain.clock.now());
    let record = ProductRecord {
        name: terms.name,
        organisation: caller.organisation.clone(),
        person: caller.person.clone(),
        digest,
        terms: text,
        state: ProductState::Registered,
        registered_at: now.clone(),
        changed_by: caller.signature(),
        changed_at: now,
        reason: String::new(),
    };
    keep(domain, caller, record).await
}

/// Everything that the query comes to now: what it reads, with which models, under which policy.
async fn terms(domain: &Arc<Domain>, caller: &Caller, asked: Registering) -> Result<Terms, Fault> {
    let query = Query::parse(&asked.sql)?;
    let slots = Slots::parse(&asked.every, &asked.from, domain.clock.now())?;
    let need = release::need(domain, &query).await?;
    let (plan, ..) = described_plan(domain, &asked.sql, &[]).await?;
    let read = (&need, &plan.columns_read()?);
    let (grant, layers) = grants::covers(domain, caller, &asked.grant, read).await?;
    let policy = policies::layers_in_force(domain, &need.datasets).await?;
    let policy = layers
        .into_iter()
        .fold(policy, |all, (layer, own)| all.with(layer, own));
    Ok(Terms {
        version: VERSION,
        name: asked.name,
        organisation: caller.organisation.clone(),
        title: asked.title.trim().to_owned(),
        purpose: asked.purpose.trim().to_owned(),
        sql: asked.sql,
        grant,
        datasets: need.datasets,
        models: need.models.into_iter().collect(),
        policy: policy.policy().canonical(),
        slots,
    })
}

/// A name is its first organisation's, and what is approved has to be retired before something else takes its place.
async fn is_free(domain: &Domain, caller: &Caller, name: &str) -> Result<(), Fault> {
    let own = domain.registry.products().await?;
    let own = own.iter().filter(|product| {
        product.organisation == caller.organisation
            && matches!(
                product.state,
                ProductState::Registered | ProductState::Approved
            )
    });
    if own.count() >= PRODUCTS_MAX {
        return Err(Fault::caller(
            "PRODUCTS_TOO_MANY",
            format!("your organisation has {PRODUCTS_MAX} products, the most. Retire some"),
        ));
    }
    match domain.registry.product(name).await? {
        None => Ok(()),
        Some(before) if before.organisation != caller.organisation => Err(Fault::caller(
            "PRODUCT_TAKEN",
            format!("the name `{name}` is taken. Choose another"),
        )),
        Some(before) => followed_by(&before, ProductAct::Register, caller)
            .map(drop)
            .map_err(|_| {
                Fault::caller(
                    "PRODUCT_TAKEN",
                    format!(
                        "product `{name}` is approved and stays as it is. Retire it first with `weir product retire {name}`"
                    ),
                )
            }),
    }
}

/// Approves or rejects a product whose terms have this digest.
pub(crate) async fn decide(
    domain: &Domain,
    caller: &Caller,
    (name, digest): (&str, &str),
    approves: bool,
    reason: &str,
) -> Result<ProductRecord, Fault> {
    let reason = check_reason(reason)?;
    let _one = domain.products.changing.lock().await;
    let product = find(domain, caller, name).await?;
    grants::not_own(
        caller,
        (&product.organisation, &product.person),
        "this product",
    )?;
    if product.digest != digest {
        return Err(Fault::caller(
            "PRODUCT_OTHER",
            format!(
                "product `{name}` is not the one that was read. Read it again with `weir product show {name}`"
            ),
        ));
    }
    let (act, asked) = match approves {
        true => (ProductAct::Approve, ProductState::Approved),
        false => (ProductAct::Reject, ProductState::Rejected),
    };
    if is_again(&product, asked, caller, &reason) {
        return Ok(product);
    }
    let state = followed_by(&product, act, caller)?;
    let product = moved(domain, caller, product, state, reason).await?;
    domain.products.changed.notify_waiters();
    Ok(product)
}

/// Ends a product: its own organisation, or the bureau.
pub(crate) async fn retire(
    domain: &Domain,
    caller: &Caller,
    name: &str,
    reason: &str,
) -> Result<ProductRecord, Fault> {
    let reason = check_reason(reason)?;
    let _one = domain.products.changing.lock().await;
    let product = find(domain, caller, name).await?;
    if caller.role == Role::Operator && product.organisation != caller.organisation {
        return Err(unknown(name));
    }
    if is_again(&product, ProductState::Retired, caller, &reason) {
        return Ok(product);
    }
    let state = followed_by(&product, ProductAct::Retire, caller)?;
    moved(domain, caller, product, state, reason).await
}

/// Whether the same person brought it there for the same reason: the request was sent again, as when an answer got lost.
fn is_again(product: &ProductRecord, state: ProductState, caller: &Caller, reason: &str) -> bool {
    product.state == state && product.changed_by == caller.signature() && product.reason == reason
}

/// The state that an act of the caller's leads to.
fn followed_by(
    product: &ProductRecord,
    act: ProductAct,
    caller: &Caller,
) -> Result<ProductState, Fault> {
    let from = (product.state, product.state.as_str());
    next(PRODUCT, from, act, Some(caller.role)).map_err(|_| refused(product))
}

async fn moved(
    domain: &Domain,
    caller: &Caller,
    product: ProductRecord,
    state: ProductState,
    reason: String,
) -> Result<ProductRecord, Fault> {
    let product = ProductRecord {
        state,
        changed_by: caller.signature(),
        changed_at: moment(domain.clock.now()),
        reason,
        ..product
    };
    keep(domain, caller, product).await
}

async fn keep(
    domain: &Domain,
    caller: &Caller,
    product: ProductRecord,
) -> Result<ProductRecord, Fault> {
    let event = Event::ProductChanged {
        product: product.name.clone(),
        digest: product.digest.parse()?,
        state: product.state.as_str().to_owned(),
        reason: product.reason.clone(),
    };
    domain.record.append_async(caller.actor(), event).await?;
    domain.registry.put_product(&product).await?;
    Ok(product)
}

fn refused(product: &ProductRecord) -> Fault {
    Fault::caller(
        "PRODUCT_STATE",
        format!(
            "product `{}` is {}, and what is asked does not follow on that. `weir product show {}` says more",
            product.name,
            product.state.as_str(),
            product.name
        ),
    )
}

fn check_text(what: &str, text: &str, chars_max: usize) -> Result<(), Fault> {
    let fits = (1..=chars_max).contains(&text.trim().chars().count())
        && !text.chars().any(|c| c.is_control() && c != '\n');
    if fits {
        return Ok(());
    }
    Err(Fault::caller(
        "PRODUCT_TEXT",
        format!("the {what} of a product has 1 to {chars_max} characters"),
    ))
}

/// The layer of a product, beside those of its grant.
pub(super) fn layer(name: &str) -> Layer {
    Layer::Grant(format!("of product {name}"))
}

//! What a run holds while it reads: the grant it reads under, checked again whenever something changed.
//!
//! Order: the lease listens for changes before it looks for the first time, so that none falls in between. It is looked at
//! once more, with changes kept waiting, right before a release is recorded.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use tokio::runtime::Handle;
use tokio::sync::watch;
use weir_audit::{Digest, Event};
use weir_policy::{Layer, Policy};
use weir_registry::{Charge, ChargedRun, FreezeRecord, GrantRecord, GrantState, Reserved};

use super::terms::Columns;
use super::{Terms, chain, find, grant_unknown, moment, parse_moment, settle};
use crate::access::{self, Caller};
use crate::attempts::under_way_already;
use crate::basis;
use crate::budgets::{self, Asks};
use crate::domain::Domain;
use crate::fault::{Fault, count, panicked};
use crate::models;
use crate::usage::Cost;

/// How often a run under way looks at the clock, so that one that was set forward ends what it ends within a second.
const CLOCK_EVERY: Duration = Duration::from_millis(500);

/// What a run is about to read, before its columns are known.
#[derive(Debug, Clone, Default)]
pub(crate) struct Need {
    pub(crate) datasets: Vec<String>,
    /// Name and digest.
    pub(crate) models: Vec<(String, String)>,
}

/// A run's authority. While it is there, the run counts as under way.
pub(crate) struct Lease {
    domain: Arc<Domain>,
    caller: Caller,
    run: String,
    request_digest: Digest,
    need: Need,
    /// The grant and those above it, as they were at the last look.
    chain: Vec<(GrantRecord, Terms)>,
    changed: watch::Receiver<u64>,
    _under_way: UnderWay,
}

/// Takes a lease: under the named grant, or under the only one that covers what is read.
pub(crate) async fn lease(
    domain: &Arc<Domain>,
    caller: &Caller,
    (run, request_digest): (&str, Digest),
    asked: &str,
    need: Need,
) -> Result<Lease, Fault> {
    let changed = domain.grants.changed.subscribe();
    let under_way = UnderWay::enter(domain, &caller.organisation, run)?;
    settle(domain).await?;
    let chain = choose(domain, caller, asked, &need).await?;
    Ok(Lease {
        domain: Arc::clone(domain),
        caller: caller.clone(),
        run: run.to_owned(),
        request_digest,
        need,
        chain,
        changed,
        _under_way: under_way,
    })
}

impl Lease {
    /// The id of the grant that is read under.
    pub(crate) fn grant(&self) -> &str {
        self.chain.first().map_or("", |(own, _)| &own.id)
    }

    /// Refuses columns that the grant does not cover.
    pub(crate) fn covers_columns(&self, read: &Columns) -> Result<(), Fault> {
        // The parts above cover at least as much: a part never reaches further than the whole.
        let (_, own) = self.chain.first().ok_or_else(|| grant_unknown(""))?;
        own.covers_columns(read)
    }

    /// What the grant and those above it ask for beyond the policies in force.
    pub(crate) fn layers(&self) -> Result<Vec<(Layer, Policy)>, Fault> {
        layers(&self.chain)
    }

    /// Charges the run, and puts on record what it is charged, that it is about to read under this grant and what it is going to
    /// compute from, which is kept then. Gives the bits that it may say.
    pub(crate) async fn begin(
        &self,
        cost: &Cost,
        asks: &Asks,
        basis: basis::Complete,
    ) -> Result<u64, Fault> {
        let (own, _) = self.chain.first().ok_or_else(|| grant_unknown(""))?;
        within_day(&self.domain, &self.caller, cost.fuel()).await?;
        let bits = self.reserve(&cost.charge()?, asks).await?;
        let events = vec![
            Event::RunCharged {
                run: self.run.clone(),
                request_digest: self.request_digest,
                grant: own.id.clone(),
                product: cost.product.clone(),
                reads: cost.reads.clone(),
                bits_reserved: Some(bits),
                epsilon_millionths: asks.epsilon_millionths,
            },
            Event::RunAuthorised {
                run: self.run.clone(),
                request_digest: self.request_digest,
                grant: own.id.clone(),
                grant_digest: own.digest.parse()?,
            },
            basis.event(),
        ];
        let (record, actor) = (self.domain.record.clone(), self.caller.actor());
        let receipt = tokio::task::spawn_blocking(move || record.append_together(&actor, events))
            .await
            .map_err(|_| panicked())??;
        basis.keep(&self.domain.registry, receipt.index()).await?;
        Ok(bits)
    }

    /// Does work that ends as soon as the lease no longer holds: the work is dropped, and the refusal is the one that a run
    /// which had not begun would get.
    pub(crate) async fn while_it_holds<T>(
        &mut self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            biased;
            fault = self.lost() => Err(fault),
            done = work => done,
        }
    }

    /// Waits until it no longer holds.
    async fn lost(&mut self) -> Fault {
        // It was looked at as it was taken: the first time only a change makes another look worth while.
        let mut is_to_look = self.changed.has_changed().unwrap_or(true);
        loop {
            if is_to_look {
                self.changed.borrow_and_update();
                match self.look().await {
                    // What it rests on may end at another time by now.
                    Ok(chain) => self.chain = chain,
                    Err(fault) => return fault,
                }
            }
            is_to_look = true;
            tokio::select! {
                changed = self.changed.changed() => if changed.is_err() {
                    return crate::fault::stopping();
                },
                () = due(&self.domain, &self.chain) => if let Err(fault) = settle(&self.domain).await {
                    return fault;
                },
            }
        }
    }

    /// Looks again at everything the lease rests on, the caller's certificate included; answers with what the grant and
    /// those above it are now.
    async fn look(&self) -> Result<Vec<(GrantRecord, Terms)>, Fault> {
        let (own, _) = self.chain.first().ok_or_else(|| grant_unknown(""))?;
        access::still_known(&self.domain, self.caller.fingerprint).await?;
        let chain = chain(&self.domain, find(&self.domain, &own.id).await?).await?;
        usable(&self.domain, &chain, &self.need, self.domain.clock.now()).await?;
        Ok(chain)
    }

    /// Puts a release on record after a last look, while changes wait, and charges what it spends: `append` writes the log
    /// entry. Blocks.
    pub(crate) fn record_blocking<T>(
        &self,
        spent: &Charge,
        append: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _standing = self.domain.grants.standing.blocking_read();
        Handle::current().block_on(async {
            self.look().await?;
            self.charge(spent).await
        })?;
        append()
    }

    /// Charges the run to the grant, to all above it and to the budgets of what it reads.
    async fn reserve(&self, charge: &Charge, asks: &Asks) -> Result<u64, Fault> {
        let chain = self.chain.iter();
        let allowances: Vec<_> = chain
            .map(|(grant, terms)| terms.quotas.allowance(&grant.id))
            .collect();
        let digest = self.request_digest.to_string();
        let of = (self.run.as_str(), digest.as_str());
        match asks.reserve(&self.domain, &allowances, of, charge).await? {
            Reserved::Bits(bits) => Ok(bits.unsigned_abs()),
            Reserved::Quota(up) => Err(used_up(&up.grant, up.quota)),
            Reserved::Budget(budget) => Err(budgets::used_up(&budget)),
        }
    }

    /// The grants that the run is charged to: its own first.
    pub(crate) fn charged(&self) -> Vec<&str> {
        let chain = self.chain.iter();
        chain.map(|(grant, _)| grant.id.as_str()).collect()
    }

    /// Gives back the bits that a run did not say: one that was answered, or whose table waits.
    pub(crate) async fn settle(&self, bits: u64, answered: bool) -> Result<(), Fault> {
        let grants = self.charged();
        let of = ChargedRun {
            run: &self.run,
            request_digest: &self.request_digest.to_string(),
            at: "",
        };
        let settled = self
            .domain
            .registry
            .settle(&grants, of, count(bits)?, answered);
        Ok(settled.await?)
    }

    /// The same of one that was answered. Blocks.
    pub(crate) fn settle_blocking(&self, bits: u64) -> Result<(), Fault> {
        Handle::current().block_on(self.settle(bits, true))
    }

    /// Charges the run to the grant and all above it, once for each amount however often it is charged; refuses where a
    /// quota is used up, and then nothing is charged. Durable when this returns.
    pub(crate) async fn charge(&self, charge: &Charge) -> Result<(), Fault> {
        let chain = self.chain.iter();
        let allowances: Vec<_> = chain
            .map(|(grant, terms)| terms.quotas.allowance(&grant.id))
            .collect();
        let of = ChargedRun {
            run: &self.run,
            request_digest: &self.request_digest.to_string(),
            at: &moment(self.domain.clock.now()),
        };
        let charged = self.domain.registry.charge_grants(&allowances, of, charge);
        match charged.await? {
            None => Ok(()),
            Some(up) => Err(used_up(&up.grant, up.quota)),
        }
    }
}

/// Waits until something happens to a grant by itself: a term or a deadline that ends.
async fn due(domain: &Domain, chain: &[(GrantRecord, Terms)]) {
    let ends = chain.iter().map(|(grant, _)| grant.not_after.as_str());
    let deadlines = chain
        .iter()
        .filter_map(|(grant, _)| grant.deadline.as_deref());
    let next = ends
        .chain(deadlines)
        .filter_map(|at| parse_moment(at).ok())
        .min();
    loop {
        let now = domain.clock.now();
        let wait = next.and_then(|next| (next - now).to_std().ok());
        // A millisecond more: moments are kept to the millisecond.
        let wait = wait.unwrap_or_default() + Duration::from_millis(1);
        tokio::time::sleep(wait.min(CLOCK_EVERY)).await;
        if next.is_some_and(|next| next <= domain.clock.now()) {
            return;
        }
    }
}

/// Refuses a run that would take its operator over what the settings allow in a day.
async fn within_day(domain: &Domain, caller: &Caller, fuel: u64) -> Result<(), Fault> {
    let Some(most) = domain.config.fair_use.fuel_per_day else {
        return Ok(());
    };
    let begun = domain
        .clock
        .now()
        .date_naive()
        .and_time(NaiveTime::MIN)
        .and_utc();
    let registry = &domain.registry;
    let used = registry
        .fuel_since(&caller.organisation, &moment(begun))
        .await?;
    if used.unsigned_abs().saturating_add(fuel) <= most.get() {
        return Ok(());
    }
    Err(Fault::policy(
        "FUEL_PER_DAY",
        format!(
            "this run could take {fuel} million instructions of models, and your organisation may have {most} in a day \
             (UTC). Read less, or wait until tomorrow"
        ),
    ))
}

fn used_up(grant: &str, quota: &str) -> Fault {
    Fault::policy(
        "GRANT_QUOTA",
        format!(
            "what grant `{grant}` allows of `{quota}` is used up, or this run would need more than is left. Apply for more"
        ),
    )
}

/// That a run of an organisation is under way.
struct UnderWay {
    domain: Arc<Domain>,
    entry: (String, String),
}

impl UnderWay {
    fn enter(domain: &Arc<Domain>, organisation: &str, run: &str) -> Result<Self, Fault> {
        let entry = (organisation.to_owned(), run.to_owned());
        let mut running = domain.grants.running();
        if running.contains(&entry) {
            return Err(under_way_already(run));
        }
        let own = running.iter().filter(|(of, _)| of == organisation).count();
        let most = domain.config.fair_use.under_way();
        if own >= most {
            return Err(Fault::policy(
                "RUNS_TOO_MANY",
                format!(
                    "{most} runs of your organisation are under way, the most at once. Wait for one to end"
                ),
            ));
        }
        running.push(entry.clone());
        drop(running);
        Ok(Self {
            domain: Arc::clone(domain),
            entry,
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.domain
            .grants
            .running()
            .retain(|entry| *entry != self.entry);
    }
}

/// What a grant and those above it ask for beyond the policies in force, the whole first.
pub(crate) fn layers(chain: &[(GrantRecord, Terms)]) -> Result<Vec<(Layer, Policy)>, Fault> {
    let mut layers = Vec::new();
    for (grant, terms) in chain.iter().rev() {
        if let Some(policy) = terms.layer()? {
            layers.push((Layer::Grant(grant.id.clone()), policy));
        }
    }
    Ok(layers)
}

/// The grant that covers this for the caller now, and what it and those above it ask for beyond the policies in force.
pub(crate) async fn covers(
    domain: &Domain,
    caller: &Caller,
    asked: &str,
    (need, read): (&Need, &Columns),
) -> Result<(String, Vec<(Layer, Policy)>), Fault> {
    settle(domain).await?;
    let chain = choose(domain, caller, asked, need).await?;
    let (own, terms) = chain.first().ok_or_else(|| grant_unknown(asked))?;
    terms.covers_columns(read)?;
    Ok((own.id.clone(), layers(&chain)?))
}

/// The named grant of the caller's organisation, or the only one that covers what is read, with those above it.
async fn choose(
    domain: &Domain,
    caller: &Caller,
    asked: &str,
    need: &Need,
) -> Result<Vec<(GrantRecord, Terms)>, Fault> {
    if !asked.is_empty() {
        let grant = find(domain, asked).await?;
        if grant.organisation != caller.organisation {
            return Err(grant_unknown(asked));
        }
        return covering(domain, grant, need).await;
    }
    let mut refused = Vec::new();
    let mut fit = Vec::new();
    for grant in domain.registry.grants_of(&caller.organisation).await? {
        match covering(domain, grant, need).await {
            Ok(chain) => fit.push(chain),
            Err(fault) => refused.push(fault),
        }
    }
    match (fit.pop(), fit.is_empty(), refused.pop()) {
        (Some(one), true, _) => Ok(one),
        (Some(one), false, _) => {
            let ids = fit.iter().chain([&one]).filter_map(|chain| chain.first());
            let ids: Vec<_> = ids.map(|(grant, _)| format!("`{}`", grant.id)).collect();
            Err(Fault::caller(
                "GRANT_AMBIGUOUS",
                format!(
                    "several grants of your organisation cover this: {}. Name one with --grant",
                    ids.join(", ")
                ),
            ))
        }
        // Where there is but one, what keeps it from covering this is worth more than that none does.
        (None, _, Some(fault)) if refused.is_empty() => Err(fault),
        (None, ..) => Err(Fault::policy(
            "GRANT_MISSING",
            format!(
                "no grant of your organisation covers {}. Apply for one with `weir grant apply FILE`",
                need.datasets.join(", ")
            ),
        )),
    }
}

async fn covering(
    domain: &Domain,
    grant: GrantRecord,
    need: &Need,
) -> Result<Vec<(GrantRecord, Terms)>, Fault> {
    let chain = chain(domain, grant).await?;
    usable(domain, &chain, need, domain.clock.now()).await?;
    for (_, terms) in &chain {
        terms.covers(need)?;
    }
    Ok(chain)
}

/// Refuses where anything keeps a grant from being read under now.
pub(crate) async fn usable(
    domain: &Domain,
    chain: &[(GrantRecord, Terms)],
    need: &Need,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let frozen = domain.registry.freezes().await?;
    let now = moment(now);
    for (grant, terms) in chain {
        let (code, what) = match grant.state {
            GrantState::Active | GrantState::Mending if terms.not_after <= now => {
                ("GRANT_EXPIRED", "has expired")
            }
            GrantState::Active | GrantState::Mending if terms.not_before > now => {
                ("GRANT_NOT_YET", "has not begun")
            }
            GrantState::Active | GrantState::Mending => continue,
            GrantState::Suspended => ("GRANT_SUSPENDED", "is suspended"),
            GrantState::Revoked => ("GRANT_REVOKED", "was revoked"),
            GrantState::Expired => ("GRANT_EXPIRED", "has expired"),
            GrantState::Terminated => ("GRANT_TERMINATED", "was terminated"),
        };
        return Err(Fault::policy(
            code,
            format!(
                "grant `{}` {what}, and nothing is read under it. `weir grant show {}` says more",
                grant.id, grant.id
            ),
        ));
    }
    let holders = || chain.iter().map(|(grant, _)| &grant.organisation);
    let stops = |freeze: &&FreezeRecord| match freeze.scope.as_str() {
        "dataset" => need.datasets.contains(&freeze.name),
        "operator" => holders().any(|holder| *holder == freeze.name),
        _ => true,
    };
    match frozen.iter().find(stops) {
        None => models::unless_withdrawn(domain, need).await,
        Some(freeze) => Err(Fault::policy(
            "GRANT_FROZEN",
            match freeze.scope.as_str() {
                "domain" => "the domain is frozen and nothing is read. Ask the bureau".to_owned(),
                scope => format!(
                    "{scope} `{}` is frozen and nothing is read. Ask the bureau",
                    freeze.name
                ),
            },
        )),
    }
}

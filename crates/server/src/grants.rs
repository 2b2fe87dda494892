//! Authority over data: applications, grants, what is frozen, and the check at the moment of reading.
//!
//! What may follow what is one table (`states.rs`). A change is in the log first, then in the registry, and only then are
//! runs under way told to look again (`lease.rs`). A release is recorded while changes wait, and after a last look: once a
//! revocation has been answered, nothing is released under what it revoked.
//!
//! Terms that end and deadlines that pass take effect at the first look after them, as a loosened policy does: there is no
//! clock to fail. A run that is reading looks by itself when one is due.

mod apply;
mod change;
mod form;
mod freeze;
mod issue;
mod lease;
mod review;
pub(crate) mod states;
pub(crate) mod terms;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::sync::watch;
use uuid::Uuid;
use weir_audit::{Actor, Digest};
use weir_registry::{GrantRecord, RequestRecord, Role};

pub(crate) use apply::{
    apply, find as find_application, is_live, is_open, unknown as application_unknown, withdraw,
};
pub(crate) use change::{Asked, change, settle};
pub(crate) use form::Form;
pub(crate) use freeze::{freeze, unfreeze};
pub(crate) use issue::{Narrowed, delegate, issue};
pub(crate) use lease::{Lease, Need, covers, layers, lease, usable};
pub(crate) use review::{decide, outstanding, review};
pub(crate) use terms::{Quotas, Terms};

use crate::access::Caller;
use crate::domain::Domain;
use crate::fault::Fault;

/// Longest reason or opinion, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Most applications listed.
pub(crate) const APPLICATIONS_LISTED_MAX: u32 = 1_000;

/// Most grants between a part and the whole. A loop cannot be made; this bounds what a damaged registry could cost.
const CHAIN_MAX: usize = 8;

/// What an open domain keeps of authority; all else is in the registry.
pub(crate) struct Grants {
    /// Held by whoever changes something: one change at a time, each judged against what the one before left.
    changing: tokio::sync::Mutex<()>,
    /// Held for reading while a release is recorded, for writing while a change takes effect.
    standing: tokio::sync::RwLock<()>,
    /// Counts changes that took effect; runs under way look again when it moves.
    changed: watch::Sender<u64>,
    /// Organisation and id of the runs under way.
    running: Mutex<Vec<(String, String)>>,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self {
            changing: tokio::sync::Mutex::new(()),
            standing: tokio::sync::RwLock::new(()),
            changed: watch::Sender::new(0),
            running: Mutex::new(Vec::new()),
        }
    }

    /// Has a change take effect: it waits for releases that are being recorded, and then has every run look again.
    pub(crate) async fn take_effect<T>(
        &self,
        change: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let _alone = self.standing.write().await;
        let outcome = change.await;
        self.changed.send_modify(|count| *count += 1);
        outcome
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A grant with those it is a part of: itself first, the whole last. Each was read and its signature checked.
pub(crate) async fn chain(
    domain: &Domain,
    record: GrantRecord,
) -> Result<Vec<(GrantRecord, Terms)>, Fault> {
    let mut chain = Vec::new();
    let mut next = Some(record);
    while let Some(record) = next {
        let terms = Terms::read(domain, &record)?;
        next = match &record.parent {
            Some(parent) if chain.len() < CHAIN_MAX => Some(find(domain, parent).await?),
            Some(_) => {
                return Err(Fault::bug(
                    "BUG_GRANT",
                    "a grant is a part of too many others. Please report this",
                ));
            }
            None => None,
        };
        chain.push((record, terms));
    }
    Ok(chain)
}

/// The grant with this id.
pub(crate) async fn find(domain: &Domain, id: &str) -> Result<GrantRecord, Fault> {
    domain
        .registry
        .grant(id)
        .await?
        .ok_or_else(|| grant_unknown(id))
}

pub(crate) fn grant_unknown(id: &str) -> Fault {
    Fault::caller(
        "GRANT_UNKNOWN",
        format!(
            "there is no grant `{}` that you may see. `weir grant list` shows those there are",
            form::short(id)
        ),
    )
}

/// Whom the log names where nobody called.
pub(crate) fn server() -> Actor {
    Actor {
        person: "server".to_owned(),
        organisation: String::new(),
        role: Role::Bureau.to_string(),
    }
}

/// As the registry and a grant have it: fixed width, so that moments compare as text.
pub(crate) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// How many runs and cells are left of a grant and all above it; `None` where there is no quota.
pub(crate) async fn left(domain: &Domain, id: &str) -> Result<[Option<u64>; 2], Fault> {
    let mut left: [Option<u64>; 2] = [None, None];
    for (grant, terms) in chain(domain, find(domain, id).await?).await? {
        let used = domain.registry.grant_use(&grant.id).await?;
        let of = [
            (terms.quotas.runs, used.runs),
            (terms.quotas.cells, used.charged.cells),
        ];
        for (left, (quota, used)) in left.iter_mut().zip(of) {
            let own = quota.map(|quota| quota.saturating_sub(used.unsigned_abs()));
            *left = match (*left, own) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    Ok(left)
}

/// A moment as callers write it.
pub(crate) fn parse_moment(text: &str) -> Result<DateTime<Utc>, Fault> {
    DateTime::parse_from_rfc3339(text)
        .map(DateTime::<Utc>::from)
        .map_err(|_| {
            Fault::caller(
                "MOMENT_INVALID",
                "a moment must be written as in `2027-01-31T00:00:00Z` (RFC 3339)",
            )
        })
}

/// A reason in one line.
pub(crate) fn check_reason(reason: &str) -> Result<String, Fault> {
    let reason = reason.trim();
    let fits = (1..=REASON_CHARS_MAX).contains(&reason.chars().count())
        && !reason.chars().any(char::is_control);
    if fits {
        return Ok(reason.to_owned());
    }
    Err(Fault::caller(
        "REASON_INVALID",
        format!("say why in one line of 1 to {REASON_CHARS_MAX} characters; it is put on record"),
    ))
}

/// A request by the key that its caller chose.
pub(crate) struct Request<'a> {
    pub(crate) key: &'a str,
    /// Digest of what is asked.
    pub(crate) digest: Digest,
}

impl Request<'_> {
    /// What this request made or changed before, if it was carried out.
    async fn subject(&self, domain: &Domain, caller: &Caller) -> Result<Option<String>, Fault> {
        if self.key.is_empty() {
            return Ok(None);
        }
        if Uuid::try_parse(self.key).is_err() {
            return Err(Fault::caller(
                "REQUEST_KEY_INVALID",
                "the request key is no UUID. Send a UUID, or leave it out",
            ));
        }
        let Some(done) = domain.registry.grant_request(self.key).await? else {
            return Ok(None);
        };
        let same = done.organisation == caller.organisation
            && done.person == caller.person
            && done.digest == self.digest.to_string();
        match same {
            true => Ok(Some(done.subject)),
            false => Err(Fault::caller(
                "REQUEST_KEY_TAKEN",
                "the request key belongs to another request. Use a new one",
            )),
        }
    }

    /// What the registry keeps of it once it is carried out.
    fn record(&self, caller: &Caller, subject: &str) -> Option<RequestRecord> {
        (!self.key.is_empty()).then(|| RequestRecord {
            key: self.key.to_owned(),
            organisation: caller.organisation.clone(),
            person: caller.person.clone(),
            digest: self.digest.to_string(),
            subject: subject.to_owned(),
        })
    }
}

/// Refuses somebody who would decide on the work of their own organisation, or of a person of their name: who has
/// identities of two organisations is one person, and names are all there is to tell.
pub(crate) fn not_own(
    caller: &Caller,
    (organisation, person): (&str, &str),
    what: &str,
) -> Result<(), Fault> {
    let whose = match (caller.organisation == organisation, caller.person == person) {
        (true, _) => "of your own organisation. Someone from another one decides on it",
        (_, true) => {
            "by a person of your name, who may be you. Someone of another name decides on it"
        }
        _ => return Ok(()),
    };
    Err(Fault::policy("OWN_WORK", format!("{what} is {whose}")))
}

/// The person of whom only the organisation is known: nobody has this name.
pub(crate) const ANYBODY: &str = "";

//! Plays a sequence: asks the model, calls the server, and compares.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use weir_client::v1::{
    ApplyRequest, ChangeGrantRequest, DecideApplicationRequest, DecideProductRequest, Decision,
    DelegateGrantRequest, FreezeRequest, GrantAct, GrantedDataset, IssueGrantRequest, Opinion,
    ProductDecision, RegisterProductRequest, ReviewApplicationRequest, Role, RunProductRequest,
    RunRequest, WithdrawApplicationRequest,
};
use weir_client::{Client, ClientError};
use weir_tests::{OPERATOR, TestDomain, example, issue_to};

use super::act::{Act, PEOPLE, Term};
use super::logged;
use super::model::{Application, Model, ORDERED_DAYS, PARTNER, Who, Why};
use crate::cast::{Person, cast, stage};
use crate::grants::{columns, text};

/// After so many hours of a domain's life another one is made: certificates live for 397 days.
const HOURS_MAX: i64 = 300 * 24;

const TOWNS: &str = "SELECT town, COUNT(*) AS n FROM people GROUP BY town";
const INCOMES: &str = "SELECT town, AVG(income) AS mean FROM people GROUP BY town";

/// A domain with its people.
pub(crate) struct Stage {
    domain: TestDomain,
    people: Vec<Person>,
    component: Vec<u8>,
    hour: i64,
    case: u32,
    /// How often what happened.
    pub(crate) seen: BTreeMap<&'static str, u32>,
}

impl Stage {
    pub(crate) async fn open() -> Self {
        let domain = stage("model_reviewers = 2").await;
        let mut people = cast(&domain).await;
        people.push(partner(&domain).await);
        assert_eq!(people.len(), PEOPLE);
        Self {
            domain,
            people,
            component: std::fs::read(example("models/pace/pace.wasm")).unwrap(),
            hour: 0,
            case: 0,
            seen: BTreeMap::new(),
        }
    }

    /// Plays one sequence from a clean state: scenarios, names and grants of its own.
    pub(crate) async fn play(&mut self, acts: &[Act]) -> Result<(), String> {
        if self.hour > HOURS_MAX {
            let seen = std::mem::take(&mut self.seen);
            std::mem::replace(self, Self::open().await).close().await;
            self.seen = seen;
        }
        self.case += 1;
        for dataset in [true, false] {
            let lifted = freezing(self.bureau(), dataset, true).await;
            lifted.map_err(|error| error.to_string())?;
        }
        let (name, component) = (self.name(), self.component.clone());
        let submitted = self.operator().submit_model(&name, component);
        let digest = submitted.await.map_err(|error| error.to_string())?.digest;
        let mut model = Model::at(self.hour);
        for (step, act) in acts.iter().enumerate() {
            let told = self.step(&mut model, *act, &digest).await;
            told.map_err(|told| format!("step {step}, {act:?}: {told}"))?;
        }
        self.hour = model.hour;
        self.states(&model).await
    }

    pub(crate) async fn close(self) {
        logged::holds(self.domain).await;
    }

    /// Somebody of the bureau; the domain's own administrator has a shorter certificate.
    fn bureau(&self) -> &Client {
        &self.people[1].client
    }

    fn operator(&self) -> &Client {
        &self.people[6].client
    }

    pub(super) fn name(&self) -> String {
        format!("case_{}", self.case)
    }

    pub(super) fn who(&self, index: usize) -> (Who, &Client) {
        let person = &self.people[index];
        let who = Who {
            role: person.role,
            organisation: person.organisation,
            name: person.name,
        };
        (who, &person.client)
    }

    pub(super) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// One call: foretold, made, compared, and taken note of. What there is nothing for yet is left out.
    async fn step(&mut self, model: &mut Model, act: Act, digest: &str) -> Result<(), String> {
        match act {
            Act::Apply {
                who,
                scenario,
                wide,
            } => self.apply(model, who, (scenario, wide), None).await,
            Act::Resubmit {
                who,
                application,
                wide,
            } => {
                let Some(index) = newest(model.applications.len(), application) else {
                    return Ok(());
                };
                let scenario = model.applications[index].scenario;
                self.apply(model, who, (scenario, wide), Some(index)).await
            }
            Act::Withdraw { .. } | Act::Review { .. } | Act::Decide { .. } | Act::Issue { .. } => {
                self.on_application(model, act).await
            }
            Act::Delegate { .. } | Act::Change { .. } | Act::Run { .. } | Act::Register { .. } => {
                self.on_grant(model, act).await
            }
            Act::Freeze { who, dataset, lift } => {
                let (who, client) = self.who(who);
                let why = model.freeze(who, dataset, lift);
                let came = freezing(client, dataset, lift).await;
                if compare(&why, &came)? {
                    match dataset {
                        true => model.frozen_dataset = !lift,
                        false => model.frozen_operator = !lift,
                    }
                }
                Ok(())
            }
            Act::Judge { .. } | Act::Retire { .. } | Act::RunProduct { .. } => {
                self.on_product(model, act).await
            }
            Act::OnModel { who, act } => self.on_model(&mut model.vetted, (who, act), digest).await,
            Act::Pass { week } => {
                let hours = if week { 170 } else { 26 };
                model.pass(hours);
                let ahead = TimeDelta::hours(model.hour);
                self.domain.clock.set_ahead(ahead);
                // Kept in step, so that a case which fails leaves the clock where it is.
                self.hour = model.hour;
                self.states(model).await
            }
        }
    }

    async fn apply(
        &mut self,
        model: &mut Model,
        who: usize,
        (scenario, wide): (usize, bool),
        again: Option<usize>,
    ) -> Result<(), String> {
        let (who, client) = self.who(who);
        let why = model.apply(who, scenario, again);
        let read = read_columns(wide);
        let partners = format!(
            "partners = [\"{PARTNER}\"]\n# {} of {}",
            model.applications.len(),
            self.hour
        );
        let request = ApplyRequest {
            text: text(&format!("{} {scenario}", self.name()), &read, &partners),
            source_name: "a.toml".to_owned(),
            application: again
                .map_or_else(String::new, |index| model.applications[index].id.clone()),
            request_key: String::new(),
        };
        let came = client.apply(request).await;
        if compare(&why, &came)? {
            let came = came.map_err(|error| error.to_string())?;
            model.applied(who, (scenario, wide), again, (came.id, came.digest));
        }
        Ok(())
    }

    async fn on_application(&mut self, model: &mut Model, act: Act) -> Result<(), String> {
        let (Act::Withdraw { who, application }
        | Act::Review {
            who, application, ..
        }
        | Act::Decide {
            who, application, ..
        }
        | Act::Issue {
            who, application, ..
        }) = act
        else {
            return Ok(());
        };
        let Some(index) = newest(model.applications.len(), application) else {
            return Ok(());
        };
        let (who, client) = self.who(who);
        let of = model.applications[index].clone();
        match act {
            Act::Review {
                supports, stale, ..
            } => {
                let why = model.review(who, index, stale);
                if compare(&why, &reviewing(client, &of, supports, stale).await)? {
                    model.reviewed(who, index, supports);
                }
            }
            Act::Decide { returns, .. } => {
                let why = model.decide(who, index, false);
                if compare(&why, &deciding(client, &of, returns).await)? {
                    model.applications[index].state = if returns { "returned" } else { "rejected" };
                }
            }
            Act::Issue { stale, term, .. } => {
                let why = model.issue(who, index, stale, term);
                let came = issuing(client, &of, stale, self.until(term)).await;
                if compare(&why, &came)? {
                    model.issued(index, term, came.map_err(|error| error.to_string())?);
                    self.note("issued");
                }
            }
            _ => {
                let why = model.withdraw(who, index);
                let request = WithdrawApplicationRequest {
                    id: of.id,
                    reason: "a mistake".to_owned(),
                    request_key: String::new(),
                };
                if compare(&why, &client.withdraw_application(request).await)? {
                    model.applications[index].state = "withdrawn";
                }
            }
        }
        Ok(())
    }

    fn until(&self, term: Term) -> String {
        let days = match term {
            Term::AsAsked => return String::new(),
            Term::Shorter => 5,
            Term::Longer => 31,
        };
        let now = chrono::Utc::now() + TimeDelta::hours(self.hour);
        (now + TimeDelta::days(days)).to_rfc3339()
    }

    async fn on_grant(&mut self, model: &mut Model, act: Act) -> Result<(), String> {
        let (Act::Delegate { who, grant, .. }
        | Act::Change { who, grant, .. }
        | Act::Run { who, grant, .. }
        | Act::Register { who, grant, .. }) = act
        else {
            return Ok(());
        };
        let Some(index) = newest(model.grants.len(), grant) else {
            return Ok(());
        };
        let (who, client) = self.who(who);
        let id = model.grants[index].id.clone();
        match act {
            Act::Delegate { wide, named, .. } => {
                let why = model.delegate(who, index, wide, named);
                let came = delegating(client, &id, wide, named).await;
                if compare(&why, &came)? {
                    model.delegated(index, wide, came.map_err(|error| error.to_string())?);
                    self.note("delegated");
                }
            }
            Act::Change { act, .. } => {
                let why = model.change(who, index, act);
                if compare(&why, &changing(client, &id, act).await)? {
                    model.changed(index, act);
                }
            }
            Act::Run { wide, .. } => {
                let why = model.run(who, index, wide);
                let request = RunRequest {
                    sql: if wide { INCOMES } else { TOWNS }.to_owned(),
                    grant: id,
                    ..Default::default()
                };
                if compare(&why, &client.run(request, |_| {}).await)? {
                    self.note("released");
                }
            }
            Act::Register { wide, .. } => {
                let why = model.register(who, index, wide);
                let request = RegisterProductRequest {
                    name: self.name(),
                    title: "by town".to_owned(),
                    purpose: "a report".to_owned(),
                    sql: if wide { INCOMES } else { TOWNS }.to_owned(),
                    grant: id,
                    ..Default::default()
                };
                let came = client.register_product(request).await;
                if compare(&why, &came)? {
                    let digest = came.map_err(|error| error.to_string())?.digest;
                    model.registered(who, index, digest);
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn on_product(&mut self, model: &mut Model, act: Act) -> Result<(), String> {
        let (Act::Judge { who, .. } | Act::Retire { who } | Act::RunProduct { who }) = act else {
            return Ok(());
        };
        let (who, client) = self.who(who);
        let name = self.name();
        match act {
            Act::Judge {
                approves, stale, ..
            } => {
                let why = model.judge(who, approves, stale);
                let digest = model.product.as_ref().map(|product| product.digest.clone());
                let request = DecideProductRequest {
                    name,
                    digest: digest.filter(|_| !stale).unwrap_or_else(other_digest),
                    decision: if approves {
                        ProductDecision::Approve
                    } else {
                        ProductDecision::Reject
                    }
                    .into(),
                    reason: "so it is".to_owned(),
                };
                if compare(&why, &client.decide_product(request).await)? {
                    model.moved(who, if approves { "approved" } else { "rejected" });
                    self.note(if approves {
                        "approved product"
                    } else {
                        "rejected product"
                    });
                }
            }
            Act::Retire { .. } => {
                let why = model.retire(who);
                if compare(&why, &client.retire_product(&name, "so it is").await)? {
                    model.moved(who, "retired");
                }
            }
            _ => {
                let why = model.run_product(who);
                let request = RunProductRequest {
                    name,
                    ..Default::default()
                };
                if compare(&why, &client.run_product(request, |_| {}).await)? {
                    self.note("ran product");
                }
            }
        }
        Ok(())
    }

    /// Everything is in the state that the model says.
    async fn states(&mut self, model: &Model) -> Result<(), String> {
        let bureau = self.bureau().clone();
        for of in &model.applications {
            let is = bureau
                .application(&of.id)
                .await
                .map_err(|error| error.to_string())?;
            same(is.state.as_str(), of.state, "an application")?;
        }
        for grant in &model.grants {
            let is = bureau
                .grant(&grant.id)
                .await
                .map_err(|error| error.to_string())?;
            same(is.state.as_str(), grant.state, "a grant")?;
            if grant.state == "expired" {
                self.note("expired");
            }
        }
        if let Some(product) = &model.product {
            let is = bureau
                .product(&self.name())
                .await
                .map_err(|error| error.to_string())?;
            same(is.state.as_str(), product.state, "a product")?;
        }
        Ok(())
    }
}

async fn partner(domain: &TestDomain) -> Person {
    let of = (PARTNER, "hu");
    let identity = issue_to(&domain.bureau, &domain.administrator, Role::Operator, of).await;
    Person {
        part: "partner",
        role: Role::Operator,
        organisation: PARTNER,
        name: "hu",
        client: Client::connect(&identity).await.unwrap(),
    }
}

/// Whether it was carried out; an error where the rules say something else than the server.
pub(super) fn compare<T>(why: &Why, came: &Result<T, ClientError>) -> Result<bool, String> {
    match (why.is_empty(), came) {
        (true, Ok(_)) => Ok(true),
        (false, Err(error)) if why.contains(&error.code()) => Ok(false),
        (true, Err(error)) => Err(format!(
            "nothing speaks against it, and it was refused: {error}"
        )),
        (false, Err(error)) => Err(format!(
            "refused with {}, and not with one of {why:?}",
            error.code()
        )),
        (false, Ok(_)) => Err(format!("carried out, against {why:?}")),
    }
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(
    is: T,
    must: T,
    what: &str,
) -> Result<(), String> {
    match is == must {
        true => Ok(()),
        false => Err(format!("{what} is {is:?} and should be {must:?}")),
    }
}

/// So many back from the newest; the oldest where there are fewer.
fn newest(count: usize, back: usize) -> Option<usize> {
    count.checked_sub(1).map(|last| last.saturating_sub(back))
}

fn read_columns(wide: bool) -> Vec<&'static str> {
    match wide {
        true => vec!["town", "income"],
        false => vec!["town"],
    }
}

fn other_digest() -> String {
    format!("sha256:{}", "0".repeat(64))
}

async fn freezing(client: &Client, dataset: bool, lift: bool) -> Result<(), ClientError> {
    let (scope, name) = match dataset {
        true => ("dataset", "people"),
        false => ("operator", OPERATOR),
    };
    let request = FreezeRequest {
        scope: scope.to_owned(),
        name: name.to_owned(),
        reason: "so it is".to_owned(),
    };
    match lift {
        true => client.unfreeze(request).await.map(drop),
        false => client.freeze(request).await.map(drop),
    }
}

async fn reviewing(
    client: &Client,
    of: &Application,
    supports: bool,
    stale: bool,
) -> Result<(), ClientError> {
    let request = ReviewApplicationRequest {
        id: of.id.clone(),
        digest: if stale {
            other_digest()
        } else {
            of.digest.clone()
        },
        opinion: if supports {
            Opinion::Support
        } else {
            Opinion::Oppose
        }
        .into(),
        text: "so it is".to_owned(),
        request_key: String::new(),
    };
    client.review_application(request).await.map(drop)
}

async fn deciding(client: &Client, of: &Application, returns: bool) -> Result<(), ClientError> {
    let request = DecideApplicationRequest {
        id: of.id.clone(),
        digest: of.digest.clone(),
        decision: if returns {
            Decision::Return
        } else {
            Decision::Reject
        }
        .into(),
        reason: "so it is".to_owned(),
        request_key: String::new(),
    };
    client.decide_application(request).await.map(drop)
}

async fn issuing(
    client: &Client,
    of: &Application,
    stale: bool,
    until: String,
) -> Result<String, ClientError> {
    let request = IssueGrantRequest {
        id: of.id.clone(),
        digest: if stale {
            other_digest()
        } else {
            of.digest.clone()
        },
        until,
        ..Default::default()
    };
    client.issue_grant(request).await.map(|grant| grant.id)
}

async fn delegating(
    client: &Client,
    id: &str,
    wide: bool,
    named: bool,
) -> Result<String, ClientError> {
    let request = DelegateGrantRequest {
        id: id.to_owned(),
        organisation: if named { PARTNER } else { "Nobody" }.to_owned(),
        datasets: vec![GrantedDataset {
            name: "people".to_owned(),
            columns: columns(&read_columns(wide)),
        }],
        ..Default::default()
    };
    client.delegate_grant(request).await.map(|grant| grant.id)
}

async fn changing(client: &Client, id: &str, act: GrantAct) -> Result<(), ClientError> {
    let request = ChangeGrantRequest {
        id: id.to_owned(),
        act: act.into(),
        reason: "so it is".to_owned(),
        days: if act == GrantAct::Order {
            ORDERED_DAYS
        } else {
            0
        },
        ..Default::default()
    };
    client.change_grant(request).await.map(drop)
}

//! The rules written down a second time: what keeps a call from being carried out, and what it does otherwise. Nothing here
//! looks at the server.

use std::collections::BTreeMap;

use weir_client::v1::{GrantAct, Role};

use super::act::Term;
use super::vetted::Vetted;

/// Who calls: the rules know role, organisation and name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) role: Role,
    pub(crate) organisation: &'static str,
    pub(crate) name: &'static str,
}

impl Who {
    pub(super) fn is_near(self, organisation: &str, name: &str) -> bool {
        self.organisation == organisation || self.name == name
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) digest: String,
    pub(crate) scenario: usize,
    pub(crate) wide: bool,
    pub(crate) state: &'static str,
    organisation: &'static str,
    name: &'static str,
    /// By who speaks, of what.
    opinions: BTreeMap<(&'static str, bool), bool>,
}

#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) state: &'static str,
    application: usize,
    above: Option<usize>,
    organisation: &'static str,
    wide: bool,
    ends: i64,
    deadline: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Product {
    pub(crate) digest: String,
    pub(crate) state: &'static str,
    organisation: &'static str,
    name: &'static str,
    grant: usize,
    /// Who brought it into its state: organisation and name.
    by: (&'static str, &'static str),
}

/// Hours of a day, and what is asked for and ordered in days.
const DAY: i64 = 24;
const ASKED: i64 = 30 * DAY;
const SHORTER: i64 = 5 * DAY;
pub(crate) const ORDERED_DAYS: u32 = 5;
const ESCALATES: i64 = 30 * DAY;

/// Who provides what is read.
const PROVIDER: &str = "Civil Registry";
/// Who may be given a part.
pub(crate) const PARTNER: &str = "Beta";

/// All there is.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) hour: i64,
    pub(crate) applications: Vec<Application>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) product: Option<Product>,
    pub(crate) vetted: Vetted,
    pub(crate) frozen_dataset: bool,
    pub(crate) frozen_operator: bool,
}

/// Why not: empty where nothing keeps a call from being carried out. The server says one of them.
pub(crate) type Why = Vec<&'static str>;

pub(super) fn role(why: &mut Why, who: Who, may: &[Role]) {
    if !may.contains(&who.role) {
        why.push("ROLE_NOT_ALLOWED");
    }
}

pub(super) fn unless(why: &mut Why, holds: bool, code: &'static str) {
    if !holds {
        why.push(code);
    }
}

pub(super) const OPERATOR: &str = weir_tests::OPERATOR;

impl Model {
    /// Nothing yet, so many hours into a domain's life.
    pub(crate) fn at(hour: i64) -> Self {
        Self {
            hour,
            ..Self::default()
        }
    }

    pub(crate) fn apply(&self, who: Who, scenario: usize, again: Option<usize>) -> Why {
        let mut why = Why::new();
        role(&mut why, who, &[Role::Operator]);
        let mut others = self.applications.iter().enumerate();
        let open = others.any(|(index, other)| {
            Some(index) != again
                && (other.organisation, other.scenario) == (who.organisation, scenario)
                && matches!(other.state, "submitted" | "reviewed" | "returned")
        });
        let granted = self.grants.iter().any(|grant| {
            let of = &self.applications[grant.application];
            grant.above.is_none()
                && (of.organisation, of.scenario) == (who.organisation, scenario)
                && matches!(grant.state, "active" | "mending" | "suspended")
        });
        unless(&mut why, !open && !granted, "SCENARIO_TAKEN");
        if let Some(before) = again {
            let before = &self.applications[before];
            let own = before.organisation == who.organisation;
            unless(&mut why, own, "APPLICATION_UNKNOWN");
            unless(&mut why, before.state == "returned", "STATE_REFUSED");
        }
        why
    }

    pub(crate) fn applied(
        &mut self,
        who: Who,
        (scenario, wide): (usize, bool),
        again: Option<usize>,
        (id, digest): (String, String),
    ) {
        let new = Application {
            id,
            digest,
            scenario,
            wide,
            state: "submitted",
            organisation: who.organisation,
            name: who.name,
            opinions: BTreeMap::new(),
        };
        match again {
            Some(index) => self.applications[index] = new,
            None => self.applications.push(new),
        }
    }

    pub(crate) fn withdraw(&self, who: Who, index: usize) -> Why {
        let (mut why, of) = (Why::new(), &self.applications[index]);
        role(&mut why, who, &[Role::Operator]);
        unless(
            &mut why,
            of.organisation == who.organisation,
            "APPLICATION_UNKNOWN",
        );
        let open = matches!(of.state, "submitted" | "reviewed" | "returned");
        unless(&mut why, open, "STATE_REFUSED");
        why
    }

    /// What keeps somebody from a word on an application.
    fn to_judge(&self, who: Who, of: &Application, stale: bool) -> Why {
        let mut why = Why::new();
        unless(&mut why, !who.is_near(of.organisation, of.name), "OWN_WORK");
        unless(&mut why, !stale, "APPLICATION_OTHER");
        why
    }

    pub(crate) fn review(&self, who: Who, index: usize, stale: bool) -> Why {
        let of = &self.applications[index];
        let mut why = self.to_judge(who, of, stale);
        role(&mut why, who, &[Role::Provider, Role::Bureau]);
        let speaks = who.role == Role::Bureau || who.organisation == PROVIDER;
        unless(&mut why, speaks, "OPINION_NOT_YOURS");
        let open = matches!(of.state, "submitted" | "reviewed");
        unless(&mut why, open, "STATE_REFUSED");
        why
    }

    pub(crate) fn reviewed(&mut self, who: Who, index: usize, supports: bool) {
        let of = &mut self.applications[index];
        let key = (who.organisation, who.role == Role::Bureau);
        of.opinions.insert(key, supports);
        let provider = of.opinions.get(&(PROVIDER, false)) == Some(&true);
        let opposed = of.opinions.values().any(|supports| !supports);
        of.state = match provider && !opposed {
            true => "reviewed",
            false => "submitted",
        };
    }

    pub(crate) fn decide(&self, who: Who, index: usize, stale: bool) -> Why {
        let of = &self.applications[index];
        let mut why = self.to_judge(who, of, stale);
        role(&mut why, who, &[Role::Bureau]);
        let open = matches!(of.state, "submitted" | "reviewed");
        unless(&mut why, open, "STATE_REFUSED");
        why
    }

    pub(crate) fn issue(&self, who: Who, index: usize, stale: bool, term: Term) -> Why {
        let of = &self.applications[index];
        let mut why = self.to_judge(who, of, stale);
        role(&mut why, who, &[Role::Bureau]);
        match of.state {
            "reviewed" => {}
            "submitted" => why.push("APPLICATION_UNREVIEWED"),
            _ => why.extend(["STATE_REFUSED", "APPLICATION_UNREVIEWED"]),
        }
        unless(&mut why, term != Term::Longer, "GRANT_WIDER");
        why
    }

    pub(crate) fn issued(&mut self, index: usize, term: Term, id: String) {
        let of = &mut self.applications[index];
        of.state = "granted";
        self.grants.push(Grant {
            id,
            state: "active",
            application: index,
            above: None,
            organisation: of.organisation,
            wide: of.wide,
            ends: self.hour
                + match term {
                    Term::Shorter => SHORTER,
                    _ => ASKED,
                },
            deadline: None,
        });
    }

    /// A grant and those above it.
    fn chain(&self, index: usize) -> Vec<&Grant> {
        let own = &self.grants[index];
        own.above.map_or_else(
            || vec![own],
            |above| [vec![own], self.chain(above)].concat(),
        )
    }

    /// What keeps a grant from being read under.
    fn usable(&self, index: usize) -> Why {
        let mut why = Why::new();
        let chain = self.chain(index);
        for grant in &chain {
            match grant.state {
                "suspended" => why.push("GRANT_SUSPENDED"),
                "revoked" => why.push("GRANT_REVOKED"),
                "expired" => why.push("GRANT_EXPIRED"),
                "terminated" => why.push("GRANT_TERMINATED"),
                _ => {}
            }
        }
        let held = chain.iter().any(|grant| grant.organisation == OPERATOR);
        let frozen = self.frozen_dataset || (self.frozen_operator && held);
        unless(&mut why, !frozen, "GRANT_FROZEN");
        why
    }

    pub(crate) fn delegate(&self, who: Who, index: usize, wide: bool, named: bool) -> Why {
        let grant = &self.grants[index];
        let mut why = self.usable(index);
        role(&mut why, who, &[Role::Operator]);
        unless(
            &mut why,
            grant.organisation == who.organisation,
            "GRANT_UNKNOWN",
        );
        let partner = named && grant.above.is_none();
        unless(&mut why, partner, "PARTNER_NOT_NAMED");
        unless(&mut why, grant.wide || !wide, "GRANT_WIDER");
        why
    }

    pub(crate) fn delegated(&mut self, index: usize, wide: bool, id: String) {
        let above = &self.grants[index];
        self.grants.push(Grant {
            id,
            state: "active",
            above: Some(index),
            organisation: PARTNER,
            wide,
            deadline: None,
            ..above.clone()
        });
    }

    pub(crate) fn change(&self, who: Who, index: usize, act: GrantAct) -> Why {
        let grant = &self.grants[index];
        let of = &self.applications[grant.application];
        let mut why = Why::new();
        role(&mut why, who, &[Role::Bureau, Role::Operator]);
        if who.role == Role::Operator {
            let mut holders = self.chain(index).into_iter();
            let holds = holders.any(|grant| grant.organisation == who.organisation);
            unless(&mut why, holds, "GRANT_UNKNOWN");
            unless(&mut why, act == GrantAct::Terminate, "STATE_REFUSED");
        }
        let eases = matches!(act, GrantAct::Resume | GrantAct::Accept);
        let near = who.is_near(grant.organisation, of.name);
        unless(&mut why, !(eases && near), "OWN_WORK");
        unless(
            &mut why,
            Self::follows(grant.state, act).is_some(),
            "STATE_REFUSED",
        );
        why
    }

    fn follows(state: &str, act: GrantAct) -> Option<&'static str> {
        Some(match (act, state) {
            (GrantAct::Suspend, "active" | "mending") => "suspended",
            (GrantAct::Resume, "suspended") => "active",
            (GrantAct::Order, "active") => "mending",
            (GrantAct::Accept, "mending") => "active",
            (GrantAct::Revoke, "active" | "mending" | "suspended") => "revoked",
            (GrantAct::Terminate, "active" | "mending" | "suspended") => "terminated",
            _ => return None,
        })
    }

    pub(crate) fn changed(&mut self, index: usize, act: GrantAct) {
        let deadline = self.hour + i64::from(ORDERED_DAYS) * DAY;
        let grant = &mut self.grants[index];
        let Some(state) = Self::follows(grant.state, act) else {
            return;
        };
        grant.state = state;
        grant.deadline = (act == GrantAct::Order).then_some(deadline);
        self.end_parts();
    }

    /// What ends a grant ends every part of it.
    fn end_parts(&mut self) {
        for index in 0..self.grants.len() {
            let above = self.grants[index]
                .above
                .map(|above| self.grants[above].state);
            let live = matches!(self.grants[index].state, "active" | "mending" | "suspended");
            if let (Some(state @ ("revoked" | "terminated" | "expired")), true) = (above, live) {
                self.grants[index].state = state;
                self.grants[index].deadline = None;
            }
        }
    }

    /// So many hours later, and somebody looks.
    pub(crate) fn pass(&mut self, hours: i64) {
        self.hour += hours;
        for index in 0..self.grants.len() {
            let hour = self.hour;
            let grant = &mut self.grants[index];
            if !matches!(grant.state, "active" | "mending" | "suspended") {
                continue;
            }
            if grant.ends <= hour {
                grant.state = "expired";
            } else if grant.deadline.is_some_and(|deadline| deadline <= hour) {
                (grant.state, grant.deadline) = match grant.state {
                    "mending" => ("suspended", Some(hour + ESCALATES)),
                    _ => ("revoked", None),
                };
            }
            self.end_parts();
        }
    }

    pub(crate) fn freeze(&self, who: Who, dataset: bool, lift: bool) -> Why {
        let mut why = Why::new();
        role(&mut why, who, &[Role::Bureau]);
        let eases = lift && !dataset && self.frozen_operator;
        unless(
            &mut why,
            !(eases && who.organisation == OPERATOR),
            "OWN_WORK",
        );
        why
    }

    pub(crate) fn run(&self, who: Who, index: usize, wide: bool) -> Why {
        let grant = &self.grants[index];
        let mut why = self.usable(index);
        role(&mut why, who, &[Role::Operator]);
        unless(
            &mut why,
            grant.organisation == who.organisation,
            "GRANT_UNKNOWN",
        );
        unless(&mut why, grant.wide || !wide, "GRANT_COLUMN");
        why
    }

    pub(crate) fn register(&self, who: Who, index: usize, wide: bool) -> Why {
        let mut why = self.run(who, index, wide);
        if let Some(before) = &self.product {
            let own = before.organisation == who.organisation;
            unless(&mut why, own && before.state != "approved", "PRODUCT_TAKEN");
        }
        why
    }

    pub(crate) fn registered(&mut self, who: Who, grant: usize, digest: String) {
        self.product = Some(Product {
            digest,
            state: "registered",
            organisation: who.organisation,
            name: who.name,
            grant,
            by: (who.organisation, who.name),
        });
    }

    /// Whether the same person decided the same before: then it is answered as before.
    fn is_again(&self, who: Who, state: &str) -> bool {
        let product = self.product.as_ref();
        product.is_some_and(|product| {
            product.state == state && product.by == (who.organisation, who.name)
        })
    }

    pub(crate) fn judge(&self, who: Who, approves: bool, stale: bool) -> Why {
        let mut why = Why::new();
        role(&mut why, who, &[Role::Bureau]);
        let Some(product) = &self.product else {
            why.push("PRODUCT_UNKNOWN");
            return why;
        };
        unless(
            &mut why,
            !who.is_near(product.organisation, product.name),
            "OWN_WORK",
        );
        unless(&mut why, !stale, "PRODUCT_OTHER");
        let again = self.is_again(who, if approves { "approved" } else { "rejected" });
        let open = product.state == "registered";
        unless(&mut why, open || again, "PRODUCT_STATE");
        why
    }

    pub(crate) fn retire(&self, who: Who) -> Why {
        let mut why = Why::new();
        role(&mut why, who, &[Role::Bureau, Role::Operator]);
        let Some(product) = &self.product else {
            why.push("PRODUCT_UNKNOWN");
            return why;
        };
        let may = who.role == Role::Bureau || product.organisation == who.organisation;
        unless(&mut why, may, "PRODUCT_UNKNOWN");
        let open = matches!(product.state, "registered" | "approved");
        let again = self.is_again(who, "retired");
        unless(&mut why, open || again, "PRODUCT_STATE");
        why
    }

    pub(crate) fn moved(&mut self, who: Who, state: &'static str) {
        if let Some(product) = &mut self.product {
            product.state = state;
            product.by = (who.organisation, who.name);
        }
    }

    pub(crate) fn run_product(&self, who: Who) -> Why {
        let mut why = Why::new();
        role(&mut why, who, &[Role::Operator]);
        let Some(product) = &self.product else {
            why.push("PRODUCT_UNKNOWN");
            return why;
        };
        let own = product.organisation == who.organisation;
        let listed = product.state == "approved";
        let unless_own = if listed {
            "PRODUCT_OF_ANOTHER"
        } else {
            "PRODUCT_UNKNOWN"
        };
        unless(&mut why, own, unless_own);
        unless(
            &mut why,
            product.state == "approved",
            "PRODUCT_NOT_APPROVED",
        );
        why.extend(self.usable(product.grant));
        why
    }
}

//! The life of a submitted model: the rules once more, and what is asked of the server.

use std::collections::BTreeMap;

use weir_client::v1::{ModelState, Role};

use super::model::{OPERATOR, Who, Why, role, unless};
use super::play::{Stage, compare, same};

/// The model of a case.
#[derive(Debug, Default)]
pub(crate) struct Vetted {
    /// Who approved it since it was submitted, or withdrawn: organisation and name.
    approvals: BTreeMap<&'static str, &'static str>,
    state: State,
    /// Who ended it.
    ended_by: Option<(&'static str, &'static str)>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Submitted,
    Approved,
    Rejected,
    Withdrawn,
}

/// What is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnModel {
    Approve,
    Reject,
    Withdraw,
}

impl Vetted {
    fn why(&self, who: Who, act: OnModel) -> Why {
        let mut why = Why::new();
        role(&mut why, who, &[Role::Bureau]);
        unless(&mut why, !who.is_near(OPERATOR, "li"), "OWN_WORK");
        let follows = match act {
            OnModel::Approve => self.state != State::Rejected,
            OnModel::Reject => {
                self.state == State::Submitted || self.is_again(who, State::Rejected)
            }
            OnModel::Withdraw => {
                self.state == State::Approved || self.is_again(who, State::Withdrawn)
            }
        };
        unless(&mut why, follows, "STATE_REFUSED");
        why
    }

    /// Whether the same person did the same before: then it is answered as before.
    fn is_again(&self, who: Who, state: State) -> bool {
        self.state == state && self.ended_by == Some((who.organisation, who.name))
    }

    fn done(&mut self, who: Who, act: OnModel) {
        match act {
            OnModel::Approve if self.state == State::Approved => {}
            OnModel::Approve => {
                // An organisation has one word, and it is its first.
                self.approvals.entry(who.organisation).or_insert(who.name);
                let mut names: Vec<_> = self.approvals.values().collect();
                names.sort_unstable();
                names.dedup();
                if names.len() >= 2 {
                    self.state = State::Approved;
                    self.ended_by = None;
                }
            }
            OnModel::Reject | OnModel::Withdraw => {
                self.state = match act {
                    OnModel::Reject => State::Rejected,
                    _ => State::Withdrawn,
                };
                self.ended_by = Some((who.organisation, who.name));
                self.approvals.clear();
            }
        }
    }
}

impl Stage {
    /// Does something to the case's model, and compares.
    pub(super) async fn on_model(
        &mut self,
        vetted: &mut Vetted,
        (who, act): (usize, OnModel),
        digest: &str,
    ) -> Result<(), String> {
        let (who, client) = self.who(who);
        let why = vetted.why(who, act);
        let name = self.name();
        let came = match act {
            OnModel::Approve => client.approve_model(&name, digest).await,
            OnModel::Reject => client.reject_model(&name, digest, "a test").await,
            OnModel::Withdraw => client.withdraw_model(&name, digest, "a test").await,
        };
        if !compare(&why, &came)? {
            return Ok(());
        }
        vetted.done(who, act);
        let is = came.map_err(|error| error.to_string())?.state();
        let (must, seen) = match vetted.state {
            State::Submitted => (ModelState::Submitted, "half approved model"),
            State::Approved => (ModelState::Approved, "approved model"),
            State::Rejected => (ModelState::Rejected, "rejected model"),
            State::Withdrawn => (ModelState::Withdrawn, "withdrawn model"),
        };
        same(is, must, "a model")?;
        self.note(seen);
        Ok(())
    }
}

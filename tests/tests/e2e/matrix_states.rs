//! Who may do what to what is in which state: every call of the contract by everybody, and every call on what has states
//! (applications, grants, tables in the airlock, products, models, changes of the policy, certificates …) in each of them. One
//! table. What a caller may do whose own certificate is in another state is nothing at all: `matrix.rs`.
//!
//! The rows come from the server's own tables, and each was tried: what a table does not say is refused, and changes
//! nothing.

mod airlock;
mod application;
mod feedback;
mod frozen;
mod grant;
mod identity;
mod model;
mod policy;
mod product;
mod snapshot;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use weir_client::ClientError;
use weir_client::v1::Role;
use weir_server::{Transition, transitions};

use crate::cast::Person;

#[tokio::test(flavor = "multi_thread")]
async fn every_call_by_everybody_in_every_state() {
    // At once, each in a domain of its own: most of it is waiting for a disk.
    let tried = [
        ("APPLICATIONS", tokio::spawn(application::tried())),
        ("GRANTS", tokio::spawn(grant::tried())),
        ("TABLES IN THE AIRLOCK", tokio::spawn(airlock::tried())),
        ("PRODUCTS", tokio::spawn(product::tried())),
        ("MODELS", tokio::spawn(model::tried::<false>())),
        (
            "MODELS, each to be approved by two",
            tokio::spawn(model::tried::<true>()),
        ),
        (
            "CHANGES OF THE POLICY, by the namesake",
            tokio::spawn(policy::tried()),
        ),
        (
            "CERTIFICATES, of somebody else",
            tokio::spawn(identity::tried()),
        ),
        ("THE OPERATOR, frozen", tokio::spawn(frozen::tried())),
        ("FEEDBACK, by the operator", tokio::spawn(feedback::tried())),
        ("SNAPSHOTS", tokio::spawn(snapshot::tried())),
        (
            "EVERY CALL, whatever it is about",
            tokio::spawn(crate::matrix::tried()),
        ),
    ];
    let mut whole = LEGEND.to_owned();
    for (title, tried) in tried {
        write!(whole, "\n{title}\n{}\n", tried.await.unwrap()).unwrap();
    }
    insta::assert_snapshot!(whole);
}

/// How to read it.
const LEGEND: &str = "\
yes      answered, and what it is about is in the state that it was in
> STATE  answered, and it is in that state then
-        the role may not make the call
own      the caller is of the organisation whose work it is, or has the name of the person who did it
unknown  there is none that the caller may see
state    it does not follow on this state
Anything else is the code of the refusal. What was refused changed nothing.
";

/// Something that has states.
pub(crate) trait Subject {
    /// Its name in the server's tables; none where there is no table.
    const OF: &'static str;

    /// Every state that it can be in.
    fn states(&self) -> Vec<&'static str>;

    /// What can be tried: acts of the table that somebody can do, and further calls.
    fn acts(&self) -> Vec<&'static str>;

    /// Makes one that is in a state.
    async fn make(&mut self, state: &str) -> String;

    /// Tries something.
    async fn act(&self, who: &Person, act: &str, id: &str) -> Result<(), ClientError>;

    /// The state that one is in.
    async fn state(&self, id: &str) -> String;

    /// Whether somebody is not kept from an act by who they are to it; their role is the table's business.
    fn is_party(&self, who: &Person, act: &str) -> bool;

    /// Whether an act is answered alike whatever came of it.
    fn is_silent(&self, _act: &str) -> bool {
        false
    }
}

/// The states that a table names.
pub(crate) fn states_of(of: &str) -> Vec<&'static str> {
    let rows = transitions().into_iter().filter(|row| row.of == of);
    let named: BTreeSet<_> = rows.flat_map(|row| [row.from, row.to]).collect();
    named.into_iter().collect()
}

/// Tries everything, and shows what came of it. Where there is a table, it is held against it.
pub(crate) async fn matrix<S: Subject>(subject: &mut S, people: &[Person]) -> String {
    let rows: Vec<Transition> = transitions()
        .into_iter()
        .filter(|row| row.of == S::OF)
        .collect();
    let mut table = format!("{:<10} {:<9}", "state", "call");
    for person in people {
        write!(table, " {:<12}", person.part).unwrap();
    }
    for state in subject.states() {
        let mut fresh = None;
        for act in subject.acts() {
            write!(table, "\n{state:<10} {act:<9}").unwrap();
            for who in people {
                let id = match fresh.take() {
                    Some(id) => id,
                    None => subject.make(state).await,
                };
                assert_eq!(subject.state(&id).await, state, "{} {id}", S::OF);
                let outcome = subject.act(who, act, &id).await;
                let after = subject.state(&id).await;
                if rows.iter().any(|row| row.act == act) {
                    agrees(subject, &rows, (state, act, who), (&outcome, &after));
                }
                write!(table, " {:<12}", told(&outcome, state, &after)).unwrap();
                if outcome.is_err() {
                    assert_eq!(after, state, "{act} by {} was refused", who.part);
                }
                // What was refused, or only read, changed nothing: the next one tries it on the same.
                let only_read = matches!(act, "read" | "look" | "report" | "run");
                if outcome.is_err() || (only_read || subject.is_silent(act)) && after == state {
                    fresh = Some(id);
                }
            }
        }
    }
    let lines: Vec<_> = table.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// Holds what came of an act against the table.
fn agrees<S: Subject>(
    subject: &S,
    rows: &[Transition],
    (state, act, who): (&str, &str, &Person),
    (outcome, after): (&Result<(), ClientError>, &str),
) {
    let case = format!("{} that is {state}: {act} by {}", S::OF, who.part);
    let role = format!("{:?}", who.role);
    let allows = |row: &&Transition| {
        let by = row.by.iter().any(|by| format!("{by:?}") == role);
        (row.act, row.from) == (act, state) && by
    };
    let row = rows.iter().find(allows);
    let may = row.is_some() && subject.is_party(who, act);
    match (may, row) {
        (true, Some(row)) => {
            assert!(outcome.is_ok(), "{case}: {outcome:?}");
            // Or what the server makes of it at once.
            let at_once =
                |next: &Transition| next.by.is_empty() && (next.from, next.to) == (row.to, after);
            assert!(
                after == row.to || rows.iter().any(at_once),
                "{case}: {after}"
            );
        }
        _ => {
            assert!(outcome.is_err() || subject.is_silent(act), "{case}");
            assert_eq!(after, state, "{case}");
        }
    }
}

/// A cell: what it is then, or why not.
fn told(outcome: &Result<(), ClientError>, before: &str, after: &str) -> String {
    match outcome {
        Ok(()) if after == before => "yes".to_owned(),
        Ok(()) => format!("> {after}"),
        Err(error) => match error.code() {
            "ROLE_NOT_ALLOWED" => "-",
            "OWN_WORK" | "POLICY_OWN_CHANGE" => "own",
            "STATE_REFUSED" | "PRODUCT_STATE" | "POLICY_CHANGE_CLOSED" | "AIRLOCK_ENDED" => "state",
            code if code.ends_with("_UNKNOWN") => "unknown",
            code => code
                .trim_start_matches("GRANT_")
                .trim_start_matches("PRODUCT_"),
        }
        .to_lowercase(),
    }
}

/// Whether somebody of the bureau is near to what the operator does.
pub(crate) fn is_near(who: &Person) -> bool {
    matches!(who.part, "colleague" | "namesake")
}

/// Whether somebody is of the bureau.
pub(crate) fn is_bureau(who: &Person) -> bool {
    who.role == Role::Bureau
}

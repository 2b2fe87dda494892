//! `weir policy`.

mod check;

use std::path::Path;

use serde_json::{Value, json};
use weir_client::v1::{
    self, PolicyChange, PolicyChangeState, PutPolicyRequest, ReplayPolicyRequest,
};
use weir_client::{Client, Replay};

use super::{connect, read_text};
use crate::args::{Format, PolicyCommand};
use crate::error::CliError;
use crate::output::{Listing, print};
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, command: PolicyCommand) -> Result<(), CliError> {
    match command {
        PolicyCommand::Check(args) => check::run(identity, &args).await,
        PolicyCommand::Put {
            file,
            dataset,
            output,
        } => {
            let request = PutPolicyRequest {
                text: read_text(&file)?,
                source_name: file.display().to_string(),
                dataset,
            };
            let change = connect(identity).await?.put_policy(request).await?;
            show_change(&change, output.format)
        }
        PolicyCommand::Approve { id, digest, output } => {
            let client = connect(identity).await?;
            let digest = match digest.is_empty() {
                true => digest_of(&client, &id).await?,
                false => digest,
            };
            show_change(&client.approve_policy(&id, &digest).await?, output.format)
        }
        PolicyCommand::Withdraw { id, output } => {
            let change = connect(identity).await?.withdraw_policy(&id).await?;
            show_change(&change, output.format)
        }
        PolicyCommand::List { all, output } => {
            let changes = connect(identity).await?.list_policy_changes(!all).await?;
            listed(&changes).print(output.format)
        }
        PolicyCommand::Show {
            effective,
            toml,
            output,
        } => {
            let policy = effective_policy(&connect(identity).await?, effective).await?;
            match toml {
                true => print(&policy.canonical),
                false => show(&policy, output.format),
            }
        }
        PolicyCommand::Replay {
            file,
            dataset,
            limit,
            output,
        } => {
            let request = ReplayPolicyRequest {
                text: read_text(&file)?,
                source_name: file.display().to_string(),
                dataset,
                limit,
            };
            replay(&connect(identity).await?, request, output.format).await
        }
    }
}

/// The policy for datasets and at most one grant. A grant's id has hyphens, which no dataset's name has.
async fn effective_policy(client: &Client, named: Vec<String>) -> Result<v1::Policy, CliError> {
    let (grants, datasets): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|name| name.contains('-'));
    match grants.as_slice() {
        [] => Ok(client.policy(&datasets).await?),
        [grant] => Ok(client.policy_under(grant, &datasets).await?),
        _ => Err(CliError::Missing(
            "a run reads under one grant. Name one with --effective, and datasets besides",
        )),
    }
}

/// The digest of a change, said to whoever approves it. Empty where there is no such change: the server has the words.
async fn digest_of(client: &Client, id: &str) -> Result<String, CliError> {
    let changes = client.list_policy_changes(false).await?;
    let change = changes.into_iter().find(|change| change.id == id);
    let digest = change.map(|change| change.digest).unwrap_or_default();
    if !digest.is_empty() {
        eprintln!("Approving the policy with the digest {digest}");
    }
    Ok(digest)
}

/// A change with the keys it moves; what comes next goes to standard error.
fn show_change(change: &PolicyChange, format: Format) -> Result<(), CliError> {
    if format != Format::Table {
        return listed(std::slice::from_ref(change)).print(format);
    }
    if change.id.is_empty() {
        println!(
            "Nothing changes: policy `{}` is in force already",
            change.name
        );
        return Ok(());
    }
    println!(
        "Policy `{}` of {}: {}",
        change.name,
        scope(&change.dataset),
        state(change.state())
    );
    println!("  change  {}", change.id);
    println!("  digest  {}", change.digest);
    if let (PolicyChangeState::Approved, Some(at)) = (change.state(), &change.effective_at) {
        println!("  takes effect at {at}");
    }
    if !change.keys.is_empty() {
        moves(&change.keys).print(Format::Table)?;
    }
    if change.state() == PolicyChangeState::Proposed {
        eprintln!(
            "It loosens the policy: a second person of the bureau approves it with `weir policy approve {}`",
            change.id
        );
    }
    Ok(())
}

fn moves(keys: &[v1::PolicyKeyChange]) -> Listing {
    let head = Listing::new(&["key", "before", "after", "direction", "effect"]);
    keys.iter().fold(head, |listing, key| {
        listing.row(vec![
            json!(key.key),
            optional(key.before.as_ref()),
            optional(key.after.as_ref()),
            json!(key.direction),
            json!(key.effect),
        ])
    })
}

fn listed(changes: &[PolicyChange]) -> Listing {
    let head = Listing::new(&[
        "id",
        "of",
        "policy",
        "state",
        "changes",
        "proposed_by",
        "proposed_at",
        "approved_by",
        "effective_at",
        "digest",
    ]);
    changes.iter().fold(head, |listing, change| {
        let changes = change.keys.iter().map(|key| {
            let value =
                |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
            format!("{} {} → {}", key.key, value(&key.before), value(&key.after))
        });
        listing.row(vec![
            json!(change.id),
            json!(scope(&change.dataset)),
            json!(change.name),
            json!(state(change.state())),
            json!(changes.collect::<Vec<_>>().join("; ")),
            json!(change.proposed_by),
            json!(change.proposed_at),
            optional(change.approved_by.as_ref()),
            optional(change.effective_at.as_ref()),
            json!(change.digest),
        ])
    })
}

fn show(policy: &v1::Policy, format: Format) -> Result<(), CliError> {
    if format == Format::Table {
        println!("Policy `{}`, {}", policy.name, policy.digest);
        for layer in &policy.layers {
            println!(
                "  {}: `{}` since {}, by {}",
                layer_of(layer),
                layer.name,
                layer.since,
                layer.set_by
            );
        }
    }
    let head = Listing::new(&["key", "value", "floor", "set_by", "meaning"]);
    let limits = policy.limits.iter().fold(head, |listing, limit| {
        listing.row(vec![
            json!(limit.key),
            optional(limit.value.as_ref()),
            optional(limit.floor.as_ref()),
            json!(limit.layer),
            json!(limit.meaning),
        ])
    });
    limits.print(format)
}

async fn replay(
    client: &Client,
    request: ReplayPolicyRequest,
    format: Format,
) -> Result<(), CliError> {
    let mut meter = Meter::start();
    let replay = client.replay_policy(request, |step| meter.step(step)).await;
    meter.finish();
    let replay = replay?;
    cells(&replay).print(format)?;
    for release in &replay.releases {
        if !release.problem.is_empty() {
            eprintln!("{} is left out: {}", release.run_id, release.problem);
        }
        if !release.refused.is_empty() {
            eprintln!(
                "{} would be refused whole [{}]",
                release.run_id, release.refused
            );
        }
        if release.review {
            eprintln!("{} would go to people first", release.run_id);
        }
    }
    let summary = &replay.summary;
    eprintln!(
        "{} releases judged again, {} left out: of {} cells {} would be withheld, and {} would be released that were not",
        summary.releases,
        summary.without_evidence,
        summary.cells_before,
        summary.now_withheld,
        summary.newly_released
    );
    Ok(())
}

/// One row for each cell that changes sides.
fn cells(replay: &Replay) -> Listing {
    let head = Listing::new(&["run_id", "datasets", "kept_at", "cell", "now", "rules"]);
    replay.releases.iter().fold(head, |listing, release| {
        let sides = [
            ("withheld", &release.withheld),
            ("released", &release.released),
        ];
        sides.into_iter().fold(listing, |listing, (now, cells)| {
            cells.iter().fold(listing, |listing, cell| {
                listing.row(vec![
                    json!(release.run_id),
                    json!(release.datasets.join(", ")),
                    json!(release.kept_at),
                    json!(cell.cell),
                    json!(now),
                    json!(cell.rules.join(", ")),
                ])
            })
        })
    })
}

fn layer_of(layer: &v1::PolicyLayer) -> String {
    match layer.grant.as_str() {
        "" => scope(&layer.dataset),
        id => format!("grant {id}"),
    }
}

fn scope(dataset: &str) -> String {
    match dataset {
        "" => "the domain".to_owned(),
        name => format!("dataset {name}"),
    }
}

fn state(state: PolicyChangeState) -> &'static str {
    match state {
        PolicyChangeState::Unspecified | PolicyChangeState::Proposed => "proposed",
        PolicyChangeState::Approved => "approved",
        PolicyChangeState::InForce => "in force",
        PolicyChangeState::Withdrawn => "withdrawn",
        PolicyChangeState::Overtaken => "overtaken",
    }
}

fn optional(value: Option<&String>) -> Value {
    value.map_or(Value::Null, |value| json!(value))
}

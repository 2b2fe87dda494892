//! `weir grant` and `weir freeze`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use weir_client::Client;
use weir_client::v1::{
    self, Application, ApplyRequest, ChangeGrantRequest, DecideApplicationRequest, Decision,
    DelegateGrantRequest, FreezeRequest, Frozen, Grant, GrantAct, GrantedDataset,
    IssueGrantRequest, Opinion, Quotas, ReviewApplicationRequest, WithdrawApplicationRequest,
};

use super::{connect, read_text};
use crate::args::{
    ActArgs, Format, FreezeArgs, FreezeCommand, FreezeScope, GrantCommand, LessArgs, OpinionArg,
};
use crate::error::CliError;
use crate::output::{Listing, print};

pub(crate) async fn run(identity: Option<&Path>, command: GrantCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        GrantCommand::Apply {
            file,
            again,
            output,
        } => {
            let request = ApplyRequest {
                text: read_text(&file)?,
                source_name: file.display().to_string(),
                application: again,
                request_key: super::key(),
            };
            show_application(&client.apply(request).await?, output.format)
        }
        GrantCommand::Review {
            id,
            opinion,
            reason,
            digest,
            output,
        } => {
            let reviewed = review(&client, id, opinion, reason, digest).await?;
            show_application(&reviewed, output.format)
        }
        GrantCommand::Withdraw { id, reason, output } => {
            let request = WithdrawApplicationRequest {
                id,
                reason,
                request_key: super::key(),
            };
            show_application(&client.withdraw_application(request).await?, output.format)
        }
        GrantCommand::Issue {
            id,
            digest,
            less,
            output,
        } => {
            let request = IssueGrantRequest {
                digest: or_newest(&client, &id, digest).await?,
                id,
                until: less.until.clone(),
                quotas: Some(quotas(&less)),
                request_key: super::key(),
            };
            show_grant(&client.issue_grant(request).await?, output.format)
        }
        GrantCommand::Delegate {
            id,
            to,
            column,
            model,
            less,
            output,
        } => {
            let request = DelegateGrantRequest {
                id,
                organisation: to,
                datasets: by_dataset(&column),
                models: model,
                until: less.until.clone(),
                quotas: Some(quotas(&less)),
                request_key: super::key(),
            };
            show_grant(&client.delegate_grant(request).await?, output.format)
        }
        GrantCommand::List {
            applications: true,
            all,
            output,
        } => applications(&client.list_applications(!all).await?).print(output.format),
        GrantCommand::List { all, output, .. } => {
            grants(&client.list_grants(!all).await?).print(output.format)
        }
        GrantCommand::Show { id, output } => show(&client, &id, output.format).await,
        GrantCommand::Suspend(act) => change(&client, act, GrantAct::Suspend, 0).await,
        GrantCommand::Resume(act) => change(&client, act, GrantAct::Resume, 0).await,
        GrantCommand::Order { act, days } => change(&client, act, GrantAct::Order, days).await,
        GrantCommand::Accept(act) => change(&client, act, GrantAct::Accept, 0).await,
        GrantCommand::Revoke(act) => change(&client, act, GrantAct::Revoke, 0).await,
        GrantCommand::Terminate(act) => change(&client, act, GrantAct::Terminate, 0).await,
    }
}

pub(crate) async fn freeze(
    identity: Option<&Path>,
    command: FreezeCommand,
) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        FreezeCommand::Set(args) => {
            frozen(&client.freeze(scope(&args)).await?).print(args.output.format)
        }
        FreezeCommand::Lift(args) => {
            frozen(&client.unfreeze(scope(&args)).await?).print(args.output.format)
        }
        FreezeCommand::List { output } => {
            frozen(&client.list_freezes().await?).print(output.format)
        }
    }
}

async fn review(
    client: &Client,
    id: String,
    opinion: OpinionArg,
    reason: String,
    digest: String,
) -> Result<Application, CliError> {
    let digest = or_newest(client, &id, digest).await?;
    let decided = |decision: Decision| DecideApplicationRequest {
        id: id.clone(),
        digest: digest.clone(),
        decision: decision.into(),
        reason: reason.clone(),
        request_key: super::key(),
    };
    let said = |opinion: Opinion| ReviewApplicationRequest {
        id: id.clone(),
        digest: digest.clone(),
        opinion: opinion.into(),
        text: reason.clone(),
        request_key: super::key(),
    };
    Ok(match opinion {
        OpinionArg::Support => client.review_application(said(Opinion::Support)).await?,
        OpinionArg::Oppose => client.review_application(said(Opinion::Oppose)).await?,
        OpinionArg::Return => client.decide_application(decided(Decision::Return)).await?,
        OpinionArg::Reject => client.decide_application(decided(Decision::Reject)).await?,
    })
}

/// The digest that was named, or that of the application as it is.
async fn or_newest(client: &Client, id: &str, digest: String) -> Result<String, CliError> {
    match digest.is_empty() {
        true => Ok(client.application(id).await?.digest),
        false => Ok(digest),
    }
}

async fn change(client: &Client, args: ActArgs, act: GrantAct, days: u32) -> Result<(), CliError> {
    let request = ChangeGrantRequest {
        id: args.id,
        act: act.into(),
        reason: args.reason,
        days,
        request_key: super::key(),
    };
    show_grant(&client.change_grant(request).await?, args.output.format)
}

fn quotas(less: &LessArgs) -> Quotas {
    Quotas {
        runs: less.runs,
        cells: less.cells,
        fuel: less.fuel,
        bytes: less.bytes,
        ..Quotas::default()
    }
}

fn by_dataset(columns: &[String]) -> Vec<GrantedDataset> {
    let mut datasets: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for column in columns {
        let (dataset, column) = column.split_once('.').unwrap_or((column, ""));
        datasets.entry(dataset).or_default().push(column.to_owned());
    }
    let datasets = datasets.into_iter().map(|(name, columns)| GrantedDataset {
        name: name.to_owned(),
        columns,
    });
    datasets.collect()
}

/// A grant of this id, or else an application.
async fn show(client: &Client, id: &str, format: Format) -> Result<(), CliError> {
    match client.grant(id).await {
        Ok(grant) => show_grant(&grant, format),
        Err(error) if error.code() == "GRANT_UNKNOWN" => {
            show_application(&client.application(id).await?, format)
        }
        Err(error) => Err(error.into()),
    }
}

fn show_application(application: &Application, format: Format) -> Result<(), CliError> {
    applications(std::slice::from_ref(application)).print(format)?;
    if format != Format::Table {
        return Ok(());
    }
    for opinion in &application.opinions {
        let said = match opinion.supports {
            true => "supports it",
            false => "opposes it",
        };
        let about = match opinion.dataset.as_str() {
            "" => "as a whole".to_owned(),
            dataset => format!("for `{dataset}`"),
        };
        let (who, why) = (&opinion.organisation, &opinion.text);
        print(&format!("{who} {said} {about}: {why}\n"))?;
    }
    for waits in &application.outstanding {
        print(&format!("still missing: {waits}\n"))?;
    }
    print(&format!("\n{}\n", application.text))
}

fn show_grant(grant: &Grant, format: Format) -> Result<(), CliError> {
    grants(std::slice::from_ref(grant)).print(format)?;
    if format != Format::Table {
        return Ok(());
    }
    let quotas = grant.quotas.unwrap_or_default();
    let of = |quota: Option<u64>| quota.map_or(String::new(), |quota| format!(" of {quota}"));
    let mut lines = vec![
        format!("purpose    {}", grant.purpose),
        format!("term       {} to {}", grant.not_before, grant.not_after),
        format!("renewable  from {}", grant.renewable_from),
        format!("models     {}", grant.models.join(", ")),
        format!("runs       {}{}", grant.runs_used, of(quotas.runs)),
        format!("cells      {}{}", grant.cells_used, of(quotas.cells)),
        format!("fuel       {}{}", grant.fuel_used, of(quotas.fuel)),
        format!("bytes      {}{}", grant.bytes_used, of(quotas.bytes)),
        format!("signed     {}", grant.digest),
    ];
    let columns = grant.datasets.iter();
    lines.extend(columns.map(|set| format!("reads      {}: {}", set.name, set.columns.join(", "))));
    if !grant.above.is_empty() {
        lines.push(format!("part of    {}", grant.above.join(", part of ")));
    }
    if !grant.partners.is_empty() {
        lines.push(format!("partners   {}", grant.partners.join(", ")));
    }
    if !grant.policy.is_empty() {
        lines.push(format!("policy\n{}", grant.policy));
    }
    print(&(lines.join("\n") + "\n"))
}

fn applications(applications: &[Application]) -> Listing {
    let head = Listing::new(&[
        "id",
        "organisation",
        "person",
        "scenario",
        "state",
        "submitted_at",
        "reason",
        "grant",
        "digest",
    ]);
    applications.iter().fold(head, |listing, application| {
        listing.row(vec![
            json!(application.id),
            json!(application.organisation),
            json!(application.person),
            json!(application.scenario),
            json!(application.state),
            json!(application.submitted_at),
            json!(application.reason),
            json!(application.grant),
            json!(application.digest),
        ])
    })
}

fn grants(grants: &[v1::Grant]) -> Listing {
    let head = Listing::new(&[
        "id",
        "organisation",
        "scenario",
        "datasets",
        "state",
        "deadline",
        "not_after",
        "blocked",
        "reason",
        "changed_by",
    ]);
    grants.iter().fold(head, |listing, grant| {
        let datasets: Vec<_> = grant.datasets.iter().map(|set| set.name.as_str()).collect();
        listing.row(vec![
            json!(grant.id),
            json!(grant.organisation),
            json!(grant.scenario),
            json!(datasets.join(", ")),
            json!(grant.state),
            json!(grant.deadline),
            json!(grant.not_after),
            json!(grant.blocked),
            json!(grant.reason),
            json!(grant.changed_by),
        ])
    })
}

fn scope(args: &FreezeArgs) -> FreezeRequest {
    let scope = match args.scope {
        FreezeScope::Dataset => "dataset",
        FreezeScope::Operator => "operator",
        FreezeScope::Domain => "domain",
    };
    FreezeRequest {
        scope: scope.to_owned(),
        name: args.name.clone(),
        reason: args.reason.clone(),
    }
}

fn frozen(frozen: &[Frozen]) -> Listing {
    let head = Listing::new(&["scope", "name", "reason", "frozen_by", "frozen_at"]);
    frozen.iter().fold(head, |listing, freeze| {
        listing.row(vec![
            json!(freeze.scope),
            json!(freeze.name),
            json!(freeze.reason),
            json!(freeze.frozen_by),
            json!(freeze.frozen_at),
        ])
    })
}

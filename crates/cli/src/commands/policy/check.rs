//! `weir policy check`: everything but the policy in force is found on this machine.

use std::path::Path;

use serde_json::json;
use weir_client::v1;
use weir_policy::{Checked, Comparison, Finding, Policy};

use super::optional;
use crate::args::{CheckPolicyArgs, Format};
use crate::commands::{connect, read_text};
use crate::error::CliError;
use crate::output::Listing;

/// What the policy in force is called by.
const IN_FORCE: &str = "the policy in force";

pub(super) async fn run(identity: Option<&Path>, args: &CheckPolicyArgs) -> Result<(), CliError> {
    let checked = read(&args.file, args.dataset.is_some())?;
    let mut findings = checked.findings();
    let before = before(identity, args).await?;
    if let Some(below) = before.as_ref().and_then(|before| before.below.as_ref()) {
        findings.extend(checked.findings_over(below));
    }
    let moved = before.map(|before| (checked.policy().compare(&before.policy), before.named));
    match args.output.format {
        Format::Table => for_people(checked.policy(), &findings, moved.as_ref()),
        format => rows(&findings, moved.as_ref()).print(format),
    }
}

/// What the file is held against.
struct Before {
    policy: Policy,
    /// What it is called by.
    named: String,
    /// The domain's policy, under a dataset's.
    below: Option<Policy>,
}

fn read(file: &Path, layer: bool) -> Result<Checked, CliError> {
    let (text, source) = (read_text(file)?, file.display().to_string());
    Ok(match layer {
        true => Checked::layer(&text, &source)?,
        false => Checked::domain(&text, &source)?,
    })
}

async fn before(
    identity: Option<&Path>,
    args: &CheckPolicyArgs,
) -> Result<Option<Before>, CliError> {
    if let Some(file) = &args.against {
        return Ok(Some(Before {
            policy: read(file, args.dataset.is_some())?.policy().clone(),
            named: file.display().to_string(),
            below: None,
        }));
    }
    if !args.in_force && identity.is_none() {
        return Ok(None);
    }
    let client = connect(identity).await?;
    let in_force = client.policy(args.dataset.as_slice()).await?;
    let layer = |dataset: &str| {
        in_force
            .layers
            .iter()
            .find(|layer| layer.dataset == dataset)
    };
    let domain = Policy::from_toml(&text_of(layer("")), IN_FORCE)?;
    Ok(Some(match &args.dataset {
        None => Before {
            policy: domain,
            named: IN_FORCE.to_owned(),
            below: None,
        },
        Some(dataset) => Before {
            policy: match layer(dataset) {
                Some(own) => Policy::layer_from_toml(&own.text, IN_FORCE)?,
                None => Policy::silent(),
            },
            named: format!("{IN_FORCE} of dataset {dataset}"),
            below: Some(domain),
        },
    }))
}

fn text_of(layer: Option<&v1::PolicyLayer>) -> String {
    layer.map(|layer| layer.text.clone()).unwrap_or_default()
}

fn for_people(
    policy: &Policy,
    findings: &[Finding],
    moved: Option<&(Comparison, String)>,
) -> Result<(), CliError> {
    println!("Policy `{}` is valid, {}", policy.name(), policy.digest());
    for finding in findings {
        println!("{finding}");
    }
    let Some((comparison, named)) = moved else {
        return Ok(());
    };
    if comparison.moved().next().is_none() {
        println!("It asks for the same as {named}");
        return Ok(());
    }
    let moved = match comparison.loosens() {
        true => "it loosens something",
        false => "it only tightens",
    };
    println!("Against {named} {moved}{}", next_step(comparison, named));
    let head = Listing::new(&["key", "before", "after", "direction", "effect"]);
    let listing = comparison.moved().fold(head, |listing, key| {
        listing.row(vec![
            json!(key.key),
            optional(key.before.as_ref()),
            optional(key.after.as_ref()),
            json!(key.direction.as_str()),
            json!(key.effect),
        ])
    });
    listing.print(Format::Table)
}

/// What handing it in would do; known only of the policy in force.
fn next_step(comparison: &Comparison, named: &str) -> &'static str {
    match (named.starts_with(IN_FORCE), comparison.loosens()) {
        (false, _) => "",
        (true, true) => ": handed in, it takes a second person and waits",
        (true, false) => ": handed in, it is in force at once",
    }
}

/// Findings and moved keys in one listing, for programs.
fn rows(findings: &[Finding], moved: Option<&(Comparison, String)>) -> Listing {
    let none = || json!(null);
    let head = Listing::new(&["kind", "key", "place", "before", "after", "message"]);
    let listing = findings.iter().fold(head, |listing, finding| {
        listing.row(vec![
            json!(finding.weight.as_str()),
            json!(finding.key),
            json!(finding.place.to_string()),
            none(),
            none(),
            json!(finding.message),
        ])
    });
    let keys = moved
        .into_iter()
        .flat_map(|(comparison, _)| comparison.moved());
    keys.fold(listing, |listing, key| {
        listing.row(vec![
            json!(key.direction.as_str()),
            json!(key.key),
            none(),
            optional(key.before.as_ref()),
            optional(key.after.as_ref()),
            json!(key.effect),
        ])
    })
}

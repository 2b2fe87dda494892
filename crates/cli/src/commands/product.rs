//! `weir product`.

use std::path::Path;

use serde_json::json;
use weir_client::Client;
use weir_client::v1::{
    DecideProductRequest, Product, ProductDecision, ProductRun, RegisterProductRequest,
    RunProductRequest,
};

use super::connect;
use crate::args::{DecideProductArgs, Format, ProductCommand};
use crate::error::CliError;
use crate::output::{Listing, print, print_batches};
use crate::progress::Meter;

pub(crate) async fn run(identity: Option<&Path>, command: ProductCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        ProductCommand::Register(args) => {
            let request = RegisterProductRequest {
                name: args.name,
                title: args.title,
                purpose: args.purpose,
                sql: args.sql,
                grant: args.grant,
                every: args.every,
                from: args.from,
            };
            let product = client.register_product(request).await?;
            products(&[product]).print(args.output.format)
        }
        ProductCommand::Approve(args) => decide(&client, args, ProductDecision::Approve).await,
        ProductCommand::Reject(args) => decide(&client, args, ProductDecision::Reject).await,
        ProductCommand::List { output } => {
            products(&client.list_products().await?).print(output.format)
        }
        ProductCommand::Show { name, output } => show(&client.product(&name).await?, output.format),
        ProductCommand::Run {
            name,
            slot,
            receipt,
            output,
        } => {
            let request = RunProductRequest {
                name,
                slot,
                run_id: String::new(),
            };
            let mut meter = Meter::start();
            let answer = client.run_product(request, |step| meter.step(step)).await;
            meter.finish();
            let answer = answer?;
            if let Some(file) = &receipt {
                std::fs::write(file, &answer.receipt_json)
                    .map_err(|error| CliError::file(file, &error))?;
            }
            print_batches(&answer.table, output.format)?;
            eprintln!(
                "{} cells released. Run {}, log entry {}, receipt verified.",
                answer.cells_released,
                answer.run_id,
                answer.entry.index(),
            );
            Ok(())
        }
        ProductCommand::Retire {
            name,
            reason,
            output,
        } => products(&[client.retire_product(&name, &reason).await?]).print(output.format),
    }
}

async fn decide(
    client: &Client,
    args: DecideProductArgs,
    decision: ProductDecision,
) -> Result<(), CliError> {
    let digest = match args.digest.as_str() {
        "" => client.product(&args.name).await?.digest,
        digest => digest.to_owned(),
    };
    let request = DecideProductRequest {
        name: args.name,
        digest,
        decision: decision.into(),
        reason: args.reason,
    };
    products(&[client.decide_product(request).await?]).print(args.output.format)
}

fn show(product: &Product, format: Format) -> Result<(), CliError> {
    products(std::slice::from_ref(product)).print(format)?;
    if format != Format::Table {
        return Ok(());
    }
    let mut lines = vec![
        format!("purpose    {}", product.purpose),
        format!(
            "reads      {} under grant {}",
            product.datasets.join(", "),
            product.grant
        ),
        format!("query      {}", product.sql),
    ];
    let models = product.models.iter();
    lines.extend(models.map(|model| format!("model      {} {}", model.name, model.digest)));
    lines.push(format!("policy\n{}", product.policy));
    print(&(lines.join("\n") + "\n"))?;
    match product.runs.is_empty() {
        true => Ok(()),
        false => runs(&product.runs).print(format),
    }
}

fn products(products: &[Product]) -> Listing {
    let head = Listing::new(&[
        "name",
        "organisation",
        "title",
        "state",
        "every",
        "from",
        "changed_by",
        "changed_at",
        "reason",
        "digest",
    ]);
    products.iter().fold(head, |listing, product| {
        listing.row(vec![
            json!(product.name),
            json!(product.organisation),
            json!(product.title),
            json!(product.state),
            json!(product.every),
            json!(product.from),
            json!(product.changed_by),
            json!(product.changed_at),
            json!(product.reason),
            json!(product.digest),
        ])
    })
}

fn runs(runs: &[ProductRun]) -> Listing {
    let head = Listing::new(&["slot", "run_id", "refused", "ended_at"]);
    runs.iter().fold(head, |listing, run| {
        listing.row(vec![
            json!(run.slot),
            json!(run.run_id),
            json!(run.code),
            json!(run.ended_at),
        ])
    })
}

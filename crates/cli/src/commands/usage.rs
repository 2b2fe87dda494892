//! `weir usage`.

use std::path::Path;

use serde_json::json;
use weir_client::v1::{GetUsageRequest, UsageKey, UsageLine};

use super::connect;
use crate::args::{Format, UsageArgs, UsageKeyArg};
use crate::error::CliError;
use crate::output::{Listing, print};

const COLUMNS: [&str; 14] = [
    "month", "operator", "provider", "dataset", "product", "runs", "rows", "bytes", "fuel",
    "cells", "releases", "row_days", "charge", "shares",
];

pub(crate) async fn run(identity: Option<&Path>, args: &UsageArgs) -> Result<(), CliError> {
    let by = args.by.iter().map(|key| match key {
        UsageKeyArg::Operator => UsageKey::Operator.into(),
        UsageKeyArg::Provider => UsageKey::Provider.into(),
        UsageKeyArg::Dataset => UsageKey::Dataset.into(),
        UsageKeyArg::Product => UsageKey::Product.into(),
    });
    let request = GetUsageRequest {
        from: args.from.clone(),
        to: args.to.clone(),
        by: by.collect(),
    };
    let usage = connect(identity).await?.usage(request).await?;
    let is_table = args.output.format == Format::Table;
    let listing = usage.lines.iter().fold(Listing::new(&COLUMNS), row);
    // For people the sum is the last row; whoever reads the rest adds up for themselves.
    let listing = match &usage.total {
        Some(total) if is_table => row(listing, total),
        _ => listing,
    };
    listing.print(args.output.format)?;
    if is_table {
        let currency = match usage.currency.as_str() {
            "" => "no currency is set".to_owned(),
            currency => format!("charges and shares in {currency}"),
        };
        print(&format!(
            "{currency}; from {} entries of the log\n",
            usage.log_entries
        ))?;
    }
    Ok(())
}

fn row(listing: Listing, line: &UsageLine) -> Listing {
    let shares: Vec<_> = line
        .shares
        .iter()
        .map(|share| format!("{}: {}", share.party, share.amount))
        .collect();
    let month = match line.month.as_str() {
        "" => "all",
        month => month,
    };
    listing.row(vec![
        json!(month),
        json!(line.operator),
        json!(line.provider),
        json!(line.dataset),
        json!(line.product),
        json!(line.runs),
        json!(line.rows),
        json!(line.bytes),
        json!(line.fuel),
        json!(line.cells),
        json!(line.releases),
        json!(line.row_days),
        json!(line.charge),
        json!(shares.join("; ")),
    ])
}

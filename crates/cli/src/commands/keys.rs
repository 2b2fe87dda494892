//! `weir keys`.

use std::path::Path;

use serde_json::json;
use weir_client::v1::{DomainKey, KeyKind};

use super::connect;
use crate::args::{KeyName, KeysCommand};
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: KeysCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        KeysCommand::List { output } => {
            let head = Listing::new(&["key", "state", "public", "not_after"]);
            let keys = client.list_keys().await?;
            let listing = keys.iter().fold(head, |listing, key| listing.row(row(key)));
            listing.print(output.format)
        }
        KeysCommand::Rotate { key, once } => {
            let request = once.request_key.unwrap_or_else(super::key);
            let rotated = client.rotate_key_once(kind(key), &request).await?;
            match key {
                KeyName::Master => {
                    println!("{} keys of the vault are wrapped anew.", rotated.rewrapped);
                }
                _ => println!("{}", rotated.key.map(|key| key.public).unwrap_or_default()),
            }
            Ok(())
        }
        KeysCommand::Retire { key, once } => {
            let request = once.request_key.unwrap_or_else(super::key);
            client.retire_keys_once(kind(key), &request).await?;
            Ok(())
        }
    }
}

const fn kind(key: KeyName) -> KeyKind {
    match key {
        KeyName::Signing => KeyKind::Signing,
        KeyName::Master => KeyKind::Master,
        KeyName::Authority => KeyKind::Authority,
    }
}

fn row(key: &DomainKey) -> Vec<serde_json::Value> {
    let kind = match key.kind() {
        KeyKind::Signing => "signing",
        KeyKind::Master => "master",
        KeyKind::Authority => "authority",
        KeyKind::Unspecified => "",
    };
    vec![
        json!(kind),
        json!(key.state),
        json!(key.public),
        json!(key.not_after),
    ]
}

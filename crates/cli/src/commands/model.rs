//! `weir model`.

use std::path::Path;

use serde_json::json;
use weir_client::v1::{Model, ModelState};

use super::connect;
use crate::args::{Format, ModelCommand};
use crate::error::CliError;
use crate::output::Listing;

pub(crate) async fn run(identity: Option<&Path>, command: ModelCommand) -> Result<(), CliError> {
    let client = connect(identity).await?;
    match command {
        ModelCommand::Submit { file, name, output } => {
            let name = name.unwrap_or_else(|| name_of(&file));
            let model = client.submit_model_file(&name, &file).await?;
            listing(std::slice::from_ref(&model)).print(output.format)?;
            if output.format == Format::Table && model.state() == ModelState::Submitted {
                println!(
                    "The bureau approves it with: weir model approve {name} --digest {}",
                    model.digest
                );
            }
            Ok(())
        }
        ModelCommand::List { output } => listing(&client.list_models().await?).print(output.format),
        ModelCommand::Show {
            name,
            digest,
            output,
        } => {
            let model = client.model(&name, &digest).await?;
            listing(std::slice::from_ref(&model)).print(output.format)?;
            if output.format == Format::Table {
                println!("{}", model.signature);
            }
            Ok(())
        }
        ModelCommand::Approve {
            name,
            digest,
            output,
        } => {
            let reviewed = if digest.is_empty() {
                client.model(&name, "").await?.digest
            } else {
                digest
            };
            listing(&[client.approve_model(&name, &reviewed).await?]).print(output.format)
        }
    }
}

/// `path/to/my-model.wasm` becomes `my_model`.
fn name_of(file: &Path) -> String {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_default().to_lowercase().replace('-', "_")
}

fn listing(models: &[Model]) -> Listing {
    let head = Listing::new(&[
        "name",
        "state",
        "digest",
        "size_bytes",
        "submitted_by",
        "organisation",
        "submitted_at",
        "approved_by",
    ]);
    models.iter().fold(head, |listing, model| {
        listing.row(vec![
            json!(model.name),
            json!(state(model.state())),
            json!(model.digest),
            json!(model.size_bytes),
            json!(model.submitted_by),
            json!(model.organisation),
            json!(model.submitted_at),
            json!(model.approved_by),
        ])
    })
}

pub(crate) const fn state(state: ModelState) -> &'static str {
    match state {
        ModelState::Approved => "approved",
        ModelState::Submitted => "submitted",
        ModelState::Unspecified => "unknown",
    }
}

//! `weir demo`: the whole path on real flights, through the real server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use weir_audit::Receipt;
use weir_client::v1::{
    ApplyRequest, IssueGrantRequest, Opinion, RegisterDatasetRequest, ReviewApplicationRequest,
    Role, RunRequest,
};
use weir_client::{Client, IdentityFolder, RunAnswer};
use weir_server::{Domain, Folder, InitOptions, Serving};

use super::audit::{Required, verify_whole};
use super::domain::identity_folder;
use super::identity::issue_folder;
use super::model::state;
use crate::args::{DemoArgs, Format};
use crate::error::CliError;
use crate::output::print_batches;
use crate::progress::Meter;

/// The bundled dataset and model: see `examples/flights/README.md` for source and licence.
const FLIGHTS: &[u8] = include_bytes!("../../../../examples/flights/flights.parquet");
const MANIFEST: &str = include_str!("../../../../examples/flights/flights.toml");
const MODEL: &[u8] =
    include_bytes!("../../../../examples/flights/models/disruption/disruption.wasm");

const SQL: &str = "SELECT carrier, band, COUNT(*) AS flights, AVG(score) AS mean_score \
                   FROM disruption(flights) GROUP BY carrier, band HAVING band = 'severe' ORDER BY mean_score DESC";

const STAGES: usize = 8;

/// What the operator applies for: the columns that the model and the query read.
const APPLICATION: &str = include_str!("../../../../examples/flights/application.toml");

/// Who gave the data, as its manifest says.
const PROVIDER: &str = "US Bureau of Transportation Statistics";
const IDENTITY_DAYS: u32 = 1;

pub(crate) async fn run(args: &DemoArgs) -> Result<(), CliError> {
    let begun = Instant::now();
    let temporary =
        tempfile::tempdir().map_err(|error| CliError::file(&std::env::temp_dir(), &error))?;
    let root = args
        .keep
        .clone()
        .unwrap_or_else(|| temporary.path().join("domain"));
    let (serving, administrator) = make_and_serve(&root).await?;
    // The server is stopped whatever the story's end, and only then the folder goes.
    let told = story(&Folder::new(&root), &administrator).await;
    let stopped = serving.stop().await;
    told?;
    stopped?;
    println!(
        "\nDone in {:.1} s. The server is stopped{}.",
        begun.elapsed().as_secs_f64(),
        kept(args.keep.as_ref())
    );
    Ok(())
}

fn kept(keep: Option<&PathBuf>) -> String {
    match keep {
        Some(folder) => format!("; the domain stays in {}", folder.display()),
        None => " and the domain is deleted".to_owned(),
    }
}

async fn make_and_serve(root: &Path) -> Result<(Serving, IdentityFolder), CliError> {
    stage(
        1,
        "Making a domain: keys, log, vault, registry, the default policy",
    );
    let options = InitOptions {
        name: "demo".to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        inboxes: Vec::new(),
        vault: weir_server::VaultConfig::default(),
        organisation: "Data Bureau".to_owned(),
        person: "wang".to_owned(),
    };
    let mut administrator = identity_folder(weir_server::init(root, &options).await?);
    said(&format!("in {}", root.display()));
    stage(2, "Serving it over gRPC with mutual TLS, on loopback");
    let serving = weir_server::serve(Domain::open(root).await?).await?;
    administrator.server_url = format!("https://{}", serving.address());
    said(&format!("at {}", administrator.server_url));
    Ok((serving, administrator))
}

async fn story(folder: &Folder, administrator: &IdentityFolder) -> Result<(), CliError> {
    let bureau = Client::connect(administrator).await?;
    stage(
        3,
        "The bureau registers 336,776 real flights: checked, coded, sorted by aircraft, sealed",
    );
    register(&bureau, folder).await?;

    stage(
        4,
        "The bureau issues an identity to an operator, who submits a model (WebAssembly, 693 bytes)",
    );
    let li = issue_folder(
        &bureau,
        administrator,
        Role::Operator,
        "Acme Insurance",
        "li",
        IDENTITY_DAYS,
    )
    .await?;
    let operator = Client::connect(&li).await?;
    let mut meter = Meter::start();
    let submitted = operator
        .submit_model_with("disruption", MODEL.to_vec(), |step| meter.step(step))
        .await;
    meter.finish();
    let submitted = submitted?;
    said(&format!(
        "{} ({})",
        submitted.digest,
        state(submitted.state())
    ));
    for line in submitted.signature.lines() {
        said(line);
    }

    stage(5, "The bureau approves exactly these bytes");
    let approved = bureau
        .approve_model("disruption", &submitted.digest)
        .await?;
    said(&format!(
        "{} by {}",
        state(approved.state()),
        approved.approved_by
    ));

    stage(
        6,
        "The operator applies for a grant of the columns it needs; the provider supports it, the bureau issues it",
    );
    grant(&bureau, administrator, &operator).await?;

    stage(
        7,
        "The operator runs SQL over the model; only cells the gate released come back",
    );
    said(SQL);
    let answer = ask(&operator).await?;
    let releases = bureau.list_releases(1).await?;
    let withheld = releases.first().map_or(0, |release| release.cells_withheld);
    said(&format!(
        "withheld by the policy: {withheld} cells; the bureau sees the exact number,"
    ));
    said(&format!(
        "the operator \"at most {}\", so that none and one look alike",
        answer.cells_withheld_at_most
    ));

    stage(
        8,
        "The receipt and the whole log are verified with the log's public key",
    );
    let key = bureau.log_key().clone();
    let entry = Receipt::from_json(answer.receipt_json.as_bytes())?.verify(&key)?;
    said(&format!(
        "receipt: entry {} of {} in `{}`, root {}",
        entry.index(),
        entry.tree_size(),
        entry.origin(),
        entry.root()
    ));
    verify_whole(&folder.log(), &key, None, &Required::default())
}

async fn register(bureau: &Client, folder: &Folder) -> Result<(), CliError> {
    let file = folder.inbox().join("flights.parquet");
    std::fs::write(&file, FLIGHTS).map_err(|error| CliError::file(&file, &error))?;
    let mut meter = Meter::start();
    let request = RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "flights.toml".to_owned(),
        source_path: file.display().to_string(),
        update: false,
    };
    let dataset = bureau
        .register_dataset(request, |step| meter.step(step))
        .await;
    let elapsed = meter.finish();
    let dataset = dataset?;
    said(&format!(
        "{} rows of {} aircraft in {:.1} s; {} rows name no aircraft and were left out",
        dataset.rows.unwrap_or_default(),
        dataset.units.unwrap_or_default(),
        elapsed.as_secs_f64(),
        dataset.rows_without_unit.unwrap_or_default(),
    ));
    Ok(())
}

/// Application, opinion and grant, each by somebody else.
async fn grant(
    bureau: &Client,
    administrator: &IdentityFolder,
    operator: &Client,
) -> Result<(), CliError> {
    let zhao = issue_folder(
        bureau,
        administrator,
        Role::Provider,
        PROVIDER,
        "zhao",
        IDENTITY_DAYS,
    )
    .await?;
    let provider = Client::connect(&zhao).await?;
    let applied = operator
        .apply(ApplyRequest {
            text: APPLICATION.to_owned(),
            source_name: "application.toml".to_owned(),
            ..ApplyRequest::default()
        })
        .await?;
    provider
        .review_application(ReviewApplicationRequest {
            id: applied.id.clone(),
            digest: applied.digest.clone(),
            opinion: Opinion::Support.into(),
            text: "no more than the report needs".to_owned(),
            request_key: String::new(),
        })
        .await?;
    let issued = bureau
        .issue_grant(IssueGrantRequest {
            id: applied.id,
            digest: applied.digest,
            ..IssueGrantRequest::default()
        })
        .await?;
    let columns = issued.datasets.iter().map(|set| set.columns.join(", "));
    let columns: Vec<_> = columns.collect();
    said(&format!("`{}`: {}", issued.scenario, columns.join("; ")));
    said(&format!("grant {} until {}", issued.id, issued.not_after));
    Ok(())
}

async fn ask(operator: &Client) -> Result<RunAnswer, CliError> {
    let mut meter = Meter::start();
    let request = RunRequest {
        sql: SQL.to_owned(),
        run_id: String::new(),
        snapshots: Vec::new(),
        grant: String::new(),
    };
    let answer = operator.run(request, |step| meter.step(step)).await;
    let elapsed = meter.finish();
    let answer = answer?;
    print_batches(&answer.table, Format::Table)?;
    said(&format!(
        "{} cells released in {:.1} s; HAVING and ORDER BY ran on those alone",
        answer.cells_released,
        elapsed.as_secs_f64()
    ));
    Ok(answer)
}

fn stage(number: usize, what: &str) {
    println!("[{number}/{STAGES}] {what}");
}

fn said(what: &str) {
    println!("      {what}");
}

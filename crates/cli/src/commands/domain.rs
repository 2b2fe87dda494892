//! `weir init`, `weir serve` and `weir check`.

use std::path::Path;

use weir_client::IdentityFolder;
use weir_server::{Domain, FirstIdentity, Folder, InitOptions, VaultConfig};

use crate::args::InitArgs;
use crate::error::CliError;

/// Name of the first identity's folder.
const FIRST_IDENTITY: &str = "administrator";

pub(crate) async fn init(args: &InitArgs) -> Result<(), CliError> {
    let options = InitOptions {
        name: args.name.clone(),
        listen: args.listen,
        inboxes: args.inbox.clone(),
        vault: match &args.vault {
            Some(file) => VaultConfig::load(file)?,
            None => VaultConfig::default(),
        },
        organisation: args.organisation.clone(),
        person: args.person.clone(),
    };
    let first = weir_server::init(&args.domain, &options).await?;
    let folder = Folder::new(&args.domain);
    let identity = folder.identities().join(FIRST_IDENTITY);
    let log_key = first.log_key.clone();
    identity_folder(first).save(&identity)?;
    println!("Domain `{}` is in {}", args.name, args.domain.display());
    println!(
        "  policy    {} (default; edit, then restart)",
        folder.policy().display()
    );
    println!(
        "  identity  {} ({}, {}, bureau)",
        identity.display(),
        args.person,
        args.organisation
    );
    println!("  log key   {log_key}");
    println!("Next:");
    println!("  weir serve {}", args.domain.display());
    println!("  export WEIR_IDENTITY={}", identity.display());
    println!("  weir identity issue --role operator --organisation NAME --person NAME --out DIR");
    Ok(())
}

pub(crate) fn identity_folder(first: FirstIdentity) -> IdentityFolder {
    IdentityFolder {
        certificate_pem: first.certificate_pem,
        key_pem: first.key_pem,
        authority_pem: first.authority_pem,
        server_url: first.server_url,
        log_key: first.log_key,
    }
}

pub(crate) async fn serve(domain: &Path) -> Result<(), CliError> {
    let serving = weir_server::serve(Domain::open(domain).await?).await?;
    eprintln!(
        "Serving {} on {}. Ctrl-C stops.",
        domain.display(),
        serving.address()
    );
    interrupted().await;
    eprintln!("Stopping: runs under way finish first.");
    serving.stop().await?;
    Ok(())
}

pub(crate) async fn check(domain: &Path) -> Result<(), CliError> {
    let checked = weir_server::check_domain(domain).await?;
    println!(
        "Every byte of {} is what the domain wrote",
        domain.display()
    );
    println!("  log          {} entries", checked.log_entries);
    println!("  registry     {} rows", checked.registry_rows);
    println!("  ledger       {} releases", checked.releases);
    println!("  populations  {}", checked.populations);
    println!("  snapshots    {}", checked.snapshots);
    Ok(())
}

/// Waits for Ctrl-C or a service manager's SIGTERM.
pub(crate) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

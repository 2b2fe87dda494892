//! Running cargo from a program that cargo itself started.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Variables that `cargo run` sets for the program it starts. Build scripts watch some of them (ring does), so passing
/// them on would make the inner cargo rebuild half the workspace, and the next cargo outside rebuild it again.
const INHERITED_PREFIXES: [&str; 6] = [
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
    "OUT_DIR",
];

/// A cargo command in the repository, free of what the outer cargo left in the environment.
pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root).args(arguments);
    for (name, _) in std::env::vars_os() {
        let inherited = name.to_str().is_some_and(|name| {
            INHERITED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        if inherited {
            command.env_remove(name);
        }
    }
    command
}

/// Runs cargo with its output passed through.
///
/// # Errors
/// When cargo can't be started or fails; the message holds the command to run it alone.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let status = command(root, arguments).status();
    let again = format!("run it alone with `cargo {}`", arguments.join(" "));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ended with {status}; {again}")),
        Err(error) => Err(format!("cargo could not be started ({error}); {again}")),
    }
}

/// Runs cargo with its output passed through, line by line, to `hear` as well.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_heard(
    root: &Path,
    arguments: &[&str],
    mut hear: impl FnMut(&str),
) -> Result<(), String> {
    let again = format!("run it alone with `cargo {}`", arguments.join(" "));
    let failed = |error: std::io::Error| format!("cargo could not be run ({error}); {again}");
    let mut child = command(root, arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines())
    {
        let line = line.map_err(failed)?;
        println!("{line}");
        hear(&line);
    }
    match child.wait().map_err(failed)? {
        status if status.success() => Ok(()),
        status => Err(format!("it ended with {status}; {again}")),
    }
}

/// Whether a cargo subcommand is installed.
pub(crate) fn has_subcommand(root: &Path, name: &str) -> bool {
    command(root, &[name, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    /// Cargo runs tests with the same variables as it runs programs, so they are there to be removed.
    #[test]
    fn what_the_outer_cargo_set_is_not_passed_on() {
        let command = command(Path::new("."), &["metadata"]);
        let removed: Vec<_> = command
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_owned())
            .collect();
        assert!(
            removed.contains(&OsString::from("CARGO_MANIFEST_DIR")),
            "{removed:?}"
        );
        assert!(
            !removed.contains(&OsString::from("CARGO_HOME"))
                && !removed.contains(&OsString::from("PATH"))
        );
    }

    #[test]
    fn a_failure_names_the_command_to_run_again() {
        let arguments = ["metadata", "--no-such-option"];
        let message = run(&crate::repository_root(), &arguments).unwrap_err();
        assert!(
            message.ends_with("run it alone with `cargo metadata --no-such-option`"),
            "{message}"
        );
    }

    #[test]
    fn a_subcommand_that_is_not_installed_is_missing() {
        let root = crate::repository_root();
        // With an option in its place, cargo prints its own version: that much is installed everywhere.
        assert!(has_subcommand(&root, "--locked"));
        assert!(!has_subcommand(&root, "no-such-subcommand"));
    }
}

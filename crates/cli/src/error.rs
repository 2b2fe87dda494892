//! What a command can end with.

use std::path::{Path, PathBuf};

use thiserror::Error;
use weir_audit::AuditError;
use weir_client::ClientError;
use weir_server::Fault;

/// A command that did not succeed.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// A call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The domain's own side failed (`init`, `serve`, `demo`).
    #[error("{} [{}]", .0.message, .0.code)]
    Server(#[from] Fault),
    /// The log or a receipt does not verify.
    #[error("{0} [{code}]", code = .0.code())]
    Audit(#[from] AuditError),
    /// A model on this machine is not one Weir admits.
    #[error("{0} [{code}]", code = .0.code())]
    Model(#[from] weir_model::ModelError),
    /// A manifest on this machine.
    #[error("{0} [{code}]", code = .0.code())]
    Catalogue(#[from] weir_catalogue::CatalogueError),
    /// A report.
    #[error("{0} [{code}]", code = .0.code())]
    Report(#[from] weir_report::ReportError),
    /// A benchmark.
    #[error("{0} [{code}]", code = .0.code())]
    Bench(#[from] weir_bench::BenchError),
    /// A benchmark whose figures are not what they have to be.
    #[error("{missed} goals are missed, and {worse} figures are worse than before")]
    Missed {
        /// Goals.
        missed: usize,
        /// Regressions.
        worse: usize,
    },
    /// A policy on this machine.
    #[error("{0} [{code}]", code = .0.code())]
    Policy(Box<weir_policy::PolicyError>),
    /// A model that vetting refuses.
    #[error("the model would be refused: {message} [{code}]")]
    Refused {
        /// The finding's code.
        code: String,
        /// What was found.
        message: String,
    },
    /// A local file.
    #[error("`{}`: {reason}. Check the path and its permissions", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A result that cannot be shown.
    #[error("the result cannot be shown: {0}. Try another --format")]
    Show(String),
    /// Something the command needs and was not given.
    #[error("{0}")]
    Missing(&'static str),
}

impl From<weir_policy::PolicyError> for CliError {
    fn from(error: weir_policy::PolicyError) -> Self {
        Self::Policy(Box::new(error))
    }
}

impl CliError {
    pub(crate) fn file(file: &Path, error: &std::io::Error) -> Self {
        Self::File {
            file: file.to_owned(),
            reason: error.to_string(),
        }
    }
}

//! What went wrong, for the caller: a family, a stable code and a message. One mapping from family to gRPC status.

use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `domain` of the `google.rpc.ErrorInfo` that every status carries.
pub(crate) const ERROR_DOMAIN: &str = "weir.v1";

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The request is wrong; sending it again unchanged fails again.
    Caller,
    /// The model is wrong.
    Model,
    /// The domain's rules refuse it.
    Policy,
    /// The machine or its storage failed; the same request may succeed later.
    Environment,
    /// Weir is wrong.
    Bug,
}

impl Family {
    /// The one mapping from families to gRPC statuses.
    const fn status(self) -> Code {
        match self {
            Self::Caller => Code::InvalidArgument,
            Self::Model => Code::FailedPrecondition,
            Self::Policy => Code::PermissionDenied,
            Self::Environment => Code::Unavailable,
            Self::Bug => Code::Internal,
        }
    }

    /// Name in a status's metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Model => "model",
            Self::Policy => "policy",
            Self::Environment => "environment",
            Self::Bug => "bug",
        }
    }
}

/// A refusal or failure as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Fault {
    /// Whose fault it is.
    pub family: Family,
    /// Stable code, listed in `docs/errors.md`.
    pub code: &'static str,
    /// What was wrong, where, and what to do.
    pub message: String,
}

impl Fault {
    /// The same for someone outside: what the machine said, which names paths of the server's, goes to its log.
    pub(crate) fn for_operator(self) -> Self {
        if !matches!(self.family, Family::Environment | Family::Bug) {
            return self;
        }
        tracing::error!(
            code = self.code,
            reason = self.message,
            "not the caller's fault"
        );
        Self {
            message: "the domain's machine failed and nothing was released. Try again; the bureau sees the cause in the \
                      server's log"
                .to_owned(),
            ..self
        }
    }

    pub(crate) fn new(family: Family, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            family,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn caller(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Family::Caller, code, message)
    }

    pub(crate) fn policy(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Family::Policy, code, message)
    }

    pub(crate) fn bug(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Family::Bug, code, message)
    }

    pub(crate) fn environment(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Family::Environment, code, message)
    }
}

/// A count as the registry keeps it: SQLite has `i64`.
pub(crate) fn count(count: u64) -> Result<i64, Fault> {
    i64::try_from(count).map_err(|_| {
        Fault::bug(
            "BUG_COUNT",
            "a count is larger than any dataset. Please report this",
        )
    })
}

/// Work that was not begun because the server is on its way down.
pub(crate) fn stopping() -> Fault {
    Fault::environment(
        "SERVER_STOPPING",
        "the server is stopping. Try again when it is back",
    )
}

/// A task that panicked. Its message is dropped: it could hold anything.
pub(crate) fn panicked() -> Fault {
    Fault::bug(
        "BUG_PANIC",
        "Weir made a mistake and released nothing. Please report the time to the domain's staff",
    )
}

/// A dataset nobody registered. What the caller called it is shortened.
pub(crate) fn dataset_unknown(name: &str) -> Fault {
    let name: String = name.chars().take(crate::services::NAME_CHARS_MAX).collect();
    Fault::caller(
        "DATASET_UNKNOWN",
        format!("there is no dataset `{name}`. `weir dataset list` shows those there are"),
    )
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let metadata = [("family".to_owned(), fault.family.as_str().to_owned())];
        let details = ErrorDetails::with_error_info(fault.code, ERROR_DOMAIN, metadata);
        Self::with_error_details(fault.family.status(), fault.message, details)
    }
}

/// Carries another crate's error over, family by family and with its own code and words.
macro_rules! from_error {
    ($error:ty, $family:path { $($variant:ident),+ }) => {
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                use $family as Theirs;
                let family = match error.family() {
                    $(Theirs::$variant => Family::$variant,)+
                };
                Self::new(family, error.code(), error.to_string())
            }
        }
    };
}

from_error!(
    weir_inside::SqlError,
    weir_inside::Family {
        Caller,
        Model,
        Policy,
        Bug
    }
);
from_error!(
    weir_inside::ComputeError,
    weir_inside::Family {
        Caller,
        Model,
        Policy,
        Bug
    }
);
from_error!(
    weir_outside::OutsideError,
    weir_outside::Family { Caller, Bug }
);
from_error!(
    weir_audit::AuditError,
    weir_audit::Family {
        Caller,
        Environment,
        Bug
    }
);
from_error!(
    weir_gate::GateError,
    weir_gate::Family {
        Caller,
        Policy,
        Environment,
        Bug
    }
);
from_error!(
    weir_model::ModelError,
    weir_model::Family {
        Caller,
        Model,
        Environment,
        Bug
    }
);
from_error!(
    weir_catalogue::CatalogueError,
    weir_catalogue::Family { Caller, Bug }
);
from_error!(weir_policy::PolicyError, weir_policy::Family { Caller });
from_error!(
    weir_vault::VaultError,
    weir_vault::Family {
        Caller,
        Environment,
        Bug
    }
);
from_error!(
    weir_ledger::LedgerError,
    weir_ledger::Family {
        Caller,
        Policy,
        Environment,
        Bug
    }
);
from_error!(
    weir_registry::RegistryError,
    weir_registry::Family {
        Caller,
        Environment
    }
);

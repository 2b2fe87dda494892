//! What vetting has to say, with stable codes.

use serde::{Deserialize, Serialize};

/// What a finding asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// In order.
    Ok,
    /// A reviewer should look at it and decide.
    Look,
    /// The model is refused.
    Refuse,
}

impl Severity {
    /// The word shown for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Look => "look",
            Self::Refuse => "refuse",
        }
    }
}

/// The four questions of vetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// 可用性: does it run, over which datasets.
    Usability,
    /// 一致性: does it answer alike every time and everywhere.
    Consistency,
    /// 合规性: what does it read, and what could its answers show.
    Compliance,
    /// 安全性: could it carry one unit's data to another's answer, or look for units by name.
    Security,
}

impl Aspect {
    /// Every aspect, in the order of the report.
    pub const ALL: [Self; 4] = [
        Self::Usability,
        Self::Consistency,
        Self::Compliance,
        Self::Security,
    ];

    /// The word shown for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usability => "usability",
            Self::Consistency => "consistency",
            Self::Compliance => "compliance",
            Self::Security => "security",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which question it answers.
    pub aspect: Aspect,
    /// What it asks for.
    pub severity: Severity,
    /// Stable code, for programs.
    pub code: String,
    /// What was found, with figures.
    pub message: String,
}

impl Finding {
    pub(super) fn new(
        aspect: Aspect,
        severity: Severity,
        code: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            aspect,
            severity,
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

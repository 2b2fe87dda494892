//! What may follow what: the one table of an application's and a grant's life. `docs/grants.md` shows it, made from here.

use weir_registry::{ApplicationState, GrantState, Role};

use crate::fault::Fault;

/// What can be done to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApplicationAct {
    Support,
    Oppose,
    Complete,
    Return,
    Resubmit,
    Reject,
    Withdraw,
    Grant,
}

/// What can be done to a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantAct {
    Suspend,
    Resume,
    Order,
    Accept,
    Escalate,
    Revoke,
    Terminate,
    Expire,
}

/// One row: from any of these states, by any of these roles, to that state.
pub(crate) struct Row<S: 'static, A> {
    pub(crate) act: A,
    pub(crate) from: &'static [S],
    pub(crate) to: S,
    /// Empty: the server does it, and nobody else.
    pub(crate) by: &'static [Role],
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documentation shows it, made by a test")
    )]
    pub(crate) means: &'static str,
}

/// The life of an application. It begins as `submitted`.
pub(crate) const APPLICATION: &[Row<ApplicationState, ApplicationAct>] = {
    use ApplicationAct::{Complete, Grant, Oppose, Reject, Resubmit, Return, Support, Withdraw};
    use ApplicationState::{Granted, Rejected, Returned, Reviewed, Submitted, Withdrawn};
    &[
        Row {
            act: Support,
            from: &[Submitted, Reviewed],
            to: Submitted,
            by: &[Role::Provider, Role::Bureau],
            means: "an opinion in favour; an organisation's newest opinion counts",
        },
        Row {
            act: Oppose,
            from: &[Submitted, Reviewed],
            to: Submitted,
            by: &[Role::Provider, Role::Bureau],
            means: "an opinion against: nothing is granted while it stands",
        },
        Row {
            act: Complete,
            from: &[Submitted],
            to: Reviewed,
            by: &[],
            means: "the provider of every dataset supports it and nobody opposes it",
        },
        Row {
            act: Return,
            from: &[Submitted, Reviewed],
            to: Returned,
            by: &[Role::Bureau],
            means: "the applicant is to mend it",
        },
        Row {
            act: Resubmit,
            from: &[Returned],
            to: Submitted,
            by: &[Role::Operator],
            means: "mended; opinions on the old text no longer count",
        },
        Row {
            act: Reject,
            from: &[Submitted, Reviewed],
            to: Rejected,
            by: &[Role::Bureau],
            means: "refused for good",
        },
        Row {
            act: Withdraw,
            from: &[Submitted, Reviewed, Returned],
            to: Withdrawn,
            by: &[Role::Operator],
            means: "the applicant takes it back",
        },
        Row {
            act: Grant,
            from: &[Reviewed],
            to: Granted,
            by: &[Role::Bureau],
            means: "a grant is issued, of what was asked for or less",
        },
    ]
};

/// The life of a grant. It begins as `active`.
pub(crate) const GRANT: &[Row<GrantState, GrantAct>] = {
    use GrantAct::{Accept, Escalate, Expire, Order, Resume, Revoke, Suspend, Terminate};
    use GrantState::{Active, Expired, Mending, Revoked, Suspended, Terminated};
    &[
        Row {
            act: Suspend,
            from: &[Active, Mending],
            to: Suspended,
            by: &[Role::Bureau],
            means: "nobody reads under it; runs under way stop",
        },
        Row {
            act: Resume,
            from: &[Suspended],
            to: Active,
            by: &[Role::Bureau],
            means: "it may be read under again",
        },
        Row {
            act: Order,
            from: &[Active],
            to: Mending,
            by: &[Role::Bureau],
            means: "the holder is to mend something within at most 30 days",
        },
        Row {
            act: Accept,
            from: &[Mending],
            to: Active,
            by: &[Role::Bureau],
            means: "it was mended",
        },
        Row {
            act: Escalate,
            from: &[Mending],
            to: Suspended,
            by: &[],
            means: "the deadline has passed; after 30 days more it is revoked",
        },
        Row {
            act: Escalate,
            from: &[Suspended],
            to: Revoked,
            by: &[],
            means: "that second deadline has passed too; a grant that the bureau suspended has none",
        },
        Row {
            act: Revoke,
            from: &[Active, Mending, Suspended],
            to: Revoked,
            by: &[Role::Bureau],
            means: "taken back for good, with every part of it",
        },
        Row {
            act: Terminate,
            from: &[Active, Mending, Suspended],
            to: Terminated,
            by: &[Role::Bureau, Role::Operator],
            means: "brought to an end, with every part of it; an operator ends its own and what it delegated",
        },
        Row {
            act: Expire,
            from: &[Active, Mending, Suspended],
            to: Expired,
            by: &[],
            means: "its term is over",
        },
    ]
};

/// The state an act leads to, or a refusal with one code whatever was wrong.
pub(crate) fn next<S: Copy + PartialEq, A: Copy + PartialEq + Named>(
    table: &[Row<S, A>],
    (from, name): (S, &str),
    act: A,
    by: Option<Role>,
) -> Result<S, Fault> {
    let fits = |row: &&Row<S, A>| {
        let may = match by {
            Some(role) => row.by.contains(&role),
            None => row.by.is_empty(),
        };
        row.act == act && row.from.contains(&from) && may
    };
    table.iter().find(fits).map(|row| row.to).ok_or_else(|| {
        Fault::caller(
            "STATE_REFUSED",
            format!(
                "what is {name} cannot be followed by `{}`. The tables in docs/grants.md, docs/airlock.md and docs/models.md say what can",
                act.name()
            ),
        )
    })
}

/// An act's name, as the log, the command line and the documentation have it.
pub(crate) trait Named {
    fn name(self) -> &'static str;
}

impl Named for ApplicationAct {
    fn name(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Oppose => "oppose",
            Self::Complete => "complete",
            Self::Return => "return",
            Self::Resubmit => "resubmit",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Grant => "grant",
        }
    }
}

impl Named for GrantAct {
    fn name(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Order => "order",
            Self::Accept => "accept",
            Self::Escalate => "escalate",
            Self::Revoke => "revoke",
            Self::Terminate => "terminate",
            Self::Expire => "expire",
        }
    }
}

/// The two tables in Markdown, as the documentation has them.
#[cfg(test)]
pub(crate) fn markdown() -> String {
    format!(
        "An application begins as `submitted`.\n\n{}\nA grant begins as `active`.\n\n{}",
        table(APPLICATION, ApplicationState::as_str),
        table(GRANT, GrantState::as_str)
    )
}

/// A table of states as the documentation shows it.
#[cfg(test)]
pub(crate) fn table<S: Copy, A: Copy + Named>(
    rows: &[Row<S, A>],
    name: impl Fn(S) -> &'static str,
) -> String {
    let mut text = "| act | by | from | to | what it means |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let by: Vec<_> = row.by.iter().map(|role| role.as_str()).collect();
        let by = match by.is_empty() {
            true => "the server".to_owned(),
            false => by.join(", "),
        };
        let from: Vec<_> = row.from.iter().map(|state| name(*state)).collect();
        let (act, from, to) = (row.act.name(), from.join("`, `"), name(row.to));
        text += &format!("| `{act}` | {by} | `{from}` | `{to}` | {} |\n", row.means);
    }
    text
}

/// Each of these pages of the documentation has a table.
#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests fail by panicking")]
pub(crate) fn is_shown(table: &str, pages: [&str; 2]) {
    for page in pages {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(page);
        let text = std::fs::read_to_string(&page).expect("a page of the documentation");
        let page = page.display();
        assert!(text.contains(table), "{page} does not show\n{table}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_the_table() {
        is_shown(&markdown(), ["grants.md", "grants.zh-CN.md"]);
    }

    #[test]
    fn what_has_ended_has_ended() {
        use GrantState::{Expired, Revoked, Terminated};
        for row in GRANT {
            assert!(
                [Revoked, Expired, Terminated]
                    .iter()
                    .all(|end| !row.from.contains(end))
            );
        }
        use ApplicationState::{Granted, Rejected, Withdrawn};
        for row in APPLICATION {
            assert!(
                [Granted, Rejected, Withdrawn]
                    .iter()
                    .all(|end| !row.from.contains(end))
            );
        }
    }

    #[test]
    fn no_row_lets_who_applies_decide() {
        for row in APPLICATION {
            let decides = matches!(
                row.act,
                ApplicationAct::Support
                    | ApplicationAct::Grant
                    | ApplicationAct::Return
                    | ApplicationAct::Reject
            );
            assert!(
                !(decides && row.by.contains(&Role::Operator)),
                "{}",
                row.act.name()
            );
        }
        for row in GRANT.iter().filter(|row| row.to == GrantState::Active) {
            assert_eq!(row.by, [Role::Bureau], "{}", row.act.name());
        }
    }

    #[test]
    fn rows_of_one_act_do_not_contradict_each_other() {
        let mut seen = Vec::new();
        for row in GRANT {
            for from in row.from {
                assert!(
                    !seen.contains(&(row.act.name(), from)),
                    "{}",
                    row.act.name()
                );
                seen.push((row.act.name(), from));
            }
        }
    }
}

//! What may follow what in the airlock: one table. `docs/airlock.md` shows it, made from here.

use weir_registry::{AirlockState, Role};

use crate::grants::states::{Named, Row};

/// What can be done to a table in the airlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AirlockAct {
    Approve,
    Complete,
    Reject,
    Withdraw,
    Expire,
    Overtake,
    Release,
}

/// The way of a table. It begins as `waiting`.
pub(crate) const AIRLOCK: &[Row<AirlockState, AirlockAct>] = {
    use AirlockAct::{Approve, Complete, Expire, Overtake, Reject, Release, Withdraw};
    use AirlockState::{Approved, Expired, Overtaken, Rejected, Released, Waiting, Withdrawn};
    &[
        Row {
            act: Approve,
            from: &[Waiting],
            to: Waiting,
            by: &[Role::Bureau],
            means: "a reviewer lets it go; it takes two, of two organisations",
        },
        Row {
            act: Complete,
            from: &[Waiting],
            to: Approved,
            by: &[],
            means: "two have: the operator's next call for the run computes it again and releases it",
        },
        Row {
            act: Reject,
            from: &[Waiting, Approved],
            to: Rejected,
            by: &[Role::Bureau],
            means: "a reviewer keeps it back; one is enough, as long as it has not left",
        },
        Row {
            act: Withdraw,
            from: &[Waiting, Approved],
            to: Withdrawn,
            by: &[Role::Operator],
            means: "its operator takes it back",
        },
        Row {
            act: Expire,
            from: &[Waiting, Approved],
            to: Expired,
            by: &[],
            means: "nobody decided in time, or nobody called for it",
        },
        Row {
            act: Overtake,
            from: &[Approved],
            to: Overtaken,
            by: &[],
            means: "computed again, it was another table than the one that was looked at",
        },
        Row {
            act: Release,
            from: &[Approved],
            to: Released,
            by: &[],
            means: "it left, and the answer is kept for its operator",
        },
    ]
};

impl Named for AirlockAct {
    fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Complete => "complete",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Expire => "expire",
            Self::Overtake => "overtake",
            Self::Release => "release",
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::grants::states::{is_shown, next, table};

    const ACTS: [AirlockAct; 7] = [
        AirlockAct::Approve,
        AirlockAct::Complete,
        AirlockAct::Reject,
        AirlockAct::Withdraw,
        AirlockAct::Expire,
        AirlockAct::Overtake,
        AirlockAct::Release,
    ];

    #[test]
    fn the_documentation_shows_the_table() {
        let pages = ["airlock.md", "airlock.zh-CN.md"];
        is_shown(&table(AIRLOCK, AirlockState::as_str), pages);
    }

    #[test]
    fn what_has_ended_has_ended() {
        for state in AirlockState::ALL.iter().filter(|state| !state.is_open()) {
            for act in ACTS {
                for by in Role::ALL.into_iter().map(Some).chain([None]) {
                    let refused = next(AIRLOCK, (*state, state.as_str()), act, by);
                    assert_eq!(refused.unwrap_err().code, "STATE_REFUSED");
                }
            }
        }
    }

    #[test]
    fn only_what_was_approved_is_released_and_nobody_does_it_by_hand() {
        for row in AIRLOCK
            .iter()
            .filter(|row| row.to == AirlockState::Released)
        {
            assert_eq!(row.from, [AirlockState::Approved]);
            assert!(row.by.is_empty());
        }
        for row in AIRLOCK
            .iter()
            .filter(|row| row.to == AirlockState::Approved)
        {
            assert_eq!(row.from, [AirlockState::Waiting]);
            assert!(row.by.is_empty());
        }
    }

    #[test]
    fn who_runs_lets_nothing_go() {
        for row in AIRLOCK.iter().filter(|row| row.to.is_open()) {
            assert!(!row.by.contains(&Role::Operator), "{}", row.act.name());
        }
    }

    #[test]
    fn one_act_from_one_state_leads_to_one_state() {
        let mut seen = Vec::new();
        for row in AIRLOCK {
            for from in row.from {
                assert!(!seen.contains(&(row.act, from)), "{}", row.act.name());
                seen.push((row.act, from));
            }
        }
    }
}

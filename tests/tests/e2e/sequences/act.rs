//! What somebody can try, and how random sequences of it are made.

use proptest::prelude::*;
use weir_client::v1::GrantAct;

use super::vetted::OnModel;

/// One call, or time that passes. Numbers choose among what there is: people by their place in the cast, applications and
/// grants by the order in which they came to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// For one of two scenarios of the operator's, or a third of its rival's.
    Apply {
        who: usize,
        scenario: usize,
        wide: bool,
    },
    Resubmit {
        who: usize,
        application: usize,
        wide: bool,
    },
    Withdraw {
        who: usize,
        application: usize,
    },
    Review {
        who: usize,
        application: usize,
        supports: bool,
        stale: bool,
    },
    Decide {
        who: usize,
        application: usize,
        returns: bool,
    },
    Issue {
        who: usize,
        application: usize,
        stale: bool,
        term: Term,
    },
    Delegate {
        who: usize,
        grant: usize,
        wide: bool,
        named: bool,
    },
    Change {
        who: usize,
        grant: usize,
        act: GrantAct,
    },
    Freeze {
        who: usize,
        dataset: bool,
        lift: bool,
    },
    Run {
        who: usize,
        grant: usize,
        wide: bool,
    },
    Register {
        who: usize,
        grant: usize,
        wide: bool,
    },
    Judge {
        who: usize,
        approves: bool,
        stale: bool,
    },
    Retire {
        who: usize,
    },
    RunProduct {
        who: usize,
    },
    OnModel {
        who: usize,
        act: OnModel,
    },
    Pass {
        week: bool,
    },
}

/// How long a grant is issued for, against what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    AsAsked,
    Shorter,
    Longer,
}

/// People in the cast.
pub(crate) const PEOPLE: usize = 10;

fn who() -> impl Strategy<Value = usize> {
    // Mostly those who may: sequences are to get somewhere.
    prop_oneof![
        3 => Just(0_usize),
        2 => Just(1),
        3 => Just(4),
        4 => Just(6),
        3 => 0..PEOPLE,
    ]
}

fn of(whom: usize) -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(whom), 1 => 0..PEOPLE]
}

fn rarely() -> impl Strategy<Value = bool> {
    prop_oneof![7 => Just(false), 1 => Just(true)]
}

fn newest() -> impl Strategy<Value = usize> {
    // Counted from the newest.
    prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => 0..6_usize]
}

fn grant_act() -> impl Strategy<Value = GrantAct> {
    prop_oneof![
        4 => Just(GrantAct::Suspend),
        4 => Just(GrantAct::Resume),
        3 => Just(GrantAct::Order),
        2 => Just(GrantAct::Accept),
        1 => Just(GrantAct::Revoke),
        1 => Just(GrantAct::Terminate),
    ]
}

fn on_model() -> impl Strategy<Value = OnModel> {
    prop_oneof![
        6 => Just(OnModel::Approve),
        1 => Just(OnModel::Reject),
        2 => Just(OnModel::Withdraw),
    ]
}

/// A sequence: mostly it begins with a scenario that is granted, so that there is something to get around.
pub(crate) fn sequence(calls: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Act>> {
    let opening = any::<bool>().prop_map(|wide| {
        let (who, application, stale) = (6, 0, false);
        let (supports, term) = (true, Term::AsAsked);
        vec![
            Act::Apply {
                who,
                scenario: 0,
                wide,
            },
            Act::Review {
                who: 4,
                application,
                supports,
                stale,
            },
            Act::Issue {
                who: 0,
                application,
                stale,
                term,
            },
        ]
    });
    let opening = prop_oneof![3 => opening, 1 => Just(Vec::new())];
    (opening, proptest::collection::vec(act(), calls))
        .prop_map(|(opening, acts)| [opening, acts].concat())
}

/// Somebody tries something.
fn act() -> impl Strategy<Value = Act> {
    let term = prop_oneof![
        3 => Just(Term::AsAsked),
        2 => Just(Term::Shorter),
        1 => Just(Term::Longer),
    ];
    prop_oneof![
        4 => (of(6), 0..3_usize, any::<bool>())
            .prop_map(|(who, scenario, wide)| Act::Apply { who, scenario, wide }),
        2 => (of(6), newest(), any::<bool>())
            .prop_map(|(who, application, wide)| Act::Resubmit { who, application, wide }),
        1 => (of(6), newest())
            .prop_map(|(who, application)| Act::Withdraw { who, application }),
        6 => (of(4), newest(), prop_oneof![4 => Just(true), 1 => Just(false)], rarely())
            .prop_map(|(who, application, supports, stale)| Act::Review { who, application, supports, stale }),
        1 => (of(0), newest(), any::<bool>())
            .prop_map(|(who, application, returns)| Act::Decide { who, application, returns }),
        6 => (of(0), newest(), rarely(), term)
            .prop_map(|(who, application, stale, term)| Act::Issue { who, application, stale, term }),
        2 => (of(6), newest(), rarely(), prop_oneof![4 => Just(true), 1 => Just(false)])
            .prop_map(|(who, grant, wide, named)| Act::Delegate { who, grant, wide, named }),
        5 => (who(), newest(), grant_act())
            .prop_map(|(who, grant, act)| Act::Change { who, grant, act }),
        2 => (of(0), any::<bool>(), any::<bool>())
            .prop_map(|(who, dataset, lift)| Act::Freeze { who, dataset, lift }),
        7 => (prop_oneof![4 => Just(6_usize), 2 => Just(9), 1 => 0..PEOPLE], newest(), any::<bool>())
            .prop_map(|(who, grant, wide)| Act::Run { who, grant, wide }),
        2 => (of(6), newest(), rarely())
            .prop_map(|(who, grant, wide)| Act::Register { who, grant, wide }),
        2 => (of(0), prop_oneof![3 => Just(true), 1 => Just(false)], rarely())
            .prop_map(|(who, approves, stale)| Act::Judge { who, approves, stale }),
        1 => who().prop_map(|who| Act::Retire { who }),
        2 => of(6).prop_map(|who| Act::RunProduct { who }),
        4 => (prop_oneof![3 => Just(0_usize), 3 => Just(1), 2 => 0..PEOPLE], on_model())
            .prop_map(|(who, act)| Act::OnModel { who, act }),
        2 => any::<bool>().prop_map(|week| Act::Pass { week }),
    ]
}

//! Every attack, in the order of the scoreboard.

use std::future::Future;
use std::pin::Pin;

use crate::arena::Trial;
use crate::score::Outcome;
use crate::{differencing, hostile, masks, noise, oracles, reconstruction, search, tables, visits};

/// What the defence promises against an attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The ledger has to stop it: nobody is exposed.
    Deterministic,
    /// It is bounded by a budget of bits, not stopped: what leaks is measured.
    Budgeted,
}

/// An attack.
pub(crate) struct Attack {
    /// What the scoreboard calls it.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it gets through thresholds. What does not is there to see that it stays so.
    pub(crate) beats_thresholds: bool,
    /// Whether the short version tries it.
    pub(crate) short: bool,
    pub(crate) run: fn(Trial) -> Pin<Box<dyn Future<Output = Outcome>>>,
}

macro_rules! attack {
    ($name:literal, $kind:ident, $beats:literal, $short:literal, $function:path) => {
        Attack {
            name: $name,
            kind: Kind::$kind,
            beats_thresholds: $beats,
            short: $short,
            run: |trial| Box::pin($function(trial)),
        }
    };
}

/// Deterministic attacks that the ledger does not stop yet. The list may only shrink: the short version fails where one of
/// them no longer works, and where another one does.
pub(crate) const OPEN: &[&str] = &[];

/// All of them, by family.
pub(crate) const FAMILIES: &[(&str, &[Attack])] = &[
    (
        "differencing",
        &[
            attack!(
                "N and N−1 by `WHERE`",
                Deterministic,
                true,
                true,
                differencing::by_where
            ),
            attack!(
                "N−1 and N, in other words",
                Deterministic,
                true,
                false,
                differencing::by_where_reversed
            ),
            attack!(
                "N and N−1 by a join",
                Deterministic,
                true,
                true,
                differencing::by_join
            ),
            attack!(
                "N and N−1 by a model that recognises one",
                Deterministic,
                true,
                true,
                differencing::by_model
            ),
            attack!(
                "N−1 and N by a refreshed snapshot",
                Deterministic,
                true,
                true,
                differencing::by_refresh
            ),
            attack!(
                "tracker: A, and A but one",
                Deterministic,
                true,
                false,
                differencing::individual_tracker
            ),
            attack!(
                "general tracker of four queries",
                Deterministic,
                true,
                false,
                differencing::general_tracker
            ),
            attack!(
                "everybody, those below, those above",
                Deterministic,
                true,
                true,
                differencing::gap_whole_first
            ),
            attack!(
                "those below, those above, everybody",
                Deterministic,
                true,
                false,
                differencing::gap_whole_last
            ),
            attack!(
                "some, of those the ones below, the ones above",
                Deterministic,
                true,
                true,
                differencing::gap_in_part
            ),
            attack!(
                "of some, those below, those above, all of them",
                Deterministic,
                true,
                false,
                differencing::gap_in_part_last
            ),
            attack!(
                "some, less three stretches of them",
                Deterministic,
                true,
                false,
                differencing::gap_of_pieces
            ),
            attack!(
                "four overlapping sets, no two near",
                Deterministic,
                true,
                true,
                differencing::overlapping
            ),
            attack!(
                "the rows of one half, of the other, of all but one person",
                Deterministic,
                true,
                true,
                visits::in_three_queries
            ),
            attack!(
                "the rows of two halves in a table, and of all but one person",
                Deterministic,
                true,
                false,
                visits::in_a_table
            ),
        ],
    ),
    (
        "tables and margins",
        &[
            attack!(
                "many rows of one person",
                Deterministic,
                false,
                false,
                tables::duplicate_rows
            ),
            attack!(
                "complement in one table",
                Deterministic,
                false,
                false,
                tables::complement
            ),
            attack!(
                "margins of one table (`CUBE`)",
                Deterministic,
                false,
                false,
                tables::margins_of_one_table
            ),
            attack!(
                "margins of a table, asked by a partner",
                Deterministic,
                true,
                true,
                tables::margins
            ),
            attack!(
                "two singletons, one of them attacks",
                Deterministic,
                true,
                false,
                tables::two_singletons
            ),
            attack!(
                "three singletons, two of them attack",
                Deterministic,
                true,
                false,
                tables::three_singletons
            ),
        ],
    ),
    (
        "masks in SQL",
        &[
            attack!(
                "0/1 mask in a mean",
                Deterministic,
                false,
                false,
                masks::zero_one
            ),
            attack!(
                "constant mask in a sum",
                Deterministic,
                true,
                true,
                masks::constant_sum
            ),
            attack!(
                "constant mask with a little of everybody",
                Deterministic,
                true,
                false,
                masks::shrunk_sum
            ),
            attack!(
                "constant mask in a variance",
                Deterministic,
                true,
                false,
                masks::constant_variance
            ),
            attack!(
                "constant mask in a median",
                Deterministic,
                true,
                true,
                masks::constant_median
            ),
            attack!(
                "constant mask in a slope",
                Deterministic,
                true,
                false,
                masks::constant_slope
            ),
            attack!(
                "constant mask in a covariance",
                Deterministic,
                true,
                false,
                masks::constant_covariance
            ),
            attack!(
                "constant mask in a regression",
                Deterministic,
                true,
                false,
                masks::constant_regression
            ),
        ],
    ),
    (
        "what is withheld, as an answer",
        &[
            attack!(
                "threshold as an oracle",
                Budgeted,
                true,
                true,
                oracles::threshold_edge
            ),
            attack!(
                "threshold, on a column that meets no literal",
                Budgeted,
                // The manifest's own rule refuses it, with or without a ledger.
                false,
                false,
                oracles::constants_of_columns
            ),
            attack!(
                "history as an oracle: nine apart, or ten",
                Budgeted,
                false,
                false,
                oracles::history_edge
            ),
            attack!(
                "homogeneity as an oracle",
                Budgeted,
                true,
                false,
                oracles::homogeneity_edge
            ),
            attack!(
                "number of withheld cells as an oracle",
                Budgeted,
                true,
                false,
                oracles::count_of_withheld
            ),
            attack!(
                "dominance as an oracle, halving",
                Budgeted,
                true,
                true,
                oracles::dominance_edge
            ),
            attack!(
                "review as an oracle, halving",
                Budgeted,
                true,
                false,
                oracles::review_edge
            ),
            attack!(
                "side of the median as an oracle, halving",
                Budgeted,
                true,
                false,
                oracles::side_of_median
            ),
        ],
    ),
    (
        "averaging and cloning",
        &[
            attack!(
                "averaging: the same in other words",
                Deterministic,
                true,
                false,
                noise::repeated
            ),
            attack!(
                "averaging: the same in other measures",
                Deterministic,
                true,
                false,
                noise::rescaled
            ),
            attack!(
                "cloning, people who do not matter",
                Deterministic,
                true,
                true,
                noise::clones
            ),
            attack!(
                "cloning, sixty people who do not matter",
                Budgeted,
                false,
                false,
                noise::many_clones
            ),
            attack!(
                "cloning, words that do not matter",
                Deterministic,
                true,
                false,
                noise::clones_of_words
            ),
        ],
    ),
    (
        "search and reconstruction",
        &[
            attack!(
                "search for pairs",
                Deterministic,
                true,
                true,
                search::of_two
            ),
            attack!(
                "search for triples",
                Deterministic,
                true,
                false,
                search::of_three
            ),
            attack!(
                "search for quadruples, no two near",
                Deterministic,
                true,
                false,
                search::of_four
            ),
            attack!(
                "160 random queries, combined afterwards",
                Budgeted,
                true,
                false,
                search::afterwards
            ),
            attack!(
                "Dinur–Nissim, random halves",
                Budgeted,
                true,
                false,
                reconstruction::dinur_nissim
            ),
            attack!(
                "windows, no two near, as equations",
                Budgeted,
                true,
                false,
                reconstruction::windows
            ),
        ],
    ),
    (
        "hostile models",
        &[
            attack!(
                "model: constant mask",
                Budgeted,
                true,
                true,
                hostile::constant_mask
            ),
            attack!(
                "model: constant mask in other measures",
                Budgeted,
                true,
                false,
                hostile::rescaled_mask
            ),
            attack!(
                "model: key bit on a rounding boundary",
                Budgeted,
                true,
                true,
                hostile::key_bit
            ),
            attack!(
                "model: key bit among decoys",
                Budgeted,
                true,
                false,
                hostile::decoys
            ),
            attack!(
                "model: bit in what is withheld",
                Budgeted,
                true,
                false,
                hostile::threshold_bit
            ),
            attack!(
                "model: refusal bit",
                Budgeted,
                true,
                false,
                hostile::refusal_bit
            ),
        ],
    ),
];

/// All of them.
pub(crate) fn attacks() -> impl Iterator<Item = &'static Attack> {
    FAMILIES.iter().flat_map(|(_, attacks)| attacks.iter())
}

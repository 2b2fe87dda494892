//! How the ten queries are told: figures, tables, charts.

use crate::data::Sealed;
use crate::figure::{Figure, Goal};
use crate::report::{Chart, Drawn, Section, Table, grouped};
use crate::samples::Samples;
use crate::workloads::sql::REPORTING;

/// What was measured of one query.
pub(super) struct Measured {
    pub(super) cells: usize,
    /// Seconds of all checks of the table by itself; with the sets for the ledger gathered, too; with the ledger; until the gate
    /// has its cells; of the plain query; by hand in the same engine, in DuckDB and in SQLite.
    pub(super) checked: Samples,
    pub(super) with_sets: Samples,
    pub(super) with_ledger: Samples,
    pub(super) computed: Samples,
    pub(super) plain: Samples,
    pub(super) by_hand: Samples,
    pub(super) duckdb: Samples,
    pub(super) duckdb_by_hand: Samples,
    pub(super) cold: Option<(f64, f64)>,
}

/// Medians of the ratios of all queries.
fn medians(all: &[Measured], ratio: impl Fn(&Measured) -> Samples) -> Samples {
    let ratios = all.iter().map(ratio).filter(|samples| !samples.is_empty());
    ratios.map(|samples| samples.median()).collect()
}

pub(super) fn told(sealed: &Sealed, all: &[Measured]) -> Section {
    let mut section = Section::new("queries", "Ten reporting queries, all checks on");
    section.say(format!(
        "Each of the ten questions is asked as one SQL text of Weir (from SQL to the released table, under the default policy) and of DataFusion {} over the same sealed \
         files with a partition for each thread, without a check. *By hand* is k-anonymity and dominance as a careful analyst would write them: \
         `HAVING COUNT(DISTINCT unit) >= 10`, and the two largest units of each group below 90 % of its first sum, in the same engine and in DuckDB over the same rows in plain Parquet. \
         Weir checks every number of every cell, the complements and margins. *With sets* adds gathering the sets of units, what rows weigh and the prints by which its ledger compares releases; *with ledger* adds that, and \
         asking a new ledger on the disk and recording in it: as every release of a domain does. {} rows, {} units. The log and the network are in the workload *service*.",
        datafusion::DATAFUSION_VERSION,
        grouped(sealed.meta.rows),
        grouped(sealed.meta.units),
    ));
    let plain = medians(all, |of| of.checked.over(&of.plain));
    let sets = medians(all, |of| of.with_sets.over(&of.plain));
    let ledger = medians(all, |of| of.with_ledger.over(&of.plain));
    let duckdb = medians(all, |of| of.duckdb_by_hand.over(&of.with_ledger));
    let by_hand = medians(all, |of| of.by_hand.over(&of.with_ledger));
    let mut figures = vec![
        Figure::held(
            "ten queries ÷ plain DataFusion, median",
            &plain,
            "×",
            Goal::AtMost(1.3),
        ),
        Figure::held(
            "ten queries ÷ plain DataFusion, worst",
            &plain,
            "×",
            Goal::AtMost(2.0),
        )
        .at(plain.high()),
        Figure::told(
            "ten queries with sets for the ledger ÷ plain DataFusion, median",
            &sets,
            "×",
            true,
        ),
        Figure::held(
            "ten queries with ledger ÷ plain DataFusion, median",
            &ledger,
            "×",
            Goal::AtMost(1.5),
        ),
        Figure::told(
            "by hand in DataFusion ÷ ten queries with ledger, median",
            &by_hand,
            "×",
            false,
        ),
    ];
    if !duckdb.is_empty() {
        figures.push(Figure::held(
            "by hand in DuckDB ÷ ten queries with ledger, median",
            &duckdb,
            "×",
            Goal::AtLeast(3.0),
        ));
        figures.push(
            Figure::held(
                "by hand in DuckDB ÷ ten queries with ledger, least",
                &duckdb,
                "×",
                Goal::AtLeast(1.0),
            )
            .at(duckdb.low()),
        );
    }
    section.figures = figures;
    section.tables = vec![table(all), seconds(all)];
    section.charts = charts(all);
    for (query, of) in REPORTING.iter().zip(all) {
        for (name, samples) in [
            ("weir without ledger", &of.checked),
            ("weir with sets for the ledger", &of.with_sets),
            ("weir", &of.with_ledger),
            ("weir before the gate", &of.computed),
            ("plain DataFusion", &of.plain),
            ("by hand in DataFusion", &of.by_hand),
            ("plain DuckDB", &of.duckdb),
            ("by hand in DuckDB", &of.duckdb_by_hand),
        ] {
            if !samples.is_empty() {
                section.keep(format!("{}: {name}", query.name), samples);
            }
        }
    }
    section
}

fn table(all: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "query",
        "cells",
        "÷ plain",
        "with sets ÷ plain",
        "with ledger ÷ plain",
        "by hand in DataFusion ÷ with ledger",
        "by hand in DuckDB ÷ with ledger",
    ]);
    for (at, (query, of)) in REPORTING.iter().zip(all).enumerate() {
        table.row(vec![
            format!("Q{} {}", at + 1, query.name),
            of.cells.to_string(),
            of.checked.over(&of.plain).spread(2),
            of.with_sets.over(&of.plain).spread(2),
            of.with_ledger.over(&of.plain).spread(2),
            of.by_hand.over(&of.with_ledger).spread(2),
            of.duckdb_by_hand.over(&of.with_ledger).spread(2),
        ]);
    }
    table
}

fn seconds(all: &[Measured]) -> Table {
    let mut table = Table::new(&[
        "query, seconds",
        "Weir",
        "Weir with sets, before the gate",
        "Weir with sets",
        "Weir with ledger",
        "plain DataFusion",
        "by hand, DataFusion",
        "plain DuckDB",
        "by hand, DuckDB",
        "cold: Weir, plain",
    ]);
    for (query, of) in REPORTING.iter().zip(all) {
        let median = |samples: &Samples| match samples.is_empty() {
            true => "–".to_owned(),
            false => format!("{:.3}", samples.median()),
        };
        let cold = of
            .cold
            .map(|(ours, plain)| format!("{ours:.2}, {plain:.2}"));
        table.row(vec![
            query.name.to_owned(),
            median(&of.checked),
            median(&of.computed),
            median(&of.with_sets),
            median(&of.with_ledger),
            median(&of.plain),
            median(&of.by_hand),
            median(&of.duckdb),
            median(&of.duckdb_by_hand),
            cold.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    table
}

fn charts(all: &[Measured]) -> Vec<Chart> {
    let labels: Vec<String> = (1..=all.len()).map(|at| format!("Q{at}")).collect();
    let heights = |ratio: &dyn Fn(&Measured) -> Samples| -> Vec<f64> {
        all.iter().map(|of| ratio(of).median()).collect()
    };
    let plain = vec![
        (
            "Weir, all checks".to_owned(),
            heights(&|of| of.checked.over(&of.plain)),
        ),
        (
            "Weir with ledger".to_owned(),
            heights(&|of| of.with_ledger.over(&of.plain)),
        ),
        (
            "by hand in DataFusion".to_owned(),
            heights(&|of| of.by_hand.over(&of.plain)),
        ),
    ];
    let mut charts = vec![Chart {
        name: "queries".to_owned(),
        title: "Ten reporting queries: time ÷ plain DataFusion".to_owned(),
        drawn: Drawn::Bars {
            labels: labels.clone(),
            series: plain,
            unit: "×".to_owned(),
        },
        goal: Some(1.3),
    }];
    if all.iter().any(|of| !of.duckdb.is_empty()) {
        charts.push(Chart {
            name: "queries-duckdb".to_owned(),
            title: "k-anonymity by hand in DuckDB ÷ Weir with ledger".to_owned(),
            drawn: Drawn::Bars {
                labels,
                series: vec![(
                    "by hand in DuckDB ÷ Weir".to_owned(),
                    heights(&|of| of.duckdb_by_hand.over(&of.with_ledger)),
                )],
                unit: "×".to_owned(),
            },
            goal: Some(3.0),
        });
    }
    charts
}

//! From a million rows to a hundred, and from one thread to all.

use crate::bench::Bench;
use crate::child::{Taken, Task};
use crate::error::Result;
use crate::figure::{Figure, Goal};
use crate::report::{Chart, Drawn, Section, Table, grouped};
use crate::samples::Samples;

/// Of the ten: a few cells with six numbers, and 588 cells.
const QUERIES: [(usize, &str); 2] = [
    (0, "pricing summary"),
    (4, "revenue by month and ship mode"),
];

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("scale", "Rows and threads");
    section.say(
        "Two of the ten queries with all checks and the ledger, and the plain query, over tables of several sizes: each size in a process of its own, \
         the first turn not counted. Growth is the time for a row of the largest table by that of the smallest: 1 is linear. A fixed cost of every run makes it less than 1.",
    );
    let sizes = bench.options.sizes();
    for rows in &sizes {
        // Registered before, so that no process that is measured does it.
        drop(bench.sealed(*rows)?);
    }
    let mut table = Table::new(&[
        "query",
        "rows",
        "Weir, s",
        "ns a row",
        "plain, s",
        "Weir ÷ plain",
        "one thread ÷ all",
    ]);
    let mut series = Vec::new();
    let mut growths = Vec::new();
    for (query, name) in QUERIES {
        let (mut points, mut plain_points) = (Vec::new(), Vec::new());
        for rows in &sizes {
            bench.say(&format!("scale: {name}, {rows} rows"));
            let asked = |threads, checked| asked(bench, *rows, query, threads, checked);
            let weir = asked(None, true)?;
            let plain = asked(None, false)?;
            let single = asked(Some(1), true)?;
            let [seconds, plain_s, single_s] =
                [&weir, &plain, &single].map(|taken| Samples::new(taken.seconds.clone()));
            let per_row = seconds.median() * 1e9 / weir.rows as f64;
            table.row(vec![
                name.to_owned(),
                grouped(weir.rows),
                seconds.spread(3),
                format!("{per_row:.1}"),
                plain_s.spread(3),
                format!("{:.2}", seconds.median() / plain_s.median()),
                format!("{:.2}", single_s.median() / seconds.median()),
            ]);
            points.push((weir.rows as f64, per_row));
            plain_points.push((weir.rows as f64, plain_s.median() * 1e9 / weir.rows as f64));
            section.keep(format!("{name}, {rows} rows: weir"), &seconds);
            section.keep(format!("{name}, {rows} rows: plain"), &plain_s);
            section.keep(
                format!("{name}, {rows} rows: weir on one thread"),
                &single_s,
            );
        }
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            growths.push(last.1 / first.1);
        }
        series.push((format!("Weir, {name}"), points));
        series.push((format!("plain, {name}"), plain_points));
    }
    let growths = Samples::new(growths);
    section.figures.push(
        Figure::held(
            "cost of a row, largest table ÷ smallest",
            &growths,
            "×",
            Goal::AtMost(1.1),
        )
        .at(growths.high()),
    );
    section.tables.push(table);
    section.charts.push(Chart {
        name: "scale".to_owned(),
        title: "Time for a row by the number of rows".to_owned(),
        drawn: Drawn::Lines {
            across: "rows".to_owned(),
            unit: "ns a row".to_owned(),
            series,
        },
        goal: None,
    });
    Ok(section)
}

fn asked(
    bench: &Bench<'_>,
    rows: u64,
    query: usize,
    threads: Option<usize>,
    checked: bool,
) -> Result<Taken> {
    bench.apart(&Task::Query {
        data: bench.options.data.clone(),
        rows,
        unit: bench.options.unit,
        threads,
        query: Some(query),
        checked,
        turns: bench.options.turns().min(5),
    })
}

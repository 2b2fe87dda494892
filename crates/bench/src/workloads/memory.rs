//! Largest resident memory of whole runs, each in a process of its own.

use crate::bench::Bench;
use crate::child::Task;
use crate::error::Result;
use crate::figure::{Figure, Goal};
use crate::report::{Chart, Drawn, Section, Table, grouped};
use crate::samples::Samples;

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("memory", "Memory");
    section.say(
        "The largest resident memory of a process that does one thing, code and caches included: the ten queries one after another with all checks, the same without a check by the plain engine, and a run with a model. \
         Of registration it is told there, of a server with the small runs.",
    );
    let options = bench.options;
    let sizes = options.sizes();
    let rows = sizes.last().copied().unwrap_or(0);
    drop(bench.sealed(rows)?);
    let query = |checked| Task::Query {
        data: options.data.clone(),
        rows,
        unit: options.unit,
        threads: None,
        query: None,
        checked,
        turns: 1,
    };
    let score = Task::Score {
        data: options.data.clone(),
        rows,
        unit: options.unit,
        turns: 1,
    };
    let tasks = [
        ("ten queries", query(true)),
        ("scoring", score),
        ("ten plain queries", query(false)),
    ];
    let mut table = Table::new(&["what", "rows", "largest memory, MiB"]);
    let (mut labels, mut heights, mut ours) = (Vec::new(), Vec::new(), Samples::default());
    for (name, task) in &tasks {
        bench.say(&format!("memory: {name} of {rows} rows"));
        let taken = bench.apart(task)?;
        let mib = Samples::new(vec![taken.peak_mib]);
        table.row(vec![
            (*name).to_owned(),
            grouped(taken.rows),
            format!("{:.0}", taken.peak_mib),
        ]);
        section.keep(format!("{name}, MiB"), &mib);
        labels.push((*name).to_owned());
        heights.push(taken.peak_mib);
        if !name.contains("plain") {
            ours.push(taken.peak_mib);
        }
    }
    section.figures.push(
        Figure::held(
            "largest memory of a run over the largest table",
            &ours,
            "MiB",
            Goal::AtMost(1536.0),
        )
        .at(ours.high()),
    );
    section.tables.push(table);
    section.charts.push(Chart {
        name: "memory".to_owned(),
        title: format!("Largest resident memory, {} rows", grouped(rows)),
        drawn: Drawn::Bars {
            labels,
            series: vec![("MiB".to_owned(), heights)],
            unit: "MiB".to_owned(),
        },
        goal: Some(1536.0),
    });
    Ok(section)
}

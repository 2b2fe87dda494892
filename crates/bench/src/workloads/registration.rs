//! Registration: parse, check, measure quality, code units, sort, seal; beside DuckDB's sorted copy to Parquet.

use serde_json::json;

use crate::bench::Bench;
use crate::child::Task;
use crate::data::{made, write_csv};
use crate::error::{BenchError, Result};
use crate::figure::Figure;
use crate::peers;
use crate::report::{Section, Table, grouped};
use crate::samples::Samples;

/// Rows at most in a quick run.
const QUICK_ROWS: u64 = 3_000_000;

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("registration", "Registration");
    section.say(
        "The same CSV file. *Weir* parses, checks, measures quality, codes units, sorts by unit, seals and commits; *DuckDB* does \
         `COPY (SELECT * FROM read_csv(…) ORDER BY unit) TO parquet`, which is a part of that. Each in a process of its own, in turns; the peak is that process's largest resident memory.",
    );
    let rows = match bench.options.quick {
        true => bench.options.rows().min(QUICK_ROWS),
        false => bench.options.rows(),
    };
    let folder = made(&bench.options.data.join("registration"))?;
    let csv = folder.join(format!("lineitem-{rows}.csv"));
    if !csv.exists() {
        bench.say(&format!("writing {rows} line items as CSV"));
        let unfinished = csv.with_extension("unfinished");
        write_csv(&unfinished, rows)?;
        std::fs::rename(&unfinished, &csv).map_err(|error| BenchError::file(&csv, error))?;
    }
    let unit = bench.options.unit;
    let copied = folder.join("duckdb.parquet");
    let copy = format!(
        "COPY (SELECT * FROM read_csv('{}') ORDER BY {}) TO '{}' (FORMAT parquet)",
        csv.display(),
        unit.column(),
        copied.display()
    );
    let (mut weir, mut duckdb) = (Samples::default(), Samples::default());
    let (mut weir_mib, mut duckdb_mib) = (Samples::default(), Samples::default());
    let (mut registered, mut written) = (0, 0);
    // Half of the turns: each writes everything anew.
    for turn in 0..bench.options.turns().div_ceil(2) {
        bench.say(&format!("registering {rows} rows, turn {}", turn + 1));
        let taken = bench.apart(&Task::Register {
            csv: csv.clone(),
            folder: folder.join("vault"),
            unit,
        })?;
        weir.push(taken.seconds.first().copied().unwrap_or(f64::NAN));
        weir_mib.push(taken.peak_mib);
        (registered, written) = (taken.rows, taken.written_bytes);
        // A process of its own each time: its peak is that of this copy.
        let Some(mut peer) = peers::start(bench, &peers::DUCKDB, &[&bench.threads.to_string()])?
        else {
            continue;
        };
        let answer = peer.ask(&json!({"op": "copy", "sql": copy}))?;
        duckdb.push(answer["seconds"].as_f64().unwrap_or(f64::NAN));
        duckdb_mib.push(answer["peak_mib"].as_f64().unwrap_or(f64::NAN));
        let sql = format!("SELECT COUNT(*) FROM '{}'", copied.display());
        let count = peer.ask(&json!({"op": "query", "sql": sql, "rows": true}))?;
        if count["rows"][0][0].as_u64() != Some(registered) {
            return Err(BenchError::unequal(
                "registration",
                "the two did not write the same number of rows",
            ));
        }
    }
    std::fs::remove_dir_all(&folder).map_err(|error| BenchError::file(&folder, error))?;
    told(
        &mut section,
        (registered, written),
        [&weir, &weir_mib, &duckdb, &duckdb_mib],
    );
    Ok(section)
}

fn told(
    section: &mut Section,
    (rows, written): (u64, u64),
    [weir, weir_mib, duckdb, duckdb_mib]: [&Samples; 4],
) {
    let rate: Samples = weir
        .values()
        .iter()
        .map(|seconds| rows as f64 / seconds / 1e6)
        .collect();
    section.figures.push(Figure::told(
        "registration, rows a second",
        &rate,
        "M/s",
        false,
    ));
    section.figures.push(Figure::told(
        "registration, largest memory",
        weir_mib,
        "MiB",
        true,
    ));
    let mut table = Table::new(&[
        "rows",
        "Weir, s",
        "DuckDB, s",
        "Weir ÷ DuckDB",
        "Weir, MiB",
        "DuckDB, MiB",
        "sealed, MiB",
    ]);
    let slower = weir.over(duckdb);
    table.row(vec![
        grouped(rows),
        weir.spread(1),
        duckdb.spread(1),
        slower.spread(2),
        weir_mib.spread(0),
        duckdb_mib.spread(0),
        (written >> 20).to_string(),
    ]);
    if !slower.is_empty() {
        section.figures.push(Figure::told(
            "registration ÷ sorted copy by DuckDB",
            &slower,
            "×",
            true,
        ));
    }
    section.tables.push(table);
    for (name, samples) in [
        ("weir", weir),
        ("weir, MiB", weir_mib),
        ("duckdb", duckdb),
        ("duckdb, MiB", duckdb_mib),
    ] {
        section.keep(name, samples);
    }
}

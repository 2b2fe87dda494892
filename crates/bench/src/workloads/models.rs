//! Scoring: a model with row isolation, beside the same function in native Rust in the same plan, in Python within DuckDB, and
//! in `arrow-udf-runtime`.

mod functions;

use std::cell::RefCell;

use datafusion::prelude::SessionContext;
use serde_json::json;
use weir_inside::ModelSource;
use weir_ledger::Ledger;

use crate::bench::Bench;
use crate::checked::{Asker, new_ledger};
use crate::data::Sealed;
use crate::equal::Cells;
use crate::error::{BenchError, Result};
use crate::figure::{Figure, Goal};
use crate::peers::{self, Python, arrow_udf};
use crate::plain;
use crate::report::{Chart, Drawn, Section, Table, grouped};
use crate::samples::{Contender, Samples, interleaved};

/// What Weir is asked with all checks.
pub(crate) const CHECKED: &str =
    "SELECT l_returnflag AS k0, COUNT(*) AS n0, AVG(value) AS n1 FROM score(lineitem) GROUP BY 1";

/// The same of an engine that knows the function by this name.
fn plain_sql(function: &str) -> String {
    format!(
        "SELECT l_returnflag AS k0, COUNT(*) AS n0, AVG({function}(l_quantity, l_extendedprice, l_discount)) AS n1 \
         FROM lineitem GROUP BY 1"
    )
}

/// The model as Weir runs it.
pub(crate) fn source() -> Result<ModelSource> {
    functions::source()
}

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("models", "Scoring with row isolation");
    section.say(
        "One function of three numbers: two multiplications more than it has additions, a comparison, a division. *Woven* is the model as Weir runs it, WebAssembly that is as new for every row; \
         *native* is the same function in Rust, in the same plan of DataFusion over the same sealed files: a count and a mean of the scores by a key. *Checked* is the whole run of Weir, \
         with every check and the ledger.",
    );
    let rows = match bench.options.quick {
        true => bench.options.rows(),
        false => bench.options.sizes().last().copied().unwrap_or(0),
    };
    beside_native(bench, &bench.sealed(rows)?, &mut section)?;
    let small = bench.sealed(bench.options.small_rows())?;
    if let Some(duckdb) = peers::start(bench, &peers::DUCKDB, &[&bench.threads.to_string()])? {
        beside_python(bench, &small, duckdb, &mut section)?;
    }
    beside_arrow_udf(bench, &mut section)?;
    let bars = section.figures.iter().filter(|figure| figure.is_ratio());
    let (labels, heights): (Vec<String>, Vec<f64>) = bars
        .map(|figure| (figure.workload.replace("scoring: ", ""), figure.measured))
        .unzip();
    section.charts.push(Chart {
        name: "models".to_owned(),
        title: "Scoring: how many times as fast as the peer Weir is".to_owned(),
        drawn: Drawn::Bars {
            labels,
            series: vec![("Weir's speed ÷ the peer's".to_owned(), heights)],
            unit: "×".to_owned(),
        },
        goal: None,
    });
    Ok(section)
}

fn context(sealed: &Sealed, threads: usize) -> Result<SessionContext> {
    let context = plain::session(sealed, threads)?;
    context.register_udf(functions::native());
    context.register_udf(functions::woven(sealed)?);
    Ok(context)
}

/// Cells of the checked run without rounding, and of the engine with either function: all have to be the same.
fn equal(bench: &Bench<'_>, sealed: &Sealed, context: &SessionContext) -> Result<Cells> {
    let asked = |sql: &str| -> Result<Cells> {
        let (_, batches) = bench.runtime.block_on(plain::asked(context, sql))?;
        Cells::of_batches(&batches, 1)
    };
    let native = asked(&plain_sql(functions::NATIVE))?;
    let woven = asked(&plain_sql(functions::WOVEN))?;
    woven.check_same(&native, "scores, woven and native")?;
    let asker = Asker::to_compare(sealed, Some(source()?))?;
    let mut ledger = Ledger::in_memory([7; 16]);
    let ours = bench.runtime.block_on(asker.ask(CHECKED, &mut ledger))?;
    let ours = Cells::of_batches(&[ours.table], 1)?;
    ours.check_within(&native, "scores, checked and native")?;
    if ours.len() == 0 {
        return Err(BenchError::unequal("scores", "Weir released nothing"));
    }
    Ok(native)
}

fn beside_native(bench: &Bench<'_>, sealed: &Sealed, section: &mut Section) -> Result<()> {
    bench.say(&format!(
        "scoring {} rows beside native Rust",
        sealed.meta.rows
    ));
    let context = context(sealed, bench.threads)?;
    equal(bench, sealed, &context)?;
    let asker = Asker::new(sealed, Some(source()?))?;
    let engine = |function: &str| -> Contender<'_> {
        let (sql, context) = (plain_sql(function), &context);
        Box::new(move || Ok(bench.runtime.block_on(plain::asked(context, &sql))?.0))
    };
    let checked: Contender<'_> = Box::new(|| checked(bench, &asker));
    let mut contenders = [engine(functions::WOVEN), engine(functions::NATIVE), checked];
    let samples = interleaved(bench.options.turns(), &mut contenders)?;
    drop(contenders);
    let [woven, native, checked] = [&samples[0], &samples[1], &samples[2]];
    let speed = native.over(woven);
    section.figures.push(Figure::held(
        "scoring: speed against native Rust in the same plan",
        &speed,
        "×",
        Goal::AtLeast(0.7),
    ));
    section.figures.push(Figure::told(
        "scoring: checked run against native Rust without a check",
        &native.over(checked),
        "×",
        false,
    ));
    let mut table = Table::new(&[
        "rows",
        "native, s",
        "woven, s",
        "checked, s",
        "speed, woven ÷ native",
        "speed, checked ÷ native",
    ]);
    table.row(vec![
        grouped(sealed.meta.rows),
        native.spread(3),
        woven.spread(3),
        checked.spread(3),
        speed.spread(2),
        native.over(checked).spread(2),
    ]);
    section.tables.push(table);
    section.keep("woven", woven);
    section.keep("native", native);
    section.keep("checked", checked);
    Ok(())
}

fn checked(bench: &Bench<'_>, asker: &Asker) -> Result<f64> {
    let mut ledger = new_ledger(&bench.options.data.join("models-ledger"))?;
    Ok(bench
        .runtime
        .block_on(asker.ask(CHECKED, &mut ledger))?
        .whole_s)
}

/// A Python function within DuckDB, called for each row; and one that is called for columns, which numpy works out.
fn beside_python(
    bench: &Bench<'_>,
    sealed: &Sealed,
    mut duckdb: Python,
    section: &mut Section,
) -> Result<()> {
    bench.say("scoring beside Python in DuckDB");
    super::queries::see_clear(bench, &mut duckdb, sealed)?;
    duckdb.ask(&json!({"op": "functions"}))?;
    let context = context(sealed, bench.threads)?;
    let native = equal(bench, sealed, &context)?;
    for function in ["score", "score_columns"] {
        let theirs = duckdb.cells(&plain_sql(function), 1)?;
        theirs.check_same(&native, "scores, in Python and in Rust")?;
    }
    let asker = Asker::new(sealed, Some(source()?))?;
    let peer = RefCell::new(duckdb);
    let python = |function: &str| -> Contender<'_> {
        let (sql, peer) = (plain_sql(function), &peer);
        Box::new(move || peer.borrow_mut().timed(&sql))
    };
    let weir: Contender<'_> = Box::new(|| checked(bench, &asker));
    let sql = plain_sql(functions::WOVEN);
    let woven: Contender<'_> =
        Box::new(|| Ok(bench.runtime.block_on(plain::asked(&context, &sql))?.0));
    let mut contenders = [woven, weir, python("score"), python("score_columns")];
    let samples = interleaved(bench.options.turns(), &mut contenders)?;
    drop(contenders);
    let [woven, checked, rows, columns] = [&samples[0], &samples[1], &samples[2], &samples[3]];
    section.figures.push(Figure::held(
        "scoring: against a Python function in DuckDB",
        &rows.over(woven),
        "×",
        Goal::AtLeast(20.0),
    ));
    section.figures.push(Figure::told(
        "scoring: checked run against a Python function in DuckDB",
        &rows.over(checked),
        "×",
        false,
    ));
    section.figures.push(Figure::told(
        "scoring: against numpy over columns in DuckDB",
        &columns.over(woven),
        "×",
        false,
    ));
    let mut table = Table::new(&[
        "rows",
        "woven, s",
        "checked, s",
        "Python by row, s",
        "numpy by column, s",
        "Python ÷ woven",
        "Python ÷ checked",
        "numpy ÷ woven",
    ]);
    table.row(vec![
        grouped(sealed.meta.rows),
        woven.spread(3),
        checked.spread(3),
        rows.spread(2),
        columns.spread(3),
        rows.over(woven).spread(1),
        rows.over(checked).spread(1),
        columns.over(woven).spread(1),
    ]);
    section.tables.push(table);
    let names = [
        "woven, small table",
        "checked, small table",
        "Python by row",
        "numpy by column",
    ];
    for (name, samples) in names.iter().zip(&samples) {
        section.keep(*name, samples);
    }
    Ok(())
}

fn beside_arrow_udf(bench: &Bench<'_>, section: &mut Section) -> Result<()> {
    let Some(measured) = arrow_udf::measured(bench)? else {
        return Ok(());
    };
    let (weir, peer) = (
        Samples::new(measured.weir_ns),
        Samples::new(measured.peer_ns),
    );
    let faster = peer.over(&weir);
    section.figures.push(Figure::held(
        "scoring: against arrow-udf-runtime, nothing around it",
        &faster,
        "×",
        Goal::MoreThan(1.0),
    ));
    let mut table = Table::new(&[
        "nothing around it",
        "Weir, ns a row",
        "arrow-udf-runtime, ns a row",
        "arrow-udf-runtime ÷ Weir",
    ]);
    table.row(vec![
        "batches of 8,192 rows, one thread".to_owned(),
        weir.spread(2),
        peer.spread(2),
        faster.spread(2),
    ]);
    section.tables.push(table);
    section.keep("weir, ns a row", &weir);
    section.keep("arrow-udf-runtime, ns a row", &peer);
    Ok(())
}

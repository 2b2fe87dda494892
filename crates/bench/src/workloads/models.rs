//! Scoring: a model with row isolation, beside the same function in native Rust in the same plan, in Python within DuckDB, and
//! in `arrow-udf-runtime`.

mod functions;
mod trees;

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
use functions::Function;

/// What Weir is asked with all checks, of the smallest function.
pub(crate) const CHECKED: &str =
    "SELECT l_returnflag AS k0, COUNT(*) AS n0, AVG(value) AS n1 FROM score(lineitem) GROUP BY 1";

/// The same of an engine that knows the function by this name.
fn plain_sql(name: &str, function: &Function) -> String {
    format!(
        "SELECT l_returnflag AS k0, COUNT(*) AS n0, AVG({name}({})) AS n1 FROM lineitem GROUP BY 1",
        function.columns.join(", ")
    )
}

/// The smallest function as Weir runs it.
pub(crate) fn source() -> Result<ModelSource> {
    functions::score().source()
}

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("models", "Scoring with row isolation");
    section.say(
        "*Score* is as little as one would score with, three numbers in: three multiplications, a comparison, a division. *Trees* is a small gradient-boosted model, fifty trees of depth 4 over four numbers, \
         exported to Python as nested conditions. *Woven* is the model as Weir runs it, WebAssembly that is as new for every row; \
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

fn all() -> [fn() -> Function; 2] {
    [functions::score, trees::trees]
}

fn context(sealed: &Sealed, threads: usize) -> Result<SessionContext> {
    let context = plain::session(sealed, threads)?;
    for function in all() {
        context.register_udf(function().woven(sealed)?);
        context.register_udf(function().into_native());
    }
    Ok(context)
}

/// Cells of the checked run without rounding, and of the engine with either function: all have to be the same.
fn equal(
    bench: &Bench<'_>,
    sealed: &Sealed,
    context: &SessionContext,
    function: &Function,
) -> Result<Cells> {
    let asked = |name: &str| -> Result<Cells> {
        let sql = plain_sql(name, function);
        let (_, batches) = bench.runtime.block_on(plain::asked(context, &sql))?;
        Cells::of_batches(&batches, 1)
    };
    let native = asked(&function.native_name())?;
    let woven = asked(&function.woven_name())?;
    woven.check_same(&native, "scores, woven and native")?;
    let asker = Asker::to_compare(sealed, Some(function.source()?))?;
    let mut ledger = Ledger::in_memory([7; 16]);
    let sql = checked_sql(function);
    let ours = bench.runtime.block_on(asker.ask(&sql, &mut ledger))?;
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
    let score = functions::score();
    equal(bench, sealed, &context, &score)?;
    let asker = Asker::new(sealed, Some(score.source()?))?;
    let engine = |name: String| in_engine(bench, &context, plain_sql(&name, &score));
    let checked: Contender<'_> = Box::new(|| checked(bench, &asker, CHECKED));
    let mut contenders = [
        engine(score.woven_name()),
        engine(score.native_name()),
        checked,
    ];
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

/// Asks the plain engine.
fn in_engine<'a>(bench: &'a Bench<'_>, context: &'a SessionContext, sql: String) -> Contender<'a> {
    Box::new(move || Ok(bench.runtime.block_on(plain::asked(context, &sql))?.0))
}

/// The same question of another function.
fn checked_sql(function: &Function) -> String {
    CHECKED.replace("score(", &format!("{}(", function.name))
}

fn checked(bench: &Bench<'_>, asker: &Asker, sql: &str) -> Result<f64> {
    let mut ledger = new_ledger(&bench.options.data.join("models-ledger"))?;
    Ok(bench.runtime.block_on(asker.ask(sql, &mut ledger))?.whole_s)
}

/// Python functions within DuckDB, called for each row; and one that is called for columns, which numpy works out.
fn beside_python(
    bench: &Bench<'_>,
    sealed: &Sealed,
    mut duckdb: Python,
    section: &mut Section,
) -> Result<()> {
    bench.say("scoring beside Python in DuckDB");
    super::queries::see_clear(bench, &mut duckdb, sealed)?;
    let sources = all().map(|function| {
        let function = function();
        json!({"name": function.name, "source": function.python, "columns": function.columns.len()})
    });
    duckdb.ask(&json!({"op": "functions", "functions": sources}))?;
    let context = context(sealed, bench.threads)?;
    let peer = RefCell::new(duckdb);
    let mut table = Table::new(&[
        "function",
        "rows",
        "woven, s",
        "checked, s",
        "native, s",
        "Python by row, s",
        "numpy by column, s",
        "Python ÷ woven",
        "Python ÷ checked",
    ]);
    for function in all() {
        let function = function();
        let native = equal(bench, sealed, &context, &function)?;
        let by_column = (function.name == "score").then_some("score_columns");
        for name in [Some(function.name), by_column].into_iter().flatten() {
            let theirs = peer.borrow_mut().cells(&plain_sql(name, &function), 1)?;
            theirs.check_same(&native, "scores, in Python and in Rust")?;
        }
        let asker = Asker::new(sealed, Some(function.source()?))?;
        let sql = checked_sql(&function);
        let python = |name: &str| -> Contender<'_> {
            let (sql, peer) = (plain_sql(name, &function), &peer);
            Box::new(move || peer.borrow_mut().timed(&sql))
        };
        let engine = |name: String| in_engine(bench, &context, plain_sql(&name, &function));
        let checked: Contender<'_> = Box::new(|| checked(bench, &asker, &sql));
        let mut contenders = vec![
            engine(function.woven_name()),
            checked,
            engine(function.native_name()),
            python(function.name),
        ];
        contenders.extend(by_column.map(python));
        let samples = interleaved(bench.options.turns(), &mut contenders)?;
        drop(contenders);
        let [woven, checked, native, rows] = [0, 1, 2, 3].map(|at: usize| &samples[at]);
        let columns = samples.get(4);
        let figure = |what: &str| format!("{what} in DuckDB, {}", function.name);
        section.figures.push(Figure::held(
            &figure("scoring: against a Python function"),
            &rows.over(woven),
            "×",
            Goal::AtLeast(20.0),
        ));
        section.figures.push(Figure::told(
            &figure("scoring: checked run against a Python function"),
            &rows.over(checked),
            "×",
            false,
        ));
        if let Some(columns) = columns {
            section.figures.push(Figure::told(
                &figure("scoring: against numpy over columns"),
                &columns.over(woven),
                "×",
                false,
            ));
        }
        table.row(vec![
            function.name.to_owned(),
            grouped(sealed.meta.rows),
            woven.spread(3),
            checked.spread(3),
            native.spread(3),
            rows.spread(2),
            columns.map_or_else(|| "–".to_owned(), |columns| columns.spread(3)),
            rows.over(woven).spread(1),
            rows.over(checked).spread(1),
        ]);
        let names = [
            "woven",
            "checked",
            "native",
            "Python by row",
            "numpy by column",
        ];
        for (name, samples) in names.iter().zip(&samples) {
            section.keep(format!("{}, small table: {name}", function.name), samples);
        }
    }
    section.tables.push(table);
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

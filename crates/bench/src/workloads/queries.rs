//! Ten reporting queries with all checks, beside the plain query and beside k-anonymity written by hand.

mod told;

use std::cell::RefCell;

use serde_json::json;
use weir_ledger::Ledger;

use self::told::{Measured, told};
use super::sql::{Dialect, REPORTING, Reporting};
use crate::bench::Bench;
use crate::checked::{Answer, Asker, new_ledger};
use crate::data::{Sealed, forget_cached, write_clear};
use crate::equal::Cells;
use crate::error::{BenchError, Result};
use crate::peers::{self, Python};
use crate::plain::{self, TABLE};
use crate::report::{Section, Table};
use crate::samples::{Contender, interleaved};

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let sealed = bench.sealed(bench.options.rows())?;
    let mut duckdb = peers::start(bench, &peers::DUCKDB, &[&bench.threads.to_string()])?;
    if let Some(duckdb) = &mut duckdb {
        see_clear(bench, duckdb, &sealed)?;
    }
    let mut all = Vec::new();
    for query in &REPORTING {
        bench.say(&format!("ten queries: {}", query.name));
        let cells = equal(bench, &sealed, query, duckdb.as_mut())?;
        all.push(timed(bench, &sealed, query, duckdb.as_mut(), cells)?);
    }
    let mut section = told(&sealed, &all);
    sqlite(bench, &mut section)?;
    Ok(section)
}

/// Hands DuckDB the same rows in the clear.
pub(super) fn see_clear(bench: &Bench<'_>, duckdb: &mut Python, sealed: &Sealed) -> Result<()> {
    bench.say("writing the same rows in the clear, for DuckDB");
    let clear = bench.runtime.block_on(write_clear(sealed))?;
    let file = clear.to_string_lossy();
    duckdb.ask(&json!({"op": "view", "name": TABLE, "file": file}))?;
    Ok(())
}

/// All systems have to answer alike before any of them has a time. Answers how many cells Weir releases.
fn equal(
    bench: &Bench<'_>,
    sealed: &Sealed,
    query: &Reporting,
    duckdb: Option<&mut Python>,
) -> Result<usize> {
    let (keys, name) = (query.keys(), query.name);
    let plain = plain::session(sealed, bench.threads)?;
    let asked = |sql: String| -> Result<Cells> {
        let (_, batches) = bench.runtime.block_on(plain::asked(&plain, &sql))?;
        Cells::of_batches(&batches, keys)
    };
    let all = asked(query.plain())?;
    let safe = asked(query.by_hand(Dialect::Standard))?;
    safe.check_within(&all, &format!("{name}, by hand and without a check"))?;
    if let Some(duckdb) = duckdb {
        let theirs = duckdb.cells(&query.plain(), keys)?;
        theirs.check_same(&all, &format!("{name}, in DuckDB and DataFusion"))?;
        let theirs = duckdb.cells(&query.by_hand(Dialect::DuckDb), keys)?;
        theirs.check_same(&safe, &format!("{name}, by hand in DuckDB and DataFusion"))?;
    }
    let asker = Asker::to_compare(sealed, None)?;
    let ours = ask(bench, &asker, query, &mut Ledger::in_memory([7; 16]))?;
    let ours = Cells::of_batches(&[ours.table], keys)?;
    // Weir withholds more than the two rules by hand do; what it shows has to be there, and the same.
    ours.check_within(&safe, &format!("{name}, by Weir and by hand"))?;
    let alone = bench.runtime.block_on(asker.ask_alone(&query.plain()))?;
    let alone = Cells::of_batches(&[alone.table], keys)?;
    alone.check_within(&safe, &format!("{name}, by Weir alone and by hand"))?;
    ours.check_within(
        &alone,
        &format!("{name}, by Weir with the ledger and without"),
    )?;
    if ours.len() == 0 {
        return Err(BenchError::unequal(name, "Weir released nothing"));
    }
    Ok(ours.len())
}

fn ask(bench: &Bench<'_>, asker: &Asker, query: &Reporting, ledger: &mut Ledger) -> Result<Answer> {
    bench.runtime.block_on(asker.ask(&query.plain(), ledger))
}

fn timed(
    bench: &Bench<'_>,
    sealed: &Sealed,
    query: &Reporting,
    duckdb: Option<&mut Python>,
    cells: usize,
) -> Result<Measured> {
    let asker = Asker::new(sealed, None)?;
    let plain = plain::session(sealed, bench.threads)?;
    let checked = RefCell::new(Vec::new());
    let duckdb = duckdb.map(RefCell::new);
    let weir: Contender<'_> = Box::new(|| {
        // Each turn asks for the first time: a question that was answered before is found again, and costs less.
        let mut ledger = new_ledger(&bench.options.data.join("queries-ledger"))?;
        let answer = ask(bench, &asker, query, &mut ledger)?;
        let seconds = answer.whole_s;
        checked
            .borrow_mut()
            .push((answer.without_ledger_s, answer.computed_s));
        Ok(seconds)
    });
    let engine = |sql: String| -> Contender<'_> {
        let plain = &plain;
        Box::new(move || Ok(bench.runtime.block_on(plain::asked(plain, &sql))?.0))
    };
    let alone: Contender<'_> = Box::new(|| {
        let answer = bench.runtime.block_on(asker.ask_alone(&query.plain()))?;
        Ok(answer.whole_s)
    });
    let mut contenders = vec![
        weir,
        engine(query.plain()),
        alone,
        engine(query.by_hand(Dialect::Standard)),
    ];
    if let Some(duckdb) = &duckdb {
        for sql in [query.plain(), query.by_hand(Dialect::DuckDb)] {
            contenders.push(Box::new(move || duckdb.borrow_mut().timed(&sql)));
        }
    }
    let cold = match duckdb.is_some() || !bench.options.quick {
        true => {
            forget_cached(&sealed.files())?;
            let ours = contenders[0]()?;
            forget_cached(&sealed.files())?;
            Some((ours, contenders[1]()?))
        }
        false => None,
    };
    let mut samples = interleaved(bench.options.turns(), &mut contenders)?.into_iter();
    drop(contenders);
    let counted = checked.into_inner();
    let counted = &counted[counted.len() - bench.options.turns()..];
    let mut next = || samples.next().unwrap_or_default();
    Ok(Measured {
        cells,
        with_sets: counted.iter().map(|(seconds, _)| *seconds).collect(),
        computed: counted.iter().map(|(_, seconds)| *seconds).collect(),
        with_ledger: next(),
        plain: next(),
        checked: next(),
        by_hand: next(),
        duckdb: next(),
        duckdb_by_hand: next(),
        cold,
    })
}

/// SQLite, at the small size and where it has the functions.
fn sqlite(bench: &Bench<'_>, section: &mut Section) -> Result<()> {
    let folder = bench.empty_folder("sqlite")?;
    let database = folder.join("lineitem.db");
    let Some(mut sqlite) = peers::start(bench, &peers::SQLITE, &[&database.to_string_lossy()])?
    else {
        return Ok(());
    };
    // It takes seconds for what others do in hundredths.
    let rows = bench.options.small_rows() / if bench.options.quick { 5 } else { 1 };
    let sealed = bench.sealed(rows)?;
    let clear = bench.runtime.block_on(write_clear(&sealed))?;
    bench.say("handing SQLite its rows");
    sqlite.ask(&json!({"op": "load", "name": TABLE, "file": clear.to_string_lossy()}))?;
    let asker = Asker::new(&sealed, None)?;
    let plain = plain::session(&sealed, bench.threads)?;
    let mut table = Table::new(&[
        "query, small table",
        "plain SQLite ÷ Weir with ledger",
        "by hand in SQLite ÷ Weir with ledger",
    ]);
    for query in REPORTING.iter().filter(|query| query.is_portable) {
        bench.say(&format!("SQLite: {}", query.name));
        let sql = [query.plain(), query.by_hand(Dialect::Standard)];
        for sql in &sql {
            let ours = bench.runtime.block_on(plain::asked(&plain, sql))?.1;
            let ours = Cells::of_batches(&ours, query.keys())?;
            let what = format!("{}, in SQLite and DataFusion", query.name);
            sqlite.cells(sql, query.keys())?.check_same(&ours, &what)?;
        }
        let peer = RefCell::new(&mut sqlite);
        let weir: Contender<'_> = Box::new(|| {
            let mut ledger = new_ledger(&bench.options.data.join("queries-ledger"))?;
            Ok(ask(bench, &asker, query, &mut ledger)?.whole_s)
        });
        let asked = |sql: &str| {
            let (sql, peer) = (sql.to_owned(), &peer);
            let contender: Contender<'_> = Box::new(move || peer.borrow_mut().timed(&sql));
            contender
        };
        // A third of the turns: SQLite takes seconds for each.
        let turns = bench.options.turns().div_ceil(3);
        let samples = interleaved(turns, &mut [weir, asked(&sql[0]), asked(&sql[1])])?;
        table.row(vec![
            query.name.to_owned(),
            samples[1].over(&samples[0]).spread(1),
            samples[2].over(&samples[0]).spread(1),
        ]);
        section.keep(format!("{}, small table: weir", query.name), &samples[0]);
        section.keep(
            format!("{}, small table: plain SQLite", query.name),
            &samples[1],
        );
        section.keep(
            format!("{}, small table: by hand in SQLite", query.name),
            &samples[2],
        );
    }
    section.tables.push(table);
    std::fs::remove_dir_all(&folder).map_err(|error| BenchError::file(&folder, error))
}

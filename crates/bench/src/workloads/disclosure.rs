//! Disclosure checks on tables of real data, beside ACRO, which researchers use on frames in memory: of the bundled flights, and
//! of other public data where somebody has put its files.

mod real;

use std::cell::RefCell;

use serde_json::json;
use weir_ledger::Ledger;

use crate::bench::Bench;
use crate::checked::{Asker, new_ledger};
use crate::data::Sealed;
use crate::equal::Cells;
use crate::error::{BenchError, Result};
use crate::figure::Figure;
use crate::peers;
use crate::plain;
use crate::report::{Section, Table, grouped};
use crate::samples::{Contender, interleaved};
use real::Real;

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("disclosure", "Disclosure checks on real data");
    section.say(
        "A sum by two keys over real data. *ACRO* checks the table as `crosstab` of a frame that is in memory already: threshold, dominance and p-ratio by rows, as it knows no units. \
         *Weir* reads it from sealed files and checks by units, complements and history besides. What both show has to be the same.",
    );
    let mut table = Table::new(&[
        "table",
        "rows",
        "units",
        "cells",
        "shown by Weir",
        "shown by ACRO",
        "Weir, s",
        "ACRO, s",
        "ACRO ÷ Weir",
    ]);
    for real in Real::all(bench)? {
        beside(bench, &real, &mut section, &mut table)?;
    }
    section.tables.push(table);
    Ok(section)
}

fn beside(bench: &Bench<'_>, real: &Real, section: &mut Section, table: &mut Table) -> Result<()> {
    let of = (real.name, real.unit);
    let sealed = Sealed::of_file(&bench.options.data, of, &real.manifest, &real.file)?;
    let sql = real.sql();
    let session = plain::session(&sealed, bench.threads)?;
    let (_, exact) = bench.runtime.block_on(plain::asked(&session, &sql))?;
    let exact = Cells::of_batches(&exact, 2)?;
    let asker = Asker::to_compare(&sealed, None)?;
    let ours = bench
        .runtime
        .block_on(asker.ask(&sql, &mut Ledger::in_memory([7; 16])))?;
    let ours = Cells::of_batches(&[ours.table], 2)?;
    ours.check_within(&exact, "a table of real data by Weir")?;
    let asker = Asker::new(&sealed, None)?;
    let weir: Contender<'_> = Box::new(|| {
        let mut ledger = new_ledger(&bench.options.data.join("disclosure-ledger"))?;
        Ok(bench
            .runtime
            .block_on(asker.ask(&sql, &mut ledger))?
            .whole_s)
    });
    let file = sealed.folder.join(format!("{}.parquet", real.name));
    let file = file.to_string_lossy();
    let [first, second] = real.keys;
    let arguments = [&*file, first, second, real.value, real.unit];
    let peer = peers::start(bench, &peers::ACRO, &arguments)?.map(RefCell::new);
    let question = json!({"keys": real.keys, "value": real.value, "unit": real.unit});
    let mut contenders = vec![weir];
    let mut theirs_shown = None;
    if let Some(peer) = &peer {
        let answer = peer.borrow_mut().ask(&question)?;
        let theirs = Cells::of_json(&answer["rows"], 2)?;
        theirs.check_within(&exact, "a table of real data by ACRO")?;
        theirs_shown = Some(theirs.len());
        contenders.push(Box::new(|| peer.borrow_mut().number(&question, "seconds")));
    }
    if ours.len() == 0 {
        return Err(BenchError::unequal(real.name, "Weir released nothing"));
    }
    bench.say(&format!("disclosure checks: {}", real.name));
    let samples = interleaved(bench.options.turns(), &mut contenders)?;
    drop(contenders);
    let theirs = samples.get(1).cloned().unwrap_or_default();
    table.row(vec![
        real.says.to_owned(),
        grouped(sealed.meta.rows),
        grouped(sealed.meta.units),
        exact.len().to_string(),
        ours.len().to_string(),
        theirs_shown.map_or_else(|| "–".to_owned(), |shown| shown.to_string()),
        samples[0].spread(4),
        theirs.spread(4),
        theirs.over(&samples[0]).spread(2),
    ]);
    section.keep(format!("{}: weir", real.name), &samples[0]);
    if !theirs.is_empty() {
        section.keep(format!("{}: ACRO", real.name), &theirs);
        section.figures.push(Figure::told(
            &format!("ACRO ÷ Weir, {}", real.name),
            &theirs.over(&samples[0]),
            "×",
            false,
        ));
    }
    Ok(())
}

//! Disclosure checks on a table of the bundled flights, beside ACRO, which researchers use on frames in memory.

use std::cell::RefCell;

use serde_json::json;
use weir_catalogue::Manifest;
use weir_ledger::Ledger;

use crate::bench::Bench;
use crate::checked::{Asker, new_ledger};
use crate::data::Sealed;
use crate::equal::Cells;
use crate::error::{BenchError, Result, failed};
use crate::figure::Figure;
use crate::peers;
use crate::plain;
use crate::report::{Section, Table, grouped};
use crate::samples::{Contender, interleaved};

/// See `examples/flights/README.md` for source and licence.
const FLIGHTS: &[u8] = include_bytes!("../../../../examples/flights/flights.parquet");
const MANIFEST: &str = include_str!("../../../../examples/flights/flights.toml");

const SQL: &str =
    "SELECT carrier AS k0, origin AS k1, SUM(distance) AS n0 FROM lineitem GROUP BY 1, 2";

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("disclosure", "Disclosure checks on real data");
    let manifest =
        Manifest::from_toml(MANIFEST, "flights.toml").map_err(failed("reading a manifest"))?;
    let sealed = Sealed::of_file(
        &bench.options.data,
        ("flights", "tailnum"),
        &manifest,
        FLIGHTS,
    )?;
    section.say(format!(
        "Miles flown by carrier and airport, of {} flights of {} aircraft. *ACRO* checks the table as `crosstab` of a frame that is in memory already: threshold, dominance and p-ratio by rows, as it knows no units. \
         *Weir* reads it from sealed files and checks by aircraft, complements and history besides. What both show has to be the same.",
        grouped(sealed.meta.rows),
        grouped(sealed.meta.units)
    ));
    let session = plain::session(&sealed, bench.threads)?;
    let (_, exact) = bench.runtime.block_on(plain::asked(&session, SQL))?;
    let exact = Cells::of_batches(&exact, 2)?;
    let asker = Asker::to_compare(&sealed, None)?;
    let ours = bench
        .runtime
        .block_on(asker.ask(SQL, &mut Ledger::in_memory([7; 16])))?;
    let ours = Cells::of_batches(&[ours.table], 2)?;
    ours.check_within(&exact, "miles by Weir")?;
    let asker = Asker::new(&sealed, None)?;
    let weir: Contender<'_> = Box::new(|| {
        let mut ledger = new_ledger(&bench.options.data.join("disclosure-ledger"))?;
        Ok(bench.runtime.block_on(asker.ask(SQL, &mut ledger))?.whole_s)
    });
    let file = sealed.folder.join("flights.parquet");
    let arguments = [
        &*file.to_string_lossy(),
        "carrier",
        "origin",
        "distance",
        "tailnum",
    ];
    let peer = peers::start(bench, &peers::ACRO, &arguments)?.map(RefCell::new);
    let question = json!({"keys": ["carrier", "origin"], "value": "distance", "unit": "tailnum"});
    let mut contenders = vec![weir];
    let mut theirs_shown = None;
    if let Some(peer) = &peer {
        let answer = peer.borrow_mut().ask(&question)?;
        let theirs = Cells::of_json(&answer["rows"], 2)?;
        theirs.check_within(&exact, "miles by ACRO")?;
        theirs_shown = Some(theirs.len());
        contenders.push(Box::new(|| peer.borrow_mut().number(&question, "seconds")));
    }
    if ours.len() == 0 {
        return Err(BenchError::unequal("miles", "Weir released nothing"));
    }
    bench.say("disclosure checks");
    let samples = interleaved(bench.options.turns(), &mut contenders)?;
    drop(contenders);
    let theirs = samples.get(1).cloned().unwrap_or_default();
    let mut table = Table::new(&[
        "cells",
        "shown by Weir",
        "shown by ACRO",
        "Weir, s",
        "ACRO, s",
        "ACRO ÷ Weir",
    ]);
    table.row(vec![
        exact.len().to_string(),
        ours.len().to_string(),
        theirs_shown.map_or_else(|| "–".to_owned(), |shown| shown.to_string()),
        samples[0].spread(4),
        theirs.spread(4),
        theirs.over(&samples[0]).spread(2),
    ]);
    section.tables.push(table);
    section.keep("weir", &samples[0]);
    if !theirs.is_empty() {
        section.keep("ACRO", &theirs);
        section.figures.push(Figure::told(
            "ACRO ÷ Weir",
            &theirs.over(&samples[0]),
            "×",
            false,
        ));
    }
    Ok(section)
}

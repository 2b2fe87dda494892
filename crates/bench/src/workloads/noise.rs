//! Counts and sums with differential privacy, beside OpenDP's own front end for Polars.

use std::cell::RefCell;

use serde_json::{Value, json};
use weir_ledger::Ledger;
use weir_policy::Policy;

use crate::bench::Bench;
use crate::checked::{Asker, new_ledger};
use crate::data::{Sealed, write_clear};
use crate::equal::Cells;
use crate::error::{BenchError, Result, failed};
use crate::figure::Figure;
use crate::peers::{self, Python};
use crate::plain;
use crate::report::{Section, Table, grouped};
use crate::samples::{Contender, interleaved};

const SQL: &str = "SELECT l_returnflag AS k0, l_linestatus AS k1, COUNT(*) AS n0, SUM(l_quantity) AS n1 FROM lineitem GROUP BY 1, 2";
/// An order has seven items at most, so none is left out.
const POLICY: &str = "name = \"noisy\"\n[review]\nnegative_contributions = false\n[dp]\nepsilon = 1.0\nrows_per_unit = 7\n";
/// How far noise may move a count and a sum: forty times its scale, which is seven rows, of which each adds one and up to
/// fifty, at half of ε.
const AWAY: [f64; 2] = [40.0 * 7.0 * 2.0, 40.0 * 7.0 * 50.0 * 2.0];

pub(super) fn run(bench: &Bench<'_>) -> Result<Section> {
    let mut section = Section::new("noise", "Noise");
    section.say(
        "A count and a sum by two keys with ε = 1 for the table, an order hidden whole. *Weir* does it with every check, and counts seven rows of an order and no more; *OpenDP* through its front end for Polars, over the same rows \
         in plain Parquet, is told that an order has seven rows and believes it, and checks nothing else. Both draw discrete noise by OpenDP's library. Equal is what is left when the noise is taken off.",
    );
    let sealed = bench.sealed(bench.options.rows())?;
    let policy =
        Policy::from_toml(POLICY, "the policy with noise").map_err(failed("reading a policy"))?;
    let asker = Asker::under(&sealed, None, policy)?;
    let session = plain::session(&sealed, bench.threads)?;
    let (_, exact) = bench.runtime.block_on(plain::asked(&session, SQL))?;
    let exact = Cells::of_batches(&exact, 2)?;
    let ask = |ledger: &mut Ledger| bench.runtime.block_on(asker.ask(SQL, ledger));
    let ours = ask(&mut Ledger::in_memory([7; 16]))?;
    let ours = Cells::of_batches(&[ours.table], 2)?;
    ours.check_near(&exact, &AWAY, "noisy counts of Weir")?;
    let weir: Contender<'_> = Box::new(|| {
        let mut ledger = new_ledger(&bench.options.data.join("noise-ledger"))?;
        Ok(ask(&mut ledger)?.whole_s)
    });
    let plainly: Contender<'_> =
        Box::new(|| Ok(bench.runtime.block_on(plain::asked(&session, SQL))?.0));
    let peer = peers::start(bench, &peers::OPENDP, &[])?;
    let peer = peer.map(RefCell::new);
    let mut contenders = vec![weir, plainly];
    if let Some(peer) = &peer {
        let question = question(bench, &sealed)?;
        check(&mut peer.borrow_mut(), &question, &exact)?;
        contenders.push(Box::new(move || {
            peer.borrow_mut().number(&question, "seconds")
        }));
    }
    bench.say("noise");
    let samples = interleaved(bench.options.turns(), &mut contenders)?;
    drop(contenders);
    let mut table = Table::new(&[
        "rows",
        "Weir, s",
        "plain DataFusion, s",
        "OpenDP with Polars, s",
        "Weir ÷ plain",
        "OpenDP ÷ Weir",
    ]);
    let theirs = samples.get(2).cloned().unwrap_or_default();
    table.row(vec![
        grouped(sealed.meta.rows),
        samples[0].spread(3),
        samples[1].spread(3),
        theirs.spread(3),
        samples[0].over(&samples[1]).spread(2),
        theirs.over(&samples[0]).spread(2),
    ]);
    section.tables.push(table);
    section.figures.push(Figure::told(
        "noise ÷ plain DataFusion",
        &samples[0].over(&samples[1]),
        "×",
        true,
    ));
    if !theirs.is_empty() {
        section.figures.push(Figure::told(
            "OpenDP with Polars ÷ noise",
            &theirs.over(&samples[0]),
            "×",
            false,
        ));
    }
    for (name, samples) in ["weir", "plain DataFusion", "OpenDP"].iter().zip(&samples) {
        section.keep(*name, samples);
    }
    Ok(section)
}

fn question(bench: &Bench<'_>, sealed: &Sealed) -> Result<Value> {
    let clear = bench.runtime.block_on(write_clear(sealed))?;
    Ok(json!({
        "file": clear.to_string_lossy(), "keys": ["l_returnflag", "l_linestatus"], "summed": "l_quantity",
        "bounds": [0, 50], "rows": sealed.meta.rows, "groups": 6, "rows_per_unit": 7, "epsilon": 1.0,
    }))
}

fn check(peer: &mut Python, question: &Value, exact: &Cells) -> Result<()> {
    let answer = peer.ask(question)?;
    let theirs = Cells::of_json(&answer["rows"], 2)?;
    match theirs.len() {
        0 => Err(BenchError::unequal(
            "noisy counts of OpenDP",
            "there are none",
        )),
        _ => theirs.check_near(exact, &AWAY, "noisy counts of OpenDP"),
    }
}

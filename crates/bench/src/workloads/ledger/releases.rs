//! What a ledger with a history adds to a release: the same run, from SQL to answer, with and without its time.

use std::sync::Arc;

use weir_ledger::{Ledger, Rows};

use super::{CELLS, Random, release, table};
use crate::bench::Bench;
use crate::checked::Asker;
use crate::error::{Result, failed};
use crate::figure::Figure;
use crate::plain::TABLE;
use crate::report::{Section, Table, grouped};
use crate::samples::Samples;

/// Earlier cells, unless the largest ledger is smaller.
const EARLIER: u64 = 10_000;

/// A table that reads every row, and one that a condition chose, another one each turn. What is known is of the same kind:
/// beside chosen cells alone sums over several sets are looked for.
const KINDS: [(&str, &str, &str, bool); 2] = [
    (
        "a thousand cells of every row",
        "l_quantity, l_shipmode, l_returnflag",
        "",
        false,
    ),
    (
        "28 chosen cells",
        "l_shipmode, l_shipinstruct",
        "WHERE l_extendedprice > ",
        true,
    ),
];

pub(super) fn beside_releases(bench: &Bench<'_>, section: &mut Section) -> Result<()> {
    let sealed = bench.sealed(bench.options.rows())?;
    let asker = Asker::new(&sealed, None)?;
    let earlier = bench.options.ledger_cells().min(EARLIER);
    let mut shown = Table::new(&[
        "a release",
        "earlier cells",
        "with the ledger ÷ without, at most 1.2",
    ]);
    for (name, keys, condition, is_chosen) in KINDS {
        bench.say(&format!("a release of {name} after {earlier} earlier ones"));
        let mut ratios = Samples::default();
        let mut ledger = known(earlier, is_chosen)?;
        for turn in 0..bench.options.turns() {
            if !is_chosen && turn > 0 {
                // The same question would be found again, and cost less.
                ledger = known(earlier, is_chosen)?;
            }
            let condition = match condition {
                "" => String::new(),
                of => format!("{of}{}", 2_000 + 3_000 * turn),
            };
            let sql = format!(
                "SELECT {keys}, COUNT(*) AS n, SUM(l_extendedprice) AS s FROM {TABLE} {condition} GROUP BY {keys}"
            );
            // As a server does between runs.
            while ledger.prepare().map_err(failed("preparing the ledger"))? {}
            let answer = bench.runtime.block_on(asker.ask(&sql, &mut ledger))?;
            ratios.push(answer.whole_s / answer.without_ledger_s);
        }
        shown.row(vec![name.to_owned(), grouped(earlier), ratios.spread(2)]);
        section.keep(format!("{name}, with the ledger ÷ without"), &ratios);
        let name = format!("ledger, {name} ÷ without it");
        section
            .figures
            .push(Figure::told(&name, &ratios, "×", true));
    }
    section.tables.push(shown);
    Ok(())
}

/// A ledger of so many earlier cells, chosen or not.
fn known(cells: u64, is_chosen: bool) -> Result<Ledger> {
    let mut random = Random(2);
    let mut ledger = Ledger::in_memory([7; 16]);
    for _ in 0..cells.div_ceil(u64::from(CELLS)) {
        let mut earlier = table(&mut random, CELLS);
        earlier.selection.is_plain = !is_chosen;
        for cell in earlier.cells.iter_mut().filter(|_| is_chosen) {
            cell.is_chosen = true;
            // Units have other rows than their first, as in the table that is asked for.
            let mut of = |_: &u32| random.below(3) == 0;
            cell.rows = Some(Rows {
                twos: Arc::new(cell.units.iter().filter(&mut of).collect()),
                threes: Arc::default(),
                weight: cell.units.len(),
                noted: None,
            });
        }
        release(&mut ledger, earlier)?;
    }
    Ok(ledger)
}

//! A second implementation of everything the gate does: checks, suppression, rounding, totals, closed domains.
//!
//! It starts from plain rows with units, and is too simple to be wrong the same way: it forms every margin of every cell
//! as a set of units, compares fractions by multiplication, and rounds numbers as texts. It knows nothing of evidence
//! columns, lattices or codes. `handed_over` computes from the same rows what inside would hand to the gate.
//!
//! | module | holds |
//! |---|---|
//! | `world` | rows, what a query asks of them, limits; random ones of each |
//! | `rules` | each check on one cell |
//! | `crossing` | what hides cells that another grouping withholds |
//! | `rounding` | rounding on texts |
//! | `naive` | the released table |
//! | `handed_over` | cells and evidence for the gate itself |
//! | `agree` | that both say the same, and the laws that follow |

use weir_gate::{GateError, Judged, Unreleased};

use crate::table::release;
pub(crate) use world::{Query, Row, limits, world};

mod agree;
mod crossing;
mod handed_over;
mod naive;
mod rounding;
mod rules;
mod world;

/// A random table as inside would hand it over.
pub(crate) fn handed_over(query: &Query, rows: &[Row]) -> Result<Unreleased, GateError> {
    handed_over::unreleased(query, rows, &handed_over::cells(query, rows))
}

/// The released cells of the finest sets, named as a replay names them, in the order in which they were handed over. None
/// where the table has no statistic, so that it does not tell released cells from rows that complete a domain.
pub(crate) fn named(query: &Query, rows: &[Row], judged: Judged) -> Option<Vec<String>> {
    if query.stats.is_empty() {
        return None;
    }
    let released = release(judged).0;
    let table = handed_over::as_table(&handed_over::read(query, released.batch()));
    let is_released = |cell: &rules::CellOf| {
        let numbers = table.get(cell).into_iter().flatten();
        naive::is_finest(query, cell.set) && numbers.into_iter().any(Option::is_some)
    };
    let cells = handed_over::cells(query, rows)
        .into_iter()
        .filter(is_released);
    Some(cells.map(|cell| name(query, &cell)).collect())
}

fn name(query: &Query, cell: &rules::CellOf) -> String {
    let in_set = (0..query.keys.len()).filter(|key| query.sets[cell.set][*key]);
    let value = |key: usize| cell.keys[key].map_or("null".to_owned(), |value| value.to_string());
    let parts: Vec<String> = in_set.map(|key| format!("k{key}={}", value(key))).collect();
    if parts.is_empty() {
        "(total)".to_owned()
    } else {
        parts.join(", ")
    }
}

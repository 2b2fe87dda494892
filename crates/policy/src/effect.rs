//! What it does to move a limit, in words: which cells would be withheld that were released, or the other way round.

use crate::compare::Direction;
use crate::key::Key;
use crate::spec::OFF;

/// The effect of moving a key from `before` to `after`; empty where it stays.
pub(crate) fn effect(key: Key, before: u64, after: u64, direction: Direction) -> String {
    let outcome = match direction {
        Direction::Same => return String::new(),
        Direction::Tighter => "withheld",
        Direction::Looser => "released",
    };
    // What lies between the two values is what changes sides.
    let (low, high) = (before.min(after), before.max(after));
    let below = || whole_range(low, high - 1);
    let above = || whole_range(low + 1, high);
    let text = |value| key.write(value).unwrap_or_default();
    let share = || match high {
        OFF => format!("a share of {} or more", text(low)),
        _ => format!("a share from {} up to {}", text(low), text(high)),
    };
    match key {
        Key::UnitsMin => format!("cells of {} units are {outcome}", below()),
        Key::RowsMin => format!("cells of {} rows are {outcome}", below()),
        Key::ComplementUnitsMin => {
            format!(
                "cells that leave {} units of a margin are {outcome}",
                below()
            )
        }
        Key::ClassDisclosure => format!("cells that hold all of a margin are {outcome}"),
        Key::SensitiveValuesMin => {
            format!(
                "cells with {} values of a sensitive column are {outcome}",
                below()
            )
        }
        Key::Top1ShareMax => format!("cells whose largest unit holds {} are {outcome}", share()),
        Key::Top2ShareMax => format!(
            "cells whose two largest units hold {} are {outcome}",
            share()
        ),
        Key::Top3ShareMax => {
            format!(
                "cells whose three largest units hold {} are {outcome}",
                share()
            )
        }
        Key::RatioMin => format!(
            "cells with a p-ratio from {} up to {} are {outcome}",
            text(low),
            text(high)
        ),
        Key::ZerosAreDisclosive => {
            format!("cells without a p-ratio, such as a total of zero, are {outcome}")
        }
        Key::ResidualDofMin => format!(
            "models with {} residual degrees of freedom are {outcome}",
            below()
        ),
        Key::ParametersShareMax => format!(
            "models with more than {} and at most {} parameters for each unit are {outcome}",
            text(low),
            text(high)
        ),
        Key::QuantileUnitsMin => {
            format!("quantiles of more than {low} and at most {high} units each are {outcome}")
        }
        _ => whole_table(key, before, after, direction, &above()),
    }
}

/// The keys that withhold no single cell: they coarsen numbers, refuse tables, or call for people.
fn whole_table(key: Key, before: u64, after: u64, direction: Direction, above: &str) -> String {
    let outcome = match direction {
        Direction::Tighter => "refused",
        _ => "accepted",
    };
    match key {
        Key::NegativeContributions if direction == Direction::Tighter => {
            "people look at tables with negative contributions before they leave".to_owned()
        }
        Key::NegativeContributions => {
            "tables with negative contributions leave without people looking at them".to_owned()
        }
        Key::CountBase if after == 1 => "counts are exact".to_owned(),
        Key::CountBase => format!("counts are multiples of {after} instead of {before}"),
        Key::SignificantDigits => {
            format!("numbers keep {after} significant digits instead of {before}")
        }
        Key::CellsMax => format!("tables of {above} cells are {outcome}"),
        Key::BytesMax => format!("tables of {above} bytes are {outcome}"),
        Key::LevelsMax => format!(
            "tables with {above} values in a column without a declared domain are {outcome}"
        ),
        Key::BitsRunMax => format!("releases of {above} bits are {outcome}"),
        Key::BitsPerUnit | Key::BitsChosenPerUnit => {
            let text = |value| key.write(value).unwrap_or_default();
            format!(
                "a dataset carries {} bits for each unit instead of {}",
                text(after),
                text(before)
            )
        }
        _ => String::new(),
    }
}

fn whole_range(low: u64, high: u64) -> String {
    if low == high {
        low.to_string()
    } else {
        format!("{low}–{high}")
    }
}

//! The contradictions that are looked for. Each rule says why the limit cannot bite, so that its author can judge.

use super::{Found, Weight};
use crate::form::PARTS;
use crate::key::Key;
use crate::policy::Policy;
use crate::spec::{BITS_PER_UNIT_CEILING_PARTS, OFF};

/// Fewest bytes of a cell in an Arrow stream: one number of 64 bits.
const CELL_BYTES: u64 = 8;
/// Fewest cells of a table with a group column.
const CELLS_OF_A_GROUPING: u64 = 2;

pub(super) fn all(policy: &Policy) -> Vec<Found> {
    let rules = [
        rows,
        complement,
        sensitive_values,
        dominance_by_dominance,
        dominance_by_ratio,
        ratio_by_dominance,
        degrees_of_freedom,
        quantile,
        smallest_count,
        single_cell,
        bytes,
        levels,
        bits,
        chosen_bits,
    ];
    rules.iter().flat_map(|rule| rule(policy)).collect()
}

fn warning(key: Key, message: String) -> Vec<Found> {
    vec![Found {
        key,
        weight: Weight::Warning,
        message,
    }]
}

fn note(key: Key, message: String) -> Vec<Found> {
    vec![Found {
        key,
        weight: Weight::Note,
        message,
    }]
}

/// Each unit has a row, so a cell has at least as many rows as units.
fn rows(policy: &Policy) -> Vec<Found> {
    let (rows, units) = (policy.rows_min(), policy.units_min());
    if rows >= units {
        return Vec::new();
    }
    warning(
        Key::RowsMin,
        format!(
            "can never bite: a cell of {units} units (`cell.units_min`) has at least {units} rows. Write {units} or more"
        ),
    )
}

/// What is left of a margin is a cell that everybody can compute.
fn complement(policy: &Policy) -> Vec<Found> {
    let (complement, units) = (policy.complement_units_min(), policy.units_min());
    if complement >= units {
        return Vec::new();
    }
    warning(
        Key::ComplementUnitsMin,
        format!(
            "is below `cell.units_min`, which is {units}: what a cell leaves of a margin is a cell too, found by \
             subtraction, and could then have {complement} units. Write {units} or more"
        ),
    )
}

/// Where each unit has one row, a cell of n units has at most n values.
fn sensitive_values(policy: &Policy) -> Vec<Found> {
    let (values, units) = (policy.sensitive_values_min(), policy.units_min());
    if values <= units {
        return Vec::new();
    }
    warning(
        Key::SensitiveValuesMin,
        format!(
            "is more than `cell.units_min`, which is {units}: a cell of {units} units with one row each never has \
             {values} values. Raise `cell.units_min` to {values} or lower this"
        ),
    )
}

/// The n + 1 largest units hold at least what the n largest hold.
fn dominance_by_dominance(policy: &Policy) -> Vec<Found> {
    let keys = [Key::Top1ShareMax, Key::Top2ShareMax, Key::Top3ShareMax];
    let mut found = Vec::new();
    for (index, fewer) in keys.into_iter().enumerate() {
        let own = policy.get(fewer);
        let stronger = keys[index + 1..]
            .iter()
            .find(|more| own != OFF && policy.get(**more) <= own);
        if let Some(more) = stronger {
            let limit = more.write(policy.get(*more)).unwrap_or_default();
            found.extend(warning(
                fewer,
                format!(
                    "can never bite: where fewer units hold this share, more units hold it too, and `{}` withholds from \
                     {limit} on. Write less than {limit}",
                    more.path()
                ),
            ));
        }
    }
    found
}

/// Let x1 ≥ x2 be the largest contributions, R the rest, T = x1 + x2 + R. Where x1 + x2 ≥ k T, R ≤ (1 − k) / k (x1 + x2)
/// ≤ 2 (1 − k) / k x1; so where 2 (1 − k) / k < p, every cell that dominance withholds has R < p x1.
fn dominance_by_ratio(policy: &Policy) -> Vec<Found> {
    let (share, ratio) = (policy.get(Key::Top2ShareMax), policy.get(Key::RatioMin));
    if share > PARTS || 2 * (PARTS - share) * PARTS >= ratio * share {
        return Vec::new();
    }
    note(
        Key::Top2ShareMax,
        format!(
            "can never bite beside `p_ratio.ratio_min`, which is {}: the cells that it withholds fail the p-ratio too",
            Key::RatioMin.write(ratio).unwrap_or_default()
        ),
    )
}

/// With the same letters: where R < p x1, (x1 + x2) / T > 1 / (1 + p); so where 1 / (1 + p) ≥ k, every cell that the
/// p-ratio withholds is dominated.
fn ratio_by_dominance(policy: &Policy) -> Vec<Found> {
    let (share, ratio) = (policy.get(Key::Top2ShareMax), policy.get(Key::RatioMin));
    if share > PARTS || PARTS * PARTS < share * (PARTS + ratio) {
        return Vec::new();
    }
    note(
        Key::RatioMin,
        format!(
            "withholds no cell that `dominance.top2_share_max`, which is {}, would release; it is a second wall behind it",
            Key::Top2ShareMax.write(share).unwrap_or_default()
        ),
    )
}

/// With at least u units and at most s u parameters, (1 − s) u degrees of freedom are left.
fn degrees_of_freedom(policy: &Policy) -> Vec<Found> {
    let (share, degrees) = (
        policy.get(Key::ParametersShareMax),
        policy.residual_dof_min(),
    );
    let units = u128::from(policy.units_min());
    if u128::from(PARTS - share) * units < u128::from(degrees) * u128::from(PARTS) {
        return Vec::new();
    }
    note(
        Key::ResidualDofMin,
        format!(
            "can never bite: a model of {units} units or more (`cell.units_min`) with at most {} parameters for each \
             (`fit.parameters_share_max`) has {degrees} residual degrees of freedom",
            Key::ParametersShareMax.write(share).unwrap_or_default()
        ),
    )
}

/// A single quantile needs more units than this; a cell has as many as it needs anyway.
fn quantile(policy: &Policy) -> Vec<Found> {
    let (quantile, units) = (policy.quantile_units_min(), policy.units_min());
    if quantile >= units {
        return Vec::new();
    }
    warning(
        Key::QuantileUnitsMin,
        format!(
            "can never bite for a single quantile: every cell has {units} units (`cell.units_min`). Write {units} or more"
        ),
    )
}

/// The smallest count that leaves is `units_min`, rounded. The counts that look like it are those from `units_min` up to
/// half a base above; where they are few, the rounded number gives them away.
fn smallest_count(policy: &Policy) -> Vec<Found> {
    let (units, base) = (policy.units_min(), policy.count_base());
    if base == 1 {
        return Vec::new();
    }
    let shown = |count: u64| {
        let down = count - count % base;
        match (count % base * 2).cmp(&base) {
            std::cmp::Ordering::Less => down,
            std::cmp::Ordering::Greater => down + base,
            std::cmp::Ordering::Equal => down + base * (down / base % 2),
        }
    };
    let smallest = shown(units);
    let alike = (units..=units.saturating_add(base))
        .take_while(|count| shown(*count) == smallest)
        .count();
    if smallest == 0 {
        return warning(
            Key::CountBase,
            format!(
                "is so coarse that a cell of {units} units (`cell.units_min`) shows the count 0. Write a smaller base, or \
                 raise `cell.units_min`"
            ),
        );
    }
    let range = format!("{units}–{}", units + alike as u64 - 1);
    match alike {
        1 => warning(
            Key::CountBase,
            format!(
                "gives the smallest counts away: beside `cell.units_min`, which is {units}, a count shown as {smallest} \
                 is {units} and no other. Choose `cell.units_min` so that {smallest} stands for more"
            ),
        ),
        _ if (alike as u64) * 2 < base => note(
            Key::CountBase,
            format!(
                "hides the smallest counts little: beside `cell.units_min`, which is {units}, a count shown as {smallest} \
                 is {range}"
            ),
        ),
        _ => Vec::new(),
    }
}

fn single_cell(policy: &Policy) -> Vec<Found> {
    if policy.cells_max() >= CELLS_OF_A_GROUPING {
        return Vec::new();
    }
    warning(
        Key::CellsMax,
        "leaves grand totals only: a table with a group column has at least 2 cells. Write 2 or more".to_owned(),
    )
}

fn bytes(policy: &Policy) -> Vec<Found> {
    let (bytes, cells) = (policy.bytes_max(), policy.cells_max());
    if bytes >= cells * CELL_BYTES {
        return Vec::new();
    }
    warning(
        Key::BytesMax,
        format!(
            "leaves no room for the {cells} cells of `table.cells_max`: one number takes {CELL_BYTES} bytes. Write {} or \
             more, or lower `table.cells_max`",
            cells * CELL_BYTES
        ),
    )
}

/// Each value of a group column is in a cell.
fn levels(policy: &Policy) -> Vec<Found> {
    let (levels, cells) = (policy.levels_max(), policy.cells_max());
    if levels < cells {
        return Vec::new();
    }
    warning(
        Key::LevelsMax,
        format!(
            "can never bite: a column with more values makes a table of more than {cells} cells (`table.cells_max`). \
             Write less than {cells}"
        ),
    )
}

/// A table of fewer bits than a cell has for each row says not even how many rows there are.
fn bits(policy: &Policy) -> Vec<Found> {
    let (bits, cells) = (policy.bits_run_max(), policy.cells_max());
    if bits >= cells {
        return Vec::new();
    }
    warning(
        Key::BitsRunMax,
        format!(
            "leaves no room for the {cells} cells of `table.cells_max`: that a cell is shown or withheld is a bit. Write \
             {cells} or more, or lower `table.cells_max`"
        ),
    )
}

/// What is chosen is part of the whole.
fn chosen_bits(policy: &Policy) -> Vec<Found> {
    let (all, chosen) = (
        policy.get(Key::BitsPerUnit),
        policy.get(Key::BitsChosenPerUnit),
    );
    if chosen < all || all == BITS_PER_UNIT_CEILING_PARTS {
        return Vec::new();
    }
    warning(
        Key::BitsChosenPerUnit,
        format!(
            "can never bite: these releases count towards `bits.per_unit`, which is {}. Write less",
            Key::BitsPerUnit.write(all).unwrap_or_default()
        ),
    )
}

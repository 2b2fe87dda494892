//! The interval audit against an exhaustive one, and against the attacks it is for.

use std::time::Instant;

use weir_ledger::interval::{Audit, BaseCell, Bounds, Interval, Shown, Table, audit, derived};

use crate::support::Random;

/// A cell of this value, shown unless it is protected.
#[derive(Clone, Copy)]
struct Cell {
    value: f64,
    units: u64,
    protect: Option<f64>,
}

fn open(value: f64) -> Cell {
    Cell {
        value,
        units: 20,
        protect: None,
    }
}

/// One unit's whole value, to be kept to within 10 % of itself.
fn single(value: f64) -> Cell {
    Cell {
        value,
        units: 1,
        protect: Some(value / 10.0),
    }
}

fn shown(cells: Vec<usize>, values: &[Cell], half: f64) -> Shown {
    let sum: f64 = cells.iter().map(|cell| values[*cell].value).sum();
    Shown {
        cost: sum,
        cells,
        from: sum - half,
        to: sum + half,
    }
}

/// A table of rows and columns with all margins, where what is not protected is shown within `half` of its value.
fn table(rows: &[&[Cell]], half: f64) -> Table {
    let width = rows[0].len();
    let values: Vec<Cell> = rows.concat();
    let mut all = Vec::new();
    for (at, cell) in values.iter().enumerate() {
        if cell.protect.is_none() {
            all.push(shown(vec![at], &values, half));
        }
    }
    for row in 0..rows.len() {
        all.push(shown(
            (row * width..row * width + width).collect(),
            &values,
            half,
        ));
    }
    for column in 0..width {
        all.push(shown(
            (0..rows.len()).map(|row| row * width + column).collect(),
            &values,
            half,
        ));
    }
    all.push(shown((0..values.len()).collect(), &values, half));
    let base = |cell: &Cell| BaseCell {
        from: 0.0,
        to: f64::INFINITY,
        protect: cell.protect,
        units: cell.units,
        largest: if cell.units == 1 {
            cell.value
        } else {
            cell.value / 5.0
        },
    };
    Table {
        cells: values.iter().map(base).collect(),
        shown: all,
        whole_numbers: false,
        not_negative: true,
    }
}

fn without(table: &Table, audit: &Audit) -> Table {
    let mut left = table.clone();
    let kept = left
        .shown
        .iter()
        .enumerate()
        .filter(|(at, _)| !audit.withheld.contains(at));
    left.shown = kept.map(|(_, shown)| shown.clone()).collect();
    left
}

/// Whether every protected cell of what is left is safe from everybody.
fn is_safe(table: &Table) -> bool {
    let cells = 0..table.cells.len();
    let everybody = || cells.clone().map(Some).chain([None]);
    cells.clone().all(|cell| {
        let Some(range) = table.cells[cell].protect else {
            return true;
        };
        everybody().filter(|of| *of != Some(cell)).all(|of| {
            let interval = derived(table, cell, of).unwrap();
            interval.to - interval.from > range
        })
    })
}

#[test]
fn a_single_withheld_cell_is_the_margin_minus_the_rest() {
    let attacked = table(
        &[&[single(50.0), open(100.0)], &[open(200.0), open(300.0)]],
        0.0,
    );
    let interval = derived(&attacked, 0, None).unwrap();
    assert_eq!(
        interval,
        Interval {
            from: 50.0,
            to: 50.0
        }
    );
    let found = audit(&attacked, &Bounds::default());
    assert!(found.settled && !found.withheld.is_empty());
    assert!(is_safe(&without(&attacked, &found)));
}

#[test]
fn two_singletons_in_a_row_know_each_other() {
    // Secondary suppression has made a rectangle of singletons: no outsider derives one, every insider does.
    let rows: [&[Cell]; 3] = [
        &[single(50.0), single(60.0), open(500.0)],
        &[single(70.0), single(40.0), open(600.0)],
        &[open(300.0), open(200.0), open(900.0)],
    ];
    let attacked = table(&rows, 0.0);
    let outside = derived(&attacked, 0, None).unwrap();
    assert!(outside.to - outside.from > 5.0, "{outside:?}");
    for other in [1, 3, 4] {
        let inside = derived(&attacked, 0, Some(other)).unwrap();
        assert!((inside.to - inside.from).abs() < 1e-6, "{inside:?}");
    }
    let found = audit(&attacked, &Bounds::default());
    assert!(found.settled && !found.withheld.is_empty());
    assert!(is_safe(&without(&attacked, &found)));
}

#[test]
fn three_singletons_of_one_total_are_safe_from_one_of_them() {
    let cells = [single(50.0), single(60.0), single(70.0), open(500.0)];
    let attacked = table(&[&cells], 0.0);
    // The margins of columns are the cells themselves: they are withheld, and the rest is settled.
    let found = audit(&attacked, &Bounds::default());
    assert!(found.settled);
    let left = without(&attacked, &found);
    assert!(is_safe(&left));
    let insider = derived(&left, 0, Some(1)).unwrap();
    assert!(insider.to - insider.from > 5.0);
}

#[test]
fn rounding_protects_where_it_is_wide_enough() {
    let rows: [&[Cell]; 2] = [&[single(50.0), open(100.0)], &[open(200.0), open(300.0)]];
    let narrow = audit(&table(&rows, 0.1), &Bounds::default());
    assert!(!narrow.withheld.is_empty());
    let wide = audit(&table(&rows, 5.0), &Bounds::default());
    assert_eq!((wide.withheld, wide.settled), (vec![], true));
}

#[test]
fn where_the_bound_is_reached_everything_connected_goes() {
    let attacked = table(
        &[&[single(50.0), open(100.0)], &[open(200.0), open(300.0)]],
        0.0,
    );
    for programs_max in 0..6 {
        let bounds = Bounds {
            programs_max,
            deadline: None,
        };
        let found = audit(&attacked, &bounds);
        assert!(!found.settled && found.withheld.len() == attacked.shown.len());
    }
    let late = Bounds {
        deadline: Some(Instant::now()),
        ..Bounds::default()
    };
    assert!(!audit(&attacked, &late).settled);
    let mut unsound = attacked;
    unsound.shown[0].cells.push(99);
    let found = audit(&unsound, &Bounds::default());
    assert!(!found.settled && found.withheld.len() == unsound.shown.len());
}

/// The smallest and the largest value of each cell over all tables of whole numbers up to `most`.
fn exhaustive(table: &Table, most: u32) -> Vec<(u32, u32)> {
    let cells = table.cells.len();
    let mut found = vec![(u32::MAX, 0); cells];
    let mut values = vec![0_u32; cells];
    loop {
        let fits = |shown: &Shown| {
            let sum: u32 = shown.cells.iter().map(|cell| values[*cell]).sum();
            (shown.from..=shown.to).contains(&f64::from(sum))
        };
        if table.shown.iter().all(fits) {
            for (found, value) in found.iter_mut().zip(&values) {
                *found = (found.0.min(*value), found.1.max(*value));
            }
        }
        let Some(place) = (0..cells).find(|cell| values[*cell] < most) else {
            return found;
        };
        values[place] += 1;
        values[..place].fill(0);
    }
}

#[test]
fn on_tiny_tables_it_derives_what_trying_all_tables_derives() {
    let mut random = Random(5);
    for _ in 0..60 {
        let mut value = || {
            let value = random.below(5) as f64;
            Cell {
                protect: (random.below(2) == 0).then_some(1.5),
                ..open(value)
            }
        };
        let cells: Vec<Cell> = (0..6).map(|_| value()).collect();
        let half = random.below(2) as f64;
        let mut attacked = table(&[&cells[..3], &cells[3..]], half);
        attacked.whole_numbers = true;
        attacked.cells.iter_mut().for_each(|cell| cell.to = 5.0);
        let all = exhaustive(&attacked, 5);
        for (cell, (from, to)) in all.iter().enumerate() {
            let interval = derived(&attacked, cell, None).unwrap();
            assert_eq!(
                (interval.from, interval.to),
                (f64::from(*from), f64::from(*to))
            );
        }
        let found = audit(&attacked, &Bounds::default());
        assert!(found.settled);
        let left = exhaustive(&without(&attacked, &found), 5);
        for (cell, (from, to)) in attacked.cells.iter().zip(left) {
            assert!(cell.protect.is_none() || to - from >= 2, "{from} {to}");
        }
    }
}

#[test]
fn the_same_table_has_the_same_audit() {
    let mut random = Random(9);
    let mut cell = || {
        let value = 10.0 + random.below(1000) as f64;
        if random.below(6) == 0 {
            single(value)
        } else {
            open(value)
        }
    };
    let cells: Vec<Vec<Cell>> = (0..5).map(|_| (0..5).map(|_| cell()).collect()).collect();
    let rows: Vec<&[Cell]> = cells.iter().map(Vec::as_slice).collect();
    let attacked = table(&rows, 0.5);
    let first = audit(&attacked, &Bounds::default());
    assert_eq!(first, audit(&attacked, &Bounds::default()));
    assert!(first.settled, "{first:?}");
    assert!(is_safe(&without(&attacked, &first)));
}

//! The interval audit: what can be derived about a withheld cell from everything that a table shows.
//!
//! A table shows sums over base cells: the cells themselves, margins, totals, each rounded and so known to an interval.
//! Whoever reads it can compute, for each withheld cell, the smallest and the largest value that agrees with all of them:
//! two linear programs. A contributor to another withheld cell knows more, its own value, and so two singletons that are
//! withheld for each other's sake are no secret from each other. A protected cell is safe where the interval is wider than
//! its protection range for everybody: the outsider, and the largest contributor of each other cell. (The second largest
//! contributor of the same cell is what the range itself is made for.)
//!
//! Where it is not, further numbers are withheld, one by one and the cheapest first, until it is. The work is bounded by
//! a number of programs and not by time, so that the same table gives the same answer on every machine. Where the bound
//! is reached, or the solver fails, everything that is connected with a protected cell is withheld: coarser, and safe
//! without a program.
//!
//! Sources: sdcTable's `attack()`, and τ-ARGUS on singletons (Hundepool and others, "Statistical Disclosure Control",
//! 2012, §4). The linear programs are solved by `good_lp` with `microlp`.

use std::time::Instant;

use good_lp::{
    Expression, ResolutionError, Solution, SolverModel, Variable, constraint, microlp, variable,
    variables,
};

/// Most base cells of a table that is audited by programs; a larger one is treated as one whose bound is reached.
pub const BASE_CELLS_MAX: usize = 2_000;
/// Most programs that are solved for one table unless the caller says otherwise.
pub const PROGRAMS_MAX: u32 = 20_000;

/// A cell that all numbers of a table are sums of.
#[derive(Clone, PartialEq, Debug)]
pub struct BaseCell {
    /// What anybody knows of its value without the table: mostly 0.
    pub from: f64,
    /// Likewise: mostly infinite.
    pub to: f64,
    /// The width of the interval that has to be left, where the cell is withheld for what it would say.
    pub protect: Option<f64>,
    /// How many units contribute.
    pub units: u64,
    /// The largest contribution of one of them.
    pub largest: f64,
}

/// A number of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// The base cells it is the sum of, by position. One: a cell itself. More: a margin or a total.
    pub cells: Vec<usize>,
    /// The smallest sum that is rounded to what is shown.
    pub from: f64,
    /// The largest.
    pub to: f64,
    /// What is lost where it is withheld, such as its units.
    pub cost: f64,
}

/// A table, as far as it would be released.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    /// The base cells, shown or not.
    pub cells: Vec<BaseCell>,
    /// The numbers that would be shown.
    pub shown: Vec<Shown>,
    /// Whether all values are whole numbers.
    pub whole_numbers: bool,
    /// Whether no contribution is negative, so that a cell has at least what one unit contributes.
    pub not_negative: bool,
}

/// The work an audit may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most programs.
    pub programs_max: u32,
    /// When to stop whatever the number of programs. With it, what is withheld depends on the machine.
    pub deadline: Option<Instant>,
}

/// What an audit found.
#[derive(Clone, PartialEq, Debug)]
pub struct Audit {
    /// Positions in [`Table::shown`] of what has to be withheld too, in order.
    pub withheld: Vec<usize>,
    /// Whether every protected cell was shown to be safe. If not, everything connected with one is withheld.
    pub settled: bool,
    /// How many programs were solved.
    pub programs: u32,
}

/// What somebody can derive.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    /// The smallest value that agrees with everything shown.
    pub from: f64,
    /// The largest.
    pub to: f64,
}

/// The bound is reached, or the solver failed.
#[derive(Debug)]
struct Stopped;

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            programs_max: PROGRAMS_MAX,
            deadline: None,
        }
    }
}

/// Finds what has to be withheld so that every protected cell is safe.
pub fn audit(table: &Table, bounds: &Bounds) -> Audit {
    let mut auditing = Auditing {
        table,
        bounds,
        withheld: vec![false; table.shown.len()],
        programs: 0,
    };
    let settled = table.is_sound() && auditing.settle().is_ok();
    if !settled {
        auditing.withhold_connected();
    }
    let withheld = auditing.withheld.iter().enumerate();
    Audit {
        withheld: withheld
            .filter(|(_, withheld)| **withheld)
            .map(|(at, _)| at)
            .collect(),
        settled,
        programs: auditing.programs,
    }
}

/// What an outsider, or the largest contributor of a cell, can derive about a cell. None where the solver fails.
pub fn derived(table: &Table, cell: usize, contributor_of: Option<usize>) -> Option<Interval> {
    let bounds = Bounds::default();
    let mut auditing = Auditing {
        table,
        bounds: &bounds,
        withheld: vec![false; table.shown.len()],
        programs: 0,
    };
    if !table.is_sound() || cell >= table.cells.len() {
        return None;
    }
    auditing.interval(cell, contributor_of).ok()
}

impl Table {
    fn is_sound(&self) -> bool {
        let in_table = |shown: &Shown| shown.cells.iter().all(|cell| *cell < self.cells.len());
        let ordered = |from: f64, to: f64| from <= to;
        self.cells.len() <= BASE_CELLS_MAX
            && self
                .shown
                .iter()
                .all(|shown| in_table(shown) && ordered(shown.from, shown.to))
            && self
                .cells
                .iter()
                .all(|cell| ordered(cell.from, cell.to) && cell.largest.is_finite())
    }
}

struct Auditing<'a> {
    table: &'a Table,
    bounds: &'a Bounds,
    withheld: Vec<bool>,
    programs: u32,
}

impl Auditing<'_> {
    fn settle(&mut self) -> Result<(), Stopped> {
        for cell in 0..self.table.cells.len() {
            let Some(range) = self.table.cells[cell].protect else {
                continue;
            };
            // What was safe stays so: withholding more only widens intervals.
            while !self.is_safe(cell, range)? {
                match self.cheapest(cell) {
                    Some(shown) => self.withheld[shown] = true,
                    // Nothing shown says anything about it: what is known of it was known before.
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Whether nobody can derive the cell more closely than its range.
    fn is_safe(&mut self, cell: usize, range: f64) -> Result<bool, Stopped> {
        if !self.is_wide(cell, None, range)? {
            return Ok(false);
        }
        let connected = self.connected(cell);
        for other in connected.into_iter().filter(|other| *other != cell) {
            if self.table.cells[other].units > 0 && !self.is_wide(cell, Some(other), range)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_wide(
        &mut self,
        cell: usize,
        contributor_of: Option<usize>,
        range: f64,
    ) -> Result<bool, Stopped> {
        let interval = self.interval(cell, contributor_of)?;
        // A hair more than the range, so that a solver's error never passes a cell.
        Ok(interval.to - interval.from > range * (1.0 + 1e-6) + 1e-6)
    }

    fn interval(
        &mut self,
        cell: usize,
        contributor_of: Option<usize>,
    ) -> Result<Interval, Stopped> {
        let from = self.extreme(cell, contributor_of, false)?;
        let to = self.extreme(cell, contributor_of, true)?;
        if !self.table.whole_numbers {
            return Ok(Interval { from, to });
        }
        Ok(Interval {
            from: (from - 1e-6).ceil(),
            to: (to + 1e-6).floor(),
        })
    }

    /// The smallest or the largest value of a cell that agrees with what is shown and known.
    fn extreme(
        &mut self,
        cell: usize,
        contributor_of: Option<usize>,
        largest: bool,
    ) -> Result<f64, Stopped> {
        self.count()?;
        let mut all = variables!();
        let cells = self.table.cells.iter().enumerate();
        let cells: Vec<Variable> = cells
            .map(|(at, cell)| {
                let (from, to) = self.known(at, cell, contributor_of);
                all.add(variable().bounds(from..=to))
            })
            .collect();
        let objective: Expression = cells[cell].into();
        let problem = if largest {
            all.maximise(objective)
        } else {
            all.minimise(objective)
        };
        let mut problem = problem.using(microlp);
        for (shown, withheld) in self.table.shown.iter().zip(&self.withheld) {
            if *withheld {
                continue;
            }
            let sum = || shown.cells.iter().map(|at| cells[*at]).sum::<Expression>();
            if shown.from > f64::NEG_INFINITY {
                problem.add_constraint(constraint!(sum() >= shown.from));
            }
            if shown.to < f64::INFINITY {
                problem.add_constraint(constraint!(sum() <= shown.to));
            }
        }
        match problem.solve() {
            Ok(solution) => Ok(solution.value(cells[cell])),
            Err(ResolutionError::Unbounded) if largest => Ok(f64::INFINITY),
            Err(ResolutionError::Unbounded) => Ok(f64::NEG_INFINITY),
            Err(_) => Err(Stopped),
        }
    }

    /// What is known of a cell without the table. Its largest contributor knows what it contributes itself, and the whole
    /// where it is alone.
    fn known(&self, at: usize, cell: &BaseCell, contributor_of: Option<usize>) -> (f64, f64) {
        if contributor_of != Some(at) || cell.units == 0 {
            return (cell.from, cell.to);
        }
        if cell.units == 1 {
            return (cell.largest, cell.largest);
        }
        if self.table.not_negative {
            return (cell.from.max(cell.largest), cell.to.max(cell.largest));
        }
        (cell.from, cell.to)
    }

    fn count(&mut self) -> Result<(), Stopped> {
        let late = self
            .bounds
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline);
        if late || self.programs >= self.bounds.programs_max {
            return Err(Stopped);
        }
        self.programs += 1;
        Ok(())
    }

    fn shown(&self) -> impl Iterator<Item = (usize, &Shown)> {
        let shown = self.table.shown.iter().enumerate();
        shown.filter(|(at, _)| !self.withheld[*at])
    }

    /// What to withhold next for the sake of a cell: itself, else the cheapest cell beside it in a sum, else the cheapest
    /// sum.
    fn cheapest(&self, cell: usize) -> Option<usize> {
        let with_cell = || {
            self.shown()
                .filter(|(_, shown)| shown.cells.contains(&cell))
        };
        let itself = with_cell().find(|(_, shown)| shown.cells.len() == 1);
        if let Some((at, _)) = itself {
            return Some(at);
        }
        let beside = |shown: &Shown| {
            let [other] = shown.cells.as_slice() else {
                return false;
            };
            with_cell().any(|(_, sum)| sum.cells.contains(other))
        };
        let cost =
            |one: &(usize, &Shown), other: &(usize, &Shown)| one.1.cost.total_cmp(&other.1.cost);
        let neighbours = self.shown().filter(|(_, shown)| beside(shown));
        let cheapest = neighbours.min_by(cost).or_else(|| with_cell().min_by(cost));
        // A sum of other cells can still tell, by way of cells that are in several.
        let cheapest = cheapest.or_else(|| {
            let connected = self.connected(cell);
            let linked = |shown: &Shown| shown.cells.iter().any(|at| connected.contains(at));
            self.shown().filter(|(_, shown)| linked(shown)).min_by(cost)
        });
        cheapest.map(|(at, _)| at)
    }

    /// The cells that are connected with a cell by what is shown.
    fn connected(&self, cell: usize) -> Vec<usize> {
        let mut reached = vec![false; self.table.cells.len()];
        reached[cell] = true;
        let mut used = vec![false; self.table.shown.len()];
        loop {
            let touches = |(at, shown): &(usize, &Shown)| {
                !used[*at] && shown.cells.iter().any(|cell| reached[*cell])
            };
            let next: Vec<usize> = self.shown().filter(touches).map(|(at, _)| at).collect();
            if next.is_empty() {
                break;
            }
            for at in next {
                used[at] = true;
                self.table.shown[at]
                    .cells
                    .iter()
                    .for_each(|cell| reached[*cell] = true);
            }
        }
        let cells = reached.iter().enumerate();
        cells
            .filter(|(_, reached)| **reached)
            .map(|(cell, _)| cell)
            .collect()
    }

    /// Withholds everything that is connected with a protected cell, or everything where the table is not sound.
    fn withhold_connected(&mut self) {
        if !self.table.is_sound() {
            self.withheld.fill(true);
            return;
        }
        let protected = self.table.cells.iter().enumerate();
        let protected: Vec<usize> = protected
            .filter(|(_, cell)| cell.protect.is_some())
            .map(|(at, _)| at)
            .collect();
        for cell in protected {
            let connected = self.connected(cell);
            for (at, shown) in self.table.shown.iter().enumerate() {
                self.withheld[at] |= shown.cells.iter().any(|cell| connected.contains(cell));
            }
        }
    }
}

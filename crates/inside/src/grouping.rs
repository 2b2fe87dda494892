//! How rows are grouped: the keys, and the sets of them that `ROLLUP`, `CUBE` and `GROUPING SETS` ask for.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, plan_err};
use datafusion::logical_expr::utils::{enumerate_grouping_sets, grouping_set_to_exprlist};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, ident, lit, when};

use crate::statistics::SET_COLUMN;
use crate::total::one_nan;

/// Most sets of keys in one query. A cube of six keys has 64.
pub const GROUPING_SETS_MAX: usize = 64;

/// The keys of a table and the sets of them by which rows are grouped.
#[derive(Debug, Clone)]
pub(crate) struct Grouping {
    /// Each key once.
    pub(crate) keys: Vec<Expr>,
    /// For each set, for each key, whether it is in the set. One set of all keys where the query names no sets.
    pub(crate) sets: Vec<Vec<bool>>,
    /// Whether the query names sets, even one.
    pub(crate) is_of_sets: bool,
}

impl Grouping {
    /// Reads the grouping of an aggregate.
    pub(crate) fn new(aggregate: &Aggregate) -> Result<Self> {
        let groups = enumerate_grouping_sets(aggregate.group_expr.clone())?;
        let keys: Vec<Expr> = grouping_set_to_exprlist(&groups)?
            .into_iter()
            .cloned()
            .collect();
        let sets: Vec<Vec<Expr>> = match groups.first() {
            Some(Expr::GroupingSet(GroupingSet::GroupingSets(sets))) => sets.clone(),
            Some(Expr::GroupingSet(GroupingSet::Rollup(keys))) => (0..=keys.len())
                .rev()
                .map(|to| keys[..to].to_vec())
                .collect(),
            Some(Expr::GroupingSet(GroupingSet::Cube(keys))) => subsets(keys)?,
            _ => {
                let all = vec![vec![true; keys.len()]];
                return Ok(Self {
                    keys,
                    sets: all,
                    is_of_sets: false,
                });
            }
        };
        if sets.len() > GROUPING_SETS_MAX {
            return plan_err!("a query groups by at most {GROUPING_SETS_MAX} sets of keys");
        }
        let sets: Vec<Vec<bool>> = sets
            .iter()
            .map(|set| keys.iter().map(|key| set.contains(key)).collect())
            .collect();
        if (1..sets.len()).any(|at| sets[..at].contains(&sets[at])) {
            return plan_err!("a set of keys is grouped by twice");
        }
        Ok(Self {
            keys,
            sets,
            is_of_sets: true,
        })
    }

    /// The expressions to group by below the split, with one NaN and one name each.
    pub(crate) fn expressions(&self, input: &DFSchema) -> Result<Vec<Expr>> {
        let keys = self.keys.iter().map(|key| one_nan(key, input));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        if !self.is_of_sets {
            return Ok(keys);
        }
        let chosen = |set: &Vec<bool>| {
            let of_set = keys.iter().zip(set).filter(|(_, is_in)| **is_in);
            of_set.map(|(key, _)| key.clone()).collect()
        };
        let sets = self.sets.iter().map(chosen).collect();
        Ok(vec![Expr::GroupingSet(GroupingSet::GroupingSets(sets))])
    }

    /// How many columns the engine's aggregate has for the grouping: the keys, and the set where there are sets.
    pub(crate) fn columns(&self) -> usize {
        self.keys.len() + usize::from(self.is_of_sets)
    }

    /// The engine's number for a set: a bit for each key, the first one highest, that is 1 where the key is not in the
    /// set.
    pub(crate) fn id(set: &[bool]) -> u64 {
        set.iter()
            .fold(0, |id, is_in| (id << 1) | u64::from(!is_in))
    }

    /// The engine's number of a cell's set, of the released column that tells the set.
    pub(crate) fn id_column(&self, data_type: &DataType) -> Result<Expr> {
        let ids = self.sets.iter().map(|set| lit(Self::id(set)));
        by_set(ids.collect(), lit(0_u64))
            .map(|id| datafusion::logical_expr::cast(id, data_type.clone()))
    }

    /// `GROUPING(key, …)`: the same number over the keys that are named.
    pub(crate) fn function(&self, named: &[Expr]) -> Result<Expr> {
        let positions = named
            .iter()
            .map(
                |key| match self.keys.iter().position(|known| known == key) {
                    Some(position) => Ok(position),
                    None => plan_err!("GROUPING names {key}, which is no key of the GROUP BY"),
                },
            )
            .collect::<Result<Vec<_>>>()?;
        let of = |set: &Vec<bool>| {
            let named: Vec<bool> = positions.iter().map(|at| set[*at]).collect();
            lit(i32::try_from(Self::id(&named)).unwrap_or(i32::MAX))
        };
        by_set(self.sets.iter().map(of).collect(), lit(0_i32))
    }
}

/// A number for each set, of the released column that tells the set; a table of one set has no such column.
fn by_set(numbers: Vec<Expr>, otherwise: Expr) -> Result<Expr> {
    if let [number] = numbers.as_slice() {
        return Ok(number.clone());
    }
    let mut cases: Option<datafusion::logical_expr::conditional_expressions::CaseBuilder> = None;
    for (set, number) in (0_u32..).zip(numbers) {
        let is = ident(SET_COLUMN).eq(lit(set));
        cases = Some(match cases {
            Some(mut cases) => cases.when(is, number),
            None => when(is, number),
        });
    }
    match cases {
        Some(mut cases) => cases.otherwise(otherwise),
        None => Ok(otherwise),
    }
}

fn subsets(keys: &[Expr]) -> Result<Vec<Vec<Expr>>> {
    let count = u32::try_from(keys.len())
        .ok()
        .and_then(|keys| 1_usize.checked_shl(keys));
    let Some(count) = count.filter(|count| *count <= GROUPING_SETS_MAX) else {
        return plan_err!("a query groups by at most {GROUPING_SETS_MAX} sets of keys");
    };
    let subset = |bits: usize| {
        let chosen = keys
            .iter()
            .enumerate()
            .filter(|(at, _)| bits >> at & 1 == 1);
        chosen.map(|(_, key)| key.clone()).collect()
    };
    // The largest first, as a reader expects totals below.
    let mut sets: Vec<Vec<Expr>> = (0..count).rev().map(subset).collect();
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    Ok(sets)
}

//! From identifiers to unit ids: what the relations of a query share, and which units its rows are about.
//!
//! Joining `trips` and `people` on the driver's identifier joins rows of one unit. So the joined rows are about that
//! unit, and about every further unit of either dataset (the vehicle of the trip). Unit columns that a join makes equal
//! are one kind; the gate judges a cell for each kind by itself, and the most restrictive decides.

use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Ident, JoinConstraint, JoinOperator, SetExpr, TableAlias, TableFactor,
};

use crate::error::SqlError;
use crate::planner::Sources;
use crate::query::Query;
use crate::relations::{On, OnColumns, Relation};
use weir_vault::unit_column;

/// A unit column of a relation: positions in the query's relations and in the dataset's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UnitAt {
    relation: usize,
    unit: usize,
}

/// A query whose joins are on unit ids.
pub(crate) struct Joined {
    pub(crate) statement: ast::Query,
    /// One unit column for each kind of unit that a row is about. The first is the one that rows are sorted by.
    pub(crate) units: Vec<Expr>,
}

/// Reads the joins of `query` as joins on unit ids.
pub(crate) fn join(query: &Query, sources: &Sources) -> Result<Joined, SqlError> {
    let mut statement = query.statement.clone();
    let mut kinds: Vec<Vec<UnitAt>> = Vec::new();
    let mut pairs = Vec::new();
    for (index, relation) in query.relations.iter().enumerate() {
        let units = sources.relations[index].units.len();
        kinds.extend((0..units).map(|unit| {
            vec![UnitAt {
                relation: index,
                unit,
            }]
        }));
        if let Some(on) = &relation.on {
            let pair = Resolver { query, sources }.pair(on, index)?;
            unite(&mut kinds, pair);
            pairs.push(pair);
        }
    }
    rewrite(&mut statement, query, &pairs);
    let units = kinds
        .iter()
        .filter_map(|kind| kind.first())
        .map(|first| column(query, *first))
        .collect();
    Ok(Joined { statement, units })
}

/// Makes the kinds of both sides one. The older one stays, so that the first unit of the first relation stays first.
fn unite(kinds: &mut Vec<Vec<UnitAt>>, [left, right]: [UnitAt; 2]) {
    let of = |unit| kinds.iter().position(|kind| kind.contains(&unit));
    if let (Some(left), Some(right)) = (of(left), of(right))
        && left != right
    {
        let moved = kinds.remove(left.max(right));
        kinds[left.min(right)].extend(moved);
    }
}

fn column(query: &Query, at: UnitAt) -> Expr {
    let relation = query.relations[at.relation].name.as_str();
    let name = unit_column(at.unit);
    Expr::Column(Column::new(Some(relation), name))
}

struct Resolver<'a> {
    query: &'a Query,
    sources: &'a Sources,
}

impl Resolver<'_> {
    /// The unit columns that a join makes equal: one of `joined`, one of a relation before it.
    fn pair(&self, on: &On, joined: usize) -> Result<[UnitAt; 2], SqlError> {
        let refused = || SqlError::JoinNotOnUnit {
            condition: on.text.clone(),
            identifiers: self.identifiers(joined),
        };
        let [left, right] = match &on.columns {
            OnColumns::Equal([left, right]) => [
                self.named(left, joined).ok_or_else(refused)?,
                self.named(right, joined).ok_or_else(refused)?,
            ],
            OnColumns::Using(column) => {
                let of = |relation| self.unit(relation, column);
                let mut before = (0..joined).filter_map(of);
                let (Some(left), None, Some(right)) = (before.next(), before.next(), of(joined))
                else {
                    return Err(refused());
                };
                [left, right]
            }
        };
        if (left.relation == joined) == (right.relation == joined) {
            return Err(refused());
        }
        let population =
            |at: UnitAt| &self.sources.relations[at.relation].units[at.unit].population;
        if population(left) != population(right) {
            return Err(SqlError::JoinPopulations {
                condition: on.text.clone(),
                left: population(left).clone(),
                right: population(right).clone(),
            });
        }
        Ok([left, right])
    }

    fn named(&self, (relation, column): &(String, String), joined: usize) -> Option<UnitAt> {
        let known = &self.query.relations[..=joined];
        let relation = known.iter().position(|known| known.name == *relation)?;
        self.unit(relation, column)
    }

    fn unit(&self, relation: usize, identifier: &str) -> Option<UnitAt> {
        let units = &self.sources.relations[relation].units;
        let unit = units
            .iter()
            .position(|unit| unit.identifier == identifier)?;
        Some(UnitAt { relation, unit })
    }

    /// What can be written in the condition, for a message.
    fn identifiers(&self, joined: usize) -> String {
        let of = |(relation, source): (&Relation, &crate::planner::RelationSource)| {
            let name = relation.name.clone();
            let written = move |unit: &crate::planner::UnitSource| {
                format!("{name}.{} ({})", unit.identifier, unit.population)
            };
            source.units.iter().map(written).collect::<Vec<_>>()
        };
        let relations = self.query.relations.iter().zip(&self.sources.relations);
        let all: Vec<String> = relations.take(joined + 1).flat_map(of).collect();
        all.join(", ")
    }
}

/// Writes the joins on unit ids, and gives every relation the name by which they are written.
fn rewrite(statement: &mut ast::Query, query: &Query, pairs: &[[UnitAt; 2]]) {
    let SetExpr::Select(select) = statement.body.as_mut() else {
        return;
    };
    let Some(from) = select.from.first_mut() else {
        return;
    };
    let mut names = query
        .relations
        .iter()
        .map(|relation| relation.name.as_str());
    if let Some(name) = names.next() {
        set_alias(&mut from.relation, name);
    }
    for ((join, name), pair) in from.joins.iter_mut().zip(names).zip(pairs) {
        set_alias(&mut join.relation, name);
        let [left, right] = pair.map(|at| {
            let relation = query.relations[at.relation].name.as_str();
            let column = unit_column(at.unit);
            Box::new(ast::Expr::CompoundIdentifier(vec![
                Ident::with_quote('"', relation),
                Ident::with_quote('"', column),
            ]))
        });
        let on = JoinConstraint::On(ast::Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        });
        join.join_operator = match join.join_operator {
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => JoinOperator::Left(on),
            _ => JoinOperator::Inner(on),
        };
    }
}

fn set_alias(factor: &mut TableFactor, name: &str) {
    if let TableFactor::Table { alias, .. } = factor {
        *alias = Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', name),
            columns: Vec::new(),
            at: None,
        });
    }
}

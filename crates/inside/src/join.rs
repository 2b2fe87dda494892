//! From identifiers to unit ids: what the relations of a query share, and which units its rows are about.
//!
//! Joining `trips` and `people` on the driver's identifier joins rows of one unit. So the joined rows are about that
//! unit, and about every further unit of either dataset (the vehicle of the trip). Unit columns that a join makes equal
//! are one kind; the gate judges a cell for each kind by itself, and the most restrictive decides.

use std::ops::ControlFlow;

use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Ident, JoinConstraint, JoinOperator, SetExpr, TableAlias, TableFactor,
    VisitMut, VisitorMut,
};

use crate::error::SqlError;
use crate::evidence::{Kind, row_number};
use crate::expression;
use crate::names::{fragment, normalise, place};
use crate::planner::Sources;
use crate::query::Query;
use crate::relations::{On, OnColumns, Relation};
use crate::rewrite as written;
use crate::rights::ColumnRights;
use crate::units;
use weir_vault::{ROW_COLUMN, unit_column};

/// A unit column of a relation: positions in the query's relations and in the dataset's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UnitAt {
    relation: usize,
    unit: usize,
}

/// A query whose joins are on unit ids or public columns.
pub(crate) struct Joined {
    pub(crate) statement: ast::Query,
    /// The kinds of unit that a row is about.
    pub(crate) kinds: Vec<Kind>,
    /// The population of each of them.
    pub(crate) populations: Vec<String>,
    /// Whether the first kind is the one that the rows of the first relation are sorted by, each with one.
    pub(crate) first_leads: bool,
}

/// What a join makes equal.
#[derive(Debug, Clone)]
enum Pair {
    /// Unit ids.
    Units([UnitAt; 2]),
    /// Columns of which one is known to anybody, by relation and name.
    Public([(usize, String); 2]),
}

/// Reads the joins of `query` as joins on unit ids, or on public columns.
///
/// A join on public columns unites no units: rows are then about units of both sides. A relation of which every column is
/// public says nothing about its units that needs protection, so that they are no kind.
pub(crate) fn join(query: &Query, sources: &Sources) -> Result<Joined, SqlError> {
    let resolver = Resolver { query, sources };
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
            let pair = resolver.pair(on, index)?;
            if let Pair::Units(pair) = pair {
                unite(&mut kinds, pair);
            }
            pairs.push(pair);
        }
    }
    let protected: Vec<Vec<UnitAt>> = kinds
        .iter()
        .filter(|kind| {
            kind.iter()
                .any(|at| sources.relations[at.relation].protects())
        })
        .cloned()
        .collect();
    if !protected.is_empty() {
        kinds = protected;
    }
    rewrite(&mut statement, query, &pairs);
    count_units(&mut statement, &resolver, &kinds)?;
    let leading = UnitAt {
        relation: 0,
        unit: 0,
    };
    let firsts = || kinds.iter().filter_map(|kind| kind.first());
    Ok(Joined {
        statement,
        kinds: kinds
            .iter()
            .filter_map(|kind| {
                Some(Kind {
                    unit: column(query, *kind.first()?),
                    number: number(query, sources, kind),
                })
            })
            .collect(),
        populations: firsts()
            .map(|first| {
                let units = &sources.relations[first.relation].units;
                units[first.unit].population.clone()
            })
            .collect(),
        first_leads: firsts().next() == Some(&leading),
    })
}

/// Writes `COUNT(DISTINCT identifier)` as a count of units of the identifier's kind.
fn count_units(
    statement: &mut ast::Query,
    resolver: &Resolver<'_>,
    kinds: &[Vec<UnitAt>],
) -> Result<(), SqlError> {
    let visited = statement.visit(&mut CountUnits { resolver, kinds });
    match visited {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct CountUnits<'a> {
    resolver: &'a Resolver<'a>,
    kinds: &'a [Vec<UnitAt>],
}

impl VisitorMut for CountUnits<'_> {
    type Break = Box<SqlError>;

    fn pre_visit_expr(&mut self, expression: &mut ast::Expr) -> ControlFlow<Self::Break> {
        let ast::Expr::Function(function) = expression else {
            return ControlFlow::Continue(());
        };
        let ast::FunctionArguments::List(list) = &function.args else {
            return ControlFlow::Continue(());
        };
        if list.duplicate_treatment.is_none() {
            return ControlFlow::Continue(());
        }
        let given = written::arguments(function);
        match given
            .first()
            .and_then(|column| self.resolver.identified(column, self.kinds))
        {
            Some(first) => {
                let relation = self.resolver.query.relations[first.relation].name.as_str();
                let unit = column_name(relation, &unit_column(first.unit));
                *expression = written::call(units::NAME, vec![unit]);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(Box::new(SqlError::Expression {
                fragment: fragment(expression),
                place: place(&*expression),
                help: expression::DISTINCT,
            })),
        }
    }
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

/// What tells the rows of a unit apart: the numbers that rows of relations about its kind have among those of their own unit, and
/// which unit that is, where it is another kind. None where there is one row of each. What is joined by a public column is
/// no row of the unit's: it may be looked up in one query and not in another.
fn number(query: &Query, sources: &Sources, kind: &[UnitAt]) -> Option<Expr> {
    let mut of = Vec::new();
    for (relation, source) in sources.relations.iter().enumerate() {
        if !kind.iter().any(|at| at.relation == relation) {
            continue;
        }
        let first = UnitAt { relation, unit: 0 };
        if !kind.contains(&first) {
            of.push(column(query, first));
        }
        if source.numbers_rows() {
            let name = query.relations[relation].name.as_str();
            of.push(Expr::Column(Column::new(Some(name), ROW_COLUMN)));
        }
    }
    match sources.relations.len() {
        _ if of.is_empty() => None,
        1 if of.len() == 1 => of.pop(),
        _ => Some(row_number(of)),
    }
}

struct Resolver<'a> {
    query: &'a Query,
    sources: &'a Sources,
}

impl Resolver<'_> {
    /// The first unit of the kind that an identifier names, if it names one.
    fn identified(&self, identifier: &ast::Expr, kinds: &[Vec<UnitAt>]) -> Option<UnitAt> {
        let (relation, column) = match identifier {
            ast::Expr::Identifier(column) => (None, normalise(column)),
            ast::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [relation, column] => (Some(normalise(relation)), normalise(column)),
                _ => return None,
            },
            _ => return None,
        };
        let relations = self.query.relations.iter().enumerate();
        let named = relations.filter(|(_, known)| {
            relation
                .as_ref()
                .is_none_or(|relation| known.name == *relation)
        });
        let mut units = named.filter_map(|(at, _)| self.unit(at, &column));
        let unit = units.next()?;
        let kind = kinds.iter().find(|kind| kind.contains(&unit))?;
        // The same name in two relations is one question only where it is one kind.
        units
            .all(|other| kind.contains(&other))
            .then(|| kind.first().copied())?
    }

    /// What a join makes equal: one column of `joined`, one of a relation before it.
    fn pair(&self, on: &On, joined: usize) -> Result<Pair, SqlError> {
        if let OnColumns::Equal([left, right]) = &on.columns
            && let (Some(one), Some(other)) =
                (self.stored(left, joined), self.stored(right, joined))
            && (one.0 == joined) != (other.0 == joined)
            && may_meet(one.1, other.1)
        {
            let column =
                |(relation, rights): (usize, &ColumnRights)| (relation, rights.name.clone());
            return Ok(Pair::Public([column(one), column(other)]));
        }
        self.units(on, joined).map(Pair::Units)
    }

    /// A column that is stored, and its relation.
    fn stored(
        &self,
        (relation, column): &(String, String),
        joined: usize,
    ) -> Option<(usize, &ColumnRights)> {
        let known = &self.query.relations[..=joined];
        let relation = known.iter().position(|known| known.name == *relation)?;
        let rights = &self.sources.relations[relation].rights;
        let rights = rights.iter().find(|rights| rights.name == *column)?;
        Some((relation, rights))
    }

    fn units(&self, on: &On, joined: usize) -> Result<[UnitAt; 2], SqlError> {
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

/// Whether rows may be joined where two columns are equal: one of them is known to anybody, and the other may be compared
/// with any value one knows, for that is what such a join does.
pub(crate) fn may_meet(one: &ColumnRights, other: &ColumnRights) -> bool {
    let is_free = |rights: &ColumnRights| rights.read && rights.compare && rights.group;
    let is_public = |rights: &ColumnRights| rights.read && rights.is_public;
    (is_public(one) && is_free(other)) || (is_public(other) && is_free(one))
}

/// Writes the joins on unit ids, and gives every relation the name by which they are written.
fn rewrite(statement: &mut ast::Query, query: &Query, pairs: &[Pair]) {
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
        let name_of = |relation: usize| query.relations[relation].name.as_str();
        let [left, right] = match pair {
            Pair::Units(pair) => {
                pair.map(|at| column_name(name_of(at.relation), &unit_column(at.unit)))
            }
            Pair::Public(pair) => pair
                .each_ref()
                .map(|(relation, column)| column_name(name_of(*relation), column)),
        };
        let [left, right] = [Box::new(left), Box::new(right)];
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

fn column_name(relation: &str, column: &str) -> ast::Expr {
    ast::Expr::CompoundIdentifier(vec![
        Ident::with_quote('"', relation),
        Ident::with_quote('"', column),
    ])
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

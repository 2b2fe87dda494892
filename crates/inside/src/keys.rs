//! What is known of a table's keys before data is read: their levels, and which of them say nothing new.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use weir_gate::{Key, Levels};
use weir_model::ValueType;

use crate::histogram::Bins;
use crate::planner::{RelationSource, Sources};
use crate::query::Query;
use crate::rights::Declared;

/// What the manifests and models say of the columns of a query.
#[derive(Clone, Copy)]
pub(crate) struct Meanings<'a> {
    pub(crate) query: &'a Query,
    pub(crate) sources: &'a Sources,
}

/// What is known of one column.
struct Meaning {
    is_public: bool,
    is_sensitive: bool,
    declared: Declared,
    bounds: Option<(f64, f64)>,
}

impl Meanings<'_> {
    /// Whether an expression says what must not become known about a unit: it reads a sensitive column, or an output of a
    /// model that does.
    pub(crate) fn is_sensitive(&self, expression: &Expr) -> bool {
        let columns = expression.column_refs();
        columns
            .into_iter()
            .any(|column| self.of(column).is_some_and(|meaning| meaning.is_sensitive))
    }

    /// What is known of the keys of a table over this input.
    pub(crate) fn keys(&self, keys: &[Expr], input: &LogicalPlan) -> Vec<Key> {
        let fixed = fixed(input);
        let known = |key: &Expr| Key {
            levels: self.levels(key, input.schema()),
            fixed: fixed.contains(&key),
            public: self.is_public(key),
        };
        keys.iter().map(known).collect()
    }

    /// How many values each key can have at most, where that is declared.
    pub(crate) fn counts(&self, keys: &[Expr], input: &DFSchema) -> Vec<Option<u64>> {
        let count = |key: &Expr| match self.values(key, input) {
            Some(values) => Some(values.len() as u64),
            // A function of columns has no more values than they have combinations.
            None => key
                .column_refs()
                .into_iter()
                .try_fold(1_u64, |count, column| {
                    let of_column = match self.of(column)?.declared {
                        Declared::Nothing => None,
                        Declared::Bounds(count) => count,
                        Declared::Values(values) => Some(values.len() as u64),
                    };
                    Some(count.saturating_mul(of_column?))
                }),
        };
        keys.iter().map(count).collect()
    }

    /// Combinations of keys that the manifests declare structural, by position.
    pub(crate) fn structural(&self, keys: &[Expr]) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        let relations = self.query.relations.iter().zip(&self.sources.relations);
        for (relation, source) in relations {
            for columns in &source.structural {
                let is_of = |key: &Expr| match key {
                    Expr::Column(column) => {
                        is_of(column, &relation.name) && columns.contains(&column.name)
                    }
                    _ => false,
                };
                let positions: Vec<usize> =
                    (0..keys.len()).filter(|at| is_of(&keys[*at])).collect();
                // One key of several says nothing: it is the combination that is public.
                if positions.len() > 1 || (positions.len() == 1 && columns.len() == 1) {
                    found.push(positions);
                }
            }
        }
        found
    }

    /// Whether anybody knows an expression's value: all it reads is public.
    fn is_public(&self, key: &Expr) -> bool {
        let columns = key.column_refs();
        columns
            .into_iter()
            .all(|column| self.of(column).is_some_and(|meaning| meaning.is_public))
    }

    fn levels(&self, key: &Expr, input: &DFSchema) -> Levels {
        if let Some(values) = self.values(key, input) {
            return Levels::Closed(values);
        }
        let columns = key.column_refs();
        let is_bounded = columns.into_iter().all(|column| {
            let meaning = self.of(column);
            meaning.is_some_and(|meaning| !matches!(meaning.declared, Declared::Nothing))
        });
        if is_bounded {
            Levels::Bounded
        } else {
            Levels::Open
        }
    }

    /// Every value that an expression can have beside null, if they are known, in its own type.
    fn values(&self, key: &Expr, input: &DFSchema) -> Option<ArrayRef> {
        let data_type = key.get_type(input).ok()?;
        let values: ArrayRef = match key {
            Expr::Column(column) => match self.of(column)?.declared {
                Declared::Values(values) => values,
                _ if data_type == DataType::Boolean => both(),
                _ => return None,
            },
            Expr::Alias(alias) => return self.values(&alias.expr, input),
            Expr::ScalarFunction(call) => match Bins::of(call) {
                Some(bins) => Arc::new(bins.edges()),
                None if data_type == DataType::Boolean => both(),
                None => return None,
            },
            Expr::Case(case) => literals(case)?,
            _ if data_type == DataType::Boolean => both(),
            _ => return None,
        };
        cast(&values, &data_type).ok()
    }

    /// The smallest and the largest value that the manifest declares for a column.
    pub(crate) fn bounds(&self, column: &Column) -> Option<(f64, f64)> {
        self.of(column)?.bounds
    }

    fn of(&self, column: &Column) -> Option<Meaning> {
        let relations = self.query.relations.iter().zip(&self.sources.relations);
        let mut sources = relations
            .filter(|(relation, _)| is_of(column, &relation.name))
            .map(|(_, source)| source);
        sources.find_map(|source| of_source(source, &column.name))
    }
}

fn is_of(column: &Column, relation: &str) -> bool {
    column
        .relation
        .as_ref()
        .is_none_or(|name| name.table() == relation)
}

fn of_source(source: &RelationSource, column: &str) -> Option<Meaning> {
    if let Some(rights) = source.rights.iter().find(|rights| rights.name == column) {
        return Some(Meaning {
            is_public: rights.is_public,
            is_sensitive: rights.is_sensitive,
            declared: rights.declared.clone(),
            bounds: rights.bounds,
        });
    }
    let signature = source.model.as_ref()?.model.signature();
    let output = signature
        .outputs
        .iter()
        .find(|output| output.column == column)?;
    let reads = |name: &str| signature.inputs.iter().any(|input| input.column == name);
    let mut read = source.rights.iter().filter(|rights| reads(&rights.name));
    Some(Meaning {
        is_public: false,
        is_sensitive: read.any(|rights| rights.is_sensitive),
        declared: match &output.ty {
            ValueType::Enum(domain) => {
                Declared::Values(Arc::new(StringArray::from_iter_values(&domain.cases)))
            }
            _ => Declared::Nothing,
        },
        bounds: None,
    })
}

fn both() -> ArrayRef {
    Arc::new(BooleanArray::from(vec![false, true]))
}

/// The results of a `CASE`, where each of them is a literal.
fn literals(case: &Case) -> Option<ArrayRef> {
    let results = case.when_then_expr.iter().map(|(_, then)| then);
    let mut values = Vec::new();
    for result in results.chain(&case.else_expr) {
        let Expr::Literal(value, _) = result.as_ref() else {
            return None;
        };
        if !value.is_null() && !values.contains(value) {
            values.push(value.clone());
        }
    }
    datafusion::common::ScalarValue::iter_to_array(values).ok()
}

/// The expressions that a condition on every row makes equal to a literal.
fn fixed(input: &LogicalPlan) -> Vec<&Expr> {
    let mut found = Vec::new();
    if let LogicalPlan::Filter(filter) = input {
        conjuncts(&filter.predicate, &mut found);
        found.extend(fixed(&filter.input));
    }
    found
}

fn conjuncts<'a>(condition: &'a Expr, found: &mut Vec<&'a Expr>) {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition else {
        return;
    };
    match (op, left.as_ref(), right.as_ref()) {
        (Operator::And, left, right) => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        (Operator::Eq, fixed, Expr::Literal(..)) | (Operator::Eq, Expr::Literal(..), fixed) => {
            found.push(fixed);
        }
        _ => {}
    }
}

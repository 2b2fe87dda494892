//! The `FROM` clause: datasets, or models over datasets, joined on their units.
//!
//! A join is written on the columns that identify the unit, as the manifests name them: `ON trips.driver = people.id`.
//! These columns are not stored, so no expression can read them; the equality is understood as that of unit ids
//! (`join.rs`). Only the allow-list over syntax is here; nothing is known of the data yet.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, ObjectNamePart, TableFactor, TableWithJoins,
};

use crate::check::{clause, refuse_if};
use crate::error::SqlError;
use crate::names::{RESERVED_PREFIX, fragment, normalise, place, place_of, simple};

/// Most relations in one `FROM`.
pub const RELATIONS_MAX: usize = 8;

const FROM: &str = "Write FROM dataset or FROM model(dataset)";
const ON: &str = "Write JOIN other ON one.identifier = other.identifier, with the columns that identify the unit";

/// What one relation of `FROM` reads: a dataset, or a model over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The dataset's name.
    pub dataset: String,
    /// The model it is read through, if any.
    pub model: Option<String>,
}

/// One relation of `FROM`, with how it is joined to those before it.
#[derive(Debug)]
pub(crate) struct Relation {
    /// What the query calls it: its alias, or else the name of the model or the dataset.
    pub(crate) name: String,
    pub(crate) reading: Reading,
    /// `None` for the first.
    pub(crate) on: Option<On>,
}

/// The condition of a join.
#[derive(Debug)]
pub(crate) struct On {
    /// As the caller wrote it, for messages.
    pub(crate) text: String,
    pub(crate) columns: OnColumns,
}

/// The columns that a join names.
#[derive(Debug)]
pub(crate) enum OnColumns {
    /// `ON a.x = b.y`: relation and column on either side.
    Equal([(String, String); 2]),
    /// `USING (x)`.
    Using(String),
}

/// Reads the `FROM` of a query.
pub(crate) fn relations(
    from: &[TableWithJoins],
    whole: crate::error::Place,
) -> Result<Vec<Relation>, SqlError> {
    let [TableWithJoins { relation, joins }] = from else {
        return Err(clause(
            "a FROM that does not name exactly one dataset",
            whole,
            "Write FROM dataset or FROM model(dataset), and JOIN … ON … for another dataset",
        ));
    };
    refuse_if(
        joins.len() >= RELATIONS_MAX,
        "a FROM of more than 8 relations",
        place(relation),
        "Join fewer datasets",
    )?;
    let mut relations = vec![named(relation, None)?];
    for join in joins {
        let Join {
            relation,
            global,
            join_operator,
        } = join;
        refuse_if(*global, "GLOBAL JOIN", place(relation), ON)?;
        let on = on(join_operator, relation)?;
        relations.push(named(relation, Some(on))?);
    }
    for (index, relation) in relations.iter().enumerate() {
        if relations[..index]
            .iter()
            .any(|other| other.name == relation.name)
        {
            return Err(SqlError::RelationTwice {
                name: fragment(&relation.name),
            });
        }
    }
    Ok(relations)
}

fn named(factor: &TableFactor, on: Option<On>) -> Result<Relation, SqlError> {
    match factor {
        TableFactor::Table { .. } => {}
        TableFactor::Derived { .. } | TableFactor::NestedJoin { .. } => {
            return Err(clause(
                "a subquery in FROM",
                place(factor),
                "Put its conditions into WHERE and its expressions into the SELECT",
            ));
        }
        _ => return Err(clause("this kind of FROM", place(factor), FROM)),
    }
    let alias = plain_alias(factor)?;
    let reading = reading(factor).ok_or_else(|| {
        clause(
            "this kind of FROM",
            place(factor),
            "Write FROM dataset or FROM model(dataset), with plain names: no path, schema, literal or expression",
        )
    })?;
    let name = match alias {
        Some(alias) => not_reserved(alias)?,
        None => reading.model.as_ref().unwrap_or(&reading.dataset).clone(),
    };
    Ok(Relation { name, reading, on })
}

/// The alias of a table that has no modifier.
fn plain_alias(factor: &TableFactor) -> Result<Option<&Ident>, SqlError> {
    let TableFactor::Table {
        name: _,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
    } = factor
    else {
        return Ok(None);
    };
    let plain = with_hints.is_empty()
        && version.is_none()
        && !with_ordinality
        && partitions.is_empty()
        && json_path.is_none()
        && sample.is_none()
        && index_hints.is_empty()
        && args.as_ref().is_none_or(|args| args.settings.is_none())
        && alias
            .as_ref()
            .is_none_or(|alias| alias.columns.is_empty() && alias.at.is_none());
    refuse_if(
        !plain,
        "a modifier of the table",
        place(factor),
        "Write FROM dataset AS name, without hints, samples, versions or column lists",
    )?;
    Ok(alias.as_ref().map(|alias| &alias.name))
}

/// Reads `dataset` or `model(dataset)`.
fn reading(factor: &TableFactor) -> Option<Reading> {
    let TableFactor::Table { name, args, .. } = factor else {
        return None;
    };
    let name = normalise(simple(name)?);
    let Some(args) = args else {
        return Some(Reading {
            dataset: name,
            model: None,
        });
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(dataset)))] =
        args.args.as_slice()
    else {
        return None;
    };
    Some(Reading {
        dataset: normalise(dataset),
        model: Some(name),
    })
}

/// Inner and left joins, on one equality.
fn on(operator: &JoinOperator, relation: &TableFactor) -> Result<On, SqlError> {
    let constraint = match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => constraint,
        _ => {
            return Err(clause(
                "this kind of JOIN",
                place(relation),
                "Use JOIN … ON … or LEFT JOIN … ON …",
            ));
        }
    };
    match constraint {
        JoinConstraint::On(condition) => Ok(On {
            text: fragment(condition),
            columns: OnColumns::Equal(equality(condition)?),
        }),
        JoinConstraint::Using(columns) => match columns.as_slice() {
            [ObjectName(parts)] if matches!(parts.as_slice(), [ObjectNamePart::Identifier(_)]) => {
                let column = parts.iter().find_map(ObjectNamePart::as_ident);
                let column = column.map(not_reserved).transpose()?.unwrap_or_default();
                Ok(On {
                    text: format!("USING ({})", fragment(&column)),
                    columns: OnColumns::Using(column),
                })
            }
            _ => Err(clause("USING of several columns", place(relation), ON)),
        },
        JoinConstraint::Natural | JoinConstraint::None => {
            Err(clause("a JOIN without ON", place(relation), ON))
        }
    }
}

/// `a.x = b.y` and nothing else.
fn equality(condition: &Expr) -> Result<[(String, String); 2], SqlError> {
    match condition {
        Expr::Nested(inner) => equality(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => Ok([qualified(left)?, qualified(right)?]),
        _ => Err(clause("this condition of a JOIN", place(condition), ON)),
    }
}

fn qualified(expr: &Expr) -> Result<(String, String), SqlError> {
    match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [relation, column] => Ok((not_reserved(relation)?, not_reserved(column)?)),
            _ => Err(clause("this column of a JOIN", place(expr), ON)),
        },
        _ => Err(clause("this side of a JOIN's condition", place(expr), ON)),
    }
}

fn not_reserved(ident: &Ident) -> Result<String, SqlError> {
    if ident.value.to_lowercase().starts_with(RESERVED_PREFIX) {
        return Err(SqlError::ReservedColumn {
            name: fragment(&ident.value),
            place: place_of(ident.span),
        });
    }
    Ok(normalise(ident))
}

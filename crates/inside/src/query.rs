//! A query that was checked: one `SELECT` over datasets, or models over datasets, and nothing else in it.

use datafusion::sql::sqlparser::ast::{self, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::check;
use crate::error::SqlError;
use crate::expression;
use crate::names::fragment;
use crate::relations::{Reading, Relation};
use crate::rewrite;

/// Longest SQL text that is read, in bytes.
pub const SQL_BYTES_MAX: usize = 64 * 1024;

/// Most words and signs in a query.
pub const TOKENS_MAX: usize = 4_000;

/// Deepest nesting the parser follows.
const NESTING_MAX: usize = 64;

/// A `SELECT` of which every clause and expression is on the allow-list. It knows what it reads from, so that the
/// caller's authority over that can be checked before anything is opened.
#[derive(Debug)]
pub struct Query {
    pub(crate) statement: ast::Query,
    pub(crate) relations: Vec<Relation>,
}

impl Query {
    /// Reads and checks a query. No data and no catalogue is needed for that.
    ///
    /// # Errors
    /// Every way of not being one aggregate `SELECT`, each with the fragment, its place and what to do.
    pub fn parse(sql: &str) -> Result<Self, SqlError> {
        if sql.len() > SQL_BYTES_MAX {
            return Err(SqlError::TooLong {
                actual: sql.len(),
                limit: SQL_BYTES_MAX,
            });
        }
        let mut statement = one_select(sql)?;
        let relations = check::query(&statement)?;
        rewrite::rewrite(&mut statement);
        Ok(Self {
            statement,
            relations,
        })
    }

    /// What it reads: one dataset, or model over a dataset, for each relation of its `FROM`, in their order.
    pub fn readings(&self) -> impl ExactSizeIterator<Item = &Reading> {
        self.relations.iter().map(|relation| &relation.reading)
    }
}

fn one_select(sql: &str) -> Result<ast::Query, SqlError> {
    let syntax = |error: ParserError| SqlError::Syntax {
        message: fragment(&error),
    };
    let dialect = GenericDialect {};
    // Counted before anything recursive sees them: the parser makes one level of a long chain `1 + 1 + …` per sign, and
    // even dropping a tree calls itself once per level.
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| syntax(error.into()))?;
    let actual = tokens
        .iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .count();
    if actual > TOKENS_MAX {
        return Err(SqlError::TooManyTokens {
            actual,
            limit: TOKENS_MAX,
        });
    }
    let mut statements = Parser::new(&dialect)
        .with_recursion_limit(NESTING_MAX)
        .with_tokens_with_locations(tokens)
        .parse_statements()
        .map_err(syntax)?;
    // Next, for whatever looks at an expression calls itself once per level.
    expression::check_depth(&statements)?;
    match (statements.pop(), statements.len()) {
        (Some(Statement::Query(query)), 0) => Ok(*query),
        (Some(other), 0) => Err(SqlError::NotASelect {
            fragment: fragment(&other),
        }),
        (None, _) => Err(SqlError::Empty),
        (Some(_), others) => Err(SqlError::SeveralStatements { count: others + 1 }),
    }
}

//! Resolves a checked query against the datasets and models that it may read.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result, SchemaError, TableReference, plan_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::SqlToRel;
use datafusion::sql::sqlparser::ast::Statement;
use weir_model::{Grain, Model};
use weir_vault::{ROW_COLUMN, unit_column};

use crate::error::SqlError;
use crate::evidence::{Kind, Rows};
use crate::functions;
use crate::join::{self, Joined};
use crate::model_call;
use crate::names::{RESERVED_PREFIX, fragment};
use crate::query::Query;
use crate::rights::{self, ColumnRights};

/// The model a query calls, approved and compiled by whoever hands it over.
#[derive(Clone)]
pub struct ModelSource {
    /// The name the query calls it by.
    pub name: String,
    /// The model.
    pub model: Model,
}

/// All that a query may read: one source for each of [`Query::readings`], in their order.
#[derive(Clone)]
pub struct Sources {
    /// The sources.
    pub relations: Vec<RelationSource>,
}

/// What stands behind one relation of a query.
#[derive(Clone)]
pub struct RelationSource {
    /// The dataset's name.
    pub dataset: String,
    /// Its sealed snapshot.
    pub table: Arc<dyn TableProvider>,
    /// The units that its rows are about; the first is the one that they are sorted by.
    pub units: Vec<UnitSource>,
    /// What may be done with each of its columns. A column that is not here may not be read.
    pub rights: Vec<ColumnRights>,
    /// Columns of which it is public which combinations of values there are, such as carriers and their airports.
    pub structural: Vec<Vec<String>>,
    /// The model it is read through, if the query calls one.
    pub model: Option<ModelSource>,
}

impl RelationSource {
    /// Whether its rows have numbers that tell those of a unit apart; a model over units makes one row of each.
    pub(crate) fn numbers_rows(&self) -> bool {
        let by_unit = self.model.as_ref().is_some_and(|model| {
            let signature = model.model.signature();
            signature.grain() == Grain::Unit
        });
        !by_unit && self.table.schema().field_with_name(ROW_COLUMN).is_ok()
    }
}

/// A kind of unit that a dataset's rows are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSource {
    /// The manifest's column that identifies the unit. It is not stored; joins are written on it.
    pub identifier: String,
    /// The population that the units belong to.
    pub population: String,
}

/// A table of rows, as the vault hands it over.
pub type Table = Arc<dyn TableProvider>;

/// A dataset's table without its rows, of which a query is planned that is not run: `units` unit columns, then these.
#[must_use]
pub fn described_table(units: usize, columns: &[(String, DataType)]) -> Table {
    let units = (0..units).map(|unit| Field::new(unit_column(unit), DataType::UInt32, unit > 0));
    let columns = columns
        .iter()
        .map(|(name, data_type)| Field::new(name, data_type.clone(), true));
    let schema = Schema::new(units.chain(columns).collect::<Vec<_>>());
    Arc::new(EmptyTable::new(Arc::new(schema)))
}

/// A query's logical plan before it is split.
pub(crate) struct Resolved {
    pub(crate) plan: LogicalPlan,
    /// The kinds of unit that a row is about, see `join.rs`.
    pub(crate) kinds: Vec<Kind>,
    /// The population of each of them.
    pub(crate) populations: Vec<String>,
    /// How rows come, as far as is known before they do.
    pub(crate) rows: Rows,
}

/// Resolves all names of a query.
pub(crate) fn resolve(query: &Query, sources: &Sources) -> Result<Resolved, SqlError> {
    let context = Context::new(sources)?;
    let Joined {
        statement,
        kinds,
        populations,
        first_leads,
    } = join::join(query, sources)?;
    let plan = SqlToRel::new(&context)
        .sql_statement_to_plan(Statement::Query(Box::new(statement)))
        .map_err(|error| not_shared(&error, sources).unwrap_or_else(|| planning_error(&error)))?;
    let rows = if first_leads {
        Rows::ByUnit
    } else {
        Rows::InAnyOrder
    };
    Ok(Resolved {
        plan,
        kinds,
        populations,
        rows,
    })
}

/// What the planner may see: the query's own tables and the listed functions. Everything else does not exist for it.
struct Context {
    options: ConfigOptions,
    expression_planners: Vec<Arc<dyn ExprPlanner>>,
    tables: HashMap<String, Arc<dyn TableSource>>,
    /// By model and dataset.
    calls: HashMap<(String, String), Arc<dyn TableSource>>,
}

impl Context {
    fn new(sources: &Sources) -> Result<Self, SqlError> {
        let mut tables = HashMap::new();
        let mut calls = HashMap::new();
        for relation in &sources.relations {
            let table = provider_as_source(Arc::clone(&relation.table));
            let table =
                rights::readable(relation, table).map_err(|error| planning_error(&error))?;
            let dataset = relation.dataset.clone();
            match &relation.model {
                Some(model) => {
                    let call = model_call::source(model, relation, &table)?;
                    calls.insert((model.name.clone(), dataset), call);
                }
                None => {
                    tables.insert(dataset, table);
                }
            }
        }
        Ok(Self {
            options: ConfigOptions::default(),
            expression_planners: SessionStateDefaults::default_expr_planners(),
            tables,
            calls,
        })
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.tables.get(name.table()) {
            Some(table) => Ok(Arc::clone(table)),
            None => plan_err!("there is no dataset `{}`", name.table()),
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        let dataset = args.first().and_then(Expr::try_as_col);
        let dataset = dataset.map_or("", |column| column.name.as_str());
        match self.calls.get(&(name.to_lowercase(), dataset.to_owned())) {
            Some(call) => Ok(Arc::clone(call)),
            None => plan_err!("there is no model `{name}` over a dataset `{dataset}`"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expression_planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        match name {
            // Written by `rewrite.rs` and by no caller.
            "get_field" => Some(datafusion::functions::core::get_field()),
            _ => functions::scalar(name),
        }
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        functions::aggregate(name)
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        functions::SCALARS.map(str::to_owned).to_vec()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        functions::AGGREGATES.map(str::to_owned).to_vec()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A column that the planner does not know because it may not be read. Identifiers are not even stored.
fn not_shared(error: &DataFusionError, sources: &Sources) -> Option<SqlError> {
    let DataFusionError::SchemaError(unknown, _) = error.find_root() else {
        return None;
    };
    let SchemaError::FieldNotFound { field, .. } = unknown.as_ref() else {
        return None;
    };
    let hidden = sources
        .relations
        .iter()
        .flat_map(|relation| &relation.rights)
        .any(|rights| rights.name == field.name && !rights.read);
    hidden.then(|| SqlError::ColumnNotShared {
        column: field.name.clone(),
    })
}

/// Turns a planner's error into one of ours. The planner has seen the SQL and the schema and no data, so its words may
/// be passed on; only the reserved columns are left out of the list of columns.
pub(crate) fn planning_error(error: &DataFusionError) -> SqlError {
    match error.find_root() {
        DataFusionError::SchemaError(schema_error, _) => match schema_error.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => SqlError::UnknownColumn {
                name: fragment(&field.name),
                known: valid_fields
                    .iter()
                    .map(|column| column.name.as_str())
                    .filter(|name| !name.starts_with(RESERVED_PREFIX))
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            other => SqlError::Planning {
                message: other.to_string(),
            },
        },
        other => {
            let message = other.strip_backtrace();
            // Which stage of the engine refused is nothing to a caller.
            let message = message
                .strip_prefix(PLANNING)
                .unwrap_or(&message)
                .to_owned();
            SqlError::Planning { message }
        }
    }
}

/// How the engine begins what its planner says.
const PLANNING: &str = "Error during planning: ";

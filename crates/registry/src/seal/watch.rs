//! What a transaction changes, row by row, as the database has it.
//!
//! Triggers of each connection note every row that is added, changed or deleted in a table of that connection, in memory.
//! Nothing of it is in the registry's file, so nobody who writes there can take it away.

use std::fmt::Write;
use std::ops::Range;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::error::RegistryError;

/// Most columns of a table; the greatest has 16.
const COLUMNS_MAX: usize = 24;

/// What stands before the values of a noted row: table, 1 or -1, and how many values there are.
const BEFORE: usize = 3;

/// Where a table is wider than what is noted of it.
const TOO_WIDE: RegistryError = RegistryError::Sealing(
    "a table has more columns than this version notes. Use the version that wrote the registry",
);

/// A table of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
}

impl Table {
    /// The names of its columns, each with this before it.
    pub(crate) fn columns(&self, before: &str) -> String {
        let quoted = |name: &String| format!("{before}\"{}\"", name.replace('"', "\"\""));
        let columns: Vec<String> = self.columns.iter().map(quoted).collect();
        columns.join(", ")
    }

    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.name.replace('"', "\"\""))
    }

    /// The layout changes between transactions alone.
    fn is_watched(&self) -> bool {
        self.name != "_sqlx_migrations"
    }
}

/// Every table that the seal covers: all but its own.
pub(crate) async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Table>, RegistryError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name <> 'seal' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::new();
    for name in names {
        let columns: Vec<String> =
            sqlx::query_scalar("SELECT name FROM pragma_table_info(?) ORDER BY cid")
                .bind(&name)
                .fetch_all(&mut *connection)
                .await?;
        tables.push(Table { name, columns });
    }
    Ok(tables)
}

/// Statements that have a connection note what changes in these tables.
pub(crate) fn statements(tables: &[Table]) -> Result<String, RegistryError> {
    let values: Vec<String> = (0..COLUMNS_MAX).map(|at| format!("c{at}")).collect();
    let mut text = format!(
        "CREATE TEMP TABLE changed (of TEXT, sign INTEGER, width INTEGER, {});\n",
        values.join(", ")
    );
    for table in tables.iter().filter(|table| table.is_watched()) {
        let width = table.columns.len();
        let into = values.get(..width).ok_or(TOO_WIDE)?.join(", ");
        let note = |sign: i8, row: &str| {
            format!(
                "INSERT INTO changed (of, sign, width, {into}) VALUES ('{}', {sign}, {width}, {});",
                table.name,
                table.columns(row)
            )
        };
        let (gone, new) = (note(-1, "OLD."), note(1, "NEW."));
        let acts = [
            ("INSERT", new.clone()),
            ("DELETE", gone.clone()),
            ("UPDATE", format!("{gone} {new}")),
        ];
        for (act, noted) in acts {
            let name = format!("\"changed {act} {}\"", table.name);
            let on = table.quoted();
            writeln!(
                text,
                "CREATE TEMP TRIGGER {name} AFTER {act} ON main.{on} BEGIN {noted} END;"
            )
            .map_err(|_| TOO_WIDE)?;
        }
    }
    Ok(text)
}

/// What was noted since it was last asked.
pub(crate) async fn changed(
    connection: &mut SqliteConnection,
) -> Result<Vec<SqliteRow>, RegistryError> {
    let rows = sqlx::query("SELECT * FROM temp.changed ORDER BY rowid")
        .fetch_all(&mut *connection)
        .await?;
    if !rows.is_empty() {
        sqlx::query("DELETE FROM temp.changed")
            .execute(connection)
            .await?;
    }
    Ok(rows)
}

/// The table of a noted row, whether it was added or taken away, and where its values are.
pub(crate) fn parts(row: &SqliteRow) -> Result<(&str, bool, Range<usize>), RegistryError> {
    let (table, sign, width): (&str, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let width = usize::try_from(width).map_err(|_| TOO_WIDE)?;
    Ok((table, sign > 0, BEFORE..BEFORE + width))
}

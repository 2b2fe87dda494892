//! What a transaction changes, row by row, as the database has it.
//!
//! Triggers of each connection note every row that is added, changed or deleted in a table of that connection, in memory.
//! Nothing of it is in the registry's file, so nobody who writes there can take it away.

use std::fmt::Write;
use std::ops::Range;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use crate::error::RegistryError;

/// Most columns of a table; the greatest has 16.
const COLUMNS_MAX: usize = 24;

/// What stands before the values of a noted row: table, how many times more it is there, and how many values there are.
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
        // Many updates leave a row as it is.
        let is_another = format!(
            "WHEN ({}) IS NOT ({})",
            table.columns("OLD."),
            table.columns("NEW.")
        );
        let acts = [
            ("INSERT", String::new(), new.clone()),
            ("DELETE", String::new(), gone.clone()),
            ("UPDATE", is_another, format!("{gone} {new}")),
        ];
        for (act, when, noted) in acts {
            let name = format!("\"changed {act} {}\"", table.name);
            let on = table.quoted();
            writeln!(
                text,
                "CREATE TEMP TRIGGER {name} AFTER {act} ON main.{on} {when} BEGIN {noted} END;"
            )
            .map_err(|_| TOO_WIDE)?;
        }
    }
    text.push_str(
        "CREATE TEMP TRIGGER sealed AFTER UPDATE ON main.seal BEGIN DELETE FROM changed; END;\n",
    );
    Ok(text)
}

/// What was noted since the seal was last written.
pub(crate) struct Changed {
    /// The sealed state; none where it is gone.
    pub(crate) state: Option<Vec<u8>>,
    /// Each row that is there more or less often than it was.
    pub(crate) rows: Vec<SqliteRow>,
}

/// What was noted since the seal was last written, which forgets it.
///
/// A row that several writes changed one after the other is told as it was and as it is, and not as it was in between. Tables
/// are strict, so that equal values of a column are of one type.
pub(crate) async fn changed(connection: &mut SqliteConnection) -> Result<Changed, RegistryError> {
    let values = |of: &dyn Fn(usize) -> String| (0..COLUMNS_MAX).map(of).collect::<Vec<_>>();
    let columns = values(&|at| format!("c{at}")).join(", ");
    let nothing = values(&|_| "NULL".to_owned())[1..].join(", ");
    // One answer for both: each is a wait for another thread.
    let statement = format!(
        "SELECT 'seal', 0, 1, state, {nothing} FROM main.seal WHERE one = 1 UNION ALL \
         SELECT of, SUM(sign), width, {columns} FROM temp.changed GROUP BY of, width, {columns} HAVING SUM(sign) <> 0"
    );
    let mut rows = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await?;
    let is_state = |row: &SqliteRow| row.try_get::<i64, _>(1).is_ok_and(|times| times == 0);
    let state = match rows.iter().position(is_state) {
        Some(at) => Some(rows.swap_remove(at).try_get(BEFORE)?),
        None => None,
    };
    Ok(Changed { state, rows })
}

/// The table of a noted row, how many times more it is there, and where its values are.
pub(crate) fn parts(row: &SqliteRow) -> Result<(&str, i64, Range<usize>), RegistryError> {
    let (table, times, width): (&str, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let width = usize::try_from(width).map_err(|_| TOO_WIDE)?;
    Ok((table, times, BEFORE..BEFORE + width))
}

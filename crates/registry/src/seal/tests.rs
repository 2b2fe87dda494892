//! Somebody with write access to the file, and without the key.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::{Fact, IdentityEnd, IdentityRecord, Registry, Role};

pub(crate) fn key() -> RegistryKey {
    RegistryKey::new(&[7; REGISTRY_KEY_LEN]).unwrap()
}

fn identity(fingerprint: &str, person: &str) -> IdentityRecord {
    IdentityRecord {
        fingerprint: fingerprint.to_owned(),
        role: Role::Operator,
        organisation: "acme".to_owned(),
        person: person.to_owned(),
        not_after: "2027-01-01T00:00:00Z".to_owned(),
        issued_at: "2026-01-01T00:00:00Z".to_owned(),
        end: IdentityEnd::default(),
    }
}

/// A registry with a few rows, closed, so that all is in one file.
async fn closed(folder: &Path) -> PathBuf {
    let file = folder.join("registry.sqlite");
    let registry = Registry::open(&file, key()).await.unwrap();
    for (fingerprint, person) in [("f1", "li"), ("f2", "wang"), ("f3", "sun")] {
        let identity = identity(fingerprint, person);
        registry.add_identity(&identity).await.unwrap();
    }
    registry.set_fact(Fact::SettledTo, "12").await.unwrap();
    registry.close().await;
    file
}

/// Runs statements as somebody who has the file and not the key.
async fn tamper(file: &Path, statements: &str) {
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .connect()
        .await
        .unwrap();
    let statements = statements.to_owned();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

async fn code(file: &Path) -> String {
    match Registry::open(file, key()).await {
        Ok(registry) => {
            registry.close().await;
            "opens".to_owned()
        }
        Err(RegistryError::Altered { table }) => table,
        Err(error) => error.code().to_owned(),
    }
}

#[tokio::test]
async fn rows_that_others_wrote_are_found_and_their_table_is_named() {
    let cases = [
        (
            "UPDATE identities SET role = 'bureau' WHERE person = 'li'",
            "identities",
        ),
        ("DELETE FROM identities WHERE person = 'li'", "identities"),
        (
            "INSERT INTO identities SELECT 'f4', role, organisation, 'zhao', not_after, issued_at, NULL, NULL, NULL \
             FROM identities WHERE person = 'li'",
            "identities",
        ),
        // Two values change places.
        (
            "UPDATE identities SET person = CASE person WHEN 'li' THEN 'wang' WHEN 'wang' THEN 'li' ELSE person END",
            "identities",
        ),
        ("DELETE FROM facts", "facts"),
        ("UPDATE facts SET value = '13'", "facts"),
        (
            "INSERT INTO freezes VALUES ('domain', '', 'none', 'nobody', 'never')",
            "freezes",
        ),
        ("DROP TABLE feedback", "sqlite_schema"),
        ("CREATE TABLE more (one INTEGER)", "sqlite_schema"),
        (
            "CREATE TRIGGER quiet AFTER INSERT ON freezes BEGIN DELETE FROM freezes; END",
            "sqlite_schema",
        ),
        ("DROP INDEX grants_by_parent", "sqlite_schema"),
        ("UPDATE seal SET state = x'00'", "seal"),
        (
            "UPDATE seal SET state = CAST(substr(state, 1, length(state) - 1) || x'00' AS BLOB)",
            "seal",
        ),
    ];
    for (statement, table) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = closed(folder.path()).await;
        assert_eq!(code(&file).await, "opens");
        tamper(&file, statement).await;
        assert_eq!(code(&file).await, table, "{statement}");
    }
}

/// A row as it was before is a row that the domain did write, and is found all the same.
#[tokio::test]
async fn a_row_put_back_from_before_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = closed(folder.path()).await;
    let registry = Registry::open(&file, key()).await.unwrap();
    let end = IdentityEnd {
        revoked_at: Some("2026-06-01T00:00:00Z".to_owned()),
        revoked_by: Some("wang".to_owned()),
        revoke_reason: Some("left".to_owned()),
    };
    registry
        .revoke_identities(&["f1".to_owned()], &end)
        .await
        .unwrap();
    registry.close().await;
    assert_eq!(code(&file).await, "opens");
    tamper(
        &file,
        "UPDATE identities SET revoked_at = NULL, revoked_by = NULL, revoke_reason = NULL",
    )
    .await;
    assert_eq!(code(&file).await, "identities");
}

/// What is altered while the registry is open, and then written by the registry itself, is not covered up.
#[tokio::test]
async fn a_write_covers_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = closed(folder.path()).await;
    let registry = Registry::open(&file, key()).await.unwrap();
    let found = registry.check().await.unwrap();
    assert!(found.rows > 4, "{found:?}");
    tamper(&file, "UPDATE facts SET value = '11'").await;
    registry.set_fact(Fact::SettledTo, "13").await.unwrap();
    let told = registry.check().await.unwrap_err();
    assert!(
        matches!(&told, RegistryError::Altered { table } if table == "facts"),
        "{told}"
    );
    registry.close().await;
    assert_eq!(code(&file).await, "facts");
}

#[tokio::test]
async fn the_registry_of_another_domain_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = closed(folder.path()).await;
    let other = RegistryKey::new(&[8; REGISTRY_KEY_LEN]).unwrap();
    let told = Registry::open(&file, other).await.unwrap_err();
    assert_eq!(told.code(), "REGISTRY_ALTERED");
}

/// Every byte of the file in turn, one bit of it: either it is found, or it is in no row and no index.
#[tokio::test]
async fn a_flipped_bit_is_found_or_is_part_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = closed(folder.path()).await;
    let bytes = std::fs::read(&file).unwrap();
    let before = dump(&file).await;
    let (mut found, mut empty) = (0, 0);
    // A prime, so that every offset within pages comes up.
    for at in (0..bytes.len()).step_by(521) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&file, &flipped).unwrap();
        for ending in ["-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{ending}", file.display())));
        }
        match code(&file).await.as_str() {
            "opens" => {
                assert_eq!(dump(&file).await, before, "byte {at}");
                empty += 1;
            }
            _ => found += 1,
        }
    }
    assert!(found > 20 && empty > 20, "{found} found, {empty} in no row");
}

/// All rows of all tables but the seal, as text.
async fn dump(file: &Path) -> Vec<String> {
    let mut connection = SqliteConnectOptions::new()
        .filename(file)
        .connect()
        .await
        .unwrap();
    let mut all = Vec::new();
    for table in watch::tables(&mut connection).await.unwrap() {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("quote(\"{column}\")"))
            .collect();
        let statement = format!(
            "SELECT {} FROM \"{}\" ORDER BY 1",
            columns.join(" || ',' || "),
            table.name
        );
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        all.extend(rows.into_iter().map(|row| format!("{}: {row}", table.name)));
    }
    connection.close().await.unwrap();
    all
}

/// A crash between two steps of a new layout: the next start goes on. The same with rows altered in between is what whoever
/// can stop a server in just that moment can do; the log then has the registry's last state of before.
#[tokio::test]
async fn a_layout_that_was_changed_halfway_is_sealed_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = closed(folder.path()).await;
    let mut connection = SqliteConnectOptions::new()
        .filename(&file)
        .connect()
        .await
        .unwrap();
    let mut state = read(&mut connection, &key()).await.unwrap().unwrap();
    let writes = state.writes;
    state.is_migrating = true;
    write(&mut connection, &key(), &state).await.unwrap();
    connection.close().await.unwrap();

    let registry = Registry::open(&file, key()).await.unwrap();
    registry.check().await.unwrap();
    let state = registry.sealed_state().await.unwrap();
    assert_eq!(state.writes, writes + 1);
    registry.close().await;
}

#[tokio::test]
async fn the_newest_entry_of_the_log_is_sealed_with_the_next_write() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("registry.sqlite"), key())
        .await
        .unwrap();
    assert_eq!(registry.found(), None);
    let mark = |entries| LogMark {
        entries,
        newest: [entries as u8; 32],
    };
    let before = registry.sealed_state().await.unwrap();
    registry.log_is_at(mark(5));
    registry.log_is_at(mark(4));
    registry.set_fact(Fact::SettledTo, "5").await.unwrap();
    let state = registry.sealed_state().await.unwrap();
    assert_eq!((state.writes, state.log), (before.writes + 1, mark(5)));
    // Nothing changes, nothing is written.
    registry
        .acknowledge_alert("none", "li", "now", "")
        .await
        .unwrap();
    assert_eq!(registry.sealed_state().await.unwrap(), state);
    registry.log_is_at(mark(6));
    registry.seal_log().await.unwrap();
    assert_eq!(registry.sealed_state().await.unwrap().log, mark(6));
}

#[test]
fn sums_do_not_depend_on_the_order_and_go_back() {
    let hashes = [
        [u64::MAX; 4],
        [1, 0, u64::MAX, 3],
        [0, u64::MAX, 0, 1 << 63],
    ]
    .map(Hash);
    let mut sum = Sum::default();
    hashes.iter().for_each(|hash| sum.add(*hash));
    let mut other = Sum::default();
    hashes.iter().rev().for_each(|hash| other.add(*hash));
    assert_eq!(sum, other);
    for hash in [1, 0, 2].map(|at: usize| hashes[at]) {
        sum.take(hash);
    }
    assert_eq!(sum, Sum::default());
    assert_eq!(
        Hash([u64::MAX; 4]).plus(Hash([1, 0, 0, 0])),
        Hash::default()
    );
}

/// Who takes the seal out with all that names it has a registry of before there were seals. It gets one, and says that it had
/// none: whoever opens it asks the log whether it ever did.
#[tokio::test]
async fn a_registry_without_its_seal_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = closed(folder.path()).await;
    tamper(
        &file,
        "DROP TABLE seal; DELETE FROM _sqlx_migrations WHERE version = 95; DELETE FROM freezes",
    )
    .await;
    let registry = Registry::open(&file, key()).await.unwrap();
    assert_eq!(registry.found(), None);
    assert_eq!(registry.sealed_state().await.unwrap().writes, 1);
    registry.check().await.unwrap();
    registry.close().await;
    let registry = Registry::open(&file, key()).await.unwrap();
    assert!(registry.found().is_some());
    registry.close().await;
}

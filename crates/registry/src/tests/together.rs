//! Writes that share a transaction.

use super::*;

/// Writers that come at once are made durable together; one that leaves in between takes nothing of the others with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_come_at_once_share_a_transaction() {
    let (folder, registry) = registry().await;
    let before = registry.sealed_state().await.unwrap().writes;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let registry = registry.clone();
        tasks.spawn(async move {
            match number % 4 {
                // Undone: by itself, and by somebody who does not wait.
                0 => registry.begin().await.unwrap().rollback(),
                1 => {
                    let mut writing = registry.begin().await.unwrap();
                    let wrong = sqlx::query("INSERT INTO facts (name, value) VALUES (NULL, NULL)");
                    wrong.execute(&mut *writing).await.unwrap_err();
                }
                _ => {
                    let mut end = run_end(number);
                    end.seconds_at_most = number;
                    registry.end_run(&end).await.unwrap();
                    // Done when it says so.
                    let kept = registry.run_end("Tower Labs", &end.run).await.unwrap();
                    assert_eq!(kept.unwrap().seconds_at_most, number);
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let writes = registry.sealed_state().await.unwrap().writes - before;
    assert!((1..=32).contains(&writes), "{writes}");
    registry.check().await.unwrap();
    registry.close().await;
    are_kept(&folder, (0..64).filter(|number| number % 4 > 1)).await;
}

/// Whoever does not wait for the end of its write leaves it to whoever comes next, or to closing.
#[tokio::test]
async fn a_write_that_nobody_waits_for_is_there_after_closing() {
    let (folder, registry) = registry().await;
    for number in 0..3 {
        let mut writing = registry.begin().await.unwrap();
        crate::airlock::insert_end(&run_end(number))
            .execute(&mut *writing)
            .await
            .unwrap();
        drop(writing.keep());
    }
    registry.close().await;
    are_kept(&folder, 0..3).await;
}

/// What a row was in between is in no sum, within one write and across those that share a transaction.
#[tokio::test]
async fn rows_that_change_several_times_are_sealed_as_they_are_in_the_end() {
    let (folder, registry) = registry().await;
    let fact = |name: &str, value: i64| format!("INSERT INTO facts VALUES ('{name}', '{value}')");
    let set = |name: &str, value: i64| {
        format!("UPDATE facts SET value = '{value}' WHERE name = '{name}'")
    };
    let gone = |name: &str| format!("DELETE FROM facts WHERE name = '{name}'");
    let writes = [
        vec![fact("a", 1), set("a", 2), set("a", 2), fact("b", 1)],
        vec![gone("b"), set("a", 3), set("a", 2), fact("c", 1), gone("c")],
        vec![fact("c", 1), gone("a"), fact("a", 3), set("c", 1)],
        vec![set("a", 4), set("a", 3), set("nobody", 1)],
    ];
    let before = registry.sealed_state().await.unwrap().writes;
    for (at, statements) in writes.iter().enumerate() {
        let mut writing = registry.begin().await.unwrap();
        for statement in statements {
            let statement = sqlx::AssertSqlSafe(statement.clone());
            sqlx::query(statement).execute(&mut *writing).await.unwrap();
        }
        // The second and the third write share a transaction; of the last one nothing is left.
        match at {
            1 => drop(writing.keep()),
            _ => registry.commit(writing).await.unwrap(),
        }
        registry.check().await.unwrap();
    }
    let writes = registry.sealed_state().await.unwrap().writes - before;
    assert_eq!(writes, 2);
    let facts: Vec<(String, String)> =
        sqlx::query_as("SELECT name, value FROM facts WHERE length(name) = 1 ORDER BY name")
            .fetch_all(registry.pool())
            .await
            .unwrap();
    let facts: Vec<_> = facts
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(facts, [("a", "3"), ("c", "1")]);
    registry.close().await;
    are_kept(&folder, 0..0).await;
}

/// The registry opens again, and these runs have ended.
async fn are_kept(folder: &tempfile::TempDir, numbers: impl Iterator<Item = i64>) {
    let file = folder.path().join("registry.sqlite");
    let again = Registry::open(&file, key()).await.unwrap();
    again.check().await.unwrap();
    for number in numbers {
        let kept = again.run_end("Tower Labs", &run_end(number).run).await;
        assert!(kept.unwrap().is_some(), "{number}");
    }
}

fn run_end(number: i64) -> crate::RunEnd {
    crate::RunEnd {
        organisation: "Tower Labs".to_owned(),
        run: number.to_string(),
        grant_id: "g".to_owned(),
        released: true,
        seconds_at_most: 1,
    }
}

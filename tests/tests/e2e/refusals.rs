//! What a query may not ask: each refused with a message that says what, where and what to do, and the server stays up.

use weir_tests::TestDomain;

/// Every query here is refused. The snapshot below is what operators read.
const REFUSED: [&str; 58] = [
    // Rows.
    "SELECT * FROM flights",
    "SELECT carrier, distance FROM flights",
    "SELECT flights.* FROM flights LIMIT 1",
    "SELECT DISTINCT carrier FROM flights",
    "SELECT carrier FROM flights ORDER BY distance LIMIT 1",
    "VALUES (1)",
    "TABLE flights",
    // Aggregates that return rows' values.
    "SELECT array_agg(carrier) FROM flights",
    "SELECT carrier, MAX(dep_delay) FROM flights GROUP BY carrier",
    "SELECT string_agg(carrier, ',') FROM flights",
    "SELECT first_value(carrier) FROM flights",
    "SELECT approx_distinct(flight) FROM flights",
    // Windows.
    "SELECT row_number() OVER () FROM flights",
    "SELECT SUM(distance) OVER (PARTITION BY carrier) FROM flights",
    "SELECT carrier, COUNT(*) FROM flights GROUP BY carrier QUALIFY COUNT(*) > 3",
    // Parts of a cell, judged by the whole cell's evidence.
    "SELECT COUNT(*) FILTER (WHERE flight = 1545) FROM flights",
    "SELECT COUNT(DISTINCT flight) FROM flights",
    "SELECT SUM(distance ORDER BY flight) FROM flights",
    "SELECT AVG(LINEAR_REGRESSION(distance, hour)) FROM flights",
    "SELECT LINEAR_REGRESSION(distance) FROM flights",
    "SELECT PERCENTILE_CONT(0.5) FROM flights",
    "SELECT QUANTILE_CONT(distance, 2) FROM flights",
    "SELECT QUANTILE_CONT(distance, hour) FROM flights",
    "SELECT COUNT(DISTINCT tailnum, flight) FROM flights",
    "SELECT HISTOGRAM(distance, 0, 10, 2000) AS bin, COUNT(*) FROM flights GROUP BY bin",
    "SELECT carrier, COUNT(*) FROM flights GROUP BY GROUPING SETS ((carrier), (carrier))",
    // Internal functions.
    "SELECT weir_quantile(distance, 0.5) FROM flights",
    "SELECT weir_units(flight) FROM flights",
    "SELECT get_field(named_struct('a', SUM(distance)), 'a') FROM flights",
    // Subqueries and set operations.
    "SELECT COUNT(*) FROM (SELECT * FROM flights)",
    "SELECT COUNT(*) FROM flights WHERE flight IN (SELECT flight FROM flights)",
    "SELECT COUNT(*) FROM flights WHERE EXISTS (SELECT 1 FROM flights)",
    "SELECT (SELECT distance FROM flights LIMIT 1), COUNT(*) FROM flights",
    "WITH f AS (SELECT * FROM flights) SELECT COUNT(*) FROM f",
    "SELECT COUNT(*) FROM flights UNION ALL SELECT distance FROM flights",
    "SELECT COUNT(*) FROM flights a JOIN flights b ON a.flight = b.flight",
    "SELECT COUNT(*) FROM flights, flights b",
    "SELECT carrier, COUNT(*) FROM flights GROUP BY carrier WITH ROLLUP",
    // Statements that are not a SELECT.
    "EXPLAIN SELECT COUNT(*) FROM flights",
    "EXPLAIN ANALYZE SELECT COUNT(*) FROM flights",
    "COPY flights TO 'out.csv'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "SET datafusion.execution.batch_size = 1",
    "SHOW ALL",
    "DROP TABLE flights",
    "SELECT COUNT(*) FROM flights; SELECT 1",
    "",
    "SELEC COUNT(*) FROM flights",
    // Files, settings, the clock.
    "SELECT COUNT(*) FROM '/etc/passwd'",
    "SELECT COUNT(*) FROM read_csv('/etc/passwd')",
    "SELECT COUNT(*) FROM information_schema.tables",
    "SELECT version(), COUNT(*) FROM flights",
    "SELECT now(), COUNT(*) FROM flights",
    "SELECT COUNT(*) FROM flights WHERE random() < 0.5",
    // The vault's column, and names that do not exist.
    "SELECT weir_unit, COUNT(*) FROM flights GROUP BY weir_unit",
    "SELECT tailnum, COUNT(*) FROM flights GROUP BY tailnum",
    "SELECT COUNT(*) FROM passengers",
    "SELECT band, COUNT(*) FROM risk(flights) GROUP BY band",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_forbidden_query_is_refused_with_what_where_and_what_to_do() {
    let domain = TestDomain::with_flights().await;
    let mut seen = String::new();
    for sql in REFUSED {
        seen += &format!("{sql}\n    {}\n", domain.refusal(sql).await);
    }
    insta::assert_snapshot!("refusals", seen);
    let after = domain
        .run("SELECT COUNT(*) AS n FROM flights")
        .await
        .unwrap();
    assert_eq!(after.cells_released, 1, "the server still answers");
    // One log entry for each: nothing is refused in silence.
    let releases = domain.bureau.list_releases(0).await.unwrap();
    assert_eq!(releases.len(), 1);
    assert!(releases[0].log_index >= REFUSED.len() as u64);
}

/// Expressions that fail on some value in other engines. Here each gives null for that row: whether a run fails must not
/// depend on the data.
#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_row_makes_a_run_fail() {
    let domain = TestDomain::with_flights().await;
    for expression in [
        "distance / (hour - hour)",
        "distance % (hour - hour)",
        "(CASE WHEN flight = 1545 THEN -2147483648 ELSE flight END) / (hour - hour - 1)",
        "9223372036854775807 * flight",
        "abs(CASE WHEN flight = 1545 THEN -9223372036854775808 ELSE flight END)",
        "round(CASE WHEN flight = 1545 THEN 9223372036854775807 ELSE flight END, -1)",
        "ceil(9223372036854775807 - flight)",
        "log10(0 - distance)",
        "exp(distance)",
        "left(dest, -9223372036854775807)",
        "CAST(dest AS INT)",
        "CAST(CAST(dest AS DATE) AS VARCHAR)",
        "ln(0 - distance)",
        "sqrt(0 - distance)",
        "date_trunc('year', CAST(CASE WHEN flight = 1545 THEN '9999-12-31' ELSE '2013-01-01' END AS DATE))",
        "CASE WHEN dest = 5 THEN 1 ELSE 2 END",
    ] {
        let sql = format!("SELECT carrier, COUNT({expression}) AS n FROM flights GROUP BY carrier");
        if let Err(error) = domain.run(&sql).await {
            panic!("{expression}: {error}");
        }
    }
    let zero = domain
        .run("SELECT COUNT(distance / (hour - hour)) AS n FROM flights")
        .await
        .unwrap();
    assert_eq!(zero.cells_released, 0, "nobody contributes a value");
    let halves = domain
        .run("SELECT hour / 2 AS h, COUNT(*) AS n FROM flights GROUP BY 1 HAVING hour / 2 = 6")
        .await
        .unwrap();
    assert_eq!(halves.table[0].num_rows(), 1, "integers divide to integers");
    for refused in [
        "round(distance, hour)",
        "left(dest, hour)",
        "date_part(dest, time_hour)",
        "CAST(distance AS DECIMAL(3, 2))",
        "time_hour + INTERVAL '1 day'",
        "substr(dest, 1, hour - 10)",
        "SUBSTRING(dest FROM 1 FOR hour)",
    ] {
        let refusal = domain
            .refusal(&format!("SELECT COUNT({refused}) FROM flights"))
            .await;
        assert!(refusal.contains("_NOT_ALLOWED"), "{refused}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_on_a_query_hold() {
    let domain = TestDomain::with_flights().await;
    let long = format!(
        "SELECT COUNT(*) FROM flights WHERE carrier <> '{}'",
        "x".repeat(70_000)
    );
    let nested = format!(
        "SELECT COUNT(*) FROM flights WHERE {}TRUE{}",
        "(".repeat(1_500),
        ")".repeat(1_500)
    );
    let many = format!("SELECT SUM(distance{}) FROM flights", " + 1".repeat(10_000));
    let chain = format!("SELECT SUM(distance{}) FROM flights", " + 1".repeat(1_900));
    let nots = format!(
        "SELECT COUNT(*) FROM flights WHERE {} TRUE",
        "NOT ".repeat(3_000)
    );
    for (sql, code) in [
        (long, "SQL_TOO_LONG"),
        (nested, "SQL_SYNTAX"),
        (many, "SQL_TOO_LONG"),
        (chain, "SQL_TOO_DEEP"),
        (nots, "SQL_SYNTAX"),
    ] {
        let refusal = domain.refusal(&sql).await;
        assert!(refusal.starts_with(code), "{refusal}");
    }
    let deep = format!("SELECT SUM(distance{}) FROM flights", " + 1".repeat(120));
    if let Err(error) = domain.run(&deep).await {
        panic!("what is within the limits is computed: {error}");
    }
    let list = (0..1_500)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    assert!(
        domain
            .run(&format!(
                "SELECT COUNT(*) AS n FROM flights WHERE flight IN ({list})"
            ))
            .await
            .is_ok()
    );
}

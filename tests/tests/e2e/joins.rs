//! Datasets of one population joined on the unit: the numbers are another engine's over the plain files, and what is
//! asked for that is no join on the unit is refused.

use datafusion::prelude::{ParquetReadOptions, SessionContext};
use weir_tests::{TestDomain, example};

use crate::expected::{Cells, assert_same, cells};

async fn with_planes() -> TestDomain {
    let domain = TestDomain::with_flights().await;
    let manifest = std::fs::read_to_string(example("planes.toml")).unwrap();
    domain
        .register_file(&example("planes.parquet"), &manifest)
        .await
        .unwrap();
    domain
}

async fn plain_engine() -> SessionContext {
    let plain = SessionContext::new();
    for name in ["flights", "planes"] {
        let path = example(&format!("{name}.parquet"));
        plain
            .register_parquet(name, path.to_str().unwrap(), ParquetReadOptions::default())
            .await
            .unwrap();
    }
    plain
}

/// The cells of a query over the plain files that have ten units and ten rows, for the two keys it groups by.
async fn judged_plainly(select: &str, from: &str, contributors: &str) -> Cells {
    let sql = format!(
        "SELECT {select} FROM {from} GROUP BY 1, 2 \
         HAVING COUNT(DISTINCT f.tailnum) >= 10 AND COUNT(*) >= 10 {contributors}"
    );
    let batches = plain_engine().await.sql(&sql).await.unwrap();
    cells(&batches.collect().await.unwrap(), 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_on_the_unit_gives_the_numbers_of_the_plain_engine() {
    let domain = with_planes().await;
    let dominated_free = "COUNT(*) AS n, SUM(seats) AS seats";
    for (select, from, plain_from, contributors) in [
        (
            "manufacturer, carrier, COUNT(*) AS n, SUM(distance) AS d",
            "flights f JOIN planes p ON f.tailnum = p.tailnum",
            "flights f JOIN planes p ON f.tailnum = p.tailnum",
            "",
        ),
        (
            "manufacturer, carrier, COUNT(*) AS n, SUM(distance) AS d",
            "flights AS f INNER JOIN planes AS p USING (tailnum)",
            "flights f JOIN planes p ON f.tailnum = p.tailnum",
            "",
        ),
        (
            "engine, origin, COUNT(*) AS n, COUNT(seats) AS s",
            "flights f LEFT JOIN planes p ON p.tailnum = f.tailnum",
            "flights f LEFT JOIN planes p ON f.tailnum = p.tailnum WHERE f.tailnum IS NOT NULL",
            "AND (engine IS NULL OR COUNT(DISTINCT CASE WHEN seats IS NOT NULL THEN f.tailnum END) >= 10)",
        ),
        (
            &format!("p.engines, f.month, {dominated_free}"),
            "planes p JOIN flights f ON (f.tailnum = p.tailnum)",
            "flights f JOIN planes p ON f.tailnum = p.tailnum",
            "",
        ),
    ] {
        let sql = format!("SELECT {select} FROM {from} GROUP BY 1, 2");
        let answer = domain.run(&sql).await.unwrap();
        let released = cells(&answer.table, 2);
        let expected = judged_plainly(select, plain_from, contributors).await;
        assert!(!released.is_empty(), "{sql}");
        // Dominance withholds more than the thresholds do; what is released is right, and there is nothing else.
        for (key, values) in &released {
            let plainly = expected.get(key);
            let plainly = plainly.unwrap_or_else(|| panic!("{key:?} is released by {sql}"));
            assert_same(
                &[(key.clone(), values.clone())].into(),
                &[(key.clone(), plainly.clone())].into(),
            );
        }
        assert!(released.len() * 10 >= expected.len() * 7, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_and_joins_meet_and_the_log_names_all_that_was_read() {
    let domain = with_planes().await;
    let answer = domain
        .run(
            "SELECT manufacturer, band, COUNT(*) AS n, AVG(score) AS a \
             FROM disruption(flights) AS d JOIN planes p USING (tailnum) GROUP BY 1, 2",
        )
        .await
        .unwrap();
    assert!(answer.cells_released > 20);
    let weir_audit::Event::ReleaseDecided {
        datasets, models, ..
    } = &answer.entry.entry().event
    else {
        panic!("{:?}", answer.entry.entry().event);
    };
    let names: Vec<&str> = datasets.iter().map(|read| read.name.as_str()).collect();
    assert_eq!(names, ["flights", "planes"]);
    assert_eq!(models[0].name, "disruption");
    let release = &domain.bureau.list_releases(1).await.unwrap()[0];
    assert_eq!(release.datasets, ["flights", "planes"]);
    // A dataset joined with itself: the pairs of flights of one aircraft.
    let pairs = domain
        .run(
            "SELECT a.origin, COUNT(*) AS n FROM flights a JOIN flights b ON a.tailnum = b.tailnum \
             WHERE a.month = 1 AND b.month = 2 GROUP BY 1",
        )
        .await
        .unwrap();
    assert_eq!(pairs.cells_released, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_join_on_the_unit_is_refused() {
    let domain = with_planes().await;
    let manifest = "name = \"people\"\npopulation = \"persons\"\nunit = \"id\"\ndescription = \"x\"\nsource = \"x\"\n\
                    licence = \"x\"\n[[column]]\nname = \"id\"\ntype = \"string\"\nrole = \"identifier\"\n\
                    description = \"x\"\n[[column]]\nname = \"age\"\ntype = \"int32\"\nrole = \"measure\"\n\
                    description = \"x\"\n";
    domain
        .register_bytes("people.csv", b"id,age\na,1\nb,2\n", manifest)
        .await
        .unwrap();
    let mut seen = String::new();
    for from in [
        "flights f JOIN planes p ON f.flight = p.seats",
        "flights f JOIN planes p ON f.tailnum = p.seats",
        "flights f JOIN planes p ON f.tailnum = f.tailnum",
        "flights f JOIN planes p ON f.tailnum <> p.tailnum",
        "flights f JOIN planes p ON f.tailnum = p.tailnum AND f.flight = 1545",
        "flights f JOIN planes p ON f.tailnum = p.tailnum OR true",
        "flights f JOIN planes p ON tailnum = tailnum",
        "flights f JOIN planes p ON f.weir_unit = p.weir_unit",
        "flights f JOIN people p ON f.tailnum = p.id",
        "flights f JOIN planes p USING (seats)",
        "flights f JOIN planes p USING (tailnum, year)",
        "flights f NATURAL JOIN planes p",
        "flights f CROSS JOIN planes p",
        "flights f, planes p",
        "flights f RIGHT JOIN planes p ON f.tailnum = p.tailnum",
        "flights f FULL JOIN planes p ON f.tailnum = p.tailnum",
        "flights f LEFT SEMI JOIN planes p ON f.tailnum = p.tailnum",
        "flights JOIN flights ON flights.tailnum = flights.tailnum",
        "flights weir_f JOIN planes p ON weir_f.tailnum = p.tailnum",
        "flights f JOIN (SELECT * FROM planes) p ON f.tailnum = p.tailnum",
        "flights f JOIN nobody p ON f.tailnum = p.tailnum",
    ] {
        let refusal = domain
            .refusal(&format!("SELECT COUNT(*) FROM {from}"))
            .await;
        seen += &format!("FROM {from}\n    {refusal}\n");
    }
    for rest in [
        "WHERE f.tailnum = 'N1'",
        "GROUP BY p.tailnum",
        "GROUP BY year",
    ] {
        let sql = format!("SELECT COUNT(*) FROM flights f JOIN planes p USING (tailnum) {rest}");
        seen += &format!("{rest}\n    {}\n", domain.refusal(&sql).await);
    }
    insta::assert_snapshot!("joins", seen);
}

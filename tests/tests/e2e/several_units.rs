//! Trips have a vehicle and a driver: a cell passes for both or not at all, also where a join brings the second in.

use weir_tests::TestDomain;

use crate::expected::cells;

const TRIPS: &str = r#"
name = "trips"
description = "Trips of a fleet"
source = "made up"
licence = "CC0-1.0"
[[unit]]
column = "vehicle"
population = "vehicles"
[[unit]]
column = "driver"
population = "persons"
[[column]]
name = "vehicle"
type = "string"
role = "identifier"
description = "Number plate"
[[column]]
name = "driver"
type = "int64"
role = "identifier"
description = "Licence number; none where nobody signed in"
[[column]]
name = "region"
type = "string"
role = "quasi-identifier"
description = "Where"
[[column]]
name = "km"
type = "float64"
role = "measure"
description = "How far"
"#;

const DRIVERS: &str = r#"
name = "drivers"
population = "persons"
unit = "licence_number"
description = "Who may drive"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "licence_number"
type = "string"
role = "identifier"
description = "Licence number"
[[column]]
name = "age"
type = "int32"
role = "quasi-identifier"
description = "In years"
"#;

/// Thirty vehicles in each region. In the north three people drive them all, in the south everyone has their own, in the
/// west nobody signs in, and in the east nine people do, the tenth not.
fn trips() -> String {
    let mut csv = "vehicle,driver,region,km\n".to_owned();
    for vehicle in 0..30 {
        for trip in 0..4 {
            let km = 10 + vehicle + trip;
            csv += &format!("N{vehicle},{},north,{km}\n", vehicle % 3);
            csv += &format!("S{vehicle},{},south,{km}\n", 100 + vehicle);
            csv += &format!("W{vehicle},,west,{km}\n");
            let signed_in = match vehicle % 10 {
                9 => String::new(),
                who => (200 + who).to_string(),
            };
            csv += &format!("E{vehicle},{signed_in},east,{km}\n");
        }
    }
    csv
}

fn regions(answer: &weir_client::RunAnswer) -> Vec<String> {
    let all = cells(&answer.table, 1);
    all.into_keys().map(|key| key[0].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_restrictive_unit_decides() {
    let domain = TestDomain::start().await;
    domain
        .register_bytes("trips.csv", trips().as_bytes(), TRIPS)
        .await
        .unwrap();
    let answer = domain
        .run("SELECT region, COUNT(*) AS n, AVG(km) AS km FROM trips GROUP BY region")
        .await
        .unwrap();
    assert_eq!(regions(&answer), ["south"]);

    let drivers: String = (0..300)
        .map(|who| format!("{who},{}\n", 20 + who % 2))
        .collect();
    domain
        .register_bytes(
            "drivers.csv",
            format!("licence_number,age\n{drivers}").as_bytes(),
            DRIVERS,
        )
        .await
        .unwrap();
    // By the driver: the same people as in the trips, whatever type their number had.
    let joined = "FROM trips t JOIN drivers d ON t.driver = d.licence_number";
    let by_region = format!("SELECT region, COUNT(*) AS n {joined} GROUP BY region");
    assert_eq!(regions(&domain.run(&by_region).await.unwrap()), ["south"]);
    let all = domain
        .run(&format!("SELECT COUNT(*) AS n {joined}"))
        .await
        .unwrap();
    // 120 trips of the north, 120 of the south, 108 of the east; the others name no driver.
    let n = cells(&all.table, 0).into_values().next().unwrap();
    assert!(
        matches!(n[0], crate::expected::Value::Number(n) if n == 348.0),
        "{n:?}"
    );
    // From the other side rows come by driver, and the vehicle is the second kind.
    let turned = "SELECT region, COUNT(*) AS n FROM drivers d JOIN trips t ON t.driver = d.licence_number GROUP BY region";
    assert_eq!(regions(&domain.run(turned).await.unwrap()), ["south"]);
    // The vehicles are no drivers.
    let refusal = domain
        .refusal("SELECT COUNT(*) FROM trips t JOIN drivers d ON t.vehicle = d.licence_number")
        .await;
    assert!(refusal.starts_with("SQL_JOIN_POPULATIONS"), "{refusal}");
}

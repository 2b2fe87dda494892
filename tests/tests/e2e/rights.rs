//! What a manifest says of a column holds for every query and every model.

use weir_tests::TestDomain;

use crate::models::component;

const MANIFEST: &str = r#"
name = "people"
population = "persons"
unit = "id"
description = "People of a town"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"
[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Where"
[[column]]
name = "street"
type = "string"
role = "quasi-identifier"
group_by = false
description = "Where exactly"
[[column]]
name = "income"
type = "float64"
role = "sensitive"
description = "What they earn"
[[column]]
name = "rent"
type = "float64"
role = "sensitive"
description = "What they pay"
[[column]]
name = "age"
type = "int16"
role = "sensitive"
description = "How old they are"
[[column]]
name = "points"
type = "int64"
role = "sensitive"
description = "What they collected"
[[column]]
name = "religion"
type = "string"
role = "sensitive"
not_shared = "Personal Information Protection Law, article 28"
description = "What they believe"
"#;

async fn domain() -> TestDomain {
    let domain = TestDomain::start().await;
    let mut csv = "id,town,street,income,rent,age,points,religion\n".to_owned();
    for person in 0..200 {
        csv += &format!(
            "p{person},{},street {},{},{},{},{},none\n",
            ["North", "South"][person % 2],
            person % 3,
            1_000 + person,
            300 + person / 2,
            20 + person % 60,
            person * 7
        );
    }
    domain
        .register_bytes("people.csv", csv.as_bytes(), MANIFEST)
        .await
        .unwrap();
    domain
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_used_as_the_manifest_says() {
    let domain = domain().await;
    for (allowed, cells) in [
        ("SELECT town, AVG(income) AS a FROM people GROUP BY town", 2),
        (
            "SELECT COUNT(*) AS n FROM people WHERE street = 'street 1'",
            1,
        ),
        (
            "SELECT COUNT(*) AS n FROM people WHERE income > rent AND town = 'North'",
            1,
        ),
        ("SELECT AVG(income - rent) AS a FROM people", 1),
        ("SELECT AVG(income / rent) AS a FROM people", 1),
        (
            "SELECT COUNT(*) AS n FROM people WHERE income + rent > rent",
            1,
        ),
        ("SELECT SUM(greatest(income, rent)) AS s FROM people", 1),
        (
            "SELECT COUNT(*) AS n FROM people WHERE points + age > age",
            1,
        ),
        (
            "SELECT COUNT(*) AS n FROM people WHERE CAST(points AS DOUBLE) * age < income * rent",
            1,
        ),
        ("SELECT COUNT(sqrt(income - rent)) AS n FROM people", 1),
        (
            "SELECT SUM(CASE WHEN income > rent THEN income ELSE rent END) AS s FROM people",
            1,
        ),
        (
            "SELECT town, AVG(income) AS a FROM people GROUP BY town HAVING AVG(income) > 5",
            2,
        ),
        (
            "SELECT AVG(income) / 12 AS monthly FROM people WHERE income IS NOT NULL",
            1,
        ),
    ] {
        assert_eq!(
            domain.run(allowed).await.unwrap().cells_released,
            cells,
            "{allowed}"
        );
    }
    let reading = component(
        "world model { record out { pious: bool } export row: func(religion: string) -> out; }",
        r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export "row") (param i32 i32) (result i32) (i32.const 1)))"#,
    );
    domain.approved_model("pious", reading).await;
    let counting = component(
        "world model { export row: func(weir-unit: u32) -> u32; }",
        "(module (func (export \"row\") (param i32) (result i32) local.get 0))",
    );
    domain.approved_model("numbered", counting).await;
    let mut seen = String::new();
    for refused in [
        "SELECT religion, COUNT(*) FROM people GROUP BY religion",
        "SELECT COUNT(*) FROM people WHERE religion = 'none'",
        "SELECT COUNT(religion) FROM people",
        "SELECT COUNT(*) FROM pious(people)",
        "SELECT value, COUNT(*) FROM numbered(people) GROUP BY value",
        "SELECT id, COUNT(*) FROM people GROUP BY id",
        "SELECT street, COUNT(*) FROM people GROUP BY street",
        "SELECT upper(street) AS s, COUNT(*) FROM people GROUP BY s",
        "SELECT town || street AS s, COUNT(*) FROM people GROUP BY 1",
        "SELECT COUNT(*) FROM people WHERE income > 1100",
        "SELECT COUNT(*) FROM people WHERE NOT (town = 'North' OR 1100 < income)",
        "SELECT COUNT(*) FROM people WHERE income BETWEEN 1 AND 2",
        "SELECT COUNT(*) FROM people WHERE income IN (1, 2)",
        "SELECT COUNT(nullif(income, 1100)) FROM people",
        "SELECT SUM(CASE WHEN income > 1100 THEN 1 ELSE 0 END) FROM people",
        "SELECT SUM(income - 1100) FROM people",
        "SELECT COUNT(CAST(income AS TINYINT)) FROM people",
        "SELECT income > 1100 AS rich, COUNT(*) FROM people GROUP BY 1",
        "SELECT COUNT(*) FROM people WHERE income > rent / rent",
        "SELECT COUNT(*) FROM people WHERE income > rent - rent",
        "SELECT COUNT(*) FROM people WHERE income > signum(rent) + signum(rent)",
        "SELECT COUNT(*) FROM people WHERE income > CAST(rent = rent AS DOUBLE)",
        "SELECT COUNT(*) FROM people WHERE income BETWEEN rent AND rent * rent",
        "SELECT COUNT(*) FROM people WHERE income IN (rent, rent / rent)",
        "SELECT COUNT(*) FROM people WHERE points * age > points",
        "SELECT COUNT(*) FROM people WHERE age + age > age",
        "SELECT COUNT(*) FROM people WHERE points BETWEEN age AND points * age",
        "SELECT COUNT(sqrt(income - rent / rent)) FROM people",
        "SELECT COUNT(sqrt(points * age)) FROM people",
        "SELECT COUNT(points / (age - rent / rent)) FROM people",
        "SELECT COUNT(points % (age - points / points)) FROM people",
        "SELECT COUNT(*) FROM people WHERE income / rent > rent",
        "SELECT COUNT(*) FROM people WHERE town = 'North' AND income > floor(rent)",
        "SELECT COUNT(*) FROM people WHERE income > character_length(town) * rent",
        "SELECT COUNT(nullif(income, rent / rent)) FROM people",
        "SELECT SUM(greatest(income, rent - rent)) FROM people",
        "SELECT SUM(exp(income)) FROM people",
        "SELECT SUM(exp(income / rent)) FROM people",
        "SELECT SUM(income * rent * income * rent * income) FROM people",
        "SELECT SUM(least(income, greatest(rent, signum(rent)))) FROM people",
        "SELECT SUM(CASE WHEN income > rent % rent THEN income ELSE rent END) FROM people",
        "SELECT SUM(CASE income WHEN rent / rent THEN income ELSE rent END) FROM people",
        "SELECT floor(income / rent) AS f, COUNT(*) FROM people GROUP BY 1",
        "SELECT COUNT(*) FROM people p JOIN people q USING (id) WHERE p.income > q.rent / p.rent",
        "SELECT p.town, COUNT(*) FROM people p JOIN people q USING (id) WHERE q.income > 5 GROUP BY 1",
    ] {
        seen += &format!("{refused}\n    {}\n", domain.refusal(refused).await);
    }
    insta::assert_snapshot!("rights", seen);
}

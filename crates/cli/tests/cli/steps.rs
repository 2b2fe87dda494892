//! What a new user types.

use std::path::Path;

use crate::process::{Served, example, fails, grant, succeeds, weir};

#[test]
fn the_demo_tells_the_whole_story_and_leaves_nothing() {
    let output = weir(None, &["demo"]);
    assert!(
        output.status.success(),
        "{}\n{}",
        output.stdout,
        output.stderr
    );
    for told in [
        "[1/8]",
        "[8/8]",
        "grant ",
        "334264 rows of 4043 aircraft",
        "severe",
        "11 cells",
        "entries of `weir/demo` verify",
    ] {
        assert!(
            output.stdout.contains(told),
            "`{told}` is missing from\n{}",
            output.stdout
        );
    }
    let folder = output
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("in /"))
        .unwrap();
    assert!(
        !Path::new("/").join(folder).exists(),
        "the domain is still there"
    );
}

/// A model computed something of the table: each count is within a step of the true one, a step being 1, 2 or 5 times a power
/// of ten and no smaller than the flights of any single aircraft.
fn assert_coarse(table: &str) {
    let counts = [
        ("cancelled", 6_920, 60),
        ("major", 24_560, 110),
        ("minor", 54_640, 510),
        ("on-time", 229_170, 1_010),
        ("severe", 18_980, 110),
    ];
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("band,flights"));
    for (band, count, step) in counts {
        let shown = lines
            .next()
            .and_then(|line| line.strip_prefix(band)?.strip_prefix(','));
        let shown: i64 = shown.unwrap().parse().unwrap();
        assert!(
            (shown - count).abs() <= step,
            "{band}: {shown} is not near {count}"
        );
        assert_eq!(shown % 10, 0, "{band}: {shown} is too fine");
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn the_separate_steps_lead_to_a_released_table() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = example("");
    let served = Served::start(folder.path(), &inbox);
    let bureau = Some(served.administrator.as_path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();

    let li = folder.path().join("li");
    succeeds(
        bureau,
        &[
            "identity",
            "issue",
            "--role",
            "operator",
            "--organisation",
            "Acme",
            "--person",
            "李雷",
            "--out",
            li.to_str().unwrap(),
        ],
    );
    let operator = Some(li.as_path());
    assert!(
        succeeds(operator, &["identity", "show", "--format", "json"])
            .contains("\"person\": \"李雷\"")
    );

    let (flights, manifest) = (example("flights.parquet"), example("flights.toml"));
    let registered = succeeds(
        bureau,
        &[
            "dataset",
            "register",
            flights.to_str().unwrap(),
            "--manifest",
            manifest.to_str().unwrap(),
            "--format",
            "csv",
        ],
    );
    assert!(registered.starts_with("name,population,rows,units,rows_without_unit,"));
    assert!(registered.contains("flights,aircraft,334264,4043,2512,"));
    assert!(
        succeeds(operator, &["dataset", "list", "--format", "csv"])
            .contains("flights,aircraft,,,,"),
        "an operator sees no figures"
    );
    assert!(succeeds(operator, &["dataset", "show", "flights"]).contains("dep_delay"));

    let model = example("models/disruption/disruption.wasm");
    assert!(
        succeeds(operator, &["model", "submit", model.to_str().unwrap()])
            .contains("weir model approve disruption")
    );
    let sql =
        "SELECT band, COUNT(*) AS flights FROM disruption(flights) GROUP BY band ORDER BY band";
    assert!(fails(operator, &["run", sql]).contains("[MODEL_NOT_APPROVED]"));
    assert!(
        succeeds(bureau, &["model", "show", "disruption"])
            .contains("export row: func(dep-delay: option<f64>")
    );
    assert!(
        succeeds(
            bureau,
            &["model", "approve", "disruption", "--format", "csv"]
        )
        .contains(",approved,")
    );

    assert!(fails(operator, &["run", sql]).contains("[GRANT_MISSING]"));
    let provider = "US Bureau of Transportation Statistics";
    let id = grant(
        &served.administrator,
        &li,
        &example("application.toml"),
        Some(provider),
    );
    let shown = succeeds(operator, &["grant", "show", &id]);
    assert!(
        shown.contains("reads      flights: arr_delay, carrier,"),
        "{shown}"
    );
    assert!(succeeds(bureau, &["grant", "list"]).contains("Punctuality of air traffic"));
    let effective = succeeds(operator, &["policy", "show", "--effective", &id]);
    assert!(effective.contains("cell.units_min"), "{effective}");
    let two = ["policy", "show", "--effective", &id, "--effective", &id];
    assert!(fails(operator, &two).contains("a run reads under one grant"));

    let receipt = path("run.json");
    let table = succeeds(
        operator,
        &["run", sql, "--receipt", &receipt, "--format", "csv"],
    );
    assert_coarse(&table);
    let releases = succeeds(bureau, &["release", "list", "--format", "json"]);
    assert!(
        releases.contains("\"cells_released\": 5") && releases.contains("\"cells_withheld\": 0")
    );
    assert!(fails(operator, &["release", "list"]).contains("[ROLE_NOT_ALLOWED]"));

    assert!(succeeds(operator, &["audit", "checkpoint"]).starts_with("weir/weir\n"));
    assert!(succeeds(operator, &["audit", "verify", &receipt]).contains("release_decided"));
    let (log, key) = (served.domain.join("log"), served.domain.join("log.vkey"));
    let verify = [
        "audit",
        "verify",
        "--log",
        log.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    assert!(succeeds(None, &verify).contains("entries of `weir/weir` verify"));
    served.stop();
    assert!(
        succeeds(None, &verify).contains("entries of `weir/weir` verify"),
        "the log needs no server"
    );

    // A byte of the log changed by hand does not go unnoticed.
    let entries = log.join("tile/entries/000.p");
    let bundle = std::fs::read_dir(entries)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&bundle).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    assert!(fails(None, &verify).contains("AUDIT_"));
}

#[test]
fn wrong_usage_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("something"), "").unwrap();
    assert!(fails(None, &["init", full]).contains("is not empty"));
    assert!(fails(None, &["init", "unused", "--name", "a b"]).contains("is not a domain name"));
    assert!(fails(None, &["serve", full]).contains("Make a domain with `weir init DIR`"));
    assert!(fails(None, &["run", "SELECT 1"]).contains("Give --identity DIR or set WEIR_IDENTITY"));
    assert!(fails(Some(folder.path()), &["run", "SELECT 1"]).contains("`identity.toml`"));
    assert!(fails(None, &["audit", "verify", "--key", "nowhere.vkey"]).contains("nowhere.vkey"));
    assert_eq!(weir(None, &["runn"]).status.code(), Some(2));
    for command in [
        "demo",
        "init",
        "serve",
        "identity issue",
        "dataset register",
        "model submit",
        "run",
        "audit verify",
        "grant apply",
        "freeze set",
        "identity renew",
        "airlock list",
        "airlock show",
        "airlock approve",
        "airlock reject",
        "runs show",
        "runs watch",
        "runs cancel",
    ] {
        let args: Vec<_> = command.split(' ').chain(["--help"]).collect();
        assert!(
            succeeds(None, &args).contains("Example"),
            "{command} --help has no example"
        );
    }
    assert!(!Path::new("unused").exists());
}

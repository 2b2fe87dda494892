//! `weir policy` as the bureau types it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Served, fails, succeeds};

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn shipped(name: &str) -> String {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    file.join(name).to_str().unwrap().to_owned()
}

fn json(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

const STRICT: &str = "name = \"strict\"\n[cell]\nunits_min = 20\nrows_min = 12\n";
const LOOSE: &str = "name = \"loose\"\n[cell]\nunits_min = 5\n";

#[test]
fn check_needs_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let strict = write(folder.path(), "strict.toml", STRICT);
    let default = shipped("default.toml");
    let told = succeeds(None, &["policy", "check", &strict, "--against", &default]);
    for line in [
        "Policy `strict` is valid, sha256:".to_owned(),
        format!("{strict}:4:12: warning: `cell.rows_min` can never bite: a cell of 20 units"),
        "default.toml it only tightens\n".to_owned(),
        "cells of 10–19 units are withheld".to_owned(),
    ] {
        assert!(told.contains(&line), "`{line}` is missing from\n{told}");
    }
    let rows = json(&succeeds(
        None,
        &[
            "policy",
            "check",
            &default,
            "--against",
            &strict,
            "--format",
            "json",
        ],
    ));
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| (row["kind"].as_str().unwrap(), row["key"].as_str().unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("note", "p_ratio.ratio_min"),
            ("looser", "cell.units_min"),
            ("looser", "cell.rows_min")
        ]
    );
    let same = succeeds(None, &["policy", "check", &default, "--against", &default]);
    assert!(same.contains("It asks for the same as"), "{same}");
    let alone = succeeds(None, &["policy", "check", &shipped("health.toml")]);
    assert!(alone.contains("Policy `health` is valid"), "{alone}");

    let wrong = write(
        folder.path(),
        "wrong.toml",
        "name = \"x\"\n[cell]\nunits_min = 2\n",
    );
    let error = fails(None, &["policy", "check", &wrong]);
    assert!(
        error.contains("wrong.toml:3:13: `cell.units_min` is `2`, but the floor is 3")
            && error.contains("[POLICY_BELOW_FLOOR]"),
        "{error}"
    );
    let nobody = fails(None, &["policy", "check", &strict, "--in-force"]);
    assert!(nobody.contains("no identity is named"), "{nobody}");
}

#[test]
fn a_policy_is_put_approved_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let served = Served::start(folder.path(), &inbox);
    let wang = Some(served.administrator.as_path());
    let li = folder.path().join("li");
    let as_li = [
        "identity",
        "issue",
        "--role",
        "bureau",
        "--organisation",
        "Data Bureau",
        "--person",
        "li",
        "--out",
    ];
    succeeds(wang, &[&as_li[..], &[li.to_str().unwrap()]].concat());
    let li = Some(li.as_path());
    let strict = write(folder.path(), "strict.toml", STRICT);
    let loose = write(folder.path(), "loose.toml", LOOSE);

    let put = succeeds(wang, &["policy", "put", &strict]);
    assert!(
        put.contains("Policy `strict` of the domain: in force"),
        "{put}"
    );
    assert!(put.contains("cells of 10–19 units are withheld"), "{put}");
    let again = succeeds(wang, &["policy", "put", &strict]);
    assert!(
        again.contains("Nothing changes: policy `strict` is in force already"),
        "{again}"
    );
    let copy = std::fs::read_to_string(served.domain.join("policy.toml")).unwrap();
    assert_eq!(copy, STRICT);

    let shown = json(&succeeds(li, &["policy", "show", "--format", "json"]));
    let units = shown
        .iter()
        .find(|row| row["key"] == "cell.units_min")
        .unwrap();
    assert_eq!(
        (
            units["value"].as_str(),
            units["floor"].as_str(),
            units["set_by"].as_str()
        ),
        (Some("20"), Some("3"), Some("domain"))
    );
    let toml = succeeds(li, &["policy", "show", "--toml"]);
    let in_force = write(folder.path(), "in-force.toml", &toml);
    let same = succeeds(li, &["policy", "check", &in_force]);
    assert!(
        same.contains("It asks for the same as the policy in force"),
        "{same}"
    );
    let unknown = fails(li, &["policy", "show", "--effective", "nowhere"]);
    assert!(unknown.contains("[DATASET_UNKNOWN]"), "{unknown}");

    let next = succeeds(li, &["policy", "check", &loose]);
    assert!(
        next.contains("it loosens something: handed in, it takes a second person"),
        "{next}"
    );
    let proposed = json(&succeeds(
        wang,
        &["policy", "put", &loose, "--format", "json"],
    ));
    let id = proposed[0]["id"].as_str().unwrap();
    assert_eq!(proposed[0]["state"], "proposed");
    assert_eq!(
        proposed[0]["changes"],
        "cell.units_min 20 → 5; cell.rows_min 12 → 10"
    );
    let own = fails(wang, &["policy", "approve", id]);
    assert!(own.contains("[POLICY_OWN_CHANGE]"), "{own}");
    let approved = succeeds(li, &["policy", "approve", id]);
    assert!(
        approved.contains("approved") && approved.contains("takes effect at"),
        "{approved}"
    );
    let listed = json(&succeeds(li, &["policy", "list", "--format", "json"]));
    assert_eq!(
        (listed.len(), listed[0]["state"].as_str()),
        (1, Some("approved"))
    );
    let withdrawn = succeeds(wang, &["policy", "withdraw", id]);
    assert!(withdrawn.contains("withdrawn"), "{withdrawn}");
    assert_eq!(
        json(&succeeds(li, &["policy", "list", "--format", "json"])).len(),
        0
    );
    let all = succeeds(li, &["policy", "list", "--all", "--format", "csv"]);
    assert_eq!(all.lines().count(), 3, "{all}");
    let gone = fails(li, &["policy", "approve", id]);
    assert!(gone.contains("[POLICY_CHANGE_CLOSED]"), "{gone}");

    let replayed = succeeds(li, &["policy", "replay", &loose, "--format", "json"]);
    assert_eq!(json(&replayed).len(), 0);
    served.stop();
}

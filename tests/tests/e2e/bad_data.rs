//! Files that are refused at registration: with file, row and column, never with the value, and nothing stays.

use weir_tests::{TestDomain, refusal};

const MANIFEST: &str = r#"
name = "people"
population = "persons"
unit = "id"
description = "made up"
source = "made up"
licence = "CC0-1.0"

[[column]]
name = "id"
type = "string"
role = "identifier"
description = "who"

[[column]]
name = "age"
type = "int32"
role = "measure"
description = "years"

[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "where"
"#;

/// A value that must not come back.
const SECRET: &str = "secret-7f3a9c";

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.replace("SECRET", SECRET).into_bytes();
    vec![
        (
            "bad UTF-8",
            [b"id,age,town\nSECRET,1,a\nb,2,".as_slice(), b"\xff\xfe\n"].concat(),
        ),
        ("a row too short", text("id,age,town\na,1,x\nSECRET,2\n")),
        ("a row too long", text("id,age,town\na,1,x\nb,2,SECRET,y\n")),
        ("a wrong type", text("id,age,town\na,1,x\nb,SECRET,y\n")),
        (
            "too large for its type",
            text("id,age,town\na,1,x\nb,99999999999,SECRET\n"),
        ),
        ("a duplicate header", text("id,age,age,town\na,1,1,x\n")),
        ("an empty file", Vec::new()),
        ("a header alone", text("id,age,town\n")),
        ("no unit column", text("age,town\n1,SECRET\n")),
        ("a missing column", text("id,age\nSECRET,1\n")),
        ("a column too many", text("id,age,town,extra\na,1,x,y\n")),
        ("no row names a unit", text("id,age,town\n,1,SECRET\n")),
        (
            "a quote that never ends",
            text("id,age,town\na,1,\"SECRET\nb,2,y\n"),
        ),
        ("not CSV", b"PAR1\0\0\0\0PAR1".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_with_file_row_and_column_and_nothing_stays() {
    let domain = TestDomain::start().await;
    let before = files(domain.folder.vault().as_path());
    let mut seen = String::new();
    for (what, content) in cases() {
        let outcome = domain
            .register_bytes("people.csv", &content, MANIFEST)
            .await;
        let message = outcome
            .as_ref()
            .map_or_else(refusal, |dataset| format!("registered {:?}", dataset.rows));
        assert!(
            !message.contains(SECRET),
            "{what}: the message quotes the value"
        );
        seen += &format!("{what}\n    {message}\n");
        if outcome.is_err() {
            assert_eq!(
                files(domain.folder.vault().as_path()),
                before,
                "{what}: something stays in the vault"
            );
            assert!(
                domain.bureau.list_datasets().await.unwrap().is_empty(),
                "{what}: something is registered"
            );
        }
    }
    insta::assert_snapshot!("bad_data", seen);
    let good = b"id,age,town\na,1,x\nb,2,y\na,3,x\n,4,z\n";
    let dataset = domain
        .register_bytes("people.csv", good, MANIFEST)
        .await
        .unwrap();
    assert_eq!(
        (dataset.rows, dataset.units, dataset.rows_without_unit),
        (Some(3), Some(2), Some(1))
    );
    let again = domain
        .register_bytes("people.csv", good, MANIFEST)
        .await
        .unwrap_err();
    assert_eq!(again.code(), "DATASET_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_manifest_or_path_is_refused_with_its_place() {
    let domain = TestDomain::start().await;
    let good = b"id,age,town\na,1,x\n";
    let mut seen = String::new();
    for (from, to) in [
        ("name = \"people\"", "nam = \"people\""),
        ("name = \"people\"", "name = \"People\""),
        ("unit = \"id\"", "unit = \"town\""),
        ("type = \"int32\"", "type = \"integer\""),
        ("role = \"measure\"", "role = "),
        ("name = \"age\"", "name = \"weir_unit\""),
        ("name = \"age\"", "name = \"town\""),
    ] {
        let manifest = MANIFEST.replacen(from, to, 1);
        let error = domain
            .register_bytes("people.csv", good, &manifest)
            .await
            .unwrap_err();
        seen += &format!("{to}\n    {}\n", refusal(&error));
    }
    insta::assert_snapshot!("bad_manifests", seen);
    for (path, code) in [
        ("/etc/passwd", "SOURCE_OUTSIDE_INBOX"),
        ("/nowhere/people.csv", "SOURCE_NOT_FOUND"),
        ("", "SOURCE_NOT_FOUND"),
    ] {
        let request = weir_client::v1::RegisterDatasetRequest {
            manifest_toml: MANIFEST.to_owned(),
            manifest_name: "manifest.toml".to_owned(),
            source_path: path.to_owned(),
            update: false,
        };
        let error = domain
            .bureau
            .register_dataset(request, |_| {})
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{path}");
    }
    // A link out of the inbox leads nowhere.
    std::os::unix::fs::symlink("/etc/passwd", domain.inbox.join("link.csv")).unwrap();
    let request = weir_client::v1::RegisterDatasetRequest {
        manifest_toml: MANIFEST.to_owned(),
        manifest_name: "manifest.toml".to_owned(),
        source_path: domain.inbox.join("link.csv").display().to_string(),
        update: false,
    };
    let error = domain
        .bureau
        .register_dataset(request, |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.code(), "SOURCE_OUTSIDE_INBOX");
}

/// Every file below a folder, by path.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    found
}

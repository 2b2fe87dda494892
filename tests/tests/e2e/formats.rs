//! Formats on disk say their version, and one of another version is refused by its name and left as it is.
//!
//! What an earlier version wrote is read: the registry's layout is brought up to date (`crates/registry/src/tests.rs`), a
//! vault of before stores is read (`crates/vault/src/faults/tests.rs`), and so is an authority of before it could be changed
//! (`authority_rotation.rs`). Entries and receipts of every version so far are in `crates/audit`.

use std::fs;
use std::path::Path;

use weir_audit::Receipt;
use weir_server::{Domain, create_backup, verify_backup};
use weir_tests::TestDomain;

const SQL: &str = "SELECT origin, COUNT(*) AS n FROM flights GROUP BY origin";

/// Puts bytes in the place of others that stand in a file once.
fn replace(file: &Path, from: &str, to: &str) -> Vec<u8> {
    let before = fs::read(file).unwrap();
    let at = before
        .windows(from.len())
        .position(|window| window == from.as_bytes())
        .unwrap_or_else(|| panic!("`{from}` is not in {}", file.display()));
    let mut after = before.clone();
    after.splice(at..at + from.len(), to.bytes());
    fs::write(file, after).unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_a_format_is_refused_and_left_as_it_is() {
    let domain = TestDomain::with_flights().await;
    let answer = domain.run(SQL).await.unwrap();
    let log_key = domain.operator.log_key().clone();
    let (folder, guard) = domain.stop().await;
    let backup = guard.path().join("backup");
    create_backup(folder.root(), &backup, None).await.unwrap();

    let root = folder.root();
    for (file, from, to, code) in [
        (
            root.join("vault/vault.json"),
            "\"format\":2",
            "\"format\":9",
            "VAULT_FORMAT",
        ),
        (
            root.join("keys/master.key"),
            "key-v1:",
            "key-v9:",
            "MASTER_KEY_FILE",
        ),
        (
            root.join("ledger/releases"),
            "ledger v1",
            "ledger v9",
            "LEDGER_FORMAT",
        ),
        (
            root.join("keys/log.key"),
            "PRIVATE+KEY",
            "PRIVATE-KEY",
            "AUDIT_SIGNING_KEY_INVALID",
        ),
    ] {
        let before = replace(&file, from, to);
        let changed = fs::read(&file).unwrap();
        let fault = Domain::open(root).await.err().unwrap();
        assert_eq!(fault.code, code, "{}", file.display());
        assert_eq!(fs::read(&file).unwrap(), changed, "it is left as it is");
        fs::write(&file, before).unwrap();
    }

    let manifest = backup.join("backup.json");
    replace(&manifest, "\"version\": 1", "\"version\": 9");
    let refused = verify_backup(&backup, None, None).await;
    assert_eq!(refused.err().unwrap().code, "BACKUP_VERSION");

    let other = answer
        .receipt_json
        .replacen("\"version\": 1", "\"version\": 9", 1);
    let other = Receipt::from_json(other.as_bytes()).unwrap();
    let refused = other.verify(&log_key).unwrap_err();
    assert_eq!(refused.code(), "AUDIT_RECEIPT_MALFORMED");
    assert!(refused.to_string().contains("version"), "{refused}");
    // And all of it opens as it was.
    drop(Domain::open(root).await.unwrap());
}

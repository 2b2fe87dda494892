//! The master key in a token: SoftHSM, which speaks PKCS#11.
//!
//! `.ci/run` installs it. Where it is not there, this test says so and passes. SoftHSM finds its tokens by a variable of
//! the environment, which is read once in a process: so the tests run in a process of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use weir_vault::{DataKey, KeyKeeper, TokenKey, TokenSettings, Vault, VaultError};

use crate::common::{Fixture, TRIPS, TRIPS_CSV, lines};

const PIN: &str = "648219";

/// Where Debian and others put the module.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

fn module() -> Option<PathBuf> {
    MODULES.iter().map(PathBuf::from).find(|path| path.exists())
}

#[test]
fn a_token_keeps_the_master_key() {
    let tool = Command::new("softhsm2-util").arg("--version").output();
    if module().is_none() || tool.is_err() {
        assert!(
            std::env::var_os("WEIR_TEST_TOKEN").is_none(),
            "SoftHSM was to be tested and is not installed"
        );
        println!("skipped: SoftHSM is not installed (Debian: softhsm2)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let settings = folder.path().join("softhsm2.conf");
    fs::write(
        &settings,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    for label in ["weir", "other"] {
        let made = Command::new("softhsm2-util")
            .env("SOFTHSM2_CONF", &settings)
            .args([
                "--init-token",
                "--free",
                "--label",
                label,
                "--so-pin",
                "12345678",
                "--pin",
                PIN,
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "token::with_a_token", "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", &settings)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn settings() -> TokenSettings {
    TokenSettings {
        module: module().unwrap(),
        token: "weir".to_owned(),
        key: "weir-master".to_owned(),
        pin: PIN.to_owned().into(),
    }
}

fn refusal(settings: TokenSettings) -> String {
    let refused = TokenKey::load(settings).map(drop).unwrap_err();
    assert_eq!(refused.code(), "TOKEN_FAILED");
    let text = refused.to_string();
    assert!(!text.contains(PIN), "{text}");
    text
}

#[test]
#[ignore = "run by its parent, in a process of its own"]
fn with_a_token() {
    refusals_before_there_is_a_key();
    let keeper = TokenKey::create(settings()).unwrap();
    wrapped_keys_are_bound(&keeper);
    drop(keeper);
    a_vault_with_a_token();
}

fn refusals_before_there_is_a_key() {
    let no_key = refusal(settings());
    assert!(no_key.contains("no AES key"), "{no_key}");
    let no_token = refusal(TokenSettings {
        token: "none".to_owned(),
        ..settings()
    });
    assert!(no_token.contains("no such token"), "{no_token}");
    let no_module = refusal(TokenSettings {
        module: PathBuf::from("/none/libnone.so"),
        ..settings()
    });
    assert!(no_module.contains("cannot be loaded"), "{no_module}");
    let wrong_pin = refusal(TokenSettings {
        pin: "111111".to_owned().into(),
        ..settings()
    });
    assert!(wrong_pin.contains("PIN is wrong"), "{wrong_pin}");
}

fn wrapped_keys_are_bound(keeper: &TokenKey) {
    let key = DataKey::random().unwrap();
    let wrapped = keeper.wrap_key(&key, "here").unwrap();
    let opened = keeper.unwrap_key(&wrapped, "here").unwrap().unwrap();
    assert_eq!(opened.expose_secret(), key.expose_secret());
    assert!(keeper.unwrap_key(&wrapped, "there").unwrap().is_none());
    for length in 0..wrapped.len() {
        assert!(
            keeper
                .unwrap_key(&wrapped[..length], "here")
                .unwrap()
                .is_none(),
            "{length}"
        );
    }
    for byte in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[byte] ^= 1 << (byte % 8);
        assert!(
            keeper.unwrap_key(&altered, "here").unwrap().is_none(),
            "{byte}"
        );
    }
    // It still works after all that.
    assert!(keeper.unwrap_key(&wrapped, "here").unwrap().is_some());
    // A second one in the same process has the same key, and what another token wrapped does not open.
    let again = TokenKey::create(settings()).unwrap();
    assert!(again.unwrap_key(&wrapped, "here").unwrap().is_some());
    let other = TokenKey::create(TokenSettings {
        token: "other".to_owned(),
        ..settings()
    })
    .unwrap();
    assert!(other.unwrap_key(&wrapped, "here").unwrap().is_none());
    assert_eq!(format!("{other:?}"), "TokenKey { token: \"other\", .. }");
}

fn a_vault_with_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("vault");
    let vault = Vault::create(&place, TokenKey::load(settings()).unwrap()).unwrap();
    let fixture = Fixture { folder, vault };
    let meta = fixture.register_csv(TRIPS, TRIPS_CSV);
    let rows = lines(&fixture.query(&meta.id, "SELECT * FROM t"));
    let Fixture { folder, vault } = fixture;
    drop(vault);
    let vault = Vault::open(&place, TokenKey::load(settings()).unwrap()).unwrap();
    let fixture = Fixture { folder, vault };
    assert_eq!(lines(&fixture.query(&meta.id, "SELECT * FROM t")), rows);
    let Fixture { folder, vault } = fixture;
    drop(vault);
    // The key was replaced: another token's has the same label.
    let replaced = TokenSettings {
        token: "other".to_owned(),
        ..settings()
    };
    let refused = open(&place, replaced).unwrap_err();
    assert_eq!(refused.code(), "MASTER_KEY_WRONG");
    drop(folder);
}

fn open(place: &Path, settings: TokenSettings) -> Result<Vault, VaultError> {
    Vault::open(place, TokenKey::load(settings)?)
}

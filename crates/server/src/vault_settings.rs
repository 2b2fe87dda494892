//! The `[vault]` table of `domain.toml`: where snapshots lie, and who keeps the master key.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weir_vault::{
    FileKeeper, KeyKeeper, MasterKey, S3Credentials, S3Settings, StoreSettings, TokenKey,
    TokenSettings,
};
use zeroize::Zeroizing;

use crate::authority::file_fault;
use crate::fault::Fault;
use crate::folder::Folder;
use crate::keys::Keeper;

/// Longest file with a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 4096;

/// Where snapshots lie, and who keeps the master key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// Where the sealed snapshots lie.
    pub store: StoreConfig,
    /// Who keeps the key that wraps the others.
    pub keys: KeysConfig,
}

/// Where the sealed snapshots lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum StoreConfig {
    /// In the domain's folder.
    #[default]
    Folder,
    /// In a bucket of an S3-compatible store.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every object's name begins with.
        #[serde(default)]
        prefix: String,
        /// The region.
        #[serde(default = "region_default")]
        region: String,
        /// The store's address where it is not Amazon's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// File with the credentials. Without it they come from the environment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credentials_file: Option<PathBuf>,
    },
}

/// Who keeps the master key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum KeysConfig {
    /// The file `keys/master.key` of the domain.
    #[default]
    File,
    /// A token that speaks PKCS#11.
    Pkcs11 {
        /// The module, a shared library.
        module: PathBuf,
        /// The token's label.
        token: String,
        /// The key's label.
        #[serde(default = "key_default")]
        key: String,
        /// File with the user's PIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin_file: Option<PathBuf>,
        /// Variable of the environment with the user's PIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pin_env: Option<String>,
    },
}

fn region_default() -> String {
    "us-east-1".to_owned()
}

fn key_default() -> String {
    "weir-master".to_owned()
}

/// A credentials file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl VaultConfig {
    /// Reads the table from a file of its own, for `weir init`.
    ///
    /// # Errors
    /// Where the file cannot be read or is not such a table.
    pub fn load(file: &Path) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(file).map_err(|error| file_fault(file, &error))?;
        toml::from_str(&text).map_err(|error| {
            Fault::caller("CONFIG_INVALID", format!("`{}`: {error}", file.display()))
        })
    }

    /// The store, with its credentials.
    pub(crate) fn store(&self) -> Result<StoreSettings, Fault> {
        let StoreConfig::S3 {
            bucket,
            prefix,
            region,
            endpoint,
            credentials_file,
        } = &self.store
        else {
            return Ok(StoreSettings::Folder);
        };
        let credentials = credentials_file.as_deref().map(credentials).transpose()?;
        Ok(StoreSettings::S3(S3Settings {
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            region: region.clone(),
            endpoint: endpoint.clone(),
            credentials,
        }))
    }

    /// The keeper of a domain that is there.
    pub(crate) fn open_keeper(&self, folder: &Folder) -> Result<Keeper, Fault> {
        Ok(match self.token()? {
            None => Keeper::File(FileKeeper::open(&folder.master_key())?),
            Some(token) => Keeper::Token(Box::new(TokenKey::load(token)?)),
        })
    }

    /// The keeper of a new domain; its key is made, or found in the token.
    pub(crate) fn create_keeper(&self, folder: &Folder) -> Result<Box<dyn KeyKeeper>, Fault> {
        Ok(match self.token()? {
            None => Box::new(MasterKey::create(&folder.master_key())?),
            Some(token) => Box::new(TokenKey::create(token)?),
        })
    }

    fn token(&self) -> Result<Option<TokenSettings>, Fault> {
        let KeysConfig::Pkcs11 {
            module,
            token,
            key,
            pin_file,
            pin_env,
        } = &self.keys
        else {
            return Ok(None);
        };
        Ok(Some(TokenSettings {
            module: module.clone(),
            token: token.clone(),
            key: key.clone(),
            pin: pin(pin_file.as_deref(), pin_env.as_deref())?,
        }))
    }
}

fn pin(file: Option<&Path>, variable: Option<&str>) -> Result<Zeroizing<String>, Fault> {
    let invalid = |problem: String| Fault::caller("CONFIG_INVALID", problem);
    match (file, variable) {
        (Some(file), None) => Ok(Zeroizing::new(secret(file)?.trim().to_owned())),
        (None, Some(name)) => std::env::var(name).map(Zeroizing::new).map_err(|_| {
            invalid(format!(
                "`[vault.keys]`: the variable `{name}` of `pin_env` is not set. Set it to the token's PIN"
            ))
        }),
        _ => Err(invalid(
            "`[vault.keys]`: name the token's PIN with one of `pin_file` and `pin_env`".to_owned(),
        )),
    }
}

fn credentials(file: &Path) -> Result<S3Credentials, Fault> {
    let text = secret(file)?;
    // What the parser says quotes the line, which may hold the secret.
    let read: CredentialsFile = toml::from_str(&text).map_err(|_| {
        Fault::caller(
            "CONFIG_INVALID",
            format!(
                "`{}`: not a credentials file. Write `access_key_id = \"…\"` and `secret_access_key = \"…\"`",
                file.display()
            ),
        )
    })?;
    Ok(S3Credentials {
        access_key_id: read.access_key_id,
        secret_access_key: read.secret_access_key.into(),
        session_token: read.session_token.map(Zeroizing::new),
    })
}

/// A file that nobody but its owner may read.
fn secret(file: &Path) -> Result<Zeroizing<String>, Fault> {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    let failed = |error| file_fault(file, &error);
    let open = std::fs::File::open(file).map_err(failed)?;
    let mode = open.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Fault::environment(
            "SECRET_FILE_OPEN",
            format!(
                "others than its owner may read `{}`. Run `chmod 600` on it",
                file.display()
            ),
        ));
    }
    let mut text = Zeroizing::new(String::new());
    open.take(SECRET_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn settings_come_back_and_unknown_ones_are_refused() {
        let text = r#"
            [store]
            kind = "s3"
            bucket = "city"
            endpoint = "https://store.example"
            [keys]
            kind = "pkcs11"
            module = "/usr/lib/softhsm/libsofthsm2.so"
            token = "weir"
            pin_env = "WEIR_PIN"
        "#;
        let config: VaultConfig = toml::from_str(text).unwrap();
        let again: VaultConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(config, again);
        let StoreSettings::S3(s3) = config.store().unwrap() else {
            panic!("not the store of the settings")
        };
        assert_eq!((s3.region.as_str(), s3.prefix.as_str()), ("us-east-1", ""));
        assert_eq!(
            toml::from_str::<VaultConfig>("").unwrap(),
            VaultConfig::default()
        );
        for bad in [
            "[store]\nkind = \"ftp\"",
            "[store]\nkind = \"s3\"",
            "[store]\nkind = \"s3\"\nbucket = \"b\"\nsecret = \"x\"",
            "[keys]\nkind = \"pkcs11\"",
            "[cache]",
        ] {
            toml::from_str::<VaultConfig>(bad).unwrap_err();
        }
    }

    #[test]
    fn secrets_are_read_from_closed_files_and_never_quoted() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.toml");
        let set = |text: &str, mode| {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set("access_key_id = \"a\"\nsecret_access_key = \"hush\"", 0o600);
        let read = credentials(&file).unwrap();
        assert_eq!(read.secret_access_key.as_str(), "hush");
        assert!(!format!("{read:?}").contains("hush"));
        set("access_key_id = \"a\"\nsecret_access_key = \"hush", 0o600);
        assert!(!credentials(&file).unwrap_err().message.contains("hush"));
        set("1234\n", 0o640);
        assert_eq!(pin(Some(&file), None).unwrap_err().code, "SECRET_FILE_OPEN");
        set("1234\n", 0o600);
        assert_eq!(pin(Some(&file), None).unwrap().as_str(), "1234");
        assert_eq!(pin(None, None).unwrap_err().code, "CONFIG_INVALID");
    }
}

//! The seal of the registry: whoever writes into its file without the domain's key is found.
//!
//! For each table the keyed hashes of its rows are added up, modulo 2^256. The sums, how often the registry was written, and
//! up to where the log went then, are one text, sealed with AES-256-GCM in a row of its own, which changes in the transaction
//! that changes the rows. So it agrees with them after any crash, and a row that was altered, added, taken out or put back
//! from before gives another sum. Adding keyed hashes up is the multiset hash of Clarke et al. (ASIACRYPT 2003, §5), which
//! needs that nobody sees the sums: hence sealed, and not signed alone.
//!
//! A write takes away what the row was as well as adding what it is, both as the database has them. So a row that somebody
//! alters before the registry writes to it leaves a wrong sum for ever, and is not covered up by the write.
//!
//! What no seal can show by itself is an older registry as a whole. The number of its writes is put into the log from time to
//! time, and the newest entry of the log is in the seal; whoever opens the domain holds one against the other.

pub(crate) mod check;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{Decode, Row, Sqlite, SqliteConnection, TypeInfo, ValueRef};

use crate::error::RegistryError;
use watch::Changed;

/// Length of the secret that a key is made of, in bytes.
pub const REGISTRY_KEY_LEN: usize = 32;

/// Each state is sealed under a key of its own, made with so many random bytes: then no nonce is used twice, however often
/// the registry is written and whatever copies of it there are.
const SALT_LEN: usize = 32;

/// What a sealed state is bound to; the version is part of it.
const PLACE: &[u8] = b"weir registry seal v1";

/// Where a step fails that no input makes fail.
const NOT_SEALED: RegistryError =
    RegistryError::Sealing("a step of the cipher failed. Report it, with this text");

/// What the rows of a registry are held against.
pub struct RegistryKey {
    rows: hmac::Key,
    states: hkdf::Prk,
}

impl fmt::Debug for RegistryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistryKey(…)")
    }
}

impl RegistryKey {
    /// The key made of a secret that is used for nothing else.
    ///
    /// # Errors
    /// Where it cannot be made, which no input leads to.
    pub fn new(secret: &[u8; REGISTRY_KEY_LEN]) -> Result<Self, RegistryError> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, PLACE);
        let states = salt.extract(secret);
        let rows = states.expand(&[b"rows"], hmac::HMAC_SHA256);
        let rows = hmac::Key::from(rows.map_err(|_| NOT_SEALED)?);
        Ok(Self { rows, states })
    }

    fn of_state(&self, salt: &[u8]) -> Result<LessSafeKey, RegistryError> {
        let info = [b"state".as_slice(), salt];
        let key = self.states.expand(&info, &AES_256_GCM);
        let key = UnboundKey::from(key.map_err(|_| NOT_SEALED)?);
        Ok(LessSafeKey::new(key))
    }

    fn seal(&self, state: &State) -> Result<Vec<u8>, RegistryError> {
        let mut salt = [0; SALT_LEN];
        let filled = SystemRandom::new().fill(&mut salt);
        filled
            .map_err(|_| RegistryError::Sealing("the system gave no random numbers. Try again"))?;
        let mut text = state.to_text().into_bytes();
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        self.of_state(&salt)?
            .seal_in_place_append_tag(nonce, Aad::from(PLACE), &mut text)
            .map_err(|_| NOT_SEALED)?;
        Ok([salt.as_slice(), &text].concat())
    }

    fn open(&self, sealed: &[u8]) -> Result<State, RegistryError> {
        let altered = || RegistryError::altered("seal");
        let (salt, text) = sealed.split_at_checked(SALT_LEN).ok_or_else(altered)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let key = self.of_state(salt)?;
        let text = key.open_in_place(nonce, Aad::from(PLACE), &mut text);
        let text = text.map_err(|_| altered())?;
        let text = std::str::from_utf8(text).map_err(|_| altered())?;
        State::from_text(text).ok_or_else(altered)
    }

    /// The keyed hash of a row: of its table's name and its values, each with its type and its length.
    fn hash(
        &self,
        table: &str,
        row: &SqliteRow,
        columns: std::ops::Range<usize>,
    ) -> Result<Hash, RegistryError> {
        let mut hash = hmac::Context::with_key(&self.rows);
        put(&mut hash, b'n', table.as_bytes());
        for column in columns {
            put_value(&mut hash, row.try_get_raw(column)?)?;
        }
        let tag = hash.sign();
        let mut parts = [0; 4];
        for (part, bytes) in parts.iter_mut().zip(tag.as_ref().as_chunks().0) {
            *part = u64::from_le_bytes(*bytes);
        }
        Ok(Hash(parts))
    }
}

fn put(hash: &mut hmac::Context, kind: u8, bytes: &[u8]) {
    hash.update(&[kind]);
    hash.update(&(bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn put_value(hash: &mut hmac::Context, value: SqliteValueRef<'_>) -> Result<(), RegistryError> {
    if value.is_null() {
        put(hash, b'0', &[]);
        return Ok(());
    }
    let unreadable = |error| RegistryError::Database(sqlx::Error::Decode(error));
    let kind = value.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" => {
            let number = <i64 as Decode<Sqlite>>::decode(value).map_err(unreadable)?;
            put(hash, b'i', &number.to_le_bytes());
        }
        "REAL" => {
            let number = <f64 as Decode<Sqlite>>::decode(value).map_err(unreadable)?;
            put(hash, b'r', &number.to_bits().to_le_bytes());
        }
        of => {
            let kind = if of == "TEXT" { b't' } else { b'b' };
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value).map_err(unreadable)?;
            put(hash, kind, bytes);
        }
    }
    Ok(())
}

/// A hash of a row, or a sum of such: little-endian.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hash([u64; 4]);

impl Hash {
    fn plus(self, other: Self) -> Self {
        let mut sum = [0; 4];
        let mut carry = false;
        for ((sum, one), other) in sum.iter_mut().zip(self.0).zip(other.0) {
            let (partly, first) = one.overflowing_add(other);
            let (whole, second) = partly.overflowing_add(u64::from(carry));
            *sum = whole;
            carry = first || second;
        }
        Self(sum)
    }

    fn negative(self) -> Self {
        Self(self.0.map(|part| !part)).plus(Self([1, 0, 0, 0]))
    }
}

/// What the rows of a table add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    hash: Hash,
}

impl Sum {
    fn add(&mut self, hash: Hash) {
        self.rows = self.rows.wrapping_add(1);
        self.hash = self.hash.plus(hash);
    }

    fn take(&mut self, hash: Hash) {
        self.rows = self.rows.wrapping_sub(1);
        self.hash = self.hash.plus(hash.negative());
    }
}

/// Up to where the log went when the registry was last written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogMark {
    /// How many entries it had.
    pub entries: u64,
    /// SHA-256 of the last one's canonical bytes; zeros where there was none.
    pub newest: [u8; 32],
}

/// What is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// How many transactions have written.
    writes: u64,
    log: LogMark,
    /// The layout is being brought up to date: what the sums are of is between two layouts.
    is_migrating: bool,
    tables: BTreeMap<String, Sum>,
}

impl State {
    fn to_text(&self) -> String {
        let layout = match self.is_migrating {
            true => "changing",
            false => "settled",
        };
        let LogMark { entries, newest } = self.log;
        let mut text = format!(
            "{} {entries} {} {layout}\n",
            self.writes,
            hex::encode(newest)
        );
        for (table, Sum { rows, hash }) in &self.tables {
            let bytes: Vec<u8> = hash.0.iter().flat_map(|part| part.to_le_bytes()).collect();
            text.push_str(&format!("{table} {rows} {}\n", hex::encode(bytes)));
        }
        text
    }

    /// The text is authenticated before it is read.
    fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let first: Vec<&str> = lines.next()?.split(' ').collect();
        let [writes, entries, newest, layout] = *first.as_slice() else {
            return None;
        };
        let mut state = Self {
            writes: writes.parse().ok()?,
            log: LogMark {
                entries: entries.parse().ok()?,
                newest: bytes(newest)?,
            },
            is_migrating: layout == "changing",
            tables: BTreeMap::new(),
        };
        for line in lines {
            let parts: Vec<&str> = line.split(' ').collect();
            let [table, rows, hash] = *parts.as_slice() else {
                return None;
            };
            let bytes = bytes(hash)?;
            let mut hash = [0; 4];
            for (part, bytes) in hash.iter_mut().zip(bytes.as_chunks().0) {
                *part = u64::from_le_bytes(*bytes);
            }
            let sum = Sum {
                rows: rows.parse().ok()?,
                hash: Hash(hash),
            };
            state.tables.insert(table.to_owned(), sum);
        }
        Some(state)
    }
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The state in the database; none where there is no seal yet.
async fn read(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
) -> Result<Option<State>, RegistryError> {
    let there: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'seal'")
            .fetch_optional(&mut *connection)
            .await?;
    if there.is_none() {
        return Ok(None);
    }
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT state FROM seal WHERE one = 1")
        .fetch_optional(connection)
        .await?;
    sealed.map(|sealed| key.open(&sealed)).transpose()
}

async fn write(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
    state: &State,
) -> Result<(), RegistryError> {
    sqlx::query(
        "INSERT INTO seal (one, state) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET state = excluded.state",
    )
    .bind(key.seal(state)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// How often a registry was written, and up to where the log went at the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedState {
    /// Transactions that have written, ever.
    pub writes: u64,
    /// The log.
    pub log: LogMark,
}

pub(crate) async fn sealed_state(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
) -> Result<SealedState, RegistryError> {
    let state = read(connection, key).await?;
    let state = state.ok_or_else(|| RegistryError::altered("seal"))?;
    Ok(SealedState {
        writes: state.writes,
        log: state.log,
    })
}

/// Brings the seal up to what a transaction has changed, as its last statement. Nothing, where it has changed nothing and
/// there is no news of the log.
pub(crate) async fn renew(
    connection: &mut SqliteConnection,
    key: &RegistryKey,
    (log, has_news): (LogMark, bool),
) -> Result<(), RegistryError> {
    let Changed { state, rows } = watch::changed(connection).await?;
    if rows.is_empty() && !has_news {
        return Ok(());
    }
    let state = state.ok_or_else(|| RegistryError::altered("seal"))?;
    let mut state = key.open(&state)?;
    for row in &rows {
        let (table, times, columns) = watch::parts(row)?;
        let hash = key.hash(table, row, columns)?;
        let sum = state.tables.entry(table.to_owned()).or_default();
        for _ in 0..times.unsigned_abs() {
            match times > 0 {
                true => sum.add(hash),
                false => sum.take(hash),
            }
        }
    }
    state.writes += 1;
    if log.entries > state.log.entries {
        state.log = log;
    }
    sqlx::query("UPDATE seal SET state = ? WHERE one = 1")
        .bind(key.seal(&state)?)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;

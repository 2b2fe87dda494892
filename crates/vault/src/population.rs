//! Populations: from an identifier to a dense unit id, the same in every dataset, with no identifier kept.
//!
//! A unit's tag is HMAC-SHA-256 of its identifier under the population's key, cut to 128 bits (RFC 2104 §5 allows
//! cutting to half). With the most units a population can have, 2^32, two share a tag with probability below 2^-64.
//! The map file holds the tags in id order, sealed; whoever steals it without the key can't even test a guess.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use ring::hmac;

use crate::keys::{DataKey, KeyKeeper};
use crate::layout::Layout;
use crate::limits::UNITS_MAX;
use crate::seal::{self, KEY_LEN};
use crate::{Result, VaultError, durable};
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;
/// Largest map file: a tag per unit, and the seal.
const MAP_BYTES_MAX: u64 = UNITS_MAX * TAG_LEN as u64 + 64;
/// First bytes of the plain map; the version is part of them.
const MAP_PREFIX: &[u8; 8] = b"WEIRMAP1";

type Tag = [u8; TAG_LEN];

/// Tags are uniformly distributed already; hashing them again would only cost time.
#[derive(Default)]
struct TagHasher(u64);

impl Hasher for TagHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut first = [0; 8];
        let taken = bytes.len().min(8);
        first[..taken].copy_from_slice(&bytes[..taken]);
        self.0 = u64::from_le_bytes(first);
    }

    // The length prefix of an array's hash says nothing.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A population's units, in memory while a dataset is registered.
pub(crate) struct Population {
    name: String,
    key: DataKey,
    tag_key: hmac::Key,
    map_key: Zeroizing<[u8; KEY_LEN]>,
    ids: HashMap<Tag, u32, BuildHasherDefault<TagHasher>>,
    /// The tags in id order.
    tags: Vec<Tag>,
    /// Whether the key is not stored yet.
    new: bool,
}

impl Population {
    /// Reads a population, or starts one. `units_known` is what the snapshots show it must hold at least.
    pub(crate) fn load(
        layout: &Layout,
        keeper: &dyn KeyKeeper,
        name: &str,
        units_known: u64,
    ) -> Result<Self> {
        let damaged = |problem| VaultError::PopulationDamaged {
            population: name.to_owned(),
            problem,
        };
        let wrapped =
            durable::read_if_there(&layout.population_key(name), crate::limits::META_BYTES_MAX)?;
        let sealed = durable::read_if_there(&layout.population_map(name), MAP_BYTES_MAX)?;
        let (wrapped, sealed) = match (wrapped, sealed) {
            (Some(wrapped), sealed) => (wrapped, sealed),
            (None, Some(_)) => return Err(damaged("its key is missing")),
            (None, None) if units_known > 0 => return Err(damaged("its key and map are missing")),
            (None, None) => return Self::new(name, DataKey::random()?, true),
        };
        let key = keeper
            .unwrap_key(&wrapped, &key_place(name))?
            .ok_or_else(|| VaultError::KeyDamaged {
                name: format!("population-{name}.key"),
            })?;
        let mut population = Self::new(name, key, false)?;
        if let Some(sealed) = sealed {
            population
                .open_map(&sealed)
                .ok_or_else(|| damaged("its map was altered or cut short"))?;
        }
        // An older map, put back from a backup, would give known units new ids and other units theirs.
        if (population.tags.len() as u64) < units_known {
            return Err(damaged("its map is older than the snapshots that use it"));
        }
        Ok(population)
    }

    fn new(name: &str, key: DataKey, new: bool) -> Result<Self> {
        let tag_key = hmac::Key::new(hmac::HMAC_SHA256, key.derive("population tags")?.as_slice());
        let map_key = key.derive("population map")?;
        Ok(Self {
            name: name.to_owned(),
            key,
            tag_key,
            map_key,
            ids: HashMap::default(),
            tags: Vec::new(),
            new,
        })
    }

    fn open_map(&mut self, sealed: &[u8]) -> Option<()> {
        let plain = seal::open(&self.map_key, map_place(&self.name).as_bytes(), sealed)?;
        let (tags, rest) = plain.strip_prefix(MAP_PREFIX)?.as_chunks::<TAG_LEN>();
        if !rest.is_empty() {
            return None;
        }
        self.tags = tags.to_vec();
        for (id, tag) in self.tags.iter().enumerate() {
            self.ids.insert(*tag, u32::try_from(id).ok()?);
        }
        // Two ids for one tag would mean that the map was never ours.
        (self.ids.len() == self.tags.len()).then_some(())
    }

    /// The id of the unit with this identifier; a new one for a new unit.
    pub(crate) fn id(&mut self, identifier: &[u8]) -> Result<u32> {
        let digest = hmac::sign(&self.tag_key, identifier);
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&digest.as_ref()[..TAG_LEN]);
        if let Some(id) = self.ids.get(&tag) {
            return Ok(*id);
        }
        let full = || VaultError::PopulationFull {
            population: self.name.clone(),
            limit: UNITS_MAX,
        };
        let id = u32::try_from(self.tags.len())
            .ok()
            .filter(|&id| u64::from(id) < UNITS_MAX)
            .ok_or_else(full)?;
        self.ids.insert(tag, id);
        self.tags.push(tag);
        Ok(id)
    }

    /// Units that have an id. Ids are `0..units`.
    pub(crate) fn units(&self) -> u64 {
        self.tags.len() as u64
    }

    /// Stores the population. Called before the snapshot that uses the new ids gets its name: a crash in between
    /// leaves ids that no row has, which harms nothing, whereas the other order would leave rows whose ids the next
    /// registration gives to other units.
    pub(crate) fn store(&mut self, layout: &Layout, keeper: &dyn KeyKeeper) -> Result<()> {
        if self.new {
            // The key goes first. A crash after it leaves a population without units, which loads as such.
            durable::replace(
                &layout.population_key(&self.name),
                &keeper.wrap_key(&self.key, &key_place(&self.name))?,
            )?;
            self.new = false;
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(
            MAP_PREFIX.len() + self.tags.len() * TAG_LEN,
        ));
        plain.extend_from_slice(MAP_PREFIX);
        plain.extend_from_slice(self.tags.as_flattened());
        let sealed = seal::seal(&self.map_key, map_place(&self.name).as_bytes(), &plain)?;
        durable::replace(&layout.population_map(&self.name), &sealed)
    }
}

fn key_place(name: &str) -> String {
    format!("weir population key v1: {name}")
}

fn map_place(name: &str) -> String {
    format!("weir population map v1: {name}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::keys::MasterKey;

    #[test]
    fn ids_are_dense_lasting_and_private_to_the_population() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        for folder in layout.folders() {
            durable::create_folder(&folder).unwrap();
        }
        let master = MasterKey::create(&folder.path().join("master.key")).unwrap();
        let mut people = Population::load(&layout, &master, "people", 0).unwrap();
        assert_eq!(people.id(b"Ada").unwrap(), 0);
        assert_eq!(people.id(b"Bob").unwrap(), 1);
        assert_eq!(people.id(b"Ada").unwrap(), 0);
        people.store(&layout, &master).unwrap();

        let mut again = Population::load(&layout, &master, "people", 2).unwrap();
        assert_eq!(again.id(b"Bob").unwrap(), 1);
        assert_eq!(again.id(b"Cy").unwrap(), 2);
        let older = Population::load(&layout, &master, "people", 3)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(older.code(), "POPULATION_DAMAGED");

        std::fs::copy(
            layout.population_map("people"),
            layout.population_map("firms"),
        )
        .unwrap();
        std::fs::copy(
            layout.population_key("people"),
            layout.population_key("firms"),
        )
        .unwrap();
        let swapped = Population::load(&layout, &master, "firms", 0)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(swapped.code(), "KEY_DAMAGED");
    }
}

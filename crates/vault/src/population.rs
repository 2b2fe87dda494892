//! Populations: from an identifier to a dense unit id, the same in every dataset, with no identifier kept.
//!
//! A unit's tag is HMAC-SHA-256 of its identifier under the population's key, cut to 128 bits (RFC 2104 §5 allows
//! cutting to half). With the most units a population can have, 2^32, two share a tag with probability below 2^-64.
//! The map file holds the tags in id order, sealed; whoever steals it without the key can't even test a guess.

use hashbrown::HashTable;
use ring::{digest, hmac};

use crate::keys::{DataKey, KeyKeeper};
use crate::layout::Layout;
use crate::limits::UNITS_MAX;
use crate::seal::{self, KEY_LEN};
use crate::snapshot::PopulationSeen;
use crate::{Result, VaultError, durable};
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;
/// Largest map file: a tag per unit, and the seal.
const MAP_BYTES_MAX: u64 = UNITS_MAX * TAG_LEN as u64 + 64;
/// First bytes of the plain map; the version is part of them.
const MAP_PREFIX: &[u8; 8] = b"WEIRMAP1";

/// What stands for an identifier.
pub(crate) type Tag = [u8; TAG_LEN];

/// Makes tags. Cheap to clone, and of no use for finding an identifier.
#[derive(Clone)]
pub(crate) struct Tagger(hmac::Key);

impl Tagger {
    pub(crate) fn tag(&self, identifier: &[u8]) -> Tag {
        let digest = hmac::sign(&self.0, identifier);
        let mut tag = [0; TAG_LEN];
        tag.copy_from_slice(&digest.as_ref()[..TAG_LEN]);
        tag
    }
}

/// A population's units, in memory while a dataset is registered: 16 bytes for each unit's tag, and 5 to 10 to find it.
pub(crate) struct Population {
    name: String,
    key: DataKey,
    tagger: Tagger,
    map_key: Zeroizing<[u8; KEY_LEN]>,
    /// The map as it is sealed: the prefix, and then the tags in id order.
    map: Vec<u8>,
    /// The ids, each found by its tag.
    ids: HashTable<u32>,
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
        let damaged = |problem| damaged(name, problem);
        let sealed = durable::read_if_there(&layout.population_map(name), MAP_BYTES_MAX)?;
        let key = match Self::key((layout, keeper), name)? {
            Some(key) => key,
            None if sealed.is_some() => return Err(damaged("its key is missing")),
            None if units_known > 0 => return Err(damaged("its key and map are missing")),
            None => return Self::new(name, DataKey::random()?, true),
        };
        let mut population = Self::new(name, key, false)?;
        if let Some(sealed) = sealed {
            population
                .open_map(sealed)
                .ok_or_else(|| damaged("its map was altered or cut short"))?;
        }
        // An older map, put back from a backup, would give known units new ids and other units theirs.
        if population.units() < units_known {
            return Err(damaged("its map is older than the snapshots that use it"));
        }
        Ok(population)
    }

    fn key((layout, keeper): (&Layout, &dyn KeyKeeper), name: &str) -> Result<Option<DataKey>> {
        let file = layout.population_key(name);
        let Some(wrapped) = durable::read_if_there(&file, crate::limits::META_BYTES_MAX)? else {
            return Ok(None);
        };
        let key = keeper.unwrap_key(&wrapped, &key_place(name))?;
        let damaged = || VaultError::KeyDamaged {
            name: format!("population-{name}.key"),
        };
        key.map(Some).ok_or_else(damaged)
    }

    /// Whether [`Population::load`] would find what it needs, without the time and the memory that finding ids takes. A map
    /// larger than `map_bytes_max` is not opened.
    pub(crate) fn check(
        (layout, keeper): (&Layout, &dyn KeyKeeper),
        name: &str,
        (units_known, print): &PopulationSeen,
        map_bytes_max: u64,
    ) -> Result<()> {
        let damaged = |problem| damaged(name, problem);
        let file = layout.population_map(name);
        let length = file.metadata().map_or(0, |file| file.len());
        let Some(key) = Self::key((layout, keeper), name)? else {
            return Err(damaged("its key is missing"));
        };
        if length > map_bytes_max {
            return Ok(());
        }
        let map = match durable::read_if_there(&file, MAP_BYTES_MAX)? {
            None => MAP_PREFIX.to_vec(),
            Some(sealed) => {
                let key = key.derive("population map")?;
                seal::open_in_place(&key, map_place(name).as_bytes(), sealed)
                    .filter(|map| map.starts_with(MAP_PREFIX))
                    .ok_or_else(|| damaged("its map was altered or cut short"))?
            }
        };
        let units = usize::try_from(*units_known).unwrap_or(usize::MAX);
        let Some(known) = tags(&map).get(..units) else {
            return Err(damaged("its map is older than the snapshots that use it"));
        };
        match print.as_ref().is_none_or(|print| *print == print_of(known)) {
            true => Ok(()),
            false => Err(damaged("its map is not the one that its snapshots use")),
        }
    }

    /// The digest of its units' tags.
    pub(crate) fn print(&self) -> String {
        print_of(tags(&self.map))
    }

    fn new(name: &str, key: DataKey, new: bool) -> Result<Self> {
        let tag_key = hmac::Key::new(hmac::HMAC_SHA256, key.derive("population tags")?.as_slice());
        let map_key = key.derive("population map")?;
        Ok(Self {
            name: name.to_owned(),
            key,
            tagger: Tagger(tag_key),
            map_key,
            map: MAP_PREFIX.to_vec(),
            ids: HashTable::new(),
            new,
        })
    }

    fn open_map(&mut self, sealed: Vec<u8>) -> Option<()> {
        let place = map_place(&self.name);
        self.map = seal::open_in_place(&self.map_key, place.as_bytes(), sealed)?;
        let (tags, rest) = self.map.strip_prefix(MAP_PREFIX)?.as_chunks();
        if !rest.is_empty() {
            return None;
        }
        let count = u32::try_from(tags.len()).ok()?;
        self.ids.reserve(tags.len(), |&id| hash(&tags[id as usize]));
        for (id, tag) in (0..count).zip(tags) {
            let same = |&other: &u32| tags[other as usize] == *tag;
            // Two ids for one tag would mean that the map was never ours.
            if self.ids.find(hash(tag), same).is_some() {
                return None;
            }
            self.ids
                .insert_unique(hash(tag), id, |&id| hash(&tags[id as usize]));
        }
        Some(())
    }

    /// The population's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What turns identifiers into tags, on any thread.
    pub(crate) fn tagger(&self) -> Tagger {
        self.tagger.clone()
    }

    /// The id of the unit with this tag; a new one for a new unit.
    pub(crate) fn id(&mut self, tag: &Tag) -> Result<u32> {
        let tags = tags(&self.map);
        let same = |&id: &u32| tags[id as usize] == *tag;
        if let Some(id) = self.ids.find(hash(tag), same) {
            return Ok(*id);
        }
        let full = || VaultError::PopulationFull {
            population: self.name.clone(),
            limit: UNITS_MAX,
        };
        let id = u32::try_from(tags.len())
            .ok()
            .filter(|&id| u64::from(id) < UNITS_MAX)
            .ok_or_else(full)?;
        self.ids
            .insert_unique(hash(tag), id, |&id| hash(&tags[id as usize]));
        self.map.extend_from_slice(tag);
        Ok(id)
    }

    /// Units that have an id. Ids are `0..units`.
    pub(crate) fn units(&self) -> u64 {
        tags(&self.map).len() as u64
    }

    /// Stores the population, and ends its use. Called before the snapshot that uses the new ids gets its name: a crash in between
    /// leaves ids that no row has, which harms nothing, whereas the other order would leave rows whose ids the next
    /// registration gives to other units.
    pub(crate) fn store(mut self, layout: &Layout, keeper: &dyn KeyKeeper) -> Result<()> {
        if self.new {
            // The key goes first. A crash after it leaves a population without units, which loads as such.
            durable::replace(
                &layout.population_key(&self.name),
                &keeper.wrap_key(&self.key, &key_place(&self.name))?,
            )?;
            self.new = false;
        }
        // The ids are not needed any more, and the map is sealed where it lies: a large population must not be in
        // memory twice.
        self.ids = HashTable::new();
        let map = std::mem::replace(&mut self.map, MAP_PREFIX.to_vec());
        let sealed = seal::seal_in_place(&self.map_key, map_place(&self.name).as_bytes(), map)?;
        durable::replace(&layout.population_map(&self.name), &sealed)
    }
}

fn damaged(name: &str, problem: &'static str) -> VaultError {
    VaultError::PopulationDamaged {
        population: name.to_owned(),
        problem,
    }
}

fn print_of(tags: &[Tag]) -> String {
    hex::encode(digest::digest(&digest::SHA256, tags.as_flattened()))
}

/// The tags of a map, in id order.
fn tags(map: &[u8]) -> &[Tag] {
    map[MAP_PREFIX.len()..].as_chunks().0
}

/// Tags are uniformly distributed already; hashing them again would only cost time.
fn hash(tag: &Tag) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *tag;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

pub(crate) fn key_place(name: &str) -> String {
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

    fn id(population: &mut Population, identifier: &[u8]) -> u32 {
        let tag = population.tagger().tag(identifier);
        population.id(&tag).unwrap()
    }

    #[test]
    fn ids_are_dense_lasting_and_private_to_the_population() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        for folder in layout.folders() {
            durable::create_folder(&folder).unwrap();
        }
        let master = MasterKey::create(&folder.path().join("master.key")).unwrap();
        let mut people = Population::load(&layout, &master, "people", 0).unwrap();
        assert_eq!(id(&mut people, b"Ada"), 0);
        assert_eq!(id(&mut people, b"Bob"), 1);
        assert_eq!(id(&mut people, b"Ada"), 0);
        people.store(&layout, &master).unwrap();

        let mut again = Population::load(&layout, &master, "people", 2).unwrap();
        assert_eq!(id(&mut again, b"Bob"), 1);
        assert_eq!(id(&mut again, b"Cy"), 2);
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

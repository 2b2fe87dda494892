//! Whether the populations are what the vault wrote, looked at as a domain opens: registrations alone would find out.

use std::collections::BTreeMap;

use crate::population::Population;
use crate::vault::Vault;
use crate::{Result, durable, layout};

impl Vault {
    /// Opens the key of every population, opens its map where that is not larger than `map_bytes_max`, and holds both against
    /// the snapshots that use them. Answers with how many populations there are. Reads the metadata of every snapshot.
    ///
    /// # Errors
    /// [`crate::VaultError::KeyDamaged`] and [`crate::VaultError::PopulationDamaged`], which name the population; when the
    /// folder cannot be read.
    pub fn check_populations(&self, map_bytes_max: u64) -> Result<u64> {
        let inner = self.inner();
        let mut known: BTreeMap<String, u64> = BTreeMap::new();
        for file in durable::list(&inner.layout.keys())? {
            known.extend(layout::population_of_key(&file).map(|name| (name.to_owned(), 0)));
        }
        for file in durable::list(&inner.layout.populations())? {
            known.extend(file.strip_suffix(".map").map(|name| (name.to_owned(), 0)));
        }
        for (name, units) in inner.populations_known()? {
            let most = known.entry(name).or_default();
            *most = units.max(*most);
        }
        for (name, units_known) in &known {
            Population::check(
                (&inner.layout, &*inner.keeper),
                name,
                *units_known,
                map_bytes_max,
            )?;
        }
        Ok(known.len() as u64)
    }
}

//! Whether the populations are what the vault wrote, looked at as a domain opens: registrations alone would find out.

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
        let mut known = inner.populations_known()?;
        let keys = durable::list(&inner.layout.keys())?;
        let maps = durable::list(&inner.layout.populations())?;
        let keys = keys
            .iter()
            .filter_map(|file| layout::population_of_key(file));
        let maps = maps.iter().filter_map(|file| file.strip_suffix(".map"));
        for name in keys.chain(maps) {
            known.entry(name.to_owned()).or_default();
        }
        for (name, seen) in &known {
            let of = (&inner.layout, &*inner.keeper);
            Population::check(of, name, seen, map_bytes_max)?;
        }
        Ok(known.len() as u64)
    }
}

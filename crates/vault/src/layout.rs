//! Where everything lies in a vault's folder. The one place that turns a name into a path.

use std::path::{Path, PathBuf};

use weir_catalogue::is_name;

/// Random hexadecimal digits at the end of a snapshot id: 80 bits.
const ID_DIGITS: usize = 20;

/// The paths of one vault.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn head(&self) -> PathBuf {
        self.root.join("vault.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(crate) fn populations(&self) -> PathBuf {
        self.root.join("populations")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub(crate) fn destroyed(&self) -> PathBuf {
        self.root.join("destroyed")
    }

    /// The folders of a vault.
    pub(crate) fn folders(&self) -> [PathBuf; 5] {
        [
            self.keys(),
            self.populations(),
            self.snapshots(),
            self.staging(),
            self.destroyed(),
        ]
    }

    pub(crate) fn population_key(&self, population: &str) -> PathBuf {
        self.keys().join(format!("population-{population}.key"))
    }

    pub(crate) fn population_map(&self, population: &str) -> PathBuf {
        self.populations().join(format!("{population}.map"))
    }

    pub(crate) fn snapshot_key(&self, id: &str) -> PathBuf {
        self.keys().join(format!("snapshot-{id}.key"))
    }

    pub(crate) fn snapshot(&self, id: &str) -> PathBuf {
        self.snapshots().join(id)
    }

    /// Says, by being there, that something about this snapshot has begun and may not have ended.
    pub(crate) fn pending(&self, id: &str) -> PathBuf {
        self.staging().join(id)
    }

    /// The files of a registration under way.
    pub(crate) fn staged(&self, id: &str) -> PathBuf {
        self.pending(id).join("data")
    }

    /// The certificate of a destroyed snapshot.
    pub(crate) fn certificate(&self, id: &str) -> PathBuf {
        self.destroyed().join(format!("{id}.json"))
    }
}

/// Name of the sealed metadata in a snapshot's folder.
pub(crate) const META_FILE: &str = "meta";

/// Name of the `index`th data file in a snapshot's folder.
pub(crate) fn part_file(index: usize) -> String {
    format!("part-{index:05}.parquet")
}

/// The snapshot a snapshot key file belongs to.
pub(crate) fn snapshot_of_key(file: &str) -> Option<&str> {
    file.strip_prefix("snapshot-")?.strip_suffix(".key")
}

/// The population a population key file belongs to.
pub(crate) fn population_of_key(file: &str) -> Option<&str> {
    file.strip_prefix("population-")?.strip_suffix(".key")
}

/// A new snapshot id: the dataset's name and 80 random bits.
pub(crate) fn new_snapshot_id(dataset: &str) -> crate::Result<String> {
    Ok(format!(
        "{dataset}-{}",
        hex::encode(crate::seal::random::<{ ID_DIGITS / 2 }>()?)
    ))
}

/// Whether `id` can be a snapshot's. Ids come from outside and become paths: nothing else may pass.
pub(crate) fn is_snapshot_id(id: &str) -> bool {
    id.rsplit_once('-').is_some_and(|(dataset, digits)| {
        is_name(dataset)
            && digits.len() == ID_DIGITS
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn only_snapshot_ids_become_paths() {
        assert!(is_snapshot_id(&new_snapshot_id("flights").unwrap()));
        for id in [
            "",
            "flights",
            "../x-00112233445566778899",
            "flights-0011223344556677889",
            "a/b-00112233445566778899",
        ] {
            assert!(!is_snapshot_id(id), "{id}");
        }
        assert!(!is_snapshot_id("flights-0011223344556677889Z"));
    }
}

//! `vault.json`: what kind of vault this is, and bringing an older one up to date.

use serde::{Deserialize, Serialize};

use crate::keys::{DataKey, FileKeeper, KeyKeeper};
use crate::layout::{self, Layout};
use crate::limits::META_BYTES_MAX;
use crate::store::{FolderStore, ObjectsStore, SnapshotStore, StoreSettings};
use crate::{Result, VaultError, durable, seal};

/// Version of the vault's layout.
const FORMAT: u32 = 2;
/// The layout before snapshots could lie in a store and be destroyed. It is brought up to date when it is opened.
const FORMAT_WITHOUT_STORE: u32 = 1;
/// What the check key is bound to.
const CHECK_PLACE: &str = "weir vault check v1";
/// Random bytes of a vault's id.
const ID_BYTES: usize = 16;

/// Where the snapshots lie, as the vault remembers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Folder,
    Objects,
}

/// `vault.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    format: u32,
    /// A wrapped random key that protects no data: it opens only with the right master key. What needs a key of the
    /// domain and lies outside the vault has one derived from it.
    check: String,
    /// Tells this vault from others; a store that belongs to it has an object that says the same.
    #[serde(default)]
    id: String,
    #[serde(default)]
    store: Kind,
}

impl Head {
    pub(crate) fn new(keeper: &dyn KeyKeeper, store: &StoreSettings) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            check: hex::encode(keeper.wrap_key(&DataKey::random()?, CHECK_PLACE)?),
            id: new_id()?,
            store: kind(store),
        })
    }

    pub(crate) fn write(&self, layout: &Layout) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|_| VaultError::Internal {
            action: "describing the vault",
        })?;
        durable::replace(&layout.head(), &text)
    }

    pub(crate) fn read(layout: &Layout) -> Result<Self> {
        let text = durable::read_if_there(&layout.head(), META_BYTES_MAX)?;
        let text = text.ok_or_else(|| VaultError::VaultMissing {
            path: layout.root().to_owned(),
        })?;
        let head: Option<Self> = serde_json::from_slice(&text).ok();
        head.filter(|head| (FORMAT_WITHOUT_STORE..=FORMAT).contains(&head.format))
            .ok_or_else(|| format(layout))
    }

    /// Whether the master key is the one this vault was sealed with.
    pub(crate) fn check_key(&self, layout: &Layout, keeper: &dyn KeyKeeper) -> Result<()> {
        self.own_key(layout, keeper).map(drop)
    }

    /// The vault's own key.
    pub(crate) fn own_key(&self, layout: &Layout, keeper: &dyn KeyKeeper) -> Result<DataKey> {
        let check = hex::decode(&self.check).map_err(|_| format(layout))?;
        keeper
            .unwrap_key(&check, CHECK_PLACE)?
            .ok_or_else(|| VaultError::MasterKeyWrong {
                path: layout.root().to_owned(),
            })
    }

    /// Wraps the vault's own key again. [`Head::write`] has to follow.
    pub(crate) fn rewrap(&mut self, layout: &Layout, keeper: &dyn KeyKeeper) -> Result<()> {
        let own = self.own_key(layout, keeper)?;
        self.check = hex::encode(keeper.wrap_key(&own, CHECK_PLACE)?);
        Ok(())
    }

    /// Whether the vault's own key is wrapped under the master key in force, and no earlier one.
    pub(crate) fn check_current(&self, layout: &Layout, keeper: &FileKeeper) -> Result<()> {
        let check = hex::decode(&self.check).map_err(|_| format(layout))?;
        let own = keeper.unwrap_current(&check, CHECK_PLACE)?;
        own.map(drop).ok_or_else(|| VaultError::MasterKeyWrong {
            path: layout.root().to_owned(),
        })
    }

    /// Brings the vault up to date and opens its store.
    pub(crate) fn open_store(
        mut self,
        layout: &Layout,
        settings: &StoreSettings,
    ) -> Result<Box<dyn SnapshotStore>> {
        if self.format == FORMAT_WITHOUT_STORE {
            self.update(layout)?;
        }
        match (self.store, settings.objects()?) {
            (Kind::Folder, None) => Ok(Box::new(FolderStore::new(layout))),
            (Kind::Objects, Some(store)) => {
                self.check_mark(layout, &store)?;
                Ok(Box::new(store))
            }
            (Kind::Folder, Some(_)) => Err(VaultError::StoreForeign {
                place: settings.place(),
                problem: "the vault was made with its snapshots in its own folder; take `[vault.store]` out of the settings",
            }),
            (Kind::Objects, None) => Err(VaultError::StoreForeign {
                place: settings.place(),
                problem: "the vault was made with its snapshots in a store; name it in `[vault.store]` of the settings",
            }),
        }
    }

    /// Whether the store is this vault's. It becomes so at the first opening, while the vault is empty.
    fn check_mark(&self, layout: &Layout, store: &ObjectsStore) -> Result<()> {
        let foreign = |problem| {
            Err(VaultError::StoreForeign {
                place: store.place().to_owned(),
                problem,
            })
        };
        match store.mark()? {
            Some(mark) if mark == self.id => Ok(()),
            Some(_) => foreign("it is another vault's; check bucket and prefix"),
            None if durable::list(&layout.keys())?.is_empty() => store.set_mark(&self.id),
            None => foreign("it does not have this vault's mark; check bucket and prefix"),
        }
    }

    /// From the layout where a snapshot was there when its folder had its name, to the one where it is there when its
    /// key has. The head is written last, so a crash before has it done again.
    fn update(&mut self, layout: &Layout) -> Result<()> {
        durable::create_folder(&layout.destroyed())?;
        for name in durable::list(&layout.keys())? {
            // A key that was stored before a crash kept the folder from getting its name.
            let orphan = layout::snapshot_of_key(&name)
                .is_some_and(|id| layout::is_snapshot_id(id) && !layout.snapshot(id).exists());
            if orphan {
                durable::remove_if_there(&layout.keys().join(&name))?;
            }
        }
        self.format = FORMAT;
        self.id = new_id()?;
        self.write(layout)
    }
}

fn kind(settings: &StoreSettings) -> Kind {
    match settings {
        StoreSettings::Folder => Kind::Folder,
        _ => Kind::Objects,
    }
}

fn new_id() -> Result<String> {
    Ok(hex::encode(seal::random::<ID_BYTES>()?))
}

fn format(layout: &Layout) -> VaultError {
    VaultError::VaultFormat {
        path: layout.head(),
        expected: FORMAT,
    }
}

//! That a domain was restored: kept in a file until it is on record.

use std::io::ErrorKind;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use weir_audit::{Event, Timestamp};

use super::copying::{publish, sync_folder_of};
use super::manifest::Manifest;
use crate::authority::file_fault;
use crate::fault::Fault;
use crate::folder::Folder;
use crate::policies::server;
use crate::record::Record;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restored {
    /// When the backup was begun: RFC 3339, UTC.
    made_at: String,
    /// Entries that its log has.
    log_entries: u64,
}

impl Restored {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            made_at: manifest.made_at.clone(),
            log_entries: manifest.log_entries,
        }
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), Fault> {
        let text = serde_json::to_string(self).map_err(|_| unreadable(folder))?;
        publish(&folder.restored(), &text)
    }
}

/// Puts on record that the domain was restored, if it was, as it opens for the first time. A crash before the file is gone
/// has it on record twice.
pub(crate) async fn note(folder: &Folder, record: &Record) -> Result<(), Fault> {
    let file = folder.restored();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file_fault(&file, &error)),
    };
    let restored: Restored = serde_json::from_str(&text).map_err(|_| unreadable(folder))?;
    let made_at = DateTime::parse_from_rfc3339(&restored.made_at);
    let event = Event::DomainRestored {
        made_at: Timestamp::from(made_at.map_err(|_| unreadable(folder))?.with_timezone(&Utc)),
        entries: restored.log_entries,
    };
    record.append_async(server(), event).await?;
    std::fs::remove_file(&file).map_err(|error| file_fault(&file, &error))?;
    sync_folder_of(&file)
}

fn unreadable(folder: &Folder) -> Fault {
    Fault::environment(
        "BACKUP_DAMAGED",
        format!(
            "`{}` says that the domain was restored, and cannot be read. Restore the backup once more",
            folder.restored().display()
        ),
    )
}

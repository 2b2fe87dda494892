//! Where and with what something was measured. Never a machine's name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// As the processor calls itself.
    pub processor: String,
    /// Threads that a program may have at once.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Operating system and architecture.
    pub system: String,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
        let processor = field(&read("/proc/cpuinfo"), "model name");
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib = memory.trim_end_matches(" kB").parse::<u64>();
        let release = read("/proc/sys/kernel/osrelease");
        // Of the kernel its version alone: what follows may be a name that somebody gave it.
        let version = release.split(['-', '\n']).next().unwrap_or_default();
        Self {
            processor: if processor.is_empty() {
                "unknown".to_owned()
            } else {
                processor
            },
            cores: threads(),
            memory_mib: kib.unwrap_or(0) / 1024,
            system: format!(
                "{} {version} {}",
                std::env::consts::OS,
                std::env::consts::ARCH
            )
            .replace("  ", " "),
        }
    }
}

/// Threads that this process may have at once.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn field(text: &str, name: &str) -> String {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.trim() == name);
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// Versions of what is in this process; peers add theirs.
#[must_use]
pub(crate) fn versions() -> BTreeMap<String, String> {
    let profile = if cfg!(debug_assertions) {
        "development profile"
    } else {
        "release profile"
    };
    BTreeMap::from([
        (
            "weir".to_owned(),
            format!("{} ({profile})", env!("CARGO_PKG_VERSION")),
        ),
        (
            "datafusion".to_owned(),
            datafusion::DATAFUSION_VERSION.to_owned(),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_and_memory() {
        let machine = Machine::here();
        assert!(machine.cores > 0 && machine.memory_mib > 0, "{machine:?}");
    }
}

//! The package name a component claims, from its conventional metadata: the name of the component and the custom
//! section `version`. Packaging keeps no WIT package name anywhere else.

use wasmparser::{ComponentName, CustomSectionReader, KnownCustom};

/// Length in bytes of a package name and of a version. Longer ones are not shown.
const LABEL_BYTES_MAX: usize = 128;

/// Collects the claimed name and version while the sections go by. Metadata that makes no sense is left out: it is a
/// label, and no reason to refuse a model.
#[derive(Default)]
pub(super) struct Package {
    name: Option<String>,
    version: Option<String>,
}

impl Package {
    pub(super) fn visit(&mut self, section: &CustomSectionReader<'_>) {
        if section.name() == "version" {
            self.version = str::from_utf8(section.data())
                .ok()
                .filter(|text| is_label(text))
                .map(String::from);
            return;
        }
        if let KnownCustom::ComponentName(names) = section.as_known() {
            for name in names.into_iter().flatten() {
                if let ComponentName::Component { name, .. } = name {
                    self.name = Some(String::from(name))
                        .filter(|name| is_label(name) && name.contains(':'));
                }
            }
        }
    }

    pub(super) fn finish(self) -> Option<String> {
        let name = self.name?;
        Some(match self.version {
            Some(version) => format!("{name}@{version}"),
            None => name,
        })
    }
}

fn is_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '+' | '/');
    (1..=LABEL_BYTES_MAX).contains(&text.len()) && text.chars().all(fits)
}

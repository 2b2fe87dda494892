//! The repository's files, read once.

use std::path::Path;

use ignore::WalkBuilder;

/// A file of the repository. `path` is relative to the root and has forward slashes.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl SourceFile {
    /// The content, unless it is binary (not UTF-8, or with a zero byte).
    pub(crate) fn text(&self) -> Option<&str> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        (!text.contains('\0')).then_some(text)
    }

    /// What follows the last dot of the file name; empty without one.
    pub(crate) fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The name of the crate this file belongs to, when it lies under `crates/`.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

/// All files that are, or would be, under version control, sorted by path.
pub(crate) struct Repo {
    pub(crate) files: Vec<SourceFile>,
}

impl Repo {
    /// Reads every file that no ignore file excludes. Works without git, on an unpacked archive too.
    ///
    /// # Errors
    /// Names the file or folder that could not be read.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .git_global(false)
            .git_exclude(false)
            .parents(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry.map_err(|error| error.to_string())?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let path = relative(root, entry.path());
            let bytes = std::fs::read(entry.path())
                .map_err(|error| format!("{path}: could not be read: {error}"))?;
            files.push(SourceFile { path, bytes });
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(Self { files })
    }

    /// A repository that exists in a test alone.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile {
                path: (*path).to_owned(),
                bytes: text.as_bytes().to_vec(),
            })
            .collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Self { files }
    }

    /// The text of one file; none when there is no such file or it is binary.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text()
    }

    /// Whether there is a file, or a folder with files, at `path` (the empty path is the root).
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self
                .files
                .iter()
                .any(|file| file.path == path || file.path.starts_with(&folder))
    }

    /// The `Cargo.toml` files of the crates under `crates/`, with the crate's folder name.
    pub(crate) fn crate_manifests(&self) -> impl Iterator<Item = (&str, &SourceFile)> {
        self.files.iter().filter_map(|file| {
            let name = file.crate_name()?;
            (file.path == format!("crates/{name}/Cargo.toml")).then_some((name, file))
        })
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn loads_this_repository_without_what_is_ignored() {
        let repo = Repo::load(&crate::repository_root()).unwrap();
        assert!(repo.has("Cargo.toml") && repo.has(".cargo/config.toml") && repo.has("xtask"));
        assert!(!repo.has("target") && !repo.has(".git"));
        assert!(repo.crate_manifests().any(|(name, _)| name == "gate"));
    }

    #[test]
    fn knows_text_from_binary_and_extensions() {
        let repo = Repo::of(&[("a.b/run", "x"), ("m.tar.gz", "a\0b")]);
        assert_eq!(repo.text("a.b/run"), Some("x"));
        assert_eq!(repo.text("m.tar.gz"), None);
        assert_eq!(repo.files[0].extension(), "");
        assert_eq!(repo.files[1].extension(), "gz");
        assert!(repo.has("a.b") && !repo.has("a"));
    }
}

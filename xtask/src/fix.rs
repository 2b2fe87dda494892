//! `cargo xtask fix`: mends what a machine can mend. Snapshots of tests are not accepted here; a person reads those.

use std::path::Path;

use crate::{cargo, tidy};

/// Applies the lints' own suggestions, removes trailing whitespace, formats, and says what remains for `tidy`.
///
/// # Errors
/// When a cargo command fails, a file can't be written, or a tidy rule is still broken.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    cargo::run(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--fix",
            "--allow-dirty",
            "--allow-staged",
        ],
    )?;
    tidy::mend_whitespace(root)?;
    cargo::run(root, &["fmt", "--all"])?;
    tidy::run(root)
}

//! `weir model new`: a folder with a model that builds.

use std::path::{Path, PathBuf};

use crate::args::Language;
use crate::error::CliError;
use crate::output::print;

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../templates/model/", $path))
    };
}

/// Files that every language has, and their places in the folder.
const COMMON: [(&str, &str); 4] = [
    ("model.wit", template!("model.wit")),
    ("README.md", template!("README.md")),
    ("sample.csv", template!("sample.csv")),
    (".gitignore", template!("gitignore")),
];

/// What a language adds.
struct Kit {
    files: &'static [(&'static str, &'static str)],
    source: &'static str,
    needs: &'static str,
}

const RUST: Kit = Kit {
    files: &[
        ("Cargo.toml", template!("rust/Cargo.toml.in")),
        ("src/lib.rs", template!("rust/lib.rs.in")),
        ("build.sh", template!("rust/build.sh")),
    ],
    source: "src/lib.rs",
    needs: "Rust with the target wasm32-unknown-unknown (`rustup target add wasm32-unknown-unknown`)",
};

const C: Kit = Kit {
    files: &[
        ("model.c", template!("c/model.c")),
        ("build.sh", template!("c/build.sh")),
    ],
    source: "model.c",
    needs: "clang and lld (on Debian: `apt-get install clang lld`)",
};

const ASSEMBLYSCRIPT: Kit = Kit {
    files: &[
        ("model.ts", template!("assemblyscript/model.ts")),
        ("package.json", template!("assemblyscript/package.json.in")),
        ("build.sh", template!("assemblyscript/build.sh")),
    ],
    source: "model.ts",
    needs: "Node.js 20 or later with npm",
};

/// Makes the folder and says what to do next.
pub(super) fn make(
    language: Language,
    name: &str,
    folder: Option<PathBuf>,
) -> Result<(), CliError> {
    if !is_name(name) {
        return Err(CliError::Missing(
            "a model's name is lower-case letters, digits and `_`, begins with a letter and has at most 63 characters",
        ));
    }
    let folder = folder.unwrap_or_else(|| PathBuf::from(name));
    let kit = match language {
        Language::Rust => RUST,
        Language::C => C,
        Language::Assemblyscript => ASSEMBLYSCRIPT,
    };
    std::fs::create_dir(&folder).map_err(|error| CliError::file(&folder, &error))?;
    for (place, template) in COMMON.iter().chain(kit.files) {
        write(&folder.join(place), &fill(template, name, &kit))?;
    }
    let place = folder.display();
    print(&format!(
        "{place} is ready. Next:\n  sh {place}/build.sh\n  weir model check {place}/{name}.wasm --data {place}/sample.csv\nIt needs {}.\n",
        kit.needs
    ))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn fill(template: &str, name: &str, kit: &Kit) -> String {
    // A word of a WIT name begins with a letter: `risk_2` becomes `risk2`.
    let words = name.split('_').filter(|word| !word.is_empty());
    let kebab = words.fold(String::new(), |kebab, word| {
        let dash = !kebab.is_empty() && word.starts_with(|c: char| c.is_ascii_lowercase());
        format!("{kebab}{}{word}", if dash { "-" } else { "" })
    });
    template
        .replace("@version@", "@0.1.0")
        .replace("@snake@", &kebab.replace('-', "_"))
        .replace("@kebab@", &kebab)
        .replace("@source@", kit.source)
        .replace("@needs@", kit.needs)
        .replace("@build@", "sh build.sh")
        .replace("@wasm@", &format!("{name}.wasm"))
        .replace("@name@", name)
}

fn write(file: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::file(file, &error);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(file, text).map_err(failed)
}

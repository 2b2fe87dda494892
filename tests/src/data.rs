//! Real datasets, which are not part of the repository, and manifests for them.

use std::path::{Path, PathBuf};

/// The folder of real datasets: `WEIR_SHARED_DATA`, or `shared/data` beside the checkout. None, and a line that says so,
/// where there is none.
pub fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("WEIR_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return None;
    }
    Some(folder)
}

/// Trips of people, some of them early: negative sums, which people look at before a table leaves.
pub const TRIPS_MANIFEST: &str = r#"
name = "trips"
population = "persons"
unit = "id"
description = "Trips of people"
source = "made up"
licence = "CC0-1.0"
[[column]]
name = "id"
type = "string"
role = "identifier"
description = "Who"
[[column]]
name = "town"
type = "string"
role = "quasi-identifier"
description = "Where"
[[column]]
name = "delay"
type = "int32"
role = "measure"
description = "Minutes late, negative when early"
"#;

/// A manifest of a file with another's headers: name, population, and each column as `header type role`. The first column is the unit.
pub fn manifest(name: &str, population: &str, columns: &[&str]) -> String {
    let column = |text: &&str| {
        let [header, kind, role] = text.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{text}");
        };
        let name = snake_case(header);
        format!(
            "[[column]]\nname = \"{name}\"\nheader = \"{header}\"\ntype = \"{kind}\"\nrole = \"{role}\"\n\
             description = \"{header}\"\n"
        )
    };
    let unit = snake_case(columns[0].split(' ').next().unwrap());
    let columns: String = columns.iter().map(column).collect();
    format!(
        "name = \"{name}\"\npopulation = \"{population}\"\nunit = \"{unit}\"\ndescription = \"{name}\"\n\
         source = \"public\"\nlicence = \"see the source\"\n{columns}"
    )
}

fn snake_case(header: &str) -> String {
    let mut name = String::new();
    for (index, letter) in header.replace('-', "_").char_indices() {
        if letter.is_uppercase() && index > 0 && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

//! Rebuilds the example models with their ordinary toolchains, or compares a rebuild with what is committed.
//!
//! A model is built in three steps: the toolchain makes a core module, the WIT signature is embedded in it (Rust's has done
//! that itself), and both are packaged as a component. Each step is deterministic, so the same toolchain gives the same
//! bytes anywhere.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::process::Command;

use ring::digest::{SHA256, digest};
use wasm_encoder::{ComponentSection, CustomSection};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageName, Resolve};

/// Version of the AssemblyScript compiler. Another version gives other bytes.
const ASSEMBLYSCRIPT: &str = "assemblyscript@0.28.20";
/// Version of clang whose output is committed: Debian 12 ships it.
const CLANG_MAJOR: &str = "14";
/// Version of rustc whose output is committed.
const RUSTC: &str = "1.95";
const RUST_TARGET: &str = "wasm32-unknown-unknown";

/// One example model.
struct Example {
    name: &'static str,
    source: &'static str,
    toolchain: Toolchain,
}

enum Toolchain {
    Clang,
    AssemblyScript,
    Rust,
}

const EXAMPLES: [Example; 4] = [
    Example {
        name: "disruption",
        source: "model.c",
        toolchain: Toolchain::Clang,
    },
    Example {
        name: "pace",
        source: "model.ts",
        toolchain: Toolchain::AssemblyScript,
    },
    Example {
        name: "strain",
        source: "Cargo.toml",
        toolchain: Toolchain::Rust,
    },
    Example {
        name: "business",
        source: "Cargo.toml",
        toolchain: Toolchain::Rust,
    },
];

/// Rebuilds every example model; with `check`, changes nothing and fails where a rebuild differs from the committed file.
pub(crate) fn run(check: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let scratch = root.join("target/models");
    fs::create_dir_all(&scratch).map_err(|error| failed("create", &scratch, &error))?;
    let mut different = Vec::new();
    for example in &EXAMPLES {
        let folder = root.join("examples/flights/models").join(example.name);
        let component = build(example, &folder, &scratch)?;
        let committed = folder.join(format!("{}.wasm", example.name));
        println!(
            "{} {} bytes, sha256 {}",
            example.name,
            component.len(),
            sha256(&component)
        );
        if !check {
            fs::write(&committed, &component)
                .map_err(|error| failed("write", &committed, &error))?;
            continue;
        }
        let bytes = fs::read(&committed).map_err(|error| failed("read", &committed, &error))?;
        if bytes != component {
            different.push(format!(
                "{}.wasm is committed with sha256 {}",
                example.name,
                sha256(&bytes)
            ));
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: run `cargo xtask models` with the toolchains named in the models' README files, and commit the result",
        different.join("; ")
    ))
}

fn build(example: &Example, folder: &Path, scratch: &Path) -> Result<Vec<u8>, String> {
    let module = scratch.join(format!("{}.core.wasm", example.name));
    let source = folder.join(example.source);
    match example.toolchain {
        Toolchain::Clang => clang(&source, &module)?,
        Toolchain::AssemblyScript => assemblyscript(&source, &module)?,
        Toolchain::Rust => rust(example.name, &source, scratch, &module)?,
    }
    let bytes = fs::read(&module).map_err(|error| failed("read", &module, &error))?;
    let signed = matches!(example.toolchain, Toolchain::Rust);
    package(bytes, &folder.join("model.wit"), signed)
        .map_err(|error| format!("packaging `{}`: {error}", example.name))
}

fn clang(source: &Path, module: &Path) -> Result<(), String> {
    let help = "install clang and lld (on Debian: `apt-get install clang lld`)";
    let version = output(Command::new("clang").arg("-dumpversion"), help)?;
    if version.trim().split('.').next() != Some(CLANG_MAJOR) {
        println!(
            "note: clang is {}, the committed models were built with clang {CLANG_MAJOR}",
            version.trim()
        );
    }
    let mut command = Command::new("clang");
    command
        .args([
            "--target=wasm32",
            "-O2",
            "-nostdlib",
            "-ffp-contract=off",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
        .args([
            "-Wl,--no-entry",
            "-Wl,--strip-all",
            "-Wl,-z,stack-size=4096",
        ])
        .arg(source)
        .arg("-o")
        .arg(module);
    output(&mut command, help).map(drop)
}

fn assemblyscript(source: &Path, module: &Path) -> Result<(), String> {
    let mut command = Command::new("npx");
    command
        .args(["--yes", "--package", ASSEMBLYSCRIPT, "asc"])
        .arg(source)
        .args([
            "--runtime",
            "stub",
            "--optimize",
            "--noAssert",
            "--use",
            "abort=",
            "--outFile",
        ])
        .arg(module);
    output(&mut command, "install Node.js 20 or later with npm").map(drop)
}

/// Cargo with the folder's own lock file. What it makes carries its signature.
fn rust(name: &str, manifest: &Path, scratch: &Path, module: &Path) -> Result<(), String> {
    let help = "install Rust with the target wasm32-unknown-unknown (`rustup target add wasm32-unknown-unknown`)";
    let version = output(Command::new("rustc").arg("--version"), help)?;
    let version = version.split_whitespace().nth(1).unwrap_or_default();
    if !version.starts_with(RUSTC) {
        println!("note: rustc is {version}, the committed models were built with {RUSTC}");
    }
    let built = scratch.join("rust");
    let mut command = Command::new("cargo");
    command
        .args(["build", "--locked", "--release", "--target", RUST_TARGET])
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(&built)
        // What the caller's own build is made with is no part of the model's.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    output(&mut command, help)?;
    let made = built
        .join(RUST_TARGET)
        .join("release")
        .join(format!("{name}.wasm"));
    fs::copy(&made, module)
        .map(drop)
        .map_err(|error| failed("copy", &made, &error))
}

/// Runs a tool and returns what it printed.
fn output(command: &mut Command, help: &str) -> Result<String, String> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("`{tool}` cannot be run ({error}): {help}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "`{tool}` failed ({}): {}",
            output.status,
            said.trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Embeds the signature unless the module is `signed`, makes the component, and labels it with the name and version of its
/// WIT package.
fn package(mut module: Vec<u8>, wit: &Path, signed: bool) -> Result<Vec<u8>, String> {
    let text = fs::read_to_string(wit).map_err(|error| failed("read", wit, &error))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_str(wit, &text).map_err(said)?;
    let world = resolve.select_world(&[package], None).map_err(said)?;
    if !signed {
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .map_err(said)?;
    }
    let encoder = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .map_err(said);
    let component = encoder?.encode().map_err(said)?;
    label(&component, &resolve.packages[package].name)
}

/// Writes a package name where components conventionally carry one: the component's name and the section `version`.
fn label(component: &[u8], package: &PackageName) -> Result<Vec<u8>, String> {
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(format!("{}:{}", package.namespace, package.name));
    let mut labelled = metadata.to_wasm(component).map_err(said)?;
    if let Some(version) = &package.version {
        let section = CustomSection {
            name: Cow::Borrowed("version"),
            data: Cow::Owned(version.to_string().into_bytes()),
        };
        section.append_to_component(&mut labelled);
    }
    Ok(labelled)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

fn failed(verb: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {verb} {}: {error}", path.display())
}

fn said(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

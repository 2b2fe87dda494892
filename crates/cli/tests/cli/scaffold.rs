//! `weir model new`: what it makes builds with the language's ordinary toolchain, and is accepted.

use crate::process::binary;
use std::path::Path;
use std::process::{Command, Output};

fn weir(folder: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .current_dir(folder)
        .args(args)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a tool runs; a line says so where it does not.
fn there(tool: &str, args: &[&str]) -> bool {
    let runs = Command::new(tool)
        .args(args)
        .output()
        .is_ok_and(|output| output.status.success());
    if !runs {
        eprintln!("skipped: `{tool}` is not on this machine");
    }
    runs
}

/// Makes a model, builds it, checks it over its own sample and over a manifest.
fn from_nothing_to_checked(lang: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let made = weir(
        temporary.path(),
        &["model", "new", "--lang", lang, "delay_band"],
    );
    assert!(made.status.success(), "{}", said(&made));
    let folder = temporary.path().join("delay_band");
    let built = Command::new("sh")
        .arg("build.sh")
        .current_dir(&folder)
        .env("WEIR", binary())
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", said(&built));
    let manifest = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/flights/flights.toml"
    );
    let args = [
        "model",
        "check",
        "delay_band.wasm",
        "--data",
        "sample.csv",
        "--manifest",
        manifest,
    ];
    let checked = weir(&folder, &args);
    let text = said(&checked);
    assert!(checked.status.success(), "{text}");
    assert!(text.contains("verdict    ok"), "{text}");
    assert!(
        text.contains("5 rows of the file: 5 answered, 0 failed"),
        "{text}"
    );
    assert!(text.contains("it runs over flights"), "{text}");
}

#[test]
fn c_builds_and_is_accepted() {
    if there("clang", &["--version"]) && there("wasm-ld", &["--version"]) {
        from_nothing_to_checked("c");
    }
}

/// The compiler comes from npm: the machine must have it, or reach it.
#[test]
fn assemblyscript_builds_and_is_accepted() {
    if there("npm", &["view", "assemblyscript@0.28.20", "version"]) {
        from_nothing_to_checked("assemblyscript");
    }
}

/// Builds `wit-bindgen` from its sources: minutes on a small machine.
#[test]
#[ignore = "fetches and builds wit-bindgen, which takes minutes"]
fn rust_builds_and_is_accepted() {
    let targets = Command::new("rustc").args(["--print", "sysroot"]).output();
    let there = targets.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Path::new(&sysroot)
            .join("lib/rustlib/wasm32-unknown-unknown")
            .exists()
    });
    match there {
        true => from_nothing_to_checked("rust"),
        false => eprintln!("skipped: the target wasm32-unknown-unknown is not on this machine"),
    }
}

#[test]
fn every_language_gets_its_files_filled_in() {
    let temporary = tempfile::tempdir().unwrap();
    for lang in ["rust", "c", "assemblyscript"] {
        let name = format!("risk_2_{lang}");
        let made = weir(temporary.path(), &["model", "new", "--lang", lang, &name]);
        assert!(made.status.success(), "{}", said(&made));
        for file in walk(&temporary.path().join(&name)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for mark in [
                "@name@",
                "@kebab@",
                "@version@",
                "@source@",
                "@build@",
                "@wasm@",
            ] {
                assert!(!text.contains(mark), "{} has {mark}", file.display());
            }
        }
    }
    let again = weir(
        temporary.path(),
        &["model", "new", "--lang", "c", "risk_2_c"],
    );
    assert!(
        !again.status.success(),
        "a folder that is there is not written into"
    );
    let odd = weir(
        temporary.path(),
        &["model", "new", "--lang", "c", "../Risk"],
    );
    assert!(!odd.status.success() && said(&odd).contains("lower-case"));
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn check_explains_why_rows_fail() {
    let temporary = tempfile::tempdir().unwrap();
    let wat = r#"(module (func $refuse_late (param i32) (if (i32.gt_s (local.get 0) (i32.const 100)) (then unreachable)))
        (func $answer (export "row") (param i32) (result i32) (call $refuse_late (local.get 0)) local.get 0))"#;
    std::fs::write(
        temporary.path().join("m.wasm"),
        wat::parse_str(wat).unwrap(),
    )
    .unwrap();
    let wit = "package a:m; world model { export row: func(delay: s32) -> s32; }";
    std::fs::write(temporary.path().join("m.wit"), wit).unwrap();
    std::fs::write(temporary.path().join("rows.csv"), "delay\n5\n\n700\n101\n").unwrap();
    let args = [
        "model", "check", "m.wasm", "--wit", "m.wit", "--data", "rows.csv",
    ];
    let text = said(&weir(temporary.path(), &args));
    assert!(
        text.contains("wasm `unreachable` instruction executed"),
        "{text}"
    );
    assert!(text.contains("delay = 700"), "{text}");
    assert!(text.contains("in refuse_late (at byte"), "{text}");
    let text = said(&weir(temporary.path(), &["model", "check", "m.wasm"]));
    assert!(text.contains("[MODEL_CORE_MODULE]"), "{text}");
}

/// A model over units is run over whole units, and one that fails is shown with its rows.
#[test]
fn check_runs_units_of_several_rows() {
    let temporary = tempfile::tempdir().unwrap();
    let wat = r#"(module (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func $refuse_many (param i32) (if (i32.gt_u (local.get 0) (i32.const 3)) (then unreachable)))
        (func (export "unit") (param i32 i32) (result i32) (call $refuse_many (local.get 1)) local.get 1))"#;
    let file = |name: &str, content: &[u8]| {
        std::fs::write(temporary.path().join(name), content).unwrap();
    };
    file("m.wasm", &wat::parse_str(wat).unwrap());
    file(
        "m.wit",
        b"package a:m; world model { record leg { delay: s32 } export unit: func(legs: list<leg>) -> s32; }",
    );
    file(
        "rows.csv",
        b"plane,delay\na,1\na,2\nb,3\nb,4\nb,5\nb,6\nc,7\n",
    );
    let check = |more: &[&str]| {
        let args = ["model", "check", "m.wasm", "--wit", "m.wit"];
        said(&weir(temporary.path(), &[&args, more].concat()))
    };
    let text = check(&["--data", "rows.csv", "--unit", "plane"]);
    assert!(
        text.contains("3 units of 7 rows of the file: 2 answered, 1 failed"),
        "{text}"
    );
    assert!(text.contains("unit 1, 4 rows"), "{text}");
    assert!(text.contains("row 5: delay = 6"), "{text}");
    assert!(text.contains("in refuse_many (at byte"), "{text}");
    // One row, two, three, and the last.
    let text = check(&["--data", "rows.csv"]);
    assert!(
        text.contains("4 units of 7 rows of the file: 4 answered, 0 failed"),
        "{text}"
    );
    let text = check(&["--data", "rows.csv", "--unit", "ship"]);
    assert!(text.contains("there is no column `ship`"), "{text}");
    let text = check(&[]);
    assert!(text.contains("units of 1000 rows synthetic: "), "{text}");
}

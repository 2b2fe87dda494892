//! Generates the contract's Rust types. `protox` compiles the files, so that no machine needs `protoc`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from("../../proto");
    let files = [
        "airlock",
        "alert",
        "audit",
        "catalogue",
        "common",
        "dataset",
        "grant",
        "identity",
        "key",
        "model",
        "policy",
        "product",
        "release",
        "replay",
        "retention",
        "run",
        "run_status",
        "usage",
    ]
    .map(|name| root.join(format!("weir/v1/{name}.proto")));
    println!("cargo::rerun-if-changed=../../proto");
    let descriptors = protox::compile(&files, [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("weir.v1.bin"),
        prost::Message::encode_to_vec(&descriptors),
    )?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

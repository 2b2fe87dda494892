#!/bin/sh
# Builds the model. What cargo makes is a core module that carries its signature: Weir packages it on the way in.
set -eu
cd "$(dirname "$0")"
cargo build --release --target wasm32-unknown-unknown
cp "${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/release/@snake@.wasm" "@name@.wasm"

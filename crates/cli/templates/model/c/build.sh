#!/bin/sh
# Builds the model: a core module, and with its signature the component that is submitted.
set -eu
cd "$(dirname "$0")"
"${CC:-clang}" --target=wasm32 -O2 -nostdlib -ffp-contract=off -Wall -Wextra \
  -Wl,--no-entry -Wl,--strip-debug -Wl,-z,stack-size=4096 model.c -o core.wasm
"${WEIR:-weir}" model pack core.wasm --wit model.wit --out "@name@.wasm"

#!/bin/sh
# Builds the model: a core module, and with its signature the component that is submitted.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm install --no-audit --no-fund
npx asc model.ts --runtime stub --optimize --noAssert --use abort= --outFile core.wasm
"${WEIR:-weir}" model pack core.wasm --wit model.wit --out "@name@.wasm"

#!/usr/bin/env bash
# Everything behind faces.onnx: train (or continue) three times, measure it beside the package's. What then makes it
# the package's: CONTRIBUTING.md.
#   runs/faces.sh photos.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/faces-1.toml --data "$1"
fervid train runs/faces-2.toml --data "$1"
fervid train runs/faces.toml --data "$1"
fervid evaluate --detector training-runs/faces/faces.onnx --detector faces --data "$1" --split validation

#!/usr/bin/env bash
# Everything behind faces.onnx: train (or continue) three times, put the file into the package, measure it beside its peers.
#   runs/faces.sh photos.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/faces-1.toml --data "$1"
fervid train runs/faces-2.toml --data "$1"
fervid train runs/faces.toml --data "$1"
python runs/publish.py training-runs/faces
fervid evaluate --detector faces --data "$1" --split validation

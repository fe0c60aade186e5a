#!/usr/bin/env bash
# Everything behind small.onnx: train (or continue), put the file into the package, write its figures into README and card.
#   runs/small.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/small.toml --data "$1"
python runs/publish.py training-runs/small
python runs/quote_figures.py "$1"

#!/usr/bin/env bash
# Everything behind base.onnx: train (or continue), put the file into the package, write its figures into README and card.
#   runs/base.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/base.toml --data "$1"
python runs/publish.py training-runs/base
python runs/quote_figures.py "$1"

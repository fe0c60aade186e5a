#!/usr/bin/env bash
# Everything behind base.onnx: train (or continue) three times, take the mean of the first network and twice the last, put
# the file into the package, write its figures into README and card.
#   runs/base.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/base-2.toml --data "$1"
fervid train runs/base-3.toml --data "$1"
fervid train runs/base.toml --data "$1"
fervid export training-runs/base-2 training-runs/base training-runs/base --data "$1" -o training-runs/base/base.onnx
python runs/publish.py training-runs/base
python runs/quote_figures.py "$1"

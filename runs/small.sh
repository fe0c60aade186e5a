#!/usr/bin/env bash
# Everything behind small.onnx: train (or continue) three times, take the mean of the first network and twice the last, put
# the file into the package, write its figures into README and card.
#   runs/small.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/small-1.toml --data "$1"
fervid train runs/small-2.toml --data "$1"
fervid train runs/small.toml --data "$1"
fervid export training-runs/small-1 training-runs/small training-runs/small --data "$1" -o training-runs/small/small.onnx
python runs/publish.py training-runs/small
python runs/quote_figures.py "$1"

#!/usr/bin/env bash
# Everything behind small.onnx: train (or continue) three times, take the mean of the first network and twice the
# third, go on from it on sharper views, and from there with motion. What then makes it the package's: CONTRIBUTING.md.
#   runs/small.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/small-1.toml --data "$1"
fervid train runs/small-2.toml --data "$1"
fervid train runs/small-3.toml --data "$1"
fervid export training-runs/small-1 training-runs/small-3 training-runs/small-3 --data "$1" -o training-runs/small-mean.onnx
fervid train runs/small-4.toml --data "$1"
fervid train runs/small.toml --data "$1"

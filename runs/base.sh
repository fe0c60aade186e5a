#!/usr/bin/env bash
# Everything behind base.onnx: train (or continue) three times, take the mean of the first network and twice the
# third, go on from it on sharper views, and from there with motion. What then makes it the package's: CONTRIBUTING.md.
#   runs/base.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/base-2.toml --data "$1"
fervid train runs/base-3.toml --data "$1"
fervid train runs/base-4.toml --data "$1"
fervid export training-runs/base-2 training-runs/base-4 training-runs/base-4 --data "$1" -o training-runs/base-mean.onnx
fervid train runs/base-5.toml --data "$1"
fervid train runs/base.toml --data "$1"

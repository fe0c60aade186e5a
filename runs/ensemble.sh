#!/usr/bin/env bash
# Networks that learn from scratch and from no teacher, to be averaged. python runs/keep_teacher.py training-runs/member-2
# --data faces.parquet keeps what one of them says, for others to learn from.
#   runs/ensemble.sh faces.parquet
set -euo pipefail
cd "$(dirname "$0")/.."
fervid train runs/member-1.toml --data "$1"
fervid train runs/member-2.toml --data "$1"
fervid train runs/member-3.toml --data "$1"

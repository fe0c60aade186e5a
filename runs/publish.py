"""Put a finished run's model into the package: ``python runs/publish.py training-runs/base [--name base]``.

The run may be one of an expression network or of a face detector.

Copies the run's ONNX file to ``src/fervid/models/bundled/NAME.onnx``, writes its SHA-256 into ``manifest.json`` beside
it, and keeps the run's metrics as ``runs/NAME.metrics.jsonl``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

from fervid.classification.classifier import Classifier
from fervid.detection.faces import FacesDetector
from fervid.errors import ConfigError, FervidError, ModelError
from fervid.files import write_file

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 6_000_000
MAX_DETECTOR_BYTES = 700_000


def publish(run: Path, name: str | None = None, *, root: Path = ROOT) -> Path:
    """Copy a run's model and metrics into the project.

    Args:
        run: folder of a finished run of ``fervid train``.
        name: that the package will know the model by; the recipe's when None.
        root: of the project.

    Returns:
        Where the model lies now.

    Raises:
        ConfigError: the folder holds no finished run.
        ModelError: the file is too large, or not one that fervid can run.
        OutputError: the project's files cannot be written.
    """
    try:
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        recipe, detector = str(config["name"]), config.get("task") == "detection"
        content = (run / f"{recipe}.onnx").read_bytes()
        metrics = (run / "metrics.jsonl").read_bytes()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{run} holds no finished run ({error})", advice="Finish it with fervid train.") from None
    limit = MAX_DETECTOR_BYTES if detector else MAX_BYTES
    if len(content) > limit:
        raise ModelError(
            f"{recipe}.onnx has {len(content):,} bytes, more than {limit:,}", advice="Train a smaller network."
        )
    load = FacesDetector if detector else Classifier
    load(run.resolve() / f"{recipe}.onnx")  # a file without its contract never enters the package

    name = name or recipe
    bundled = root / "src" / "fervid" / "models" / "bundled"
    manifest = bundled / "manifest.json"
    table = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    table[name] = {"kind": "detector" if detector else "expression", "sha256": hashlib.sha256(content).hexdigest()}
    contents = {
        bundled / f"{name}.onnx": content,
        manifest: (json.dumps(table, indent=2) + "\n").encode(),
        root / "runs" / f"{name}.metrics.jsonl": metrics,
    }
    for path, data in contents.items():
        write_file(path, data)
    return bundled / f"{name}.onnx"


def main() -> int:
    """Read the command line, publish, say what was done."""
    parser = argparse.ArgumentParser(description="Put a finished run's model into the package.")
    parser.add_argument("run", type=Path, help="folder of a finished run of fervid train")
    parser.add_argument("--name", help="that the package will know the model by; the recipe's when absent")
    arguments = parser.parse_args()
    try:
        path = publish(arguments.run, arguments.name)
    except FervidError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

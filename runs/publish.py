"""Put a finished run's model into the package: ``python runs/publish.py training-runs/base [--name base]``.

The run may be one of an expression network or of a face detector.

Copies the run's ONNX file to ``src/fervid/models/bundled/NAME.onnx``, writes its SHA-256 into ``manifest.json`` beside
it, keeps the run's metrics as ``runs/NAME.metrics.jsonl``, and says in the model's card by which commit of the code.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from fervid.classification.classifier import Classifier
from fervid.detection.faces import FacesDetector
from fervid.errors import ConfigError, FervidError, ModelError
from fervid.files import write_file

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 6_000_000
MAX_DETECTOR_BYTES = 700_000
BUNDLED = Path("src", "fervid", "models", "bundled")
PUBLISHED = re.compile(r"^- Published .*\n(?:  .*\n)*", re.MULTILINE)
"""The line of a card that says from which state of the code its model comes."""


def publish(run: Path, name: str | None = None, *, root: Path = ROOT) -> Path:
    """Copy a run's model and metrics into the project, and write the commit into the model's card where it has one.

    Args:
        run: folder of a finished run of ``fervid train``.
        name: that the package will know the model by; the recipe's when None.
        root: of the project.

    Returns:
        Where the model lies now.

    Raises:
        ConfigError: the folder holds no finished run, the card has no place for the commit, or there is none.
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
    bundled = root / BUNDLED
    manifest = bundled / "manifest.json"
    table = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    table[name] = {"kind": "detector" if detector else "expression", "sha256": hashlib.sha256(content).hexdigest()}
    card = bundled / f"{name}.md"
    contents = {
        bundled / f"{name}.onnx": content,
        manifest: (json.dumps(table, indent=2) + "\n").encode(),
        root / "runs" / f"{name}.metrics.jsonl": metrics,
    }
    if card.exists():
        contents[card] = _sign(card, describe_code(root)).encode()
    for path, data in contents.items():
        write_file(path, data)
    return bundled / f"{name}.onnx"


def describe_code(root: Path) -> str:
    """The commit that is checked out, as a card says it, and whether files differ from it.

    What publishing writes does not count: of two models that are published together, the second comes from the same
    code as the first.

    Raises:
        ConfigError: there is no git, or no commit.
    """

    def ask(*words: str) -> str:
        return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True).stdout.strip()

    written = (f"{BUNDLED.as_posix()}/*", "runs/*.metrics.jsonl")
    try:
        commit = ask("rev-parse", "--short", "HEAD")
        changes = ask("status", "--porcelain", "--", ".", *(f":(exclude){path}" for path in written))
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip()
        raise ConfigError(
            f"git does not say which commit is checked out in {root} ({reason})",
            advice="Publish from a clone of the project.",
        ) from None
    return f"commit `{commit}`" + (", with uncommitted changes" if changes else "")


def _sign(card: Path, code: str) -> str:
    """The card's text, which says from which code its model comes. Raises ConfigError when it has no place for that."""
    text, found = PUBLISHED.subn(f"- Published by the code of {code}.\n", card.read_text(encoding="utf-8"))
    if found != 1:
        raise ConfigError(
            f'{card.name} has {found} lines that begin with "- Published ", not one',
            advice="Give its section Training one; the rest of the line is written here.",
        )
    return text


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

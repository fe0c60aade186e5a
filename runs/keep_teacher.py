"""Keep what a network says about the training faces.

    python runs/keep_teacher.py RUN|MODEL.onnx --data faces.parquet [--name NAME] [--replace]

Writes ``runs/teachers/NAME/`` (under 2 MB), from which a recipe with ``[distillation]`` learns; see
``fervid.training.expressions.teachers`` for what the files hold. ``runs/teachers/README.md`` says whose they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from fervid.classification.classifier import Classifier
from fervid.cli.terminal import show_progress
from fervid.datasets.parquet import read_faces
from fervid.errors import ConfigError, FervidError, UsageError
from fervid.training.expressions.teachers import FACTS_FILE, ask_teacher, save_teacher

ROOT = Path(__file__).resolve().parents[1]


def find_model(source: Path) -> Path:
    """The ONNX file itself, or that of a finished run's folder. Raises ConfigError when there is none."""
    path = source
    if source.is_dir():
        try:
            path = source / f"{json.loads((source / 'config.json').read_text(encoding='utf-8'))['name']}.onnx"
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{source} holds no run ({error})", advice="Give the folder of a finished run.") from None
    if not path.is_file():
        raise ConfigError(f"there is no {path}", advice="Finish the run with fervid train.")
    return path.resolve()


def main() -> int:
    """Read the command line, ask the network, say what was kept; the exit status."""
    parser = argparse.ArgumentParser(description="Keep what a network says about the training faces.")
    parser.add_argument("source", type=Path, metavar="RUN|MODEL.onnx", help="folder of a finished run, or a model")
    parser.add_argument("--data", type=Path, required=True, help="faces in Parquet, as fervid data prepare writes them")
    parser.add_argument("--name", help="of the teacher; the model's when absent")
    parser.add_argument("--replace", action="store_true", help="lose what a teacher of that name has said")
    parser.add_argument("--threads", type=int, help="CPU threads; one per core when absent")
    arguments = parser.parse_args()
    try:
        model = find_model(arguments.source)
        name = arguments.name or model.stem
        if Path(name).name != name or name.startswith("."):
            raise UsageError(f"a teacher cannot be called {name!r}", advice="Give --name a plain folder name.")
        folder = ROOT / "runs" / "teachers" / name
        if (folder / FACTS_FILE).exists() and not arguments.replace:  # recipes learn from it, and it may be another's
            raise UsageError(
                f"{folder} holds a teacher already", advice="Give another --name, or --replace to lose it."
            )
        classifier = Classifier(model, threads=arguments.threads)
        with show_progress("reading", "faces") as advance:
            faces = read_faces(arguments.data, progress=advance)
        with show_progress(f"asking {classifier.identity}", "faces") as advance:
            teacher = ask_teacher(classifier, faces, progress=advance)
        save_teacher(teacher, folder)
    except FervidError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in folder.iterdir())
    votes = teacher.public_votes_accuracy
    print(
        f"{folder}: {teacher.emotions.shape[1]:,} faces, plain and mirrored, {size:,} bytes; PublicTest "
        f"{teacher.public_accuracy:.2%}" + ("" if votes is None else f", FER+ {votes:.2%}")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``fervid export``: a run of ``fervid train`` as an ONNX file of any precision."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.cli.terminal import print_note, show_progress, stdout
from fervid.errors import ConfigError, UsageError
from fervid.extras import require

if TYPE_CHECKING:
    from fervid.training.expressions.export import ExportedModel


def export(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…",
            help="Folder of a run of fervid train; of several, the mean of their weights. All but the last may be the "
            "file, or the installed model, that it began from.",
        ),
    ],
    data: Annotated[Path, typer.Option("--data", help="The faces that it was trained with.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    precision: Annotated[
        Literal["float16", "float32", "int8"] | None,
        typer.Option(help="How weights are stored; the recipe's when absent.", show_default=False),
    ] = None,
    mirror: Annotated[
        bool | None,
        typer.Option(
            "--mirror/--no-mirror",
            help="Read each face with its mirror image, in twice the time; the recipe's when absent.",
            show_default=False,
        ),
    ] = None,
    clean_norms: Annotated[
        bool | None,
        typer.Option(
            "--clean-norms/--no-clean-norms",
            help="Measure the statistics of the norms anew, on clean faces; the recipe's when absent.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Export a trained network as ONNX: calibrated on PublicTest, and checked against the network.

    float16 and float32 compute in floating point; int8 computes in integers, about twice as fast, in a quarter of
    float32's bytes. A run that is not finished is exported as it stands. Several runs make one network when one began
    where another ended; a run that is named twice counts twice, and the last one's recipe says how to export.
    """
    if output.suffix != ".onnx":  # by which a path is told from a name, wherever a model is asked for
        raise UsageError(f"the file is ONNX, not {output.name}", advice="Give -o FILE.onnx.")
    require("train", "fervid export", "torch", "onnx", "pyarrow")
    from fervid.training.checkpoint import CONFIG_FILE, average_weights, load_average, restore
    from fervid.training.expressions.checkpoint import check_data, list_origins, load_network, read_config
    from fervid.training.expressions.data import load_training_data
    from fervid.training.expressions.export import export_onnx
    from fervid.training.expressions.unfolding import read_initial_weights

    if runs[-1].suffix == ".onnx":
        raise ConfigError(
            f"{runs[-1]} is a file, which holds no recipe",
            advice="Give the folder of the run that began from it as the last one.",
        )
    recipe, network = read_config(runs[-1]), load_network(runs[-1])
    folders = [run for run in dict.fromkeys(runs) if (run / CONFIG_FILE).is_file()]
    if len(runs) > 1 and clean_norms is False:
        raise UsageError(
            "the mean of several runs' weights needs new statistics of its norms", advice="Leave --no-clean-norms out."
        )
    for run in folders:
        other = read_config(run)
        if (other.network, other.labels, other.input) != (recipe.network, recipe.labels, recipe.input):
            raise ConfigError(
                f"{run} holds another network than {runs[-1]}", advice="Give runs of one network, labels and input."
            )
    with show_progress("reading", "faces") as advance:
        faces = load_training_data(data, recipe, progress=advance)
    for run in folders:
        check_data(run, faces.digest)
    if len(runs) > 1:
        states, known = {run: load_average(run) for run in folders}, set().union(*map(list_origins, folders))
        for run in runs:
            if run not in states:
                digest, states[run] = read_initial_weights(str(run), recipe, faces)
                if digest not in known:
                    raise ConfigError(
                        f"none of these runs began with {run} ({digest})",
                        advice="The mean of networks that have nothing in common knows nothing: give the file that "
                        "the run began with.",
                    )
        restore(network, average_weights([states[run] for run in runs]), runs[-1])
    chosen = {"precision": precision, "mirror": mirror, "clean_norms": True if len(runs) > 1 else clean_norms}
    stored = asdict(recipe.export) | {key: value for key, value in chosen.items() if value is not None}
    if len(runs) > 1:
        names = " and ".join(f"{runs.count(run)} × {run.name}" for run in dict.fromkeys(runs))
        faces = replace(faces, spec=replace(faces.spec, recipe=f"{faces.spec.recipe}; mean of the weights of {names}"))
    print_note("exporting, and checking the file against torch")
    exported = export_onnx(network, faces, output, **stored)
    print_export(exported, len(faces.validation_emotions))


def print_export(exported: ExportedModel, public_faces: int) -> None:
    """What the file is and how it was checked, on stdout; a note when few faces calibrated it."""
    from fervid.evaluation.fitting import FEW_FACES

    spec, parity = exported.spec, exported.parity
    integer = parity.precision == "int8"
    public = f"{exported.public_accuracy * 100:.2f} % of {public_faces:,} faces"
    if integer:
        public += f", {exported.trained_accuracy * 100:.2f} % before rounding"
        checked = (
            f"{parity.written_faces:,} faces in ONNX Runtime: integer sums as in floating point, probabilities within "
            f"{parity.max_difference:.0e}; {parity.faces:,} faces: {parity.trained_agreement * 100:.1f} % of the "
            f"answers as before rounding, probabilities within {parity.trained_difference:.2f}"
        )
    else:
        checked = (
            f"{parity.faces:,} faces in ONNX Runtime: every answer as in torch, probabilities within "
            f"{parity.max_difference:.0e}; {parity.trained_difference:.0e} from the weights before rounding"
        )
    answer = f"{1 - spec.blend:.2f} × label head + {spec.blend:.2f} × votes head"
    if not exported.knows_votes:
        answer = "label head; the votes head had no votes to learn from and gives every expression the same share"
    rows = (
        ("model", str(exported.path)),
        ("size", f"{exported.size_bytes / 1e6:.2f} MB ({exported.size_bytes:,} bytes, weights as {parity.precision})"),
        ("labels", ", ".join(spec.labels)),
        ("PublicTest", public),
        ("calibration", f"temperatures {spec.temperature:.3f} and {spec.votes_temperature:.3f}"),
        ("answer", answer),
        ("threshold", f'{spec.threshold:g}: an answer less sure is "uncertain"'),
        ("checked", checked),
    )
    console = stdout()
    for name, text in rows:
        console.print(f"{name:12}{text}", markup=False)
    if public_faces < FEW_FACES:
        print_note(
            f"the calibration rests on {public_faces:,} PublicTest faces; with fewer than {FEW_FACES}, chance moves "
            "temperatures and threshold: add some"
        )

"""``fervid models``: what is there, what it is made of, whether it is intact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.layout import print_fitting
from fervid.cli.terminal import ERROR, escape_controls, print_error, print_note, show_progress, stdout

if TYPE_CHECKING:
    from fervid.models.detectorspec import DetectorSpec
    from fervid.models.spec import ModelSpec
    from fervid.models.store import PublishedFile

models_app = typer.Typer(help="List, inspect, fetch and verify model files.", no_args_is_help=True)


@models_app.command("list")
def list_models() -> None:
    """List the models and detectors fervid knows, and where they are."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from fervid.models.store import list_published, locate

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "kind", "size", "SHA-256"):
        table.add_column(heading, justify="right" if heading == "size" else "left", no_wrap=True)
    table.add_column("where", overflow="fold", min_width=14)
    for published in list_published():
        path = locate(published)
        size = f"{path.stat().st_size / 1e6:.2f} MB" if path is not None and path.exists() else ""
        where = (
            "in the package" if published.bundled else str(path or f"not fetched (fervid models pull {published.name})")
        )
        table.add_row(published.name, published.kind, size, published.sha256[:12], escape(escape_controls(where)))
    print_fitting(stdout(), [table])


@models_app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="A model's name, or the path of an .onnx file.")] = "base",
) -> None:
    """Show a model's contract and its layers: shapes, parameters, FLOPs."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from fervid.models.detectorspec import TASK as DETECTION
    from fervid.models.detectorspec import DetectorSpec
    from fervid.models.runtime import create_session, read_metadata
    from fervid.models.spec import ModelSpec, find_task, layers_from_metadata
    from fervid.models.store import load_model

    file = load_model(name)
    session = create_session(file, threads=1)
    metadata = read_metadata(session)
    console = stdout()
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")

    def add(what: str, words: str) -> None:
        facts.add_row(what, escape(escape_controls(words)))  # a file may say anything of itself

    add("model", file.identity)
    add("file", f"{len(file.data) / 1e6:.2f} MB, SHA-256 {file.sha256}")
    for port, kind in ((session.get_inputs(), "input"), (session.get_outputs(), "output")):
        for node in port:
            add(kind, f"{node.name}  {' × '.join(str(n) for n in node.shape)}  {node.type}")
    task = find_task(metadata)
    if task is None:
        console.print(facts)
        print_note("This file carries no fervid spec and no layer table: it is another project's.")
        return
    add("task", task)
    spec: ModelSpec | DetectorSpec
    if task == DETECTION:
        spec = DetectorSpec.from_metadata(metadata, file.name)
        rows = _describe_detector(spec)
    else:
        spec = ModelSpec.from_metadata(metadata, file.name)
        rows = _describe_network(spec)
    add("version", spec.version)
    for what, words in rows:
        add(what, words)
    add("trained on", spec.training_data)
    add("recipe", spec.recipe)
    add("licence", spec.licence)
    console.print(facts)

    layers = layers_from_metadata(metadata)
    if not layers:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    count, flops = sum(layer.parameters for layer in layers), sum(layer.flops for layer in layers)
    table.add_column("layer", overflow="fold", min_width=12, footer=f"{len(layers)} layers")
    table.add_column("operation")
    table.add_column("output", justify="right", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True, footer=f"{count:,}")
    table.add_column("FLOPs", justify="right", no_wrap=True, footer=f"{flops / 1e6:,.1f} M")
    for layer in layers:
        shape = " × ".join(str(n) for n in layer.output)
        parameters = f"{layer.parameters:,}" if layer.parameters else ""
        cells = (layer.name, layer.operation, shape, parameters, f"{layer.flops / 1e6:,.2f} M")
        table.add_row(*(escape(escape_controls(cell)) for cell in cells))
    print_fitting(console, [table])


def _describe_network(spec: ModelSpec) -> list[tuple[str, str]]:
    return [
        ("labels", ", ".join(spec.labels)),
        ("votes", ", ".join(spec.vote_labels)),
        ("preprocessing", f"grey, central {spec.crop:.1%} of the face, {spec.size}×{spec.size} px, "
                          f"{spec.kernel} kernel, (x − {spec.mean:.2f}) / {spec.std:.2f}"),
        ("calibration", f"temperatures {spec.temperature:.3f} and {spec.votes_temperature:.3f} (votes); "
                        f"uncertain below {spec.threshold:.0%}"),
    ]  # fmt: skip


def _describe_detector(spec: DetectorSpec) -> list[tuple[str, str]]:
    scale, shift_x, shift_y = spec.framing
    levels = "levels as they are" if spec.layout == "pixels" else f"(x − {spec.mean:g}) / {spec.std:g}"
    return [
        ("preprocessing", f"{spec.colour_order}, {levels}, any size in multiples of {spec.strides[-1]} px"),
        ("finds", f"faces of {spec.smallest_face:g} to {spec.largest_face:g} px at one scale, "
                  f"with a score of {spec.score_threshold:g} or more"),
        ("suppression", f"of two that overlap by more than {spec.overlap_threshold:g} (IoU), the better stays"),
        ("framing", f"FER2013's square: {scale:.3f} of the box's height, "
                    f"moved by ({shift_x:+.3f}, {shift_y:+.3f}) of its side"),
    ]  # fmt: skip


@models_app.command("verify")
def verify_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names, or paths of files; all that are on this machine if none.")
    ] = None,
) -> None:
    """Check that model files are, byte for byte, the published ones (exit status 1 when one is not)."""
    from fervid.errors import FervidError
    from fervid.models.store import list_published, locate

    broken = 0
    for name in names or [published.name for published in list_published() if locate(published) is not None]:
        try:
            published = _verify(name)
            said = published.name if published.name == name else f"{name} is {published.name}"
            stdout().print(f"ok      {escape_controls(said)}  {published.sha256}", markup=False)
        except FervidError as error:
            broken += 1
            stdout().print(f"broken  {escape_controls(name)}", markup=False)
            print_error(error)
    if broken:
        raise typer.Exit(ERROR)


def _verify(name: str) -> PublishedFile:
    """The published file that a name or a path stands for.

    Raises:
        FervidError: it is not on this machine, or not a published one.
    """
    from fervid.errors import IntegrityError, ModelError
    from fervid.models.store import find_published, is_path, list_published, load_model, locate, read_checked

    if is_path(name):
        digest = load_model(name).sha256
        for published in list_published():
            if published.sha256 == digest:
                return published
        raise IntegrityError(
            f"{name} has the SHA-256 {digest[:12]}…, which is none of the published files'",
            advice="Your own models cannot be verified; fervid models show tells what a file says of itself.",
        )
    published = find_published(name)
    path = locate(published)
    if path is None:
        raise ModelError(f"{name} is not on this machine", advice=f"fervid models pull {name}")
    read_checked(published, path)
    return published


@models_app.command("pull")
def pull_model(name: Annotated[str, typer.Argument(help="Which one, see fervid models list.")]) -> None:
    """Fetch a published file once into the user's cache, checked against its SHA-256."""
    from fervid.models.store import fetch

    with show_progress(f"Fetching {name}", "files") as advance:
        advance(0, 1)
        path = fetch(name)
        advance(1, 1)
    stdout().print(str(path), markup=False)

"""What fervid writes and answers, told by the code that does it: columns, JSON, REST; written at every build."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cli_pages import write_if_changed
from pydantic import TypeAdapter

import fervid
from fervid.batch.tables import FACES, FAILURES, INPUTS, list_columns
from fervid.emotions import EMOTIONS
from fervid.exchange import COLUMNS
from fervid.models.store import BUNDLED
from fervid.results import Analysis
from fervid.sinks.parquet import TYPES
from fervid.web.apidocs import Markup, name_type
from fervid.web.schemas import AnalysisModel, ErrorAnswer, FrameModel


class Failed(ErrorAnswer):
    """A picture that could not be read."""

    source: str | None


LINE: TypeAdapter[Any] = TypeAdapter(FrameModel | AnalysisModel | Failed)
"""A line of ``--json``."""

_NOTICE = "<!-- Written by docs/format_pages.py at every build. -->\n"
_METHODS = ("get", "post", "put", "patch", "delete")

_COLUMN_MEANINGS = {
    "source": "The picture or film.",
    "frame": "Number of the frame in the film, from 0; empty for a photo.",
    "time_s": "When the frame is shown, s; empty for a photo.",
    "face": "Number of the face in the picture, from 0, left to right.",
    "track": "The same number for the same person in a film, until a cut or two seconds of absence; empty for a photo, "
    "and for a face seen too shortly to get one.",
    "x1": "Left edge of the box, px of the upright picture.",
    "y1": "Upper edge.",
    "x2": "Right edge.",
    "y2": "Lower edge.",
    "score": "The detector's confidence, 0–1.",
    "emotion": "The answer; empty when the model is uncertain. In a smoothed film the one that has established itself.",
    "confidence": "Calibrated probability of `emotion`; of the most probable one where it is uncertain. "
    "Of a film it is smoothed.",
    **{f"p_{emotion}": f"Probability of {emotion}, of this picture alone." for emotion in EMOTIONS},
    "model": "The network that answered, `name@sha256[:12]`.",
}


_ARCHIVE_MEANINGS = {
    "input": "Digest of path, size and time, or of the store's ETag: a changed file is another input.",
    "source": "Path or address.",
    "kind": "`photo` or `film`.",
    "bytes": "Size of the file.",
    "modified": "When it was changed.",
    "etag": "What the store calls this version of it.",
    "width": "Of the upright picture, px.",
    "height": "The same.",
    "frames": "Frames of a film that were read; empty for a photo.",
    "faces": "Rows of it in the table of faces.",
    "problems": "What was odd about a film that was read all the same.",
    "failed": "Whether it stands in `failures`.",
    "code": "Of the error; stable.",
    "message": "What was wrong.",
    "advice": "What to do.",
}


def write_pages(folder: Path) -> None:
    """The parts that the pages of docs/reference/ include; files whose text is the same are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    openapi = read_openapi()
    for name, text in {
        "columns.md": _NOTICE + build_columns(),
        "archive.md": _NOTICE + build_archive_columns(),
        "example.json": build_example() + "\n",
        "json.md": _NOTICE + build_json_tables(),
        "fervid-1.schema.json": json.dumps(LINE.json_schema(), indent=2) + "\n",
        "rest.md": _NOTICE + build_rest(openapi),
        "websocket.md": _NOTICE + describe_websocket(openapi),
        "openapi.json": json.dumps(openapi, indent=1, ensure_ascii=False) + "\n",
        **quote_card("base"),
    }.items():
        write_if_changed(folder / name, text)


def quote_card(name: str) -> dict[str, str]:
    """The tables of a model's card that other pages quote, as files."""
    card = (BUNDLED / f"{name}.md").read_text(encoding="utf-8")
    figures, corruptions = (
        card.partition(f"<!-- {part}:{name} -->\n")[2].partition(f"<!-- /{part} -->")[0].split("\n\n")
        for part in ("figures", "corruptions")
    )
    # Each begins with a line that names the model, then come the tables.
    return {
        f"{name}-figures.md": _NOTICE + "\n\n".join(figures[:2]) + "\n",
        f"{name}-answer.md": _NOTICE + figures[3] + "\n",
        f"{name}-corruptions.md": _NOTICE + "\n\n".join(corruptions[:2]) + "\n",
    }


def build_columns() -> str:
    """The columns of every table, with their types in Parquet.

    Raises:
        ValueError: a column is described that is not there, or the other way round.
    """
    if set(_COLUMN_MEANINGS) != set(COLUMNS):
        raise ValueError(f"columns without a description, or none: {set(_COLUMN_MEANINGS) ^ set(COLUMNS)}")
    rows = [f"| `{column}` | {TYPES[column]} | {_COLUMN_MEANINGS[column]} |" for column in COLUMNS]
    return "\n".join(["| column | type | what |", "|---|---|---|", *rows, ""])


def build_archive_columns() -> str:
    """The columns that ``fervid batch`` writes besides, and in which of its tables they stand.

    Raises:
        ValueError: a column is described that is not there, or the other way round.
    """
    columns: dict[str, list[str]] = {}
    for table in (FACES, INPUTS, FAILURES):
        for column in list_columns(table):
            if table != FACES or column not in COLUMNS:
                columns.setdefault(column, []).append(f"`{table}`")
    if set(columns) != set(_ARCHIVE_MEANINGS):
        raise ValueError(f"columns without a description, or none: {set(columns) ^ set(_ARCHIVE_MEANINGS)}")
    rows = [f"| `{name}` | {', '.join(tables)} | {_ARCHIVE_MEANINGS[name]} |" for name, tables in columns.items()]
    return "\n".join(["| column | in | what |", "|---|---|---|", *rows, ""])


def analyse_portrait() -> Analysis:
    """The portrait that matplotlib brings; ``source`` is its bare name."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    analysis = fervid.Analyzer(detector="faces", threads=1).analyze(path)
    return Analysis.from_dict({**analysis.to_dict(), "source": path.name})


def build_example() -> str:
    """A real answer."""
    data = analyse_portrait().to_dict()
    LINE.validate_python(data)
    text = json.dumps(data, indent=2)
    for key in ("size", "box"):  # a list of numbers on one line
        text = _join_list(text, key)
    return text


def _join_list(text: str, key: str) -> str:
    before, mark, rest = text.partition(f'"{key}": [')
    inside, close, after = rest.partition("]")
    return f"{before}{mark}{' '.join(inside.split())}{close}{after}"


def build_json_tables() -> str:
    """Every object of ``fervid/1``, key by key."""
    schema = {**FrameModel.model_json_schema(), "title": "Analysis, Frame"}
    errors = ErrorAnswer.model_json_schema()
    definitions = {**schema.pop("$defs"), "ErrorBody": errors["$defs"]["ErrorBody"]}
    names = {"FaceModel": "Face", "QualityModel": "Quality", "EvidenceModel": "Evidence", "ErrorBody": "Error"}
    lines = _tabulate("Analysis and frame", schema, names)
    lines.insert(2, "A photo's answer has no `frame` and no `time_s`; a frame's has both.\n")
    for name in ("FaceModel", "QualityModel", "EvidenceModel", "ErrorBody"):
        lines += _tabulate(names[name], definitions[name], names)
    return "\n".join(lines)


def _tabulate(title: str, schema: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    required = set(schema.get("required", ()))
    markup = _write_markdown(lambda name: f"[{names[name]}](#{names[name].lower()})")
    rows = []
    for key, part in schema["properties"].items():
        always = key in required or part.get("const") is not None
        rows.append(f"| `{key}`{'' if always else ' *'} | {name_type(part, markup)} | {part.get('description', '')} |")
    return [f"## {title}", "", "| key | type | what |", "|---|---|---|", *rows, ""]


def read_openapi() -> dict[str, Any]:
    """The description that a server gives of itself."""
    from fervid.web.app import create_app
    from fervid.web.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        openapi: dict[str, Any] = create_app(Settings(data_dir=Path(folder))).openapi()
    return openapi


def describe_websocket(openapi: Mapping[str, Any]) -> str:
    """The paragraph of the API's description that OpenAPI has no place for.

    Raises:
        ValueError: there is none any more.
    """
    paragraphs = [part for part in openapi["info"]["description"].split("\n\n") if "WebSocket" in part]
    if not paragraphs:
        raise ValueError("the API's description says nothing of WebSockets")
    return "\n\n".join(paragraphs) + "\n"


def build_rest(openapi: Mapping[str, Any]) -> str:
    """The operations, grouped by what they are about, and the types."""
    lines: list[str] = []
    groups: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for method, path, operation in list_operations(openapi):
        groups.setdefault(path.split("/")[3], []).append((method, path, operation))
    for group, operations in groups.items():
        lines += [f"## {group.capitalize()}", ""]
        for method, path, operation in operations:
            lines += _describe_operation(method, path, operation)
    lines += ["## Types", ""]
    for name, schema in openapi["components"]["schemas"].items():
        lines += [f"({_anchor(name)})=", f"### {name}", "", schema.get("description", ""), ""]
        required = schema.get("required", ())
        rows = [
            f"| `{key}`{'' if key in required else ' *'} | {name_type(part, _REST)} | {part.get('description', '')} |"
            for key, part in schema.get("properties", {}).items()
        ]
        if rows:
            lines += ["| key | type | what |", "|---|---|---|", *rows, ""]
        elif "enum" in schema:
            lines += [name_type(schema, _REST), ""]
    return "\n".join(lines)


def list_operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and description of every operation."""
    for path, item in openapi["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def _describe_operation(method: str, path: str, operation: Mapping[str, Any]) -> list[str]:
    lines = [f"### {method.upper()} {path}", "", operation.get("description") or operation.get("summary", ""), ""]
    for parameter in operation.get("parameters", ()):
        schema = parameter.get("schema", {})
        required = "" if parameter.get("required") else " *"
        text = parameter.get("description", "") or "…"
        if schema.get("default") is not None:
            text += f" Default: `{json.dumps(schema['default'])}`."
        lines += [f"`{parameter['name']}`{required} ({parameter['in']}; {name_type(schema, _REST)})", f": {text}", ""]
    body = operation.get("requestBody", {}).get("content", {})
    kinds_of: dict[str, list[str]] = {}
    for kind, media in body.items():
        kinds_of.setdefault(name_type(media.get("schema", {}), _REST), []).append(f"`{kind}`")
    for named, kinds in kinds_of.items():
        lines += ["Body", f": {named}: {', '.join(kinds)}", ""]
    for status, answer in operation.get("responses", {}).items():
        if status == "default":
            continue
        kinds = [
            f"`{kind}`" + (f": {named}" if (named := name_type(media.get("schema", {}), _REST)) else "")
            for kind, media in answer.get("content", {}).items()
        ]
        what = answer.get("description", "").replace("Successful Response", "")
        lines += [f"Answer {status}", f": {'; '.join(filter(None, [what, *kinds])) or 'Nothing.'}", ""]
    return lines


def _write_markdown(link: Callable[[str], str]) -> Markup:
    return Markup(link, code="`{}`".format, text=lambda words: re.sub("([<>])", r"\\\1", words))


def _anchor(name: str) -> str:
    return f"type-{name.lower()}"


_REST = _write_markdown(lambda name: f"[{name}](#{_anchor(name)})")

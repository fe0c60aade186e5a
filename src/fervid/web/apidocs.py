"""The API's description for people, made from its OpenAPI: one page without a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response

from fervid.web.settings import API

DESCRIPTION: Final = """\
Reads facial expressions in photos, films and live cameras, on this machine. An expression is not an emotion.

Answers are JSON of the schema `fervid/1`, the same as from the command line. Errors have one shape everywhere:
`{"schema": "fervid/1", "error": {"code", "message", "advice"}}`. With status 429 `Retry-After` says when to try again.

The WebSocket `/ws/live` reads a camera: send `{"type": "start", "labels": 7, "smooth_s": 0.5}`, then pictures (JPEG,
WebP or PNG, 2 MB at most) as binary messages. Each answer is `{"type": "frame", "frame": {…}, "dropped": n, "ms": …}`;
while a picture is read only the newest that arrived is kept, and `dropped` counts the others. A picture that cannot be
read is answered with `{"type": "error", "error": {…}}`, and the next one may follow.
"""

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ID: Final = str.maketrans({"{": None, "}": None})
_STYLE: Final = Path(__file__).parent / "apidocs.css"


@dataclass(frozen=True, slots=True)
class Markup:
    """How a page writes the parts of a type's name.

    Attributes:
        link: of a type's name, to where the type is described.
        code: of a value or a key.
        text: of words.
    """

    link: Callable[[str], str]
    code: Callable[[str], str]
    text: Callable[[str], str]


_HTML: Final = Markup(
    link=lambda name: f'<a href="#type-{escape(name)}">{escape(name)}</a>',
    code=lambda text: f"<code>{escape(text)}</code>",
    text=escape,
)


def create_router(app: FastAPI) -> APIRouter:
    """The page and its style."""
    router = APIRouter(prefix=API, include_in_schema=False)

    @cache
    def render() -> str:
        return render_page(app.openapi())

    @router.get("/docs", response_class=HTMLResponse)
    async def show_docs() -> HTMLResponse:
        return HTMLResponse(render(), headers={"Cache-Control": "no-cache"})

    @router.get("/docs.css")
    async def show_style() -> Response:
        return Response(
            _STYLE.read_text(encoding="utf-8"), media_type="text/css", headers={"Cache-Control": "no-cache"}
        )

    return router


def render_page(openapi: Mapping[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    operations = list(_list_operations(openapi))
    contents = "".join(
        f'<li><a href="#{identity}">{_method(method)} <code>{escape(path)}</code></a></li>'
        for identity, method, path, _ in operations
    )
    sections = "".join(_render_operation(*operation) for operation in operations)
    schemas = openapi.get("components", {}).get("schemas", {})
    types = "".join(_render_schema(name, schema) for name, schema in schemas.items())
    title = escape(f"{openapi['info']['title']} {openapi['info']['version']}: API")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="stylesheet" href="{API}/docs.css">
</head>
<body>
<main>
<h1>{title}</h1>
{_render_text(openapi["info"].get("description", ""))}
<p>For programs: <a href="{API}/openapi.json">{API}/openapi.json</a>.</p>
<nav aria-label="Operations"><ul>{contents}</ul></nav>
{sections}
<h2 id="types">Types</h2>
{types}
</main>
</body>
</html>
"""


def _list_operations(openapi: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    for path, item in openapi.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                yield f"{method}-{path.strip('/').replace('/', '-')}".translate(_ID), method, path, item[method]


def _render_operation(identity: str, method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f'<section id="{identity}"><h2>{_method(method)} <code>{escape(path)}</code></h2>']
    summary, text = operation.get("summary", ""), operation.get("description", "")
    parts.append(f"<p>{escape(summary)}.</p>" if summary and not text else "")
    parts.append(_render_text(text))
    rows = [_render_parameter(parameter) for parameter in operation.get("parameters", ())]
    if rows:
        parts.append(_table(("parameter", "where", "type", "what"), rows))
    body = operation.get("requestBody")
    if body is not None:
        parts.append(f"<h3>Body</h3>{_render_content(body.get('content', {}))}")
    parts.append("<h3>Answers</h3>")
    answers = [
        (
            f"<code>{escape(status)}</code>",
            escape(answer.get("description", "").replace("Successful Response", "It was done.")),
            _render_content(answer.get("content", {})),
        )
        for status, answer in operation.get("responses", {}).items()
    ]
    parts.append(_table(("status", "what", "content"), answers))
    parts.append("</section>")
    return "".join(parts)


def _render_parameter(parameter: Mapping[str, Any]) -> tuple[str, ...]:
    schema = parameter.get("schema", {})
    required = " (required)" if parameter.get("required") else ""
    what = escape(parameter.get("description", ""))
    if "default" in schema:
        what += f" Default: <code>{escape(json.dumps(schema['default']))}</code>."
    return f"<code>{escape(parameter['name'])}</code>", parameter["in"] + required, name_type(schema, _HTML), what


def _render_content(content: Mapping[str, Any]) -> str:
    by_type: dict[str, list[str]] = {}
    for kind, media in content.items():
        by_type.setdefault(name_type(media.get("schema", {}), _HTML), []).append(f"<code>{escape(kind)}</code>")
    return "<br>".join(f"{name}: {', '.join(kinds)}" if name else ", ".join(kinds) for name, kinds in by_type.items())


def _render_schema(name: str, schema: Mapping[str, Any]) -> str:
    parts = [f'<section id="type-{escape(name)}"><h3>{escape(name)}</h3>', _render_text(schema.get("description", ""))]
    if "enum" in schema:
        parts.append(f"<p>{name_type(schema, _HTML)}</p>")
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{escape(key)}</code>{'' if key in required else ' (optional)'}",
            name_type(part, _HTML),
            escape(part.get("description", "")),
        )
        for key, part in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append(_table(("key", "type", "what"), rows))
    return "".join([*parts, "</section>"])


def name_type(schema: Mapping[str, Any], markup: Markup) -> str:
    """The type of a value in a few words."""
    if "$ref" in schema:
        return markup.link(schema["$ref"].rpartition("/")[2])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(name_type(part, markup) for part in schema[key])
    if "const" in schema:
        return markup.code(json.dumps(schema["const"]))
    if "enum" in schema:
        return ", ".join(markup.code(json.dumps(value)) for value in schema["enum"])
    kind = str(schema.get("type", ""))
    if kind == "array":
        least, most = schema.get("minItems"), schema.get("maxItems")
        count = f"{least} " if least is not None and least == most else ""
        return f"list of {count}{name_type(schema.get('items', {}), markup) or 'values'}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {name_type(schema['additionalProperties'], markup) or 'values'}"
    if kind == "object" and schema.get("properties"):
        return "form with " + ", ".join(markup.code(key) for key in schema["properties"])
    if schema.get("format") == "binary":
        return "bytes"
    return markup.text(", ".join(filter(None, (kind, _name_limits(schema)))))


def _name_limits(schema: Mapping[str, Any]) -> str:
    if (schema.get("minimum"), schema.get("maximum")) == (0, 1):
        return "0–1"
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']:g} to {schema['maximum']:g}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " and ".join(f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema)


def _method(method: str) -> str:
    return f'<span class="method {method}">{method.upper()}</span>'


def _table(headings: tuple[str, ...], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _render_text(text: str) -> str:
    """Paragraphs; what stands between backticks is code."""
    paragraphs = []
    for paragraph in filter(None, (part.strip() for part in text.split("\n\n"))):
        pieces = escape(paragraph, quote=False).split("`")
        marked = [f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces)]
        paragraphs.append(f"<p>{''.join(marked)}</p>")
    return "".join(paragraphs)

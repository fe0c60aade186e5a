"""Draw the floors and three paths through them as SVG: ``python docs/make_drawings.py``.

The floors are those that import-linter enforces (pyproject.toml), so the drawing is of the code. Every module that a
path names exists; ``tests/docs/test_drawings.py`` looks, and says when a drawing is out of date.
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"

_STYLE = """\
svg{color-scheme:light dark;font-family:ui-sans-serif,system-ui,sans-serif}
.paper{fill:#fbfcfd}.box{fill:#fff;stroke:#b8c2cc}.step{fill:#e8f3f4;stroke:#0f5f66}
.ink{fill:#16181d}.soft{fill:#59636e}.line{stroke:#59636e;fill:none}.tip{fill:#59636e}
.code{font-family:ui-monospace,monospace}
@media (prefers-color-scheme:dark){
.paper{fill:#16181c}.box{fill:#20242a;stroke:#4a535d}.step{fill:#12343a;stroke:#6cc5cc}
.ink{fill:#eef0f2}.soft{fill:#a9b3bd}.line{stroke:#a9b3bd}.tip{fill:#a9b3bd}}"""

_CAPTIONS = {
    "cli": "verbs: parse, call, print",
    "training": "rooms of an extra each",
    "evaluation": "how good it is",
    "pipeline": "detector + network",
    "streaming": "frames to frames",
    "reading": "found faces to read faces",
    "detection": "siblings that know nothing of each other",
    "models": "files and their contract",
    "imaging": "load, orient, cut",
    "geometry": "boxes, stretches of time",
    "results": "what an answer is",
    "exchange": "what it becomes",
    "emotions": "labels, files that appear whole",
    "errors": "what can be wrong",
}
"""What a floor is for, by its first module."""


class Step(NamedTuple):
    """One station of a path.

    Attributes:
        module: where it happens, from ``src/fervid/`` or ``frontend/src/``.
        what: what happens there.
        leaves: what goes on to the next station; empty at the last.
    """

    module: str
    what: str
    leaves: str = ""


PHOTO = (
    Step("cli/image.py", "or Analyzer.analyze, or POST /api/v1/images", "a path, bytes, a Pillow image, an array"),
    Step("imaging.py", "loads it, turns it upright, counts its pixels first", "(H, W, 3) uint8, RGB"),
    Step(
        "detection/passes.py", "plans tiles and scales; the network finds faces in each", "boxes, scores, five points"
    ),
    Step("detection/alignment.py", "the square that the network knows, turned as the head", "a square per face"),
    Step(
        "classification/preprocess.py", "cuts and resizes: the one place where that is done", "(N, 1, 44, 44) float32"
    ),
    Step("classification/classifier.py", "ONNX Runtime, on the CPU", "logits of two heads"),
    Step(
        "classification/calibration.py",
        "temperatures, the blend, the threshold",
        "probabilities, votes, an answer or none",
    ),
    Step("results.py", "frozen values that know their JSON", "an Analysis"),
    Step("sinks/table.py", "and drawing/, notebook.py, web/: tables, pictures, pages"),
)
FRAME = (
    Step("video/reading.py", "first thread: decodes ahead, upright, at the stream's own times", "frames, a few ahead"),
    Step("tracking/schedule.py", "second thread: is the detector needed on this one?", "some frames to look at"),
    Step("detection/network.py", "looks at them; faces are cut out, pictures forgotten", "sightings"),
    Step("tracking/tracker.py", "who is who, by motion alone; straight lines between sightings", "faces with tracks"),
    Step("reading.py", "third thread: the network reads faces of several frames at once", "probabilities"),
    Step("streaming/journal.py", "what was said is written down, for --resume", "the same"),
    Step("tracking/waiting.py", "holds a frame until it is decided who is on it", "frames with numbers"),
    Step("tracking/smoothing.py", "a steady answer per person", "a Frame"),
    Step("streaming/outputs.py", "table, timeline, summary and marked film, all in one pass"),
)
MESSAGE = (
    Step(
        "pages/rooms/TakePart.tsx",
        "a tap; sent once per bucket, at a random moment",
        '{"type": "pulse", "choice": "lost"}',
    ),
    Step("web/security.py", "is this page one of ours?", "the same, or nothing"),
    Step("web/rooms/sockets.py", "2 kB, five a second, a token that counts once", "text"),
    Step("web/rooms/messages.py", "is it one of the few things that can be said?", "a choice"),
    Step("web/rooms/service.py", "is the room open, and this bucket?", "a choice, a crowd"),
    Step("web/rooms/store.py", "adds it to the sum of a crowd, and forgets it", "sums; nobody's answer"),
    Step("web/rooms/aggregation.py", "the bucket closes: whole crowds of five or more, or nothing", "a Row"),
    Step("web/rooms/links.py", "to every page of the host, without waiting for a slow one", "shares and intervals"),
    Step("pages/rooms/ShareChart.tsx", "the presenter sees a curve move"),
)
PATHS = {
    "photo": ("The path of one photo", PHOTO),
    "frame": ("The path of one frame", FRAME),
    "message": ("The path of one room message", MESSAGE),
}


def main() -> None:
    """Write them all."""
    for name, text in draw_all().items():
        (IMAGES / name).write_text(text, encoding="utf-8")


def draw_all() -> dict[str, str]:
    """Every drawing by its file's name."""
    return {"floors.svg": draw_floors(), **{f"path-{name}.svg": draw_path(*path) for name, path in PATHS.items()}}


def read_floors() -> list[list[str]]:
    """The layers that import-linter enforces, from the top, each with its modules."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = table["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[name.strip().removeprefix("fervid.") for name in layer.split("|")] for layer in layers]


def draw_floors() -> str:
    """A row per floor; whatever stands higher may use what stands lower."""
    floors = read_floors()
    width, left, pitch, room = 660, 30, 46, 12
    height = 70 + pitch * len(floors) + 14
    parts = [
        _write("ink", left, 30, 17, "The floors", weight=650),
        _write("soft", left, 51, 13, "a module imports only from floors below its own"),
        _draw_arrow(14, 70, height - 12),
    ]
    for row, floor in enumerate(floors):
        y, x = 66 + row * pitch, float(left)
        for name in floor:
            box = 18 + 7.3 * len(name)
            parts.append(f'<rect class="step" x="{x:g}" y="{y}" width="{box:g}" height="32" rx="6"/>')
            parts.append(_write("ink code", x + 9, y + 21, 12, name))
            x += box + room
        caption = _CAPTIONS[floor[0]]
        if x + 6.2 * len(caption) < width:
            parts.append(_write("soft", x, y + 21, 12, caption))
    return _wrap(width, height, "The floors of fervid, from cli at the top to errors at the bottom", parts)


def draw_path(title: str, steps: tuple[Step, ...]) -> str:
    """Stations from top to bottom; between them what goes on."""
    width, left, box, pitch = 560, 16, 528, 92
    height = 52 + pitch * len(steps) - 26
    parts = [_write("ink", left, 31, 17, title, weight=650)]
    for number, step in enumerate(steps):
        y, kind = 50 + number * pitch, "step" if number % (len(steps) - 1) else "box"
        parts.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{box}" height="54" rx="8"/>')
        parts.append(_write("ink code", left + 14, y + 23, 14, step.module, weight=600))
        parts.append(_write("soft", left + 14, y + 43, 14, step.what))
        if step.leaves:
            parts.append(_draw_arrow(40, y + 54, y + 92))
            parts.append(_write("soft", 58, y + 77, 13, step.leaves))
    return _wrap(width, height, f"{title}: " + ", then ".join(step.module for step in steps), parts)


def _write(kind: str, x: float, y: float, size: int, text: str, *, weight: int = 400) -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}">{escape(text)}</text>'


def _draw_arrow(x: float, top: float, bottom: float) -> str:
    """Downwards."""
    line = f'<path class="line" stroke-width="1.5" d="M{x:g} {top:g}V{bottom - 10:g}"/>'
    return f'{line}<path class="tip" d="M{x:g} {bottom:g}l-5-11h10z"/>'


def _wrap(width: int, height: int, description: str, parts: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">\n<title>{escape(description)}</title>\n<style>{_STYLE}</style>\n'
        f'<rect class="paper" width="{width}" height="{height}" rx="10"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()

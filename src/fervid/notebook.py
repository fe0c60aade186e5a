"""Results as small pieces of HTML, which notebooks show: no script, no style sheet, nothing fetched, light and dark.

Made from the JSON of a result, which holds no pixels: a plan shows where the faces are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any, Final

from fervid.emotions import EMOTIONS
from fervid.wording import count_nouns

MOST_FACES: Final = 24
"""Faces that are shown; of more the number is said."""

_ACCENT: Final = "#2f6fd0"  # 4.8:1 on white, 3.9:1 on Jupyter's dark grey
_FONT: Final = "font:13px/1.4 system-ui,sans-serif;font-variant-numeric:tabular-nums"
_PLAN: Final = 180
_SYMBOLS: Final = {str(emotion): emotion.character for emotion in EMOTIONS}


def build_analysis(data: Mapping[str, Any]) -> str:
    """A plan of the picture with its faces, and beside it a card per face."""
    faces = data["faces"]
    parts = [
        PurePath(data["source"] or "").name,
        count_nouns(len(faces), "face") if faces else "nobody is there",
        "{}×{} px".format(*data["size"]),
    ]
    if "frame" in data:
        parts.insert(1, f"frame {data['frame']}, {data['time_s']:.3f} s")
    parts += [data["model"], data["detector"]]
    cards = "".join(_build_card(face, number) for number, face in enumerate(faces[:MOST_FACES], start=1))
    more = (
        f'<div style="align-self:end">… and {len(faces) - MOST_FACES:,} more</div>' if len(faces) > MOST_FACES else ""
    )
    body = f'<div style="display:flex;flex-wrap:wrap;gap:18px">{_build_plan(data)}{cards}{more}</div>' if faces else ""
    return f'<div style="{_FONT}">{_build_line(parts)}{body}</div>'


def build_face(data: Mapping[str, Any]) -> str:
    """The card of one face."""
    return f'<div style="{_FONT}">{_build_card(data, None)}</div>'


def build_failure(data: Mapping[str, Any]) -> str:
    """What went wrong, and what to do."""
    error = data["error"]
    text = f"<b>{escape(error['message'])}</b><br>{escape(error['advice'])}"
    return f'<div style="{_FONT}">{_build_line([data["source"], error["code"]])}{text}</div>'


def build_table(title: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table of texts: the first column to the left, the others to the right.

    Args:
        title: parts of the line above.
        columns: their heads.
        rows: as many cells each.
        caption: a line below; none when empty.
    """
    edge = "border-bottom:1px solid rgba(128,128,128,.35);padding:3px 10px;background:none"
    first, other = f"text-align:left;font-weight:600;{edge}", f"text-align:right;white-space:nowrap;{edge}"
    sides = [first] + [other] * (len(columns) - 1)
    head = "".join(f'<th style="{side}">{escape(c)}</th>' for side, c in zip(sides, columns, strict=True))
    lines = [[f'<td style="{side}">{escape(c)}</td>' for side, c in zip(sides, row, strict=True)] for row in rows]
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    below = f'<div style="opacity:.7">{escape(caption)}</div>' if caption else ""
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return (
        f'<div style="{_FONT};overflow-x:auto">{_build_line(title)}'
        f'<table style="border-collapse:collapse;margin:0;color:inherit;{_FONT}">{table}</table>{below}</div>'
    )


def format_share(share: float) -> str:
    """A share of 0–1 in whole percent, as ``7 %``."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _build_line(parts: Sequence[str]) -> str:
    first, *others = [escape(part) for part in parts if part] or [""]
    rest = f' <span style="opacity:.7">· {" · ".join(others)}</span>' if others else ""
    return f'<div style="margin:0 0 8px"><b>{first}</b>{rest}</div>'


def _build_plan(data: Mapping[str, Any]) -> str:
    """The picture's frame with a numbered rectangle for each face."""
    width, height = data["size"]
    scale = _PLAN / max(width, height)
    rectangles = []
    for number, face in enumerate(data["faces"], start=1):
        x1, y1, x2, y2 = (scale * value for value in face["box"])
        dashes = "" if face["emotion"] else ' stroke-dasharray="3 2"'
        rectangles.append(
            f'<rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}" fill="none" '
            f'stroke="{_ACCENT}" stroke-width="1.5"{dashes}/>'
        )
        if number <= MOST_FACES and (size := min(14.0, 0.7 * (y2 - y1))) >= 5:
            rectangles.append(
                f'<text x="{(x1 + x2) / 2:.1f}" y="{(y1 + y2) / 2:.1f}" font-size="{size:.1f}" text-anchor="middle" '
                f'dominant-baseline="central" fill="currentColor">{number}</text>'
            )
    return (
        f'<svg role="img" aria-label="where the faces are" width="{scale * width:.0f}" height="{scale * height:.0f}" '
        f'style="flex:none;border:1px solid rgba(128,128,128,.6);background:rgba(128,128,128,.1)">'
        f"{''.join(rectangles)}</svg>"
    )


def _build_card(face: Mapping[str, Any], number: int | None) -> str:
    """How one face reads: the answer, and a bar per expression."""
    # The answer of a smoothed film follows the smoothed bars.
    shares = face.get("smoothed", face["probabilities"])
    top = max(shares, key=lambda label: shares[label])
    answer, character = face["emotion"] or "uncertain", _SYMBOLS.get(face["emotion"] or "", "")
    name = "" if number is None else f"{number} "
    person = "" if face["track"] is None else f' <span style="opacity:.7">person {face["track"]}</span>'
    sure = f" {format_share(face['confidence'])}"
    if not face["emotion"]:
        sure = f", {top}{sure}?"
    rows = "".join(
        f'<div style="display:flex;align-items:center;gap:6px">'
        f'<span style="width:58px">{escape(label)}</span>'
        f'<span style="width:96px;height:9px;background:rgba(128,128,128,.2)">'
        f'<span style="display:block;height:9px;width:{100 * share:.1f}%;'
        f'background:{_ACCENT if label == face["emotion"] else "rgba(128,128,128,.75)"}"></span></span>'
        f'<span style="width:38px;text-align:right">{format_share(share)}</span></div>'
        for label, share in shares.items()
    )
    return (
        f'<div style="flex:none"><div style="margin-bottom:3px">{name}<b>{character} {escape(answer)}</b>'
        f"{escape(sure)}{person}</div>{rows}</div>"
    )

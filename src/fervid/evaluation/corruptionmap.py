"""The corruption benchmark as a heat map: what each condition looks like, and what it leaves of the answer.

The pictures are of a drawn face, spoilt by the same code as the faces that were measured.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fervid.datasets.faceset import FACE_SIZE
from fervid.drawing.emoji import render_emoji
from fervid.evaluation.corruptions import CORRUPTIONS, STRENGTHS, Corruption, corrupt
from fervid.evaluation.embedding import embed_pixels
from fervid.evaluation.figures import DARK, LIGHT, Theme, add_axes, readable_ink, render, set_title
from fervid.evaluation.robustness import CorruptionBenchmark, Robustness
from fervid.evaluation.summary import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FULL_DROP: Final = 0.4
"""Loss of accuracy, as a share, at which a cell has its full colour."""

_EXPRESSION: Final = {"happy": 0.6, "surprise": 0.4}
_SURROUNDINGS: Final = 70.0


def _to_channels(colour: str) -> str:
    """``#d1641a`` as ``209 100 26``, to which CSS can add an opacity."""
    return " ".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))


STYLE: Final = f"""
:root {{ --warm: {_to_channels(LIGHT.warm)}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --warm: {_to_channels(DARK.warm)}; }} }}
table.heat td {{
  background: rgb(var(--warm) / var(--share, 0)); border: 2px solid var(--paper); padding: .3rem .5rem;
}}
table.heat td div {{ display: flex; gap: .6rem; align-items: center; justify-content: flex-start; line-height: 1.25; }}
table.heat td img {{ width: 54px; height: 54px; image-rendering: pixelated; flex: none; border-radius: 3px; }}
table.heat td small, table.heat th small {{ display: block; font-weight: 400; opacity: .8; }}
table.heat td b {{ display: block; }}
table.heat th {{ border: 0; white-space: normal; }}
table.heat thead th {{ text-align: left; padding-left: .6rem; }}
table.heat thead th:first-child {{ padding-left: 0; }}
@media (max-width: 40rem) {{ table.heat td div {{ flex-direction: column; align-items: flex-start; gap: .2rem; }} }}
"""
"""What the page's style sheet needs besides its own rules."""


def build_corruption_map(benchmark: CorruptionBenchmark) -> str:
    """A table: a row per corruption, a column per strength; the warmer a cell, the more accuracy is lost."""
    shown = _choose_measures(benchmark)
    head = "".join(f'<th scope="col">strength {strength}</th>' for strength in STRENGTHS)
    clean = _build_cell(_build_picture(paint_example(), "the drawn face as it is"), shown, None)
    rows = [f'<tr><th scope="row">clean</th>{clean}<td colspan="{len(STRENGTHS)}"></td></tr>']
    for i, corruption in enumerate(CORRUPTIONS):
        cells = [
            _build_cell(_build_example(corruption, strength, benchmark.seed), shown, (i, j))
            for j, strength in enumerate(STRENGTHS)
        ]
        name = f"{escape(corruption.name)} <small>{escape(corruption.description)}</small>"
        mean = _build_cell("", shown, (i, slice(None)))
        rows.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}{mean}</tr>')
    what = "Accuracy of the answer against the labels"
    if len(shown) > 1:
        what += ", and small against the FER+ majority"
    return f"""<div class="wide"><table class="heat">
<thead><tr><th scope="col">corruption</th>{head}<th scope="col">mean</th></tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
<caption>{what}. The warmer, the more is lost: full colour at {FULL_DROP * 100:.0f} points. The pictures show a drawn
face, 48 px wide, spoilt in the same way.</caption>
</table></div>"""


def draw_corruption_map(benchmark: CorruptionBenchmark, *, theme: Theme = LIGHT) -> bytes:
    """The same table as a PNG."""
    return render(_draw, (8.6, 7.4), benchmark, theme, "png")


def paint_example() -> NDArray[np.uint8]:
    """A drawn face in FER2013's framing, ``(48, 48)`` uint8 grey."""
    margin = 5  # the head is a little larger than FER2013's square
    layer = render_emoji(_EXPRESSION, FACE_SIZE + 2 * margin).astype(np.float64)
    opacity = layer[..., 3:] / 255
    colour = layer[..., :3] * opacity + _SURROUNDINGS * (1 - opacity)
    grey = np.round(colour @ np.array([0.299, 0.587, 0.114]))
    return np.asarray(grey[margin:-margin, margin:-margin], dtype=np.uint8)


def _choose_measures(benchmark: CorruptionBenchmark) -> list[Robustness]:
    """The answer against labels and, where known, against votes."""
    return [measure for measure in benchmark.measures if measure.head == "answer"]


def _draw(figure: Figure, benchmark: CorruptionBenchmark, theme: Theme) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axes = add_axes(figure, theme)
    figure.subplots_adjust(left=0.17, right=0.98, bottom=0.06, top=0.89)
    shown = _choose_measures(benchmark)
    scale = LinearSegmentedColormap.from_list("loss", [theme.background, theme.warm])
    table = np.array([np.column_stack([m.accuracy, m.accuracy.mean(axis=1)]) for m in shown])
    shade = 0.75 * np.clip((shown[0].clean.value - table[0]) / FULL_DROP, 0, 1)
    axes.imshow(shade, cmap=scale, vmin=0, vmax=1, aspect="auto")
    for i, corruption in enumerate(CORRUPTIONS):
        for j in range(len(STRENGTHS) + 1):
            ink = readable_ink(scale(shade[i, j]), theme)
            x = j if j == len(STRENGTHS) else j + 0.2
            axes.text(
                x, i - 0.12, format_percent(table[0, i, j]), ha="center", va="center", color=ink, fontsize=11,
                fontweight="bold",
            )  # fmt: skip
            if len(shown) > 1:
                axes.text(
                    x, i + 0.2, format_percent(table[1, i, j]), ha="center", va="center", color=ink, fontsize=9
                )  # fmt: skip
        for j, strength in enumerate(STRENGTHS):
            face = corrupt(paint_example()[None], corruption, strength, seed=benchmark.seed)[0]
            place = (j - 0.44, j - 0.1, i + 0.41, i - 0.41)
            axes.imshow(face, cmap="gray", vmin=0, vmax=255, extent=place, aspect="auto", interpolation="nearest")
    axes.set_xlim(-0.5, len(STRENGTHS) + 0.5)
    axes.set_ylim(len(CORRUPTIONS) - 0.5, -0.5)
    axes.set_xticks(range(len(STRENGTHS) + 1), [*(f"strength {s}" for s in STRENGTHS), "mean"])
    axes.set_yticks(range(len(CORRUPTIONS)), [corruption.name for corruption in CORRUPTIONS])
    axes.set_xticks(np.arange(len(STRENGTHS) + 2) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(CORRUPTIONS) + 1) - 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color=theme.background, linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    changes = [f"{format_percent(m.clean.value)} → {format_percent(m.mean.value)}" for m in shown]
    small = f"; small, by FER+ majority, {changes[1]}" if len(shown) > 1 else ""
    text = f"answer, clean → mean of these: {changes[0]}{small}"
    set_title(axes, benchmark, text, theme)


def _build_cell(picture: str, measures: list[Robustness], place: tuple[int, int | slice] | None) -> str:
    """One or two accuracies, at a place of the table or, without one, of the clean faces."""
    values = [m.clean.value if place is None else float(m.accuracy[place].mean()) for m in measures]
    lost = max(0.0, measures[0].clean.value - values[0]) / FULL_DROP
    small = f"<small>{format_percent(values[1])}</small>" if len(values) > 1 else ""
    return (
        f'<td style="--share:{0.6 * min(1, lost):.3f}"><div>{picture}'
        f"<span><b>{format_percent(values[0])}</b>{small}</span></div></td>"
    )


def _build_example(corruption: Corruption, strength: int, seed: int) -> str:
    spoilt = corrupt(paint_example()[None], corruption, strength, seed=seed)[0]
    return _build_picture(spoilt, f"a drawn face under {corruption.name} of strength {strength}")


def _build_picture(face: NDArray[np.uint8], text: str) -> str:
    return f'<img src="{embed_pixels(face)}" width="54" height="54" alt="{escape(text)}">'

"""A timeline as a page that stands alone: nothing is fetched, the one script is named by its hash."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from html import escape
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fervid.drawing.palette import emotion_colour, to_hex
from fervid.drawing.timeline import Chart, Lane, Thumbnails, describe_chart, describe_people, format_time
from fervid.drawing.timelinefigure import DARK, LIGHT, STACKING, Theme
from fervid.emotions import Emotion


def _list_colours(theme: Theme) -> str:
    names = ("paper", "ink", "faint", "line", "empty")
    return " ".join(f"--{name}: {getattr(theme, name)};" for name in names)


_STYLE: Final = f"""
:root {{ color-scheme: light dark; {_list_colours(LIGHT)} --lane: 60px; }}
@media (prefers-color-scheme: dark) {{ :root {{ {_list_colours(DARK)} }} }}
* {{ box-sizing: border-box; }}
body {{
  margin: 0 auto; padding: 1.5rem 1.25rem 3rem; max-width: 100rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}}
h1 {{ margin: 0; font-size: 1.5rem; line-height: 1.2; overflow-wrap: anywhere; }}
h2 {{ margin: 2rem 0 .5rem; font-size: 1.1rem; }}
p {{ margin: .3rem 0; }}
.faint, caption {{ color: var(--faint); }}
.legend {{ display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: .9rem 0 .6rem; padding: 0; list-style: none; }}
.legend i, td i {{ display: inline-block; width: .9em; height: .9em; margin-right: .4em; vertical-align: -.08em; }}
.unsure {{ background: repeating-linear-gradient(135deg, var(--faint) 0 1px, var(--paper) 1px 4px); }}
.away {{ background: var(--empty); outline: 1px solid var(--line); }}
.tools {{ display: none; gap: .4rem; align-items: center; margin: .4rem 0; }}
.live .tools {{ display: flex; flex-wrap: wrap; }}
button {{
  font: inherit; color: inherit; background: var(--empty); border: 1px solid var(--line); border-radius: .4rem;
  padding: .15rem .7rem; cursor: pointer;
}}
.chart {{ display: none; }}
.live .chart {{ display: flex; }}
#names {{ flex: none; width: 11.5rem; padding-right: .8rem; }}
#names div {{ display: flex; height: var(--lane); align-items: center; gap: .6rem; overflow: hidden; }}
#names img {{ height: calc(var(--lane) - 8px); max-height: 64px; border-radius: .3rem; }}
#names span {{ margin-left: auto; text-align: right; line-height: 1.2; white-space: nowrap; }}
#names small {{ color: var(--faint); }}
.dense #names small {{ display: inline-block; width: 6.5rem; }}
.roomy #names small {{ display: block; }}
canvas {{ display: block; touch-action: pan-y; cursor: crosshair; }}
:focus-visible {{ outline: 2px solid #4a86e8; outline-offset: 2px; }}
#tip {{
  position: fixed; z-index: 1; pointer-events: none; padding: .45rem .7rem; border-radius: .4rem; font-size: .85rem;
  background: var(--paper); border: 1px solid var(--line); box-shadow: 0 3px 14px rgb(0 0 0 / .25); min-width: 11rem;
}}
#tip .bar {{ display: flex; align-items: center; gap: .4rem; }}
#tip .bar span:first-child {{ width: 4.4rem; }}
#tip .bar i {{ height: .6em; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
caption {{ caption-side: bottom; text-align: left; padding-top: .5rem; font-size: .875rem; }}
th, td {{ padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; padding-left: 0; }}
thead th {{ color: var(--faint); font-weight: 500; }}
td.top {{ font-weight: 700; }}
@media (max-width: 40rem) {{
  #names {{ width: 5rem; }} .roomy #names small, .dense #names small {{ display: none; }}
  #names img {{ width: 2rem; height: auto; }}
}}
@media print {{ .tools {{ display: none !important; }} }}
"""

_EXPLAIN: Final = {
    "roomy": "Strip above: the expression as read; below: its probabilities.",
    "dense": "Colours: the expression as read.",
}


def build_timeline(chart: Chart, title: str, *, thumbnails: Thumbnails | None = None) -> str:
    """The page: lanes to zoom and to point at, a legend, and a table that is there without a script as well."""
    script = files("fervid.drawing").joinpath("timeline.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    data = json.dumps(_pack(chart), separators=(",", ":")).replace("</", "<\\/")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    density = "dense" if len(chart.lanes) > 13 else "roomy"  # where the script makes lanes thin
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)} · expressions over time</title>
<style>{_STYLE}</style>
</head>
<body class="{density}">
<h1>{escape(title)}</h1>
<p class="faint">{escape(describe_chart(chart))} · expressions as read from faces, which is not what anyone felt</p>
{_build_legend(chart)}
<div class="tools">
<button id="in">zoom in</button><button id="out">zoom out</button><button id="all">whole film</button>
<span class="faint">{_EXPLAIN[density]} Wheel or + − to zoom, drag to move, point to read.</span></div>
<div class="chart"><div id="names">{"".join(_build_name(chart, lane, thumbnails or {}) for lane in chart.lanes)}</div>
<canvas id="lanes" tabindex="0" role="img"
aria-label="Expressions over time, one lane per person; the table below has the shares"></canvas></div>
<div id="tip" hidden></div>
<h2>Share of time</h2>
{_build_table(chart)}
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def _order(chart: Chart) -> list[int]:
    """Columns of the chart's tables from the bottom of the stack to its top."""
    return [chart.labels.index(emotion) for emotion in STACKING if emotion in chart.labels]


def _pack(chart: Chart) -> dict[str, Any]:
    """What the script reads: labels in the order in which they are stacked, lanes as bytes of 1/255."""
    order = _order(chart)
    return {
        "start": round(chart.start_s, 3),
        "seconds": round(chart.seconds, 3),
        "bin": chart.bin_s,
        "labels": [{"name": str(chart.labels[i]), "colour": to_hex(emotion_colour(chart.labels[i]))} for i in order],
        "lanes": [
            {
                "id": lane.track_id,
                "first": lane.first,
                "bins": len(lane.label_s),
                "said": _encode(np.minimum(lane.label_s[:, [*order, -1]] / chart.bin_s, 1)),
                "odds": _encode(lane.probabilities[:, order]),
            }
            for lane in chart.lanes
        ],
    }


def _encode(shares: NDArray[np.float64]) -> str:
    return base64.b64encode(np.ceil(shares * 255 - 0.5).astype(np.uint8).tobytes()).decode()


def _build_legend(chart: Chart) -> str:
    items = "".join(
        f'<li><i style="background:{to_hex(emotion_colour(label))}"></i>{escape(label)}</li>' for label in chart.labels
    )
    return f"""<ul class="legend">{items}<li><i class="unsure"></i>uncertain</li>
<li><i class="away"></i>not there</li></ul>"""


def _build_name(chart: Chart, lane: Lane, thumbnails: Thumbnails) -> str:
    picture = ""
    if lane.track_id in thumbnails:
        picture = f'<img src="{_encode_picture(thumbnails[lane.track_id])}" alt="person {lane.track_id}">'
    best, share = lane.find_main(chart.labels)
    return f"<div>{picture}<span><b>#{lane.track_id}</b> <small>{escape(best)} {100 * share:.0f} %</small></span></div>"


def _encode_picture(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    stream = io.BytesIO()
    image = Image.fromarray(picture)
    image.thumbnail((128, 128))
    image.save(stream, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def _build_table(chart: Chart) -> str:
    if not chart.lanes:
        return f"<p>Nobody was seen{describe_people(0, chart.untracked).removeprefix('nobody')}.</p>"
    columns: list[Emotion | None] = [*chart.labels, None]
    head = "".join(f'<th scope="col">{"uncertain" if label is None else escape(label)}</th>' for label in columns)
    rows = []
    for lane in chart.lanes:
        shares = lane.shares
        cells = "".join(
            f'<td class="{"top" if share == shares.max() else ""}">{100 * share:.0f} %</td>' for share in shares
        )
        seen = f"<td>{format_time(lane.seen_s)}</td><td>{100 * lane.seen_s / max(chart.seconds, 1e-9):.0f} %</td>"
        rows.append(f'<tr><th scope="row">#{lane.track_id}</th>{seen}{cells}</tr>')
    return f"""<div class="wide"><table>
<thead><tr><th scope="col">person</th><th scope="col">seen</th><th scope="col">of the film</th>{head}</tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
<caption>Shares are of the time in which a person was seen.</caption>
</table></div>"""

"""A timeline as plain data, for pages that draw it themselves."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from fervid.drawing.timeline import Chart, Lane
from fervid.results import SCHEMA
from fervid.tracking.summary import Summary

MOST_BINS: Final = 600
"""Of a lane: about two pixels each on a wide page."""


def describe_timeline(chart: Chart, summary: Summary, *, most_bins: int = MOST_BINS) -> dict[str, Any]:
    """Everybody's lane as bins of time, the same as :func:`fervid.plot_timeline` draws, joined to wider ones.

    Args:
        chart: of a film.
        summary: of the same film.
        most_bins: of a lane.

    Returns:
        ``{"schema", "source", "start_s", "seconds", "bin_s", "labels", "hidden", "tracks"}``. A track has the fields of
        its person in the summary that a lane is captioned with, and ``bins``:
        ``{"start_s", "end_s", "shares": {label: share}, "uncertain", "absent"}``, where shares, ``uncertain`` and
        ``absent`` are of the bin's time and sum to 1. Bins in which the person is not seen are left out.
    """
    joined = max(1, math.ceil(math.ceil(chart.seconds / chart.bin_s - 1e-6) / most_bins))
    people = {person.track_id: person.to_dict() for person in summary.people}
    kept = ("track", "first_s", "last_s", "seen_s", "coverage", "dominant", "shares", "uncertain", "changes")
    tracks = []
    for lane in chart.lanes:
        caption = {key: people[lane.track_id][key] for key in kept}
        tracks.append(caption | {"bins": _list_bins(chart, lane, joined)})
    return {
        "schema": SCHEMA,
        "source": chart.source,
        "start_s": round(chart.start_s, 3),
        "seconds": round(chart.seconds, 3),
        "bin_s": round(chart.bin_s * joined, 6),
        "labels": [str(label) for label in chart.labels],
        "hidden": chart.hidden,
        "tracks": tracks,
    }


def _list_bins(chart: Chart, lane: Lane, joined: int) -> list[dict[str, Any]]:
    before = lane.first % joined
    count = math.ceil((before + len(lane.label_s)) / joined)
    padded = np.zeros((count * joined, lane.label_s.shape[1]))
    padded[before : before + len(lane.label_s)] = lane.label_s
    seconds = padded.reshape(count, joined, -1).sum(axis=1)
    width, end_s = chart.bin_s * joined, chart.start_s + chart.seconds
    bins = []
    for index in np.flatnonzero(seconds.sum(axis=1) > 0):
        start_s = chart.start_s + (lane.first // joined + int(index)) * width
        stop_s = min(start_s + width, end_s)
        seen = seconds[index] / max(stop_s - start_s, float(seconds[index].sum()))
        shares = {str(label): round(float(share), 4) for label, share in zip(chart.labels, seen[:-1], strict=True)}
        bins.append(
            {
                "start_s": round(start_s, 3),
                "end_s": round(stop_s, 3),
                "shares": shares,
                "uncertain": round(float(seen[-1]), 4),
                "absent": round(max(0.0, 1 - float(seen.sum())), 4),
            }
        )
    return bins

"""Frames wait until it is decided who is on them, so that a person has a number from the first sighting on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from fervid.tracking.tracker import Track

Item = TypeVar("Item")


def hold_undecided(
    stream: Iterable[tuple[Item, Sequence[Track | None]]],
) -> Iterator[tuple[Item, Sequence[Track | None]]]:
    """Pass frames on in their order, each as soon as every track on it has its final ``id``.

    A new track is decided after the tracker's ``confirm_s`` or two frames, whichever is later; so long frames wait.

    Args:
        stream: anything that belongs to a frame, and the tracks that :meth:`Tracker.update` gave for it.
    """
    held: deque[tuple[Item, Sequence[Track | None]]] = deque()
    for item, tracks in stream:
        held.append((item, tracks))
        while held and all(track is None or track.decided for track in held[0][1]):
            yield held.popleft()
    yield from held

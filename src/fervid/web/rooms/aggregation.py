"""What may be shown of a room: sums over whole crowds, so that no subtraction of rows is about one person.

Sums of a group give nobody away; differences of sums do (Denning, Denning and Schwartz 1979, "The tracker", ACM TODS
4(1), 76–96). The classical remedy is partitioning: people are put into groups of at least ``min_group``, here *crowds*,
and every published sum is over whole ones (Denning and Schlörer 1983, "Inference controls for statistical databases",
IEEE Computer 16(7), 69–85). Any sum or difference of such sums is again about whole crowds.

People come and go. A crowd in which somebody is missing is not shown, for as long as they are. When it has not been
shown for ``hold`` buckets, which is longer than a page repeats one choice, it is over, and its people wait for a new
one. Hence, within any ``hold`` consecutive buckets, nobody is in two crowds.

Pure: no clock, no storage, no transport. The ledger knows that somebody contributed, never what.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from fervid.evaluation.metrics import wilson_interval

Values = tuple[int, ...]
"""One contribution: for each of the room's options, how many of its steps it got."""

Counted = Literal["crowd", "waiting", "held", "already"]
Why = Literal["few", "change"]

WAITING: Final = 0
"""The number of no crowd: its sums are of those who wait for one."""

ABSENCE: Final = 3
"""Buckets after which somebody whose browser is not connected is forgotten, unless they are in a crowd."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a room promises.

    Attributes:
        min_group: the fewest people of a crowd.
        hold: buckets in which nobody may be in two crowds.
    """

    min_group: int
    hold: int


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a participant: never what they said.

    Attributes:
        contributed: the last bucket in which they contributed; -1 for none.
        crowd: theirs, or :data:`WAITING`.
        held_until: when their crowd is not whole, the bucket in which it is over unless it is whole again before.
        seen: the last bucket in which their browser was connected.
        gone: whether they left.
    """

    contributed: int = -1
    crowd: int = WAITING
    held_until: int = 0
    seen: int = 0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """A running sum: how many contributed, and what each option got."""

    contributors: int
    counts: Values

    def add(self, values: Values, contributors: int = 1) -> Tally:
        """The sum with ``values`` in it."""
        return Tally(self.contributors + contributors, tuple(a + b for a, b in zip(self.counts, values, strict=True)))


Sums = dict[int, Tally]
"""Of the open bucket, per crowd."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Who is in which crowd.

    Attributes:
        bucket: the open one.
        people: by the hash of their token.
        crowds: for each, the last bucket whose contributions may be in what was shown of it.
        next_crowd: numbers are never used twice.
    """

    bucket: int = 0
    people: Mapping[str, Person] = field(default_factory=dict)
    crowds: Mapping[int, int] = field(default_factory=dict)
    next_crowd: int = WAITING + 1


@dataclass(frozen=True, slots=True)
class Closing:
    """What a closed bucket leaves.

    Attributes:
        ledger: of the next one.
        tally: what may be shown; None for nothing.
        withheld: contributors who are not in ``tally``.
        why: they are too few for a crowd, or somebody of theirs is missing; None when nobody is withheld.
        returns: the first bucket in which a crowd that is not whole is over; None when all are whole.
    """

    ledger: Ledger
    tally: Tally | None
    withheld: int
    why: Why | None
    returns: int | None


def place_contribution(person: Person, bucket: int) -> tuple[Counted, int | None]:
    """Whether a contribution to the open bucket counts, and to which crowd's sum it is added (None: thrown away)."""
    if person.contributed >= bucket:
        return "already", None
    if person.crowd == WAITING:
        return "waiting", WAITING
    return ("held" if person.held_until > bucket else "crowd"), person.crowd


def close_bucket(
    ledger: Ledger, sums: Mapping[int, Tally], next_bucket: int, rules: Rules, rng: random.Random
) -> Closing:
    """Close the open bucket.

    Args:
        ledger: with everybody who contributed to it.
        sums: of it.
        next_bucket: the one that opens; later than the open one by more than 1 when nobody was there in between, or
            what keeps the room could not be reached. Crowds that are shown count as shown in the bucket before it.
        rules: of the room.
        rng: mixes those who wait before they become crowds.
    """
    bucket = ledger.bucket
    latest = next_bucket - 1  # a bucket that closes late has taken contributions until then
    people = dict(ledger.people)
    crowds = dict(ledger.crowds)
    next_crowd = ledger.next_crowd

    whole = [crowd for crowd, size in _count_crowds(people).items() if _is_whole(sums.get(crowd), size)]
    shown = [sums[crowd] for crowd in whole]
    crowds.update(dict.fromkeys(whole, latest))
    waiting = [name for name, p in people.items() if p.crowd == WAITING and p.contributed == bucket]
    if len(waiting) >= rules.min_group and _is_whole(sums.get(WAITING), len(waiting)):
        shown.append(sums[WAITING])
        for members in _split_evenly(sorted(waiting), rules.min_group, rng):
            people.update({name: replace(people[name], crowd=next_crowd) for name in members})
            crowds[next_crowd] = latest
            next_crowd += 1

    withheld = [p for p in people.values() if p.contributed == bucket and crowds.get(p.crowd) != latest]
    ends = [crowds[p.crowd] + rules.hold for p in withheld if p.crowd != WAITING]
    _end_crowds(people, crowds, next_bucket, rules)
    people = {name: p for name, p in people.items() if not _is_forgotten(p, bucket)}
    return Closing(
        Ledger(next_bucket, people, crowds, next_crowd),
        _add_up(shown),
        len(withheld),
        ("change" if ends else "few") if withheld else None,
        min(ends, default=None),
    )


def _count_crowds(people: Mapping[str, Person]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    for person in people.values():
        if person.crowd != WAITING:
            sizes[person.crowd] = sizes.get(person.crowd, 0) + 1
    return sizes


def _is_whole(tally: Tally | None, size: int) -> bool:
    return tally is not None and tally.contributors == size


def _split_evenly(names: list[str], least: int, rng: random.Random) -> list[list[str]]:
    """As many groups as ``least`` allows, of nearly the same size, at random."""
    rng.shuffle(names)
    groups = len(names) // least
    return [names[i::groups] for i in range(groups)]


def _end_crowds(people: dict[str, Person], crowds: dict[int, int], next_bucket: int, rules: Rules) -> None:
    """End crowds that have not been shown for ``hold`` buckets; mark who is in one that is not whole."""
    over = {crowd for crowd, shown in crowds.items() if next_bucket - shown >= rules.hold}
    for name, person in people.items():
        if person.crowd in over:
            people[name] = replace(person, crowd=WAITING, held_until=0)
        elif person.crowd != WAITING:
            shown = crowds[person.crowd]
            people[name] = replace(person, held_until=0 if shown == next_bucket - 1 else shown + rules.hold)
    for crowd in over:
        del crowds[crowd]


def _is_forgotten(person: Person, bucket: int) -> bool:
    return person.crowd == WAITING and (person.gone or bucket - person.seen >= ABSENCE)


def _add_up(tallies: list[Tally]) -> Tally | None:
    if not tallies:
        return None
    total = tallies[0]
    for tally in tallies[1:]:
        total = total.add(tally.counts, tally.contributors)
    return total


def count_hold(hold_s: float, bucket_s: float) -> int:
    """Buckets from one showing of somebody to the first in another crowd, so that no choice that a page repeats for
    ``hold_s`` is in both.
    """
    return math.ceil(hold_s / bucket_s) + 1


def estimate_interval(share: float, people: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927, JASA 22, 209–212) of a share among ``people``; (0, 1) for nobody."""
    if people == 0:
        return 0.0, 1.0
    return wilson_interval(share * people, people)

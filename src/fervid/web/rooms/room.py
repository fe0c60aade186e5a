"""What a room is: its kind, its options, its rows, marks and hands, and their JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, NamedTuple, Self

from fervid.emotions import EMOTIONS
from fervid.web.rooms.aggregation import Closing, Rules, Values, count_hold, estimate_interval

Kind = Literal["pulse", "expressions"]
Question = Literal["pace", "mood"]

NONE: Final = "none"
"""The option of those who chose nothing, and of samples without a face or an answer."""

LOST: Final = "lost"
PACES: Final = (LOST, "slow_down", "fine", "speed_up")
STEPS: Final = 5
"""Parts into which a browser divides its samples of a bucket, in rooms that read expressions."""

BUCKET_S: Final = 10.0
HOLD_S: Final = 300.0
MAX_PARTICIPANTS: Final = 500
KNOWN: Final = 3
"""For each place of a room so many people are known, with those who left and whose crowd is not over."""

MAX_HANDS: Final = 100
MAX_MARKS: Final = 500
MAX_TITLE: Final = 80
MAX_NAME: Final = 40
LARGEST_GROUP: Final = 50


@dataclass(frozen=True, slots=True)
class Room:
    """What a room is from its beginning to its end.

    Attributes:
        id: public; part of addresses.
        key_hash: of the host's key; leaves the server nowhere.
        code: to join by.
        kind: what participants send.
        question: of a pulse.
        title: the host's words.
        min_group: nothing of fewer people is shown.
        created_at: s since 1970.
        expires_at: s since 1970.
        bucket_s: how long sums run.
        hold_s: how long a page repeats one choice.
        max_participants: nobody more gets in.
        ended: whether nobody can contribute any more.
    """

    id: str
    key_hash: str
    code: str
    kind: Kind
    question: Question | None
    title: str
    min_group: int
    created_at: float
    expires_at: float
    bucket_s: float = BUCKET_S
    hold_s: float = HOLD_S
    max_participants: int = MAX_PARTICIPANTS
    ended: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """What shares are of, :data:`NONE` last."""
        return (*(PACES if self.question == "pace" else map(str, EMOTIONS)), NONE)

    @property
    def steps(self) -> int:
        """What one contribution sums to."""
        return STEPS if self.kind == "expressions" else 1

    @property
    def max_known(self) -> int:
        """Nobody more gets in while anything is kept of so many, whether they are there or not."""
        return KNOWN * self.max_participants

    @property
    def rules(self) -> Rules:
        """What may be shown of it."""
        return Rules(self.min_group, count_hold(self.hold_s, self.bucket_s))

    def find_bucket(self, now: float) -> int:
        """The bucket of a time, s since 1970."""
        return max(0, math.floor((now - self.created_at) / self.bucket_s))

    def find_end(self, bucket: int) -> float:
        """When a bucket ends, s since 1970."""
        return self.created_at + (bucket + 1) * self.bucket_s

    def to_dict(self) -> dict[str, Any]:
        """As everybody in the room may see it."""
        return {
            "id": self.id,
            "code": None if self.ended else self.code,
            "kind": self.kind,
            "question": self.question,
            "title": self.title,
            "options": list(self.options),
            "min_group": self.min_group,
            "bucket_s": self.bucket_s,
            "hold_s": self.hold_s,
            "steps": self.steps,
            "max_participants": self.max_participants,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "ended": self.ended,
        }

    def to_record(self) -> dict[str, Any]:
        """As a store keeps it."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The room that :meth:`to_record` wrote."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class Row:
    """What is shown of one closed bucket.

    Attributes:
        bucket: its number.
        start_s: since the room was made, s.
        end_s: likewise.
        contributors: people in the sums; 0 when nothing may be shown.
        withheld: people who contributed and are not in the sums.
        why: too ``few`` for a crowd, or a ``change`` is waited out; None when nobody is withheld.
        returns_s: when the first of those who are held wait for a new crowd, unless theirs is whole again before, s
            since the room was made; None when nobody is held.
        shares: per option; they sum to 1.
        intervals: Wilson's 95 %, for ``contributors`` people.
        lost: how many said so; None in rooms without that option.
    """

    bucket: int
    start_s: float
    end_s: float
    contributors: int
    withheld: int
    why: str | None
    returns_s: float | None
    shares: dict[str, float] | None
    intervals: dict[str, tuple[float, float]] | None
    lost: int | None

    def to_dict(self) -> dict[str, Any]:
        """Its JSON."""
        return {name: getattr(self, name) for name in self.__slots__}  # asdict would copy a day's rows for seconds


@dataclass(frozen=True, slots=True)
class Mark:
    """A word of the host at a time, s since the room was made."""

    id: str
    at_s: float
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Its JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Hand:
    """Who wants attention.

    Attributes:
        id: at random.
        name: the participant's words.
        at_s: since when, s since the room was made.
        owner: the same for all hands of one participant, and not what else is kept of them; leaves the server nowhere.
            Empty when nobody knows.
    """

    id: str
    name: str
    at_s: float
    owner: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As everybody may see it."""
        return {"id": self.id, "name": self.name, "at_s": self.at_s}

    def to_record(self) -> dict[str, Any]:
        """As a store keeps it."""
        return asdict(self)


class Record(NamedTuple):
    """What is kept of a closed bucket: a row without what follows from it, a tenth of its size."""

    bucket: int
    contributors: int
    withheld: int
    why: str | None
    returns: int | None
    counts: Values | None


def make_record(bucket: int, closing: Closing) -> Record | None:
    """What is kept of a closed bucket; None when nobody contributed."""
    tally = closing.tally
    if tally is None and closing.withheld == 0:
        return None
    people, counts = (0, None) if tally is None else (tally.contributors, tally.counts)
    return Record(bucket, people, closing.withheld, closing.why, closing.returns, counts)


def build_row(room: Room, record: Record) -> Row:
    """What is shown of a closed bucket."""
    returns_s = None if record.returns is None else record.returns * room.bucket_s
    start_s, end_s = record.bucket * room.bucket_s, (record.bucket + 1) * room.bucket_s
    shares = intervals = lost = None
    people, counts = record.contributors, record.counts
    if counts is not None:
        exact = {option: count / (people * room.steps) for option, count in zip(room.options, counts, strict=True)}
        shares = {option: round(share, 4) for option, share in exact.items()}
        intervals = {option: _round_pair(estimate_interval(share, people)) for option, share in exact.items()}
        lost = counts[room.options.index(LOST)] if room.question == "pace" else None
    return Row(record.bucket, start_s, end_s, people, record.withheld, record.why, returns_s, shares, intervals, lost)


def build_rows(room: Room, records: Iterable[Record]) -> tuple[Row, ...]:
    """The rows of a session."""
    return tuple(build_row(room, record) for record in records)


def _round_pair(pair: tuple[float, float]) -> tuple[float, float]:
    return round(pair[0], 4), round(pair[1], 4)


def spread_choice(room: Room, choice: str | None) -> Values:
    """The contribution that a choice is.

    Raises:
        ValueError: the choice is none of the room's.
    """
    options = room.options
    sought = NONE if choice is None else choice
    if choice == NONE or sought not in options:
        raise ValueError(choice)
    return tuple(int(option == sought) for option in options)


def spread_counts(room: Room, counts: dict[str, int]) -> Values:
    """The contribution that counts of expressions are; the rest of the steps goes to :data:`NONE`.

    Raises:
        ValueError: a name is none of the room's, or there are more steps than a bucket has.
    """
    options = room.options
    if not set(counts) <= set(options[:-1]):
        raise ValueError(sorted(set(counts) - set(options[:-1])))
    rest = room.steps - sum(counts.values())
    if rest < 0 or any(count < 0 for count in counts.values()):
        raise ValueError(counts)
    return (*(counts.get(option, 0) for option in options[:-1]), rest)

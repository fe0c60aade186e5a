"""The shapes of rooms in REST, for the API's description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fervid.web.rooms.messages import Text
from fervid.web.rooms.room import LARGEST_GROUP, MAX_TITLE, Kind, Question
from fervid.web.schemas import ErrorBody
from fervid.web.settings import LEAST_GROUP

# Described, not checked: of a server whose least is higher, the answer would name a group that it refuses as well.
_Group = Annotated[int, Field(json_schema_extra={"minimum": LEAST_GROUP, "maximum": LARGEST_GROUP})]


class NewRoom(BaseModel):
    """What a host asks for."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = "pulse"
    question: Question | None = Field(None, description="Of a pulse; pace if not given.")
    title: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=MAX_TITLE, pattern=r"^[^\x00-\x1f\x7f]*$")
    ] = ""
    min_group: _Group | None = Field(
        None, description="Nothing of fewer people is shown; the server's own least, or more."
    )


class NewMark(BaseModel):
    """A word at this time."""

    model_config = ConfigDict(extra="forbid")

    text: Text


class RoomModel(BaseModel):
    """A room, as everybody in it may see it."""

    id: str
    code: str | None = Field(description="To join by; null once the room has ended.")
    kind: Kind
    question: Question | None
    title: str
    options: list[str] = Field(description="What shares are of; none is last.")
    min_group: int = Field(description="Nothing of fewer people is shown.")
    bucket_s: float = Field(description="How long sums run, s.")
    hold_s: float = Field(description="How long a page repeats one choice, s.")
    steps: int = Field(description="What one contribution sums to.")
    max_participants: int
    created_at: float = Field(description="Seconds since 1970.")
    expires_at: float = Field(description="Seconds since 1970; then everything is deleted.")
    ended: bool


class RowModel(BaseModel):
    """What is shown of one bucket. Times are seconds since the room was made."""

    bucket: int
    start_s: float
    end_s: float
    contributors: int = Field(description="People in the sums; 0 when nothing may be shown.")
    withheld: int = Field(description="People who contributed and are not in the sums.")
    why: Literal["few", "change"] | None = Field(description="Too few for a crowd, or a change is waited out.")
    returns_s: float | None = Field(
        description="When the first of those who are held wait for a new crowd, unless theirs is whole again before."
    )
    shares: dict[str, float] | None = Field(description="Per option; they sum to 1.")
    intervals: dict[str, tuple[float, float]] | None = Field(description="Wilson's 95 %.")
    lost: int | None = Field(description="How many said so.")


class MarkModel(BaseModel):
    """A word of the host at a time, s since the room was made."""

    id: str
    at_s: float
    text: str


class HandModel(BaseModel):
    """Who wants attention, since when, s since the room was made."""

    id: str
    name: str
    at_s: float


class RoomAnswer(BaseModel):
    """One room."""

    room: RoomModel


class CreatedRoom(RoomAnswer):
    """A new room and its secrets, which are told once."""

    key: str = Field(description="The host's key: 128 random bits.")
    host_path: str = Field(description="Address of the host's page; the key stands behind #.")
    join_path: str = Field(description="Address to join.")


class MarkAnswer(BaseModel):
    """One mark."""

    mark: MarkModel


class Snapshot(RoomAnswer):
    """What a host sees."""

    now_s: float
    present: int = Field(description="Browsers that are connected.")
    rows: list[RowModel]
    marks: list[MarkModel]
    hands: list[HandModel]


class KindRule(BaseModel):
    """Whether rooms of a kind are made here, and why not."""

    allowed: bool
    error: ErrorBody | None = None


class RulesAnswer(BaseModel):
    """What this server's rooms are."""

    kinds: dict[Kind, KindRule]
    min_group: int
    bucket_s: float
    hold_s: float
    steps: int
    max_participants: int
    room_hours: float

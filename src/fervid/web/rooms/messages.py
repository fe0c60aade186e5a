"""What browsers may say in a room, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from fervid.web.errors import TooLargeError, explain_validation
from fervid.web.rooms.aggregation import Values
from fervid.web.rooms.errors import RoomMessageError
from fervid.web.rooms.room import MAX_NAME, MAX_TITLE, Room, spread_choice, spread_counts

LARGEST: Final = 2048
"""Bytes of a message."""

TOKEN: Final = r"^[A-Za-z0-9_-]{16,64}$"
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[_Line, Field(max_length=MAX_TITLE)]
Name = Annotated[_Line, Field(max_length=MAX_NAME)]


class Message(BaseModel):
    """One of them; unknown fields are refused, so that no page sends more than it says."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Join(Message):
    """A participant's first."""

    type: Literal["join"]
    code: Annotated[str, Field(max_length=32)]
    token: Annotated[str, Field(pattern=TOKEN)]


class Pulse(Message):
    """How it goes; None for nothing chosen."""

    type: Literal["pulse"]
    choice: Annotated[str, Field(max_length=32)] | None


class Expressions(Message):
    """Steps of the bucket in which each expression was read."""

    type: Literal["expressions"]
    counts: Annotated[dict[str, Annotated[int, Field(ge=0, le=100)]], Field(max_length=8)]


class RaiseHand(Message):
    """Wants attention, by name."""

    type: Literal["hand"]
    name: Name


class LowerOwnHand(Message):
    """Does not any more."""

    type: Literal["lower"]


class Leave(Message):
    """Leaves at once."""

    type: Literal["leave"]


class HostHello(Message):
    """A host's first."""

    type: Literal["host"]
    key: Annotated[str, Field(max_length=128)]


class MarkTime(Message):
    """A word at this time."""

    type: Literal["mark"]
    text: Text


class LowerHand(Message):
    """Somebody was heard."""

    type: Literal["lower"]
    hand: Annotated[str, Field(max_length=32)]


class End(Message):
    """Nobody contributes any more; the rows stay."""

    type: Literal["end"]


class Delete(Message):
    """Nothing is left."""

    type: Literal["delete"]


ParticipantMessage = Pulse | Expressions | RaiseHand | LowerOwnHand | Leave
HostMessage = MarkTime | LowerHand | End | Delete

M = TypeVar("M")


class Reader(NamedTuple):
    """Which messages may come now."""

    adapter: TypeAdapter[Any]

    def read(self, text: str) -> Any:
        """The message of a text.

        Raises:
            TooLargeError: it is longer than :data:`LARGEST`.
            RoomMessageError: it is none of those that may come.
        """
        if len(text) > LARGEST or len(text.encode()) > LARGEST:
            raise TooLargeError(f"the message is longer than {LARGEST} bytes", advice="See docs/rooms.md.")
        try:
            return self.adapter.validate_json(text)
        except ValidationError as error:
            explained = explain_validation(error.errors(include_url=False, include_input=False))
            raise RoomMessageError(explained.message, advice="See docs/rooms.md.") from None


READ_JOIN: Final = Reader(TypeAdapter(Join))
READ_HOST: Final = Reader(TypeAdapter(HostHello))
READ_PARTICIPANT: Final = Reader(TypeAdapter(Annotated[ParticipantMessage, Field(discriminator="type")]))
READ_HOST_MESSAGE: Final = Reader(TypeAdapter(Annotated[HostMessage, Field(discriminator="type")]))


def spread_message(room: Room, message: Pulse | Expressions) -> Values:
    """The contribution that a message is.

    Raises:
        RoomMessageError: it is not for a room of this kind, or has an option that the room has not.
    """
    if message.type != room.kind:
        raise RoomMessageError(f"this is a room of kind {room.kind}, and the message one of {message.type}")
    try:
        return spread_choice(room, message.choice) if message.type == "pulse" else spread_counts(room, message.counts)
    except ValueError:
        options = ", ".join(room.options[:-1])
        raise RoomMessageError(
            "the room has no such option, or the counts are more than the bucket's steps",
            advice=f"Options are {options}; counts sum to {room.steps} at most.",
        ) from None

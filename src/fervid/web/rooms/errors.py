"""Errors of rooms; they leave the server as every other error does."""

from __future__ import annotations

from typing import ClassVar, Self

from fervid.web.errors import ConflictError, ForbiddenError, NotFoundError, WebError


class RoomUnknownError(NotFoundError):
    """No room has that code or id: it is wrong, deleted, or the room is over."""

    code = "room.unknown"

    def __init__(self, message: str = "there is no such room", *, advice: str = "") -> None:
        super().__init__(
            message, advice=advice or "Check the code; rooms are deleted after their time, or by the host."
        )


class RoomKeyError(ForbiddenError):
    """The key is not the one of the room's host."""

    code = "room.key"

    def __init__(self, message: str = "this is not the key of the room's host", *, advice: str = "") -> None:
        super().__init__(message, advice=advice or "Open the host's link as it was given when the room was made.")


class RoomEndedError(ConflictError):
    """The host has ended the room."""

    code = "room.ended"

    def __init__(self, message: str = "the room has ended", *, advice: str = "") -> None:
        super().__init__(message, advice=advice)


class RoomFullError(ConflictError):
    """As many as the room can hold: participants, hosts, hands or marks."""

    code = "room.full"

    @classmethod
    def of_participants(cls, most: int) -> Self:
        """Nobody more gets in."""
        return cls(f"{most} participants are there, which is all the room holds", advice="Try again when one has left.")

    @classmethod
    def of_known(cls, most: int) -> Self:
        """Nobody more gets in until some of those who left are forgotten."""
        return cls(f"{most} people came lately, which is all the room keeps track of", advice="Try again in minutes.")

    @classmethod
    def of_links(cls, most: int) -> Self:
        """A newer connection of the same participant takes the place of this one."""
        return cls(
            f"{most} newer connections of the same participant are open, which is all that one may have",
            advice="Close the other pages of the room in this browser.",
        )

    @classmethod
    def of_hosts(cls, most: int) -> Self:
        """No further page of a host is let in."""
        return cls(f"{most} pages of hosts are connected, which is all a room takes", advice="Close one of them.")

    @classmethod
    def of_hands(cls, most: int) -> Self:
        """No further hand can be raised."""
        return cls(f"{most} hands are raised, which is all a room holds", advice="Try again when one is lowered.")

    @classmethod
    def of_marks(cls, most: int) -> Self:
        """No further mark can be set."""
        return cls(f"there are {most} marks, which is all a room holds", advice="Make a new room for more.")


class ExpressionRoomsError(ForbiddenError):
    """This server makes no rooms that read expressions."""

    code = "room.expressions"

    def __init__(self, message: str = "", *, advice: str = "") -> None:
        super().__init__(
            message or "this server makes no rooms that read expressions",
            advice=advice
            or "Inferring emotions of pupils or employees is prohibited in the EU (AI Act, Regulation (EU) 2024/1689, "
            "Art. 5(1)(f)). Use a pulse room, in which people say for themselves how it goes; where reading "
            "expressions is lawful, the operator starts the server with --allow-expression-rooms and --statement.",
        )


def check_kind(kind: str, *, allowed: bool) -> None:
    """Refuse a room that reads expressions where those are not allowed: to make it, and to let anybody in.

    Raises:
        ExpressionRoomsError: as said.
    """
    if kind == "expressions" and not allowed:
        raise ExpressionRoomsError


class RoomMessageError(WebError):
    """A message of a room that cannot be understood, or is not for this room."""

    code: ClassVar[str] = "room.message"
    status = 422


class UnavailableError(WebError):
    """What rooms are kept in cannot be reached."""

    code = "web.unavailable"
    status = 503

    def __init__(self, message: str = "rooms cannot be reached at the moment", *, advice: str = "") -> None:
        super().__init__(message, advice=advice or "Try again in a few seconds; the operator's log says why.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}

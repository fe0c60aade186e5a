"""Errors of rooms; they leave the server as every other error does."""

from __future__ import annotations

from typing import ClassVar

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
    """As many as the room can hold."""

    code = "room.full"


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

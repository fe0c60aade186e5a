"""REST of rooms; the protocol is docs/rooms.md."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from fervid.web.limits import name_client
from fervid.web.rooms import schemas
from fervid.web.rooms.errors import ExpressionRoomsError, RoomEndedError, RoomKeyError, check_kind
from fervid.web.rooms.report import build_report, format_csv
from fervid.web.rooms.room import MAX_PARTICIPANTS, STEPS, Room
from fervid.web.rooms.service import Rooms
from fervid.web.rooms.sockets import create_socket_router
from fervid.web.schemas import ErrorBody

RoomId = Annotated[str, Path(max_length=64, description="A room's id.")]
_BEARER: Final = HTTPBearer(auto_error=False, scheme_name="host", description="The host's key.")


def create_routers(rooms: Rooms) -> tuple[APIRouter, APIRouter]:
    """The routes under the API's prefix, and the WebSockets."""
    return _create_rest_router(rooms), create_socket_router(rooms)


def _create_rest_router(rooms: Rooms) -> APIRouter:
    router = APIRouter(prefix="/rooms", tags=["rooms"])

    async def find_room(
        room_id: RoomId,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Room:
        if credentials is None:
            raise RoomKeyError("the host's key is missing", advice="Send Authorization: Bearer KEY.")
        return await rooms.authorise(room_id, credentials.credentials, name_client(request))

    hosted = Depends(find_room)

    @router.get("/rules", response_model_exclude_none=True)
    async def get_rules() -> schemas.RulesAnswer:
        """What this server's rooms are, and whether it makes those that read expressions."""
        allowed = rooms.settings.allow_expression_rooms
        error = None if allowed else ErrorBody(**ExpressionRoomsError().to_dict())
        return schemas.RulesAnswer(
            kinds={
                "pulse": schemas.KindRule(allowed=True),
                "expressions": schemas.KindRule(allowed=allowed, error=error),
            },
            min_group=rooms.settings.min_group,
            bucket_s=rooms.bucket_s,
            hold_s=rooms.hold_s,
            steps=STEPS,
            max_participants=MAX_PARTICIPANTS,
            room_hours=rooms.settings.room_hours,
        )

    @router.post("", status_code=201)
    async def create_room(new: schemas.NewRoom, request: Request) -> schemas.CreatedRoom:
        """Make a room. The host's key is told here and never again."""
        room, key = await rooms.create(new.kind, new.question, new.title, new.min_group, name_client(request))
        return schemas.CreatedRoom.model_validate(
            {
                "room": room.to_dict(),
                "key": key,
                "host_path": f"/rooms/host/{room.id}#{key}",
                "join_path": f"/join/{room.code}",
            }
        )

    @router.get("/join/{code}")
    async def find_room_by_code(
        code: Annotated[str, Path(max_length=32, description="As the host shows it.")], request: Request
    ) -> schemas.RoomAnswer:
        """The room that a code lets into."""
        room = await rooms.find_by_code(code, name_client(request))
        check_kind(room.kind, allowed=rooms.settings.allow_expression_rooms)
        return _answer(room)

    @router.get("/{room_id}", response_model=schemas.Snapshot)
    async def get_room(request: Request, room: Room = hosted) -> Response:
        """What the host sees."""
        with rooms.reads.take(name_client(request)):
            return Response(await rooms.describe(room), media_type="application/json")

    @router.get("/{room_id}/qr.svg", response_class=Response, responses=_offer("image/svg+xml"))
    async def get_qr_code(request: Request, room: Room = hosted) -> Response:
        """The address to join, as a QR code; of a room that still has one."""
        if room.ended:
            raise RoomEndedError
        address = f"{request.url.scheme}://{request.url.netloc}/join/{room.code}"
        return Response(draw_qr_code(address), media_type="image/svg+xml")

    @router.post("/{room_id}/marks", status_code=201)
    async def add_mark(new: schemas.NewMark, room: Room = hosted) -> schemas.MarkAnswer:
        """Mark this moment."""
        mark = await rooms.mark(room, new.text)
        return schemas.MarkAnswer(mark=schemas.MarkModel(**mark.to_dict()))

    @router.delete("/{room_id}/hands/{hand}", status_code=204)
    async def lower_hand(hand: Annotated[str, Path(max_length=64)], room: Room = hosted) -> None:
        """Lower a hand; it may be down already."""
        await rooms.lower_hand(room, hand)

    @router.post("/{room_id}/end")
    async def end_room(room: Room = hosted) -> schemas.RoomAnswer:
        """Nobody contributes any more; the rows stay until the room's time is over."""
        return _answer(await rooms.end(room))

    @router.delete("/{room_id}", status_code=204)
    async def delete_room(room: Room = hosted) -> None:
        """Nothing of the room is left."""
        await rooms.delete(room)

    @router.get("/{room_id}/export.csv", response_class=Response, responses=_offer("text/csv"))
    async def export_csv(request: Request, room: Room = hosted) -> Response:
        """Rows and marks as CSV."""
        with rooms.reads.take(name_client(request)):
            text = await asyncio.to_thread(format_csv, room, await rooms.read(room))
        return _attach(text, "text/csv; charset=utf-8", room, "csv")

    @router.get("/{room_id}/report.html", response_class=Response, responses=_offer("text/html"))
    async def export_report(request: Request, room: Room = hosted) -> Response:
        """The session as a page that stands alone."""
        with rooms.reads.take(name_client(request)):
            text = await asyncio.to_thread(build_report, room, await rooms.read(room))
        return _attach(text, "text/html; charset=utf-8", room, "html")

    return router


def draw_qr_code(address: str) -> str:
    """A QR code as SVG, black on white, with the quiet zone that scanners need; as large as its place."""
    import segno

    stream = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(stream, kind="svg", border=4, dark="#000", light="#fff", omitsize=True)
    return stream.getvalue().decode()


def _answer(room: Room) -> schemas.RoomAnswer:
    return schemas.RoomAnswer.model_validate({"room": room.to_dict()})


def _offer(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}}


def _attach(text: str, media_type: str, room: Room, suffix: str) -> Response:
    words = re.sub(r"[^A-Za-z0-9]+", "-", room.title).strip("-").lower()[:40] or "room"
    headers = {"Content-Disposition": f'attachment; filename="fervid-{words}.{suffix}"'}
    return Response(text, media_type=media_type, headers=headers)

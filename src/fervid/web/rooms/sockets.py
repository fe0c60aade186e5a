"""``/ws/rooms/{id}`` for participants and ``/ws/rooms/{id}/host`` for hosts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from fervid.errors import FervidError
from fervid.web.limits import name_client
from fervid.web.rooms.errors import RoomFullError, UnavailableError, check_kind
from fervid.web.rooms.links import Link
from fervid.web.rooms.messages import (
    READ_HOST,
    READ_HOST_MESSAGE,
    READ_JOIN,
    READ_PARTICIPANT,
    Delete,
    End,
    Expressions,
    Leave,
    LowerHand,
    LowerOwnHand,
    MarkTime,
    Pulse,
    RaiseHand,
    spread_message,
)
from fervid.web.rooms.room import Room
from fervid.web.rooms.service import Rooms


def create_socket_router(rooms: Rooms) -> APIRouter:
    """Both WebSockets."""
    router = APIRouter()

    @router.websocket("/ws/rooms/{room_id}")
    async def talk_to_participant(websocket: WebSocket, room_id: str) -> None:
        await _converse(websocket, lambda link: _serve_participant(rooms, link, room_id, name_client(websocket)))

    @router.websocket("/ws/rooms/{room_id}/host")
    async def talk_to_host(websocket: WebSocket, room_id: str) -> None:
        await _converse(websocket, lambda link: _serve_host(rooms, link, room_id, name_client(websocket)))

    return router


async def _converse(websocket: WebSocket, serve: Callable[[Link], Awaitable[None]]) -> None:
    """Serve a WebSocket until one side closes it; an error closes it with words."""
    await websocket.accept()
    link = Link(websocket)
    writer = asyncio.create_task(link.write())
    reader = asyncio.ensure_future(serve(link))
    try:
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        if not reader.done():  # closed by us: nothing that still comes is of interest
            return
        try:
            reader.result()
            link.close()
        except WebSocketDisconnect:
            return
        except FervidError as error:
            link.close(error)
        await writer
    finally:
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


async def _serve_participant(rooms: Rooms, link: Link, room_id: str, address: str) -> None:
    join = READ_JOIN.read(await link.receive_first())
    room = await rooms.admit(room_id, join.code, address)
    check_kind(room.kind, allowed=rooms.settings.allow_expression_rooms)
    left = False
    try:
        await rooms.attach_participant(room, link, join.token)
        while link.is_open:
            message = READ_PARTICIPANT.read(await link.receive())
            if isinstance(message, Leave):
                left = True
                return
            try:
                await _hear_participant(rooms, room, link, message)
            except UnavailableError as error:
                link.send({"type": "unavailable", "error": error.to_dict()})
    finally:
        await asyncio.shield(rooms.detach(room, link, left=left))


async def _hear_participant(
    rooms: Rooms, room: Room, link: Link, message: Pulse | Expressions | RaiseHand | LowerOwnHand
) -> None:
    if isinstance(message, RaiseHand):
        try:
            hand = await rooms.raise_hand(room, link, message.name)
        except RoomFullError as error:  # of hands: there is still a place for whoever wanted to raise one
            link.send({"type": "refused", "error": error.to_dict()})
            return
        link.send({"type": "hand", "hand": hand.to_dict()})
    elif isinstance(message, LowerOwnHand):
        await rooms.lower_own_hand(room, link)
        link.send({"type": "hand", "hand": None})
    else:
        receipt = await rooms.contribute(room, link, spread_message(room, message))
        link.send({"type": "ack", "bucket": receipt.bucket, "counted": receipt.counted})


async def _serve_host(rooms: Rooms, link: Link, room_id: str, address: str) -> None:
    hello = READ_HOST.read(await link.receive_first())
    room = await rooms.authorise(room_id, hello.key, address)
    if room.ended:
        with rooms.reads.take(address):
            link.send(await rooms.describe(room, type="snapshot"))
        link.send({"type": "ended", "room": room.to_dict()})
        return
    try:
        await rooms.attach_host(room, link, address)
        while link.is_open:
            message = READ_HOST_MESSAGE.read(await link.receive())
            try:
                await _hear_host(rooms, room, link, message)
            except UnavailableError as error:
                link.send({"type": "unavailable", "error": error.to_dict()})
                continue  # no goodbye will come, and the host may say it again
            if isinstance(message, End | Delete):
                with suppress(TimeoutError):  # the goodbye comes as news, also from Redis
                    async with asyncio.timeout(10):
                        await link.receive()
                return
    finally:
        await asyncio.shield(rooms.detach(room, link))


async def _hear_host(rooms: Rooms, room: Room, link: Link, message: MarkTime | LowerHand | End | Delete) -> None:
    if isinstance(message, MarkTime):
        try:
            await rooms.mark(room, message.text)
        except RoomFullError as error:
            link.send({"type": "refused", "error": error.to_dict()})
    elif isinstance(message, LowerHand):
        await rooms.lower_hand(room, message.hand)
    elif isinstance(message, End):
        await rooms.end(room)
    else:
        await rooms.delete(room)

"""Bytes, time and rate that one client may have."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from fervid.web.errors import RequestError, SlowError, TooLargeError, TooManyError
from fervid.web.limits import (
    BODY_BYTES,
    MOST_SOCKETS,
    BodyGuard,
    Memory,
    Places,
    RateGuard,
    RateLimiter,
    SocketGuard,
    TokenBucket,
    name_address,
)
from fervid.web.rooms.links import MAX_HOSTS
from fervid.web.rooms.room import MAX_PARTICIPANTS


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(
    rate=st.floats(0.1, 50),
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 2), min_size=1, max_size=100),
)
def test_no_stretch_of_time_has_more_than_the_burst_and_the_rate(rate: float, burst: int, gaps: list[float]) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, burst, clock=clock)
    taken: list[float] = []
    for gap in gaps:
        clock.now_s += gap
        wait_s = bucket.take()
        if wait_s == 0:
            taken.append(clock.now_s)
            continue
        clock.now_s += wait_s + 1e-6
        assert bucket.take() == 0
        taken.append(clock.now_s)
    for i, first in enumerate(taken):
        for j, last in enumerate(taken[i:], start=1):
            assert j <= burst + (last - first) * rate + 1e-3


def test_every_client_has_its_own_bucket() -> None:
    clock = Clock()
    limiter = RateLimiter(2, 3, "pictures", clock=clock)
    for _ in range(3):
        limiter.check("a")
    with pytest.raises(TooManyError, match="pictures") as caught:
        limiter.check("a")
    assert caught.value.retry_after_s == pytest.approx(0.5)
    limiter.check("b")
    clock.now_s = 0.5
    limiter.check("a")


def test_clients_that_are_gone_are_forgotten() -> None:
    limiter = RateLimiter(1, 1)
    limiter.check("first")
    for i in range(10_000):
        limiter.check(str(i))
    limiter.check("first")
    with pytest.raises(TooManyError):
        limiter.check("9999")


def test_one_client_takes_no_more_than_half_of_the_places() -> None:
    places = Places(4, "films are being received", retry_after_s=10)
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as other:
        for _ in range(2):
            stack.enter_context(places.take("192.0.2.7"))
        with pytest.raises(TooManyError, match="2 films are being received for this address already"):
            stack.enter_context(places.take("192.0.2.7"))
        for client in ("192.0.2.8", "192.0.2.9"):
            other.enter_context(places.take(client))
        with pytest.raises(TooManyError, match=r"4 films are being received already"):
            places.check("192.0.2.10")
        other.close()
        places.check("192.0.2.8")
    places.check("192.0.2.7")


def test_one_client_keeps_no_more_than_half_of_the_memory() -> None:
    memory = Memory(100, "of pictures are on their way", retry_after_s=2)
    with memory.take("192.0.2.7") as grow, memory.take("192.0.2.7") as grow_too:
        grow(30)
        with pytest.raises(TooManyError, match="of pictures are on their way already"):
            grow_too(21)
        grow_too(20)
        with memory.take("192.0.2.8") as other:
            other(50)
            with pytest.raises(TooManyError), memory.take("192.0.2.9") as third:
                third(1)
    with memory.take("192.0.2.7") as grow:  # all of it came back, and what was refused was never taken
        grow(50)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_ipv6_network_are_one_client(address: str, client: str) -> None:
    assert name_address(address) == client


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "read", "bytes": count})


def run_guard(
    chunks: Iterable[tuple[float, bytes]], headers: dict[str, str] | None = None, path: str = "/", idle_s: float = 5.0
) -> int:
    """Bytes that the app behind the guard has read, of chunks that come after their pauses."""
    remaining = iter(chunks)
    sent: list[Message] = []

    async def receive() -> Message:
        try:
            pause_s, body = next(remaining)
        except StopIteration:
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": raw}
    guard = BodyGuard(read_all, {"/large": 200_000}, idle_s=idle_s)
    asyncio.run(guard(scope, receive, send))
    return int(sent[0]["bytes"])


def test_bodies_up_to_the_limit_pass() -> None:
    assert run_guard([(0, b"x" * BODY_BYTES)]) == BODY_BYTES
    for path in ("/large", "/large/"):  # the second is sent on to the first, which is no reason to call it too large
        assert run_guard([(0, b"x" * 100_000)] * 2, path=path) == 200_000


@pytest.mark.parametrize("headers", [{}, {"content-length": str(BODY_BYTES + 1)}])
def test_larger_bodies_do_not(headers: dict[str, str]) -> None:
    with pytest.raises(TooLargeError):
        run_guard([(0, b"x" * BODY_BYTES), (0, b"x")], headers)


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "", "٣", "9" * 5000])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(RequestError):
        run_guard([], {"content-length": length})


def test_a_body_that_pauses_too_long_is_refused() -> None:
    with pytest.raises(SlowError):
        run_guard([(0, b"x"), (2, b"x")], idle_s=0.05)


def test_a_body_that_drips_is_refused() -> None:
    with pytest.raises(SlowError):
        run_guard([(0.1, b"x")] * 30, idle_s=1)
    assert run_guard([(0.1, b"x" * 4000)] * 15, idle_s=1) == 60_000


def test_waiting_for_a_client_to_go_is_not_slow() -> None:
    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["more_body"] is False
        await receive()

    messages: list[tuple[float, Message]] = [
        (0, {"type": "http.request", "body": b"", "more_body": False}),
        (0.2, {"type": "http.disconnect"}),
    ]

    async def receive() -> Message:
        pause_s, message = messages.pop(0)
        await asyncio.sleep(pause_s)
        return message

    async def send(message: Message) -> None: ...

    asyncio.run(BodyGuard(wait, {}, idle_s=0.05)({"type": "http", "path": "/", "headers": []}, receive, send))
    assert not messages


def test_the_api_has_a_rate_and_pages_have_none() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["path"])

    async def run() -> None:
        guard = RateGuard(app, rate=1, burst=2)
        for path in ["/api/v1/health", "/", "/ws/live", "/api/v1/models", "/assets/x.js"]:
            scope = {"type": "websocket" if path == "/ws/live" else "http", "path": path, "client": ("1.2.3.4", 5)}
            with contextlib.suppress(TooManyError):
                await guard({**scope, "headers": []}, None, None)  # type: ignore[arg-type]

    asyncio.run(run())
    assert passed == ["/api/v1/health", "/", "/ws/live", "/assets/x.js"]


def test_a_full_room_behind_one_address_comes_back_before_its_lost_connections_are_known_to_be() -> None:
    assert MOST_SOCKETS >= 2 * (MAX_PARTICIPANTS + MAX_HOSTS)


def test_one_address_has_so_many_websockets_open_and_is_told() -> None:
    opened, leave = [], asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        opened.append(scope["client"][0])
        await leave.wait()

    async def connect(guard: SocketGuard, address: str) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/ws/live", "client": (address, 5), "headers": []}
        await guard(scope, receive, send)
        return sent

    async def run() -> None:
        guard = SocketGuard(app, most=2)
        addresses = ("192.0.2.7", "192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2")
        tasks = [asyncio.create_task(connect(guard, address)) for address in addresses]
        await asyncio.sleep(0)
        for address in ("192.0.2.7", "2001:db8::3"):
            accepted, told, closed = await connect(guard, address)
            assert accepted["type"] == "websocket.accept"
            assert "2 connections of this address are open already" in told["text"]
            assert (closed["code"], closed["reason"]) == (1008, "web.too_many")
        leave.set()
        assert await asyncio.gather(*tasks) == [[]] * 5
        assert await connect(guard, "192.0.2.7") == []
        assert not guard._open

    asyncio.run(run())
    assert opened == ["192.0.2.7", "192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2", "192.0.2.7"]

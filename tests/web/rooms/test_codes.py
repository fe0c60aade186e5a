"""Keys, codes and how often one may guess."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")

from fervid.web.errors import TooManyError
from fervid.web.rooms import codes
from fervid.web.rooms.errors import RoomUnknownError, UnavailableError
from fervid.web.rooms.memory import MemoryStore
from fervid.web.rooms.room import Room
from fervid.web.rooms.service import GUESSES, Rooms
from fervid.web.settings import Settings


def test_keys_are_random_and_only_their_hash_is_compared():
    keys = {codes.make_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert {len(key) for key in keys} == {22}  # 128 bits in base64
    key = keys.pop()
    assert codes.is_key(key, codes.hash_key(key))
    assert not codes.is_key(keys.pop(), codes.hash_key(key))
    assert not codes.is_key("", codes.hash_key(key))
    assert not codes.is_key("ä" * 22, codes.hash_key(key))


def test_codes_have_nothing_that_is_mistaken():
    letters = set("".join(codes.make_code() for _ in range(2000)))
    assert letters == set(codes.ALPHABET)
    assert not letters & set("01OIL")


@settings(deadline=None)
@given(st.text(max_size=20))
def test_whatever_is_typed_is_a_code_or_none(text: str):
    code = codes.normalise_code(text)
    assert code == "" or (len(code) == codes.CODE_LENGTH and set(code) <= set(codes.ALPHABET))


def test_a_token_is_another_in_another_room():
    assert codes.hash_token("a", "token") != codes.hash_token("b", "token")
    assert "token" not in codes.hash_token("a", "token")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_address_may_guess_so_often_and_again_later():
    clock = Clock()
    limit = codes.AddressLimit("too many", 3, 100, clock=clock)
    for _ in range(3):
        limit.check("a")
        limit.count("a")
    with pytest.raises(TooManyError) as caught:
        limit.check("a")
    assert caught.value.retry_after_s == pytest.approx(20)
    limit.check("b")
    clock.now += 20
    limit.check("a")


def test_everybody_together_may_guess_so_often():
    limit = codes.AddressLimit("too many", 3, 5, clock=Clock())
    for i in range(5):
        limit.check(f"10.0.0.{i}")
        limit.count(f"10.0.0.{i}")
    with pytest.raises(TooManyError):
        limit.check("10.0.0.99")


def test_what_was_right_does_not_count():
    limit = codes.AddressLimit("too many", 3, 4, clock=Clock())
    for _ in range(100):
        limit.spend("a")
        limit.give_back("a")
    assert limit._clients == {}
    for _ in range(2):
        limit.spend("a")
    limit.spend("a")
    limit.give_back("a")
    limit.spend("a")
    with pytest.raises(TooManyError):
        limit.spend("a")
    limit.spend("b")
    with pytest.raises(TooManyError):
        limit.check("c")


class SlowStore(MemoryStore):
    """Answers when others have asked too, as one behind a network."""

    async def find_code(self, code: str) -> Room | None:
        await asyncio.sleep(0.001)
        return await super().find_code(code)


def test_guesses_at_the_same_time_are_limited_and_right_codes_are_not(tmp_path: Path):
    async def work() -> None:
        async with Rooms(Settings(data_dir=tmp_path), store=SlowStore()) as rooms:
            room, _ = await rooms.create("pulse", None, "", None, "192.0.2.7")
            asked = (rooms.find_by_code(room.code, "192.0.2.7") for _ in range(100))
            assert await asyncio.gather(*asked) == [room] * 100
            asked = (rooms.find_by_code("AAAAAA", "192.0.2.7") for _ in range(100))
            told = await asyncio.gather(*asked, return_exceptions=True)
            assert Counter(map(type, told)) == {RoomUnknownError: GUESSES, TooManyError: 100 - GUESSES}
            assert await rooms.find_by_code(room.code, "192.0.2.8") == room

    asyncio.run(work())


def test_a_look_up_that_failed_is_no_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def fail(*_: object) -> None:
        raise UnavailableError

    async def work() -> None:
        async with Rooms(Settings(data_dir=tmp_path), store=MemoryStore()) as rooms:
            with monkeypatch.context() as patch:
                patch.setattr(MemoryStore, "find_code", fail)
                for _ in range(2 * GUESSES):
                    with pytest.raises(UnavailableError):
                        await rooms.find_by_code("AAAAAA", "192.0.2.7")
            with pytest.raises(RoomUnknownError):
                await rooms.find_by_code("AAAAAA", "192.0.2.7")

    asyncio.run(work())


def test_memory_is_bounded():
    limit = codes.AddressLimit("too many", 1, 10**9, clock=Clock(), most=100)
    for i in range(1000):
        limit.count(f"client {i}")
    assert len(limit._clients) == 100

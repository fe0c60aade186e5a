"""Keys, codes and how often one may guess."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")

from fervid.web.errors import TooManyError
from fervid.web.rooms import codes


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


def test_memory_is_bounded():
    limit = codes.AddressLimit("too many", 1, 10**9, clock=Clock(), most=100)
    for i in range(1000):
        limit.count(f"client {i}")
    assert len(limit._clients) == 100

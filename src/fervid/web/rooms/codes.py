"""Secrets of rooms: the host's key, the code to join, and what is kept of a participant's token."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from fervid.web.errors import TooManyError

ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Of join codes: nothing that is taken for something else (0 O, 1 I L)."""

CODE_LENGTH: Final = 6

_SEPARATORS: Final = str.maketrans("", "", " -\t")


def make_id() -> str:
    """The public name of a room: 96 random bits, so that rooms cannot be listed by trying."""
    return secrets.token_urlsafe(12)


def make_key() -> str:
    """The host's key: 128 random bits in URL-safe base64, 22 characters."""
    return secrets.token_urlsafe(16)


def hash_key(key: str) -> str:
    """What is kept of a key. It is random, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_key(key: str, key_hash: str) -> bool:
    """Whether ``key`` is the one that was hashed; takes as long for every wrong one."""
    return hmac.compare_digest(hash_key(key), key_hash)


def make_code() -> str:
    """A code to join: :data:`CODE_LENGTH` of :data:`ALPHABET`, 8.9·10⁸ of them."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def normalise_code(text: str) -> str:
    """The code that somebody typed: case, spaces and hyphens do not matter. Empty when it can be none."""
    code = text.translate(_SEPARATORS).upper()
    return code if len(code) == CODE_LENGTH and set(code) <= set(ALPHABET) else ""


def hash_token(room_id: str, token: str) -> str:
    """What is kept of a participant's token; not the same in another room."""
    return hashlib.sha256(f"{room_id}:{token}".encode()).hexdigest()[:32]


class AddressLimit:
    """How often one address, and everybody together, may do what is dear: guess wrong, make rooms.

    Args:
        what: is said to whoever does it too often.
        per_minute: of one address; as many may come at once.
        total_per_minute: of everybody.
        clock: monotonic, s.
        most: addresses that are remembered; the one that was quiet longest goes first.
    """

    def __init__(
        self,
        what: str,
        per_minute: float,
        total_per_minute: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = 10_000,
    ) -> None:
        self._what = what
        self._per_minute = per_minute
        self._total_per_minute = total_per_minute
        self._clock = clock
        self._most = most
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._total = (total_per_minute, clock())

    def check(self, address: str) -> None:
        """Raise TooManyError when ``address``, or everybody together, did it too often."""
        waits = [
            self._wait(self._clients.get(address, (self._per_minute, 0.0)), self._per_minute),
            self._wait(self._total, self._total_per_minute),
        ]
        if max(waits) > 0:
            raise TooManyError(self._what, retry_after_s=max(waits))

    def count(self, address: str) -> None:
        """``address`` did it once."""
        self._clients[address] = self._spend(self._clients.get(address, (self._per_minute, 0.0)), self._per_minute)
        self._clients.move_to_end(address)
        while len(self._clients) > self._most:
            self._clients.popitem(last=False)
        self._total = self._spend(self._total, self._total_per_minute)

    def spend(self, address: str) -> None:
        """``address`` did it once more; raise TooManyError instead when it was too often."""
        self.check(address)
        self.count(address)

    def give_back(self, address: str) -> None:
        """What ``address`` spent last does not count."""
        left, since = self._clients.pop(address, (self._per_minute, 0.0))
        if self._refill((left + 1, since), self._per_minute) < self._per_minute:
            self._clients[address] = (left + 1, since)
        left, since = self._total
        self._total = (left + 1, since)

    def _refill(self, state: tuple[float, float], per_minute: float) -> float:
        left, since = state
        return min(per_minute, left + (self._clock() - since) * per_minute / 60)

    def _wait(self, state: tuple[float, float], per_minute: float) -> float:
        missing = 1 - self._refill(state, per_minute)
        return missing * 60 / per_minute if missing > 1e-9 else 0.0

    def _spend(self, state: tuple[float, float], per_minute: float) -> tuple[float, float]:
        return self._refill(state, per_minute) - 1, self._clock()

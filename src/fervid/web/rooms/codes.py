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
from fervid.web.limits import TokenBucket

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
        self._what, self._per_minute, self._clock, self._most = what, per_minute, clock, most
        self._clients: OrderedDict[str, TokenBucket] = OrderedDict()
        self._total = self._make_bucket(total_per_minute)

    def check(self, address: str) -> None:
        """Raise TooManyError when ``address``, or everybody together, did it too often."""
        own = self._clients.get(address)
        wait_s = max(self._total.wait(), own.wait() if own is not None else 0.0)
        if wait_s > 0:
            raise TooManyError(self._what, retry_after_s=wait_s)

    def count(self, address: str) -> None:
        """``address`` did it once."""
        own = self._clients.pop(address, None) or self._make_bucket(self._per_minute)
        self._clients[address] = own
        if len(self._clients) > self._most:
            self._clients.popitem(last=False)
        own.spend()
        self._total.spend()

    def spend(self, address: str) -> None:
        """``address`` did it once more; raise TooManyError instead when it was too often."""
        self.check(address)
        self.count(address)

    def give_back(self, address: str) -> None:
        """What ``address`` spent last does not count."""
        own = self._clients.get(address)
        if own is not None:
            own.spend(-1)
            if own.wait(self._per_minute) == 0:  # as that of an address that was never seen
                del self._clients[address]
        self._total.spend(-1)

    def _make_bucket(self, per_minute: float) -> TokenBucket:
        return TokenBucket(per_minute / 60, per_minute, clock=self._clock)

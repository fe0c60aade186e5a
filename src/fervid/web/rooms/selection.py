"""Which store keeps the rooms of a server."""

from __future__ import annotations

from fervid.web.rooms.memory import MemoryStore
from fervid.web.rooms.store import Store
from fervid.web.settings import Settings


def create_store(settings: Settings) -> Store:
    """Redis when ``settings`` name one, else memory.

    Raises:
        MissingExtraError: redis-py is not installed.
        UsageError: the URL is none.
        UnavailableError: nobody answers there.
    """
    if settings.redis_url is None:
        return MemoryStore()
    from fervid.web.rooms.redis import RedisStore

    return RedisStore(settings.redis_url)

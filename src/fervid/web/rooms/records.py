"""What Redis may write down of what it is told, beyond what rooms keep in it."""

from __future__ import annotations

import logging
from typing import Any, Final

LOG: Final = logging.getLogger("fervid.web")
WANTED: Final = {"save": "", "appendonly": "no", "slowlog-log-slower-than": "-1"}
"""Settings with which Redis writes nothing down: a snapshot may hold open sums, a file of all that was done has the
effects of single answers in their order, and the slow log whole calls."""


async def warn_of_records(client: Any) -> None:
    """Say in the log, once, which settings of a Redis may keep single answers.

    Args:
        client: of redis-py, asynchronous; it decodes answers. Where it may not read the settings, nothing is said.
    """
    import redis

    try:
        found = {name: (await client.config_get(name)).get(name) for name in WANTED}
    except redis.ResponseError:  # a Redis of others does not let everybody look
        return
    amiss = [f"{name} {found[name]!r}" for name, wanted in WANTED.items() if found[name] not in (wanted, None)]
    if amiss:
        wanted = ", ".join(f"{name} {value!r}" for name, value in WANTED.items())
        LOG.warning(
            "Redis may keep single answers of rooms: it has %s; give it %s, and no replica", ", ".join(amiss), wanted
        )

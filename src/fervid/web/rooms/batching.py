"""Calls that are made at the same time become one, so that a far store is asked no oftener than it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Gathers items into batches, per key: while one batch is under way, those that come make up the next.

    An item that comes alone waits for nobody.

    Args:
        call: given a key and its items, answers each of them, in their order. What it raises, all of them raise.
        most: items of one call.
    """

    def __init__(self, call: Callable[[str, Sequence[Item]], Awaitable[Sequence[Answer]]], *, most: int = 500) -> None:
        self._call = call
        self._most = most
        self._waiting: dict[str, list[tuple[Item, asyncio.Future[Answer]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: str, item: Item) -> Answer:
        """The answer to ``item``; it is asked for even if the caller is cancelled."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if key in self._waiting:
            self._waiting[key].append((item, future))
        else:
            self._waiting[key] = [(item, future)]
            task = asyncio.create_task(self._work(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _work(self, key: str) -> None:
        while waiting := self._waiting[key]:
            batch, self._waiting[key] = waiting[: self._most], waiting[self._most :]
            try:
                answers = await self._call(key, [item for item, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        del self._waiting[key]

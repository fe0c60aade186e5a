"""Calls that are made at the same time become one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

pytest.importorskip("fastapi")

from fervid.web.rooms.batching import Batcher


class Far:
    """A store that answers when it is let; it doubles numbers."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.may_answer = asyncio.Event()

    async def call(self, key: str, items: Sequence[int]) -> list[int]:
        self.calls.append((key, list(items)))
        await self.may_answer.wait()
        if 13 in items:
            raise ValueError("13")
        return [2 * item for item in items]


def test_what_comes_while_one_call_is_under_way_makes_up_the_next() -> None:
    async def work() -> None:
        far = Far()
        batcher = Batcher(far.call, most=3)
        first = asyncio.create_task(batcher.ask("a", 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert far.calls == [("a", [1])], "alone it waits for nobody"
        others = [asyncio.create_task(batcher.ask("a", number)) for number in range(2, 7)]
        elsewhere = asyncio.create_task(batcher.ask("b", 10))
        await asyncio.sleep(0.01)
        assert far.calls == [("a", [1]), ("b", [10])], "keys do not wait for each other"
        far.may_answer.set()
        assert await asyncio.gather(first, *others, elsewhere) == [2, 4, 6, 8, 10, 12, 20]
        assert far.calls[2:] == [("a", [2, 3, 4]), ("a", [5, 6])]
        assert await batcher.ask("a", 7) == 14

    asyncio.run(work())


def test_a_call_that_fails_fails_for_its_own_items_alone() -> None:
    async def work() -> None:
        far = Far()
        batcher = Batcher(far.call)
        tasks = [asyncio.create_task(batcher.ask("a", number)) for number in (1, 13, 14)]
        await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(batcher.ask("a", 2)))
        far.may_answer.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError, ValueError, ValueError, int]

    asyncio.run(work())


def test_whoever_goes_away_leaves_the_others_their_answers() -> None:
    async def work() -> None:
        far = Far()
        batcher = Batcher(far.call)
        tasks = [asyncio.create_task(batcher.ask("a", number)) for number in (1, 2, 3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        far.may_answer.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert (answers[0], answers[2]) == (2, 6)
        assert isinstance(answers[1], asyncio.CancelledError)

    asyncio.run(work())

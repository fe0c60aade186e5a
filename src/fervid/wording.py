"""Numbers in sentences."""

from __future__ import annotations


def count_nouns(number: int, noun: str, plural: str | None = None) -> str:
    """``1 core``, ``2,000 cores``; `plural` where it is not the noun with an s: ``2 people``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"

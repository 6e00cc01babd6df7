"""Long lists in slices."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500
"""Rows per round of queries: below every database's limit on parameters."""


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield `values` in slices."""
    for start in range(0, len(values), size):
        yield values[start : start + size]

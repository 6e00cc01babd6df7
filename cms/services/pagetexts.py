"""What is made of questions' texts for their pages and for search, on all cores for many of them.

Rendering is most of what publishing costs, and it asks the database nothing: other processes
render while this one writes. They are started afresh (`spawn`), so that they hold no connection,
lock or thread of whoever publishes; since that takes a second each, few questions stay here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from cms.formats.item import Item
from cms.services.content import searchable
from cms.services.rendered import Images, Proofs, render_item, summary_of

PAYS_FROM = 5_000
"""Questions from which on other processes save more than they take to start."""
ROUND_FROM = 100
"""Texts that are sent to another process together; fewer are not worth starting one."""
PROCESSES_LIMIT = 4
"""More of them would wait: one process writes what two render."""


class Text(NamedTuple):
    """A question's text with what its page shows beside it."""

    item: Item
    proofs: Proofs
    images: Images


PageText = dict[str, Any]
"""Columns of a Publication that depend on a question's text alone."""


def page_text(text: Text) -> PageText:
    """Return what a question's page, lists and search need of its text.

    :raises ValueError: when a text is too long to be rendered
    """
    item = text.item
    return {
        "stem": item.stem,
        "summary": summary_of(item),
        "html": msgspec.json.encode(render_item(item, text.proofs, text.images)).decode(),
        "search_text": searchable(item),
        "corrections": len(item.corrections),
    }


def page_texts(texts: Sequence[Text]) -> list[PageText]:
    """Return the page texts of some questions, in their order."""
    return [page_text(text) for text in texts]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Where texts are rendered: `ahead` is how many rounds may be begun before one is taken."""

    begin: Callable[[Sequence[Text]], Callable[[], list[PageText]]]
    ahead: int = 0


@contextmanager
def rendering(count: int) -> Iterator[Rendering]:
    """Yield where to render `count` questions, and end what was started for that."""
    processes = min(_cores(), PROCESSES_LIMIT)
    if count < PAYS_FROM or processes == 1:
        yield Rendering(lambda texts: lambda: page_texts(texts))
        return
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )
    try:
        yield Rendering(lambda texts: _begun(pool, texts), ahead=processes + 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _begun(pool: ProcessPoolExecutor, texts: Sequence[Text]) -> Callable[[], list[PageText]]:
    if len(texts) < ROUND_FROM:
        return lambda: page_texts(texts)
    try:
        future = pool.submit(page_texts, texts)
    except BrokenProcessPool:
        return lambda: page_texts(texts)

    def result() -> list[PageText]:
        try:
            return future.result()
        except BrokenProcessPool:
            # The system ended one, for want of memory perhaps. That costs time, not the release.
            return page_texts(texts)

    return result


def _cores() -> int:
    """Return how many cores this process may use."""
    # Not every system can say what a process was confined to.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    """Leave Ctrl+C to the process that publishes, and end when it does, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)

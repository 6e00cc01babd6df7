"""Texts for pages: the same wherever they are rendered."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from cms.formats.item import AnswerItem, Item
from cms.markup import RENDER_LIMIT
from cms.services import pagetexts
from cms.services.pagetexts import Text, page_texts, rendering


def texts(count: int) -> list[Text]:
    return [
        Text(
            Item(stem=f"What is {n}?", answers=[AnswerItem(uid=f"{n}", body=f"**{n}** `code`")]),
            {},
            {},
        )
        for n in range(count)
    ]


def too_long() -> Text:
    return Text(Item(stem="?", context="x" * (RENDER_LIMIT + 1)), {}, {})


def test_few_texts_are_rendered_where_they_are_asked_for() -> None:
    with rendering(pagetexts.PAYS_FROM - 1) as place:
        assert place.begin(texts(2))() == page_texts(texts(2))
    with rendering(pagetexts.PAYS_FROM) as place:
        assert place.begin(texts(2))() == page_texts(texts(2))
        assert not multiprocessing.active_children()


def test_texts_of_a_process_that_the_system_ended_are_rendered_here() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(os._exit, 1)
        before = pagetexts._begun(pool, texts(pagetexts.ROUND_FROM))
        assert before() == page_texts(texts(pagetexts.ROUND_FROM))
        after = pagetexts._begun(pool, texts(pagetexts.ROUND_FROM))
        assert after() == page_texts(texts(pagetexts.ROUND_FROM))


PUBLISHER = """
import sys
from cms.services import pagetexts
from tests.services.test_pagetexts import texts, too_long

if __name__ == "__main__":
    pagetexts.PAYS_FROM = pagetexts.ROUND_FROM = 1
    pagetexts._cores = lambda: 2
    with pagetexts.rendering(5) as place:
        begun = [place.begin(some) for some in (texts(3), texts(2), [too_long()])]
        print([taken() for taken in begun[:2]])
        try:
            begun[2]()
        except ValueError as error:
            print(error, flush=True)
        sys.stdin.read()
"""


def test_other_processes_make_the_same_texts_and_end_with_one_that_is_killed(
    tmp_path: Path,
) -> None:
    script = tmp_path / "publisher.py"
    script.write_text(PUBLISHER)
    publisher = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert publisher.stdout is not None
    assert publisher.stdout.readline() == f"{[page_texts(texts(3)), page_texts(texts(2))]}\n"
    assert "longer than" in publisher.stdout.readline()
    publisher.kill()
    # What it prints to is closed only when nobody is left who could print.
    assert publisher.communicate(timeout=20) == ("", None)

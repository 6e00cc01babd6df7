"""Merging what two people made of one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.services.threeway import Overlap, merge

BASE = "Flask is small. It has a router. It is fun.\n\nIt needs Werkzeug 3.1 and Jinja.\n"


@pytest.mark.parametrize(
    ("theirs", "mine", "merged"),
    [
        pytest.param(BASE, BASE, BASE, id="nobody changed it"),
        pytest.param(BASE + "More.\n", BASE, BASE + "More.\n", id="they alone"),
        pytest.param(BASE, "First.\n" + BASE, "First.\n" + BASE, id="I alone"),
        pytest.param(BASE + "Same.\n", BASE + "Same.\n", BASE + "Same.\n", id="both the same"),
        pytest.param(
            BASE.replace("router", "map of URLs"),
            BASE.replace("Jinja", "Jinja 3"),
            BASE.replace("router", "map of URLs").replace("Jinja", "Jinja 3"),
            id="other paragraphs",
        ),
        pytest.param(
            BASE.replace("small", "a framework"),
            BASE.replace("fun", "a joy"),
            BASE.replace("small", "a framework").replace("fun", "a joy"),
            id="other sentences of one line",
        ),
        pytest.param(
            BASE.replace("It has a router.", ""),
            BASE + "End.\n",
            BASE.replace("It has a router.", "") + "End.\n",
            id="they removed, I added elsewhere",
        ),
    ],
)
def test_changes_that_do_not_overlap_are_merged(theirs: str, mine: str, merged: str) -> None:
    assert merge(BASE, theirs, mine).text == merged


def test_what_both_changed_is_an_overlap_with_its_surroundings_settled() -> None:
    found = merge(
        BASE, BASE.replace("3.1", "3.2").replace("small", "tiny"), BASE.replace("3.1", "3.0")
    )
    assert found.text is None
    [overlap] = found.overlaps
    assert overlap == Overlap(
        "It needs Werkzeug 3.1 and Jinja.\n",
        "It needs Werkzeug 3.2 and Jinja.\n",
        "It needs Werkzeug 3.0 and Jinja.\n",
    )
    assert found.draft == BASE.replace("small", "tiny").replace("3.1", "3.0")


TEXTS = st.lists(
    st.sampled_from(["One. ", "Two? ", "Three!", "\n", "\n\n", "four 4.2 ", "é", "``` x\n"])
).map("".join)


@given(TEXTS, TEXTS)
def test_what_one_person_alone_changed_is_taken_as_it_is(base: str, changed: str) -> None:
    assert merge(base, changed, base).text == changed
    assert merge(base, base, changed).text == changed
    assert merge(base, changed, changed).text == changed


@given(TEXTS, TEXTS, TEXTS)
def test_the_two_sides_can_be_told_apart_in_every_merge(base: str, theirs: str, mine: str) -> None:
    found, mirrored = merge(base, theirs, mine), merge(base, mine, theirs)
    assert [(o.base, o.mine, o.theirs) for o in found.overlaps] == [
        (o.base, o.theirs, o.mine) for o in mirrored.overlaps
    ]
    if found.text is not None:
        assert found.text == mirrored.text

"""Two edits of one question become one; what overlaps is a person's to decide."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cms.formats.item import AnswerItem, Content, SourceItem
from cms.services.conflicts import Choice, Merge, Place, decided, merged
from cms.text import normalize_body
from cms.vocabulary import Difficulty

ONE = AnswerItem(uid="1" * 8, body="First. Then. Second.\n\nThird line.\n\nLast.")
TWO = AnswerItem(uid="2" * 8, label="Short", body="Two", sources=[SourceItem(url="https://a.org")])
BASE = Content(slug="q", stem="Stem?", tags=["a", "b"], answers=[ONE, TWO])


def body(text: str) -> Content:
    return replace(BASE, answers=[replace(ONE, body=text), TWO])


def sources(*urls: str, title: str = "") -> Content:
    cited = [SourceItem(url=f"https://{url}.org", title=title) for url in urls]
    return replace(BASE, answers=[ONE, replace(TWO, sources=cited)])


def answers(*held: AnswerItem) -> Content:
    return replace(BASE, answers=list(held))


NEW = AnswerItem(body="My new one")
OTHER = AnswerItem(uid="3" * 8, body="Their new one")


@pytest.mark.parametrize(
    ("theirs", "mine", "both"),
    [
        pytest.param(
            body("First! Then. Second.\n\nThird line.\n\nLast."),
            body("First. Then. Second.\n\nThird line.\n\nLast, by me."),
            body("First! Then. Second.\n\nThird line.\n\nLast, by me."),
            id="other paragraphs",
        ),
        pytest.param(
            body("First! Then. Second.\n\nThird line.\n\nLast."),
            body("First. Then. Second, by me.\n\nThird line.\n\nLast."),
            body("First! Then. Second, by me.\n\nThird line.\n\nLast."),
            id="other sentences",
        ),
        pytest.param(
            body(f"Before.\n\n{ONE.body}"),
            body(f"{ONE.body}\n\nBehind."),
            body(f"Before.\n\n{ONE.body}\n\nBehind."),
            id="both ends",
        ),
        pytest.param(
            replace(BASE, tags=["a", "theirs"]),
            replace(BASE, tags=["b", "mine"]),
            replace(BASE, tags=["mine", "theirs"]),
            id="tags",
        ),
        pytest.param(
            replace(BASE, stem="Theirs?"),
            replace(BASE, difficulty=Difficulty.hard),
            replace(BASE, stem="Theirs?", difficulty=Difficulty.hard),
            id="other parts",
        ),
        pytest.param(sources("a", "t"), sources("a", "m"), sources("a", "m", "t"), id="sources"),
        pytest.param(sources(), sources("a", "m"), sources("m"), id="a source they removed"),
        pytest.param(
            sources("a", title="T"), sources("m", "a"), None, id="a source they named, I moved"
        ),
        pytest.param(
            answers(ONE, OTHER, TWO),
            answers(ONE, TWO, NEW),
            answers(ONE, OTHER, TWO, NEW),
            id="new answers",
        ),
        pytest.param(
            answers(TWO, ONE, OTHER),
            answers(ONE, NEW, replace(TWO, label="Mine")),
            answers(replace(TWO, label="Mine"), ONE, NEW, OTHER),
            id="an order that they changed",
        ),
        pytest.param(answers(ONE), BASE, answers(ONE), id="an answer they removed"),
        pytest.param(BASE, answers(TWO), answers(TWO), id="an answer I removed"),
    ],
)
def test_changes_that_leave_each_other_alone_are_put_together(
    theirs: Content, mine: Content, both: Content | None
) -> None:
    found = merged(mine=mine, theirs=theirs, base=BASE)
    assert found.places == []
    if both is not None:
        assert replace(found.content, tags=sorted(found.content.tags)) == both


@pytest.mark.parametrize(
    ("theirs", "mine", "place", "outcomes"),
    [
        pytest.param(
            replace(BASE, stem="Theirs?"),
            replace(BASE, stem="Mine?"),
            Place("stem", "Stem?", "Theirs?", "Mine?"),
            {"theirs": replace(BASE, stem="Theirs?"), "both": replace(BASE, stem="Mine?")},
            id="a line",
        ),
        pytest.param(
            body("First. Then. Second.\n\nThird, theirs.\n\nLast."),
            body("First!! Then. Second.\n\nThird, mine.\n\nLast."),
            Place(
                "answers/11111111/body",
                "Third line.\n",
                "Third, theirs.\n",
                "Third, mine.\n",
                both=True,
            ),
            {
                "theirs": body("First!! Then. Second.\n\nThird, theirs.\n\nLast."),
                "both": body("First!! Then. Second.\n\nThird, theirs.\nThird, mine.\n\nLast."),
            },
            id="a paragraph",
        ),
        pytest.param(
            sources("a", title="T"),
            sources("a", title="M"),
            Place(
                "answers/22222222/sources",
                "https://a.org",
                "T · https://a.org",
                "M · https://a.org",
                both=True,
            ),
            {"theirs": sources("a", title="T")},
            id="a source",
        ),
        pytest.param(
            answers(ONE),
            answers(ONE, replace(TWO, body="Mine")),
            Place(
                "answers/22222222", "Short\nTwo\nhttps://a.org", "", "Short\nMine\nhttps://a.org"
            ),
            {"theirs": answers(ONE)},
            id="an answer that they removed and I changed",
        ),
        pytest.param(
            answers(ONE, replace(TWO, body="Theirs")),
            answers(ONE),
            Place(
                "answers/22222222", "Short\nTwo\nhttps://a.org", "Short\nTheirs\nhttps://a.org", ""
            ),
            {"theirs": answers(ONE, replace(TWO, body="Theirs"))},
            id="an answer that I removed and they changed",
        ),
    ],
)
def test_what_both_changed_is_asked_about_and_stays_mine_until_then(
    theirs: Content, mine: Content, place: Place, outcomes: dict[str, Content]
) -> None:
    found = merged(mine=mine, theirs=theirs, base=BASE)
    assert (found.places, found.content) == ([place], mine)
    for choice, content in {"mine": mine, **outcomes}.items():
        chosen = {place.key: Choice(choice)}
        assert decided(mine=mine, theirs=theirs, base=BASE, chosen=chosen).content == content


def test_two_orders_of_three_answers_are_asked_about() -> None:
    base = answers(ONE, TWO, OTHER)
    theirs, mine = answers(TWO, ONE, OTHER), answers(OTHER, ONE, TWO)
    found = merged(mine=mine, theirs=theirs, base=base)
    [place] = found.places
    assert (place.part, found.content, found.origins) == ("order", mine, [0, 1, 2])
    taken = decided(mine=mine, theirs=theirs, base=base, chosen={place.key: Choice.theirs})
    assert (taken.content, taken.origins) == (theirs, [2, 1, 0])


def test_a_decision_puts_back_nothing_that_was_taken_out_since() -> None:
    changed = body("First! Then. Second.\n\nThird, theirs.\n\nLast.")
    theirs = replace(changed, stem="Theirs?", tags=["theirs"], answers=[*changed.answers, OTHER])
    mine = body("First. Then. Second.\n\nThird, mine.\n\nLast.")
    [place] = merged(mine=mine, theirs=theirs, base=BASE).places
    chosen = {place.key: Choice.theirs}
    found = decided(mine=mine, theirs=theirs, base=BASE, chosen=chosen)
    assert found.content == body("First. Then. Second.\n\nThird, theirs.\n\nLast.")


def test_without_a_known_start_nothing_of_either_is_dropped() -> None:
    theirs = replace(BASE, tags=["t"], answers=[ONE, OTHER])
    mine = replace(BASE, stem="Mine?", tags=["m"], answers=[replace(ONE, body="Mine"), TWO])
    found = merged(mine=mine, theirs=theirs, base=None)
    assert [place.part for place in found.places] == ["stem", "answers/11111111/body"]
    assert [answer.body for answer in found.content.answers] == ["Mine", OTHER.body, TWO.body]
    assert found.content.tags == ["m", "t"]


def test_an_identity_that_a_form_gives_twice_costs_no_text() -> None:
    twice = answers(ONE, replace(ONE, body="Twin"))
    found = merged(mine=twice, theirs=BASE, base=BASE)
    assert [answer.body for answer in found.content.answers] == [ONE.body, "Twin"]


# --- for any three texts ------------------------------------------------------------

WORDS = st.sampled_from(["One. ", "two", "\n", "\n\n", "three? ", "4.2 ", "``` x\n", "é "])
BODIES = st.lists(WORDS, max_size=8).map("".join).map(normalize_body)
LINES = st.sampled_from(["", "Alpha", "Beta", "Gamma"])
CITED = st.lists(st.sampled_from("uvw"), unique=True, max_size=2)


def _content(values: tuple[Any, ...], word: str) -> Content:
    stem, context, tags, texts, urls = values
    return Content(
        slug="q",
        stem=f"{stem}?",
        # A word that nobody else has, where somebody changed something.
        context=normalize_body(f"{context} {word}"),
        tags=sorted(tags),
        answers=[
            AnswerItem(
                uid=uid * 8,
                label=label,
                body=normalize_body(f"{text}\n\n{word}{uid}"),
                sources=[SourceItem(url=f"https://{url}.org") for url in urls],
            )
            for uid, (label, text) in texts.items()
        ],
    )


CONTENTS = st.tuples(
    LINES,
    BODIES,
    st.sets(st.sampled_from("abc")),
    st.dictionaries(st.sampled_from("123"), st.tuples(LINES, BODIES)),
    CITED,
)


def _said(found: Merge) -> str:
    content = found.content
    told = [content.stem, content.context, *content.tags]
    for answer in content.answers:
        told += [answer.label, answer.body, *(source.url for source in answer.sources)]
    for place in found.places:
        told += [place.theirs, place.mine]
    return "\n".join(told)


@given(CONTENTS, CONTENTS)
def test_what_one_side_alone_changed_is_the_merge(first: Any, second: Any) -> None:
    base, changed = _content(first, ""), _content(second, "")
    for theirs, mine in ((base, changed), (changed, base), (changed, changed)):
        found = merged(mine=mine, theirs=theirs, base=base)
        assert found.places == []
        sorted_tags = replace(found.content, tags=sorted(found.content.tags))
        assert replace(sorted_tags, answers=[]) == replace(changed, answers=[])
        assert {each.uid: each for each in found.content.answers} == {
            each.uid: replace(each, sources=found_sources(found, each)) for each in changed.answers
        }


def found_sources(found: Merge, answer: AnswerItem) -> list[SourceItem]:
    """The sources of the merge, which have those of `answer`, in whatever order."""
    [other] = [each for each in found.content.answers if each.uid == answer.uid]
    assert sorted(s.url for s in other.sources) == sorted(s.url for s in answer.sources)
    return other.sources


@given(CONTENTS, CONTENTS, CONTENTS)
def test_no_word_that_somebody_wrote_is_lost(first: Any, second: Any, third: Any) -> None:
    base, theirs, mine = _content(first, ""), _content(second, "theirs"), _content(third, "mine")
    found = merged(mine=mine, theirs=theirs, base=base)
    said = _said(found)
    for side in (theirs, mine):
        for word in re.findall(r"\b(?:theirs|mine)\d?\b", _said(Merge(side, [], []))):
            assert re.search(rf"\b{word}\b", said)
    # What was put together and is looked at again keeps the words, too, and decides nothing.
    again = _said(merged(mine=found.content, theirs=theirs, base=base))
    assert set(re.findall(r"\bmine\d?\b", said)) <= set(re.findall(r"\bmine\d?\b", again))


@given(CONTENTS, CONTENTS, CONTENTS)
def test_what_was_decided_for_theirs_is_asked_no_more(first: Any, second: Any, third: Any) -> None:
    base, theirs, mine = _content(first, ""), _content(second, "theirs"), _content(third, "mine")
    found = merged(mine=mine, theirs=theirs, base=base)
    chosen = {place.key: Choice.theirs for place in found.places}
    taken = decided(mine=found.content, theirs=theirs, base=base, chosen=chosen)
    again = merged(mine=taken.content, theirs=theirs, base=base)
    assert {place.key for place in again.places} & set(chosen) == set()


@given(CONTENTS, CONTENTS, CONTENTS)
def test_deciding_nothing_changes_nothing(first: Any, second: Any, third: Any) -> None:
    base, theirs, mine = _content(first, ""), _content(second, "theirs"), _content(third, "mine")
    assert decided(mine=mine, theirs=theirs, base=base, chosen={}).content == mine

"""Finding: typing errors are read as what was meant, lists say what narrows them."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from cms.services import facets as facets_module
from cms.services.facets import DifficultyFacet, TagFacet, facets_of
from cms.services.finding import find, meant_by, respell, suggest, what_to_try
from cms.services.listing import Selection
from cms.services.publishing import publish
from cms.vocabulary import Difficulty
from tests.factories import AT, make_question

EASY, MEDIUM, HARD = Difficulty

QUESTIONS = [
    # stem, body, tags, difficulty
    ("What is Jinja?", "A template engine: call url_for in it.", ["flask/templates"], EASY),
    ("How does Jinja escape?", "By default, in HTML.", ["flask/templates", "security"], HARD),
    ("What is a session?", "A cookie that is signed.", ["flask", "http"], EASY),
    ("What is a cookie?", "A header: kept by browsers.", ["http"], None),
    ("What is seperate?", "A word.", [], None),
]


@pytest.fixture
def bank(session: Session) -> Session:
    questions = [
        make_question(session, stem, body, tags=tags, difficulty=difficulty)
        for stem, body, tags, difficulty in QUESTIONS
    ]
    questions += [make_question(session, f"To separate {n}?") for n in range(10)]
    publish(session, questions, by=None, at=AT)
    session.commit()
    return session


@pytest.mark.parametrize(
    ("query", "meant", "literal"),
    [
        ("jinga", "jinja", '"jinga"'),
        ("what is Jinga?", "what is jinja?", 'what is "Jinga?"'),
        ("sesion cokie", "session cookie", '"sesion" "cokie"'),
        ("url_fro jinja", None, None),
        ("temlate url_for", "template url_for", '"temlate" url_for'),
        # Each is a word of the bank, though not together.
        ("jinja cookie", None, None),
        ("jinja", None, None),
        ("jinj", None, None),
        ('"jinga"', None, None),
        ("jinga xylophone", None, None),
        ("?", None, None),
    ],
)
def test_a_typing_error_is_read_as_the_word_that_was_meant(
    bank: Session, query: str, meant: str | None, literal: str | None
) -> None:
    found = respell(bank, query)
    assert (found and found.query, found and found.literal) == (meant, literal)
    if found:
        assert respell(bank, found.query) is None
        assert respell(bank, found.literal) is None


def test_every_page_and_order_of_a_typing_error_shows_what_was_meant(bank: Session) -> None:
    for sort in ("relevance", "title", "recent"):
        found = find(bank, Selection("jinga", sort=sort))  # type: ignore[arg-type]
        assert {question.stem for question in found.listing.questions} == {
            "What is Jinja?",
            "How does Jinja escape?",
        }
        assert found.respelled is not None
        assert (found.respelled.typed, found.respelled.meant) == (("jinga",), ("jinja",))
    narrowed = find(bank, Selection("jinga", tags=("security",), sort="relevance"))
    assert [question.stem for question in narrowed.listing.questions] == ["How does Jinja escape?"]
    assert narrowed.selection.query == "jinja"
    assert {each.stem for each in suggest(bank, "jinga", 8)[0]} == {
        "What is Jinja?",
        "How does Jinja escape?",
    }


def test_a_word_of_few_questions_may_be_an_error_of_theirs(bank: Session) -> None:
    found = find(bank, Selection("seperate", sort="relevance"))
    assert [question.stem for question in found.listing.questions] == ["What is seperate?"]
    assert found.respelled is None
    assert found.closer is not None
    assert found.closer.query == "separate"
    assert find(bank, Selection("cookie", sort="relevance")).closer is None


@pytest.mark.parametrize(
    ("selection", "total", "tags", "difficulties"),
    [
        (
            Selection("jinja", sort="relevance"),
            2,
            {"security": 1},
            [1, 0, 1],
        ),
        (
            Selection("jinja", difficulty=EASY, sort="title"),
            1,
            {},
            [1, 0, 1],
        ),
        (Selection(tags=("http",)), 2, {"flask": 1}, [1, 0, 0]),
        (Selection(tags=("flask", "http")), 1, {}, [1, 0, 0]),
        (Selection(tags=("nothing",)), 0, {}, [0, 0, 0]),
        (
            Selection(),
            15,
            {"flask": 3, "flask/templates": 2, "http": 2, "security": 1},
            [2, 0, 1],
        ),
    ],
)
def test_facets_count_what_each_choice_leaves(
    bank: Session,
    selection: Selection,
    total: int,
    tags: dict[str, int],
    difficulties: list[int],
) -> None:
    facets = facets_of(bank, selection)
    assert facets.total == total
    assert {facet.slug: facet.questions for facet in facets.tags} == tags
    assert [facet.questions for facet in facets.difficulties] == difficulties
    for facet in facets.tags:
        narrowed = Selection(
            selection.query, (*selection.tags, facet.slug), selection.difficulty, selection.sort
        )
        assert facets_of(bank, narrowed).total == facet.questions


def test_facets_of_what_is_too_large_to_count_are_kept_numbers_or_none(
    bank: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets_module, "FACETED", 1)
    facets = facets_of(bank, Selection())
    assert facets.total is None
    # By index, up to one more than the bound.
    assert facets.difficulties == [
        DifficultyFacet(EASY, 2),
        DifficultyFacet(MEDIUM, 0),
        DifficultyFacet(HARD, 1),
    ]
    assert facets.tags == [TagFacet("flask", 3), TagFacet("http", 2), TagFacet("security", 1)]
    assert facets_of(bank, Selection(tags=("flask",))).tags == [TagFacet("flask/templates", 2)]
    facets = facets_of(bank, Selection("jinja", sort="relevance"))
    assert [facet.questions for facet in facets.tags] == [None, None, None]
    assert [facet.questions for facet in facets.difficulties] == [None, None, None]


@pytest.mark.parametrize(
    ("selection", "wider", "shorter", "tags"),
    [
        (Selection("jinja", tags=("http",)), [("jinja", 2)], [], ["http"]),
        (Selection("jinja cookie"), [], [("cookie", 2), ("jinja", 2)], []),
        (Selection("jinja template zebra"), [], [("jinja template", 1)], ["flask/templates"]),
        (Selection("zebra security"), [], [("security", 0)], ["security"]),
        (Selection("zebra"), [], [], []),
        (Selection("?!"), [], [], []),
    ],
)
def test_a_search_without_results_says_what_has_some(
    bank: Session,
    selection: Selection,
    wider: list[tuple[str, int]],
    shorter: list[tuple[str, int]],
    tags: list[str],
) -> None:
    trials = what_to_try(bank, selection)
    assert [(trial.selection.query, trial.questions) for trial in trials.wider] == wider
    found = [(trial.selection.query, trial.questions) for trial in trials.shorter]
    assert sorted(found) == [each for each in shorter if each[1]]
    assert [tag.slug for tag in trials.tags] == tags


def test_filters_without_results_say_which_one_to_take_away(bank: Session) -> None:
    selection = Selection(tags=("security", "http"), difficulty=HARD)
    trials = what_to_try(bank, selection)
    left = [
        (each.selection.tags, each.selection.difficulty, each.questions) for each in trials.wider
    ]
    assert left == [(("security",), HARD, 1)]


@pytest.mark.parametrize(
    ("slug", "meant"),
    [
        ("how-do-jinjas-escape", ["How does Jinja escape?"]),
        ("what-is-a-sesion", ["What is a session?"]),
        ("quite-unknown", []),
        ("\0-%-'", []),
    ],
)
def test_an_address_without_a_question_leads_to_what_may_have_been_meant(
    bank: Session, slug: str, meant: list[str]
) -> None:
    assert [each.stem for each in meant_by(bank, slug)] == meant

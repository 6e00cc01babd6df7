"""What a question must be like to enter the bank: the same rules at the desk and in every file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from cms.errors import InvalidContent
from cms.formats.incoming import Row
from cms.formats.item import (
    ANSWER_LIMIT,
    FILTER_TAGS_LIMIT,
    FILTER_TEXT_LIMIT,
    LINE_LIMIT,
    MEMBERS_LIMIT,
    OPTION_LIMIT,
    OPTIONS_LIMIT,
    PATH_PATTERN,
    SLUG_LIMIT,
    SLUG_PATTERN,
    STEM_LIMIT,
    UID_PATTERN,
    URL_LIMIT,
    URL_PATTERN,
    AnswerItem,
    Content,
    CorrectionItem,
    DeckFilter,
    DeckItem,
    Item,
    OptionItem,
    ProvenanceItem,
    SourceItem,
    TagItem,
)
from cms.formats.normalizing import normalized

C = TypeVar("C", bound=Content)
Fault = tuple[str, str]
"""A path such as 'answers[0].body', and what is wrong there and what to do."""

_UID = re.compile(UID_PATTERN)
_SLUG = re.compile(SLUG_PATTERN)
_PATH = re.compile(PATH_PATTERN)
_URL = re.compile(URL_PATTERN)
_DATE_LIMIT = 32
_EXTERNAL_ID_LIMIT = 200


class Gate:
    """Where the questions of one file pass: normalized, checked, and none of them twice.

    `where` joins a row's place and a path to a place that people can find.
    """

    def __init__(self, where: Callable[[str, str], str] = "{}, {}".format) -> None:
        self._where = where
        self._seen: dict[str, str] = {}

    def row(self, place: str, item: Item, *, drops: frozenset[str] = frozenset()) -> Row:
        """Return the row of `item`, or of what is wrong with it; `drops` go unchecked."""
        item = normalized(item)
        if "answers[0].body" not in drops:
            # An answer in which nothing stands is an empty form field, not an answer.
            item.answers = [answer for answer in item.answers if not _is_blank(answer)]
        found = [fault for fault in faults(item) if fault[0] not in drops]
        found += self._repeated(item)
        if found:
            (path, problem), *others = found
            also = "".join(f" Also {other}: {text}" for other, text in others[:4])
            return Row(self._where(place, path), error=problem + also)
        self._seen.update(dict.fromkeys(dict(_uids(item)).values(), place))
        return Row(place, item=item, drops=drops)

    def _repeated(self, item: Item) -> Iterator[Fault]:
        for path, uid in _uids(item):
            if uid in self._seen:
                yield (
                    path,
                    (
                        f"{uid} stands in this file already, at {self._seen[uid]}. "
                        "Remove one of the two, or its uid to make it a new one."
                    ),
                )


def problems(content: Content) -> list[str]:
    """Return what keeps `content` from being saved, as sentences; none if it may be."""
    return [f"{path}: {problem}" for path, problem in faults(content)]


def refuse_faults(content: Content) -> None:
    """Let normalized content pass.

    :raises InvalidContent: with every fault and its remedy
    """
    found = list(faults(content))
    if found:
        raise InvalidContent(found)


def faults(content: Content) -> Iterator[Fault]:
    """Yield what is wrong with normalized content. A draft may lack answers, never its stem."""
    yield from _uid("uid", content.uid)
    if content.slug is not None:
        yield from _slug("slug", content.slug)
    if not content.stem:
        yield "stem", "It is empty. Write the question."
    elif len(content.stem) > STEM_LIMIT:
        yield (
            "stem",
            (
                f"It has {len(content.stem):,} characters, the limit is {STEM_LIMIT}. "
                "Move the details into the context."
            ),
        )
    yield from _markdown("context", content.context)
    for index, tag in enumerate(content.tags):
        yield from _tag_path(f"tags[{index}]", tag)
    for index, answer in enumerate(content.answers):
        yield from _answer(f"answers[{index}]", answer)
    if len(content.options) > OPTIONS_LIMIT:
        problem = f"It has {len(content.options):,} options, the limit is {OPTIONS_LIMIT}."
        yield "options", f"{problem} Leave some out."
    for index, option in enumerate(content.options):
        yield from _option(f"options[{index}]", option)
    if isinstance(content, Item):
        for index, correction in enumerate(content.corrections):
            yield from _correction(f"corrections[{index}]", correction)
        if content.provenance is not None:
            yield from _provenance("provenance", content.provenance)
    yield from _own_repeated(content)


def tag_faults(tag: TagItem) -> Iterator[Fault]:
    """Yield what is wrong with a normalized tag."""
    yield from _uid("uid", tag.uid)
    yield from _tag_path("slug", tag.slug)
    yield from _line("name", tag.name)
    yield from _markdown("description", tag.description)


def deck_faults(deck: DeckItem) -> Iterator[Fault]:
    """Yield what is wrong with a normalized deck."""
    yield from _slug("slug", deck.slug)
    if not deck.title:
        yield "title", "It is empty. Name the deck."
    yield from _line("title", deck.title)
    yield from _markdown("description", deck.description)
    yield from _filter("filter", deck.filter)
    if len(deck.questions) > MEMBERS_LIMIT:
        yield (
            "questions",
            (
                f"It lists {len(deck.questions):,} questions, the limit is {MEMBERS_LIMIT:,}. "
                "Let the filter select them by a tag."
            ),
        )
    for index, uid in enumerate(deck.questions):
        yield from _uid(f"questions[{index}]", uid)


def is_uid(text: str) -> bool:
    """Whether a text can be a uid at all."""
    return _UID.fullmatch(text) is not None


def is_slug(text: str) -> bool:
    """Whether a text can be a slug at all: for any other no database has to be asked."""
    return len(text) <= SLUG_LIMIT and _SLUG.fullmatch(text) is not None


# --- faults of the parts -------------------------------------------------------


def _answer(path: str, answer: AnswerItem) -> Iterator[Fault]:
    yield from _uid(f"{path}.uid", answer.uid)
    yield from _line(f"{path}.label", answer.label)
    if not answer.body:
        yield f"{path}.body", "It is empty. Write the answer, or remove it with its sources."
    yield from _markdown(f"{path}.body", answer.body)
    yield from _line(f"{path}.applies_to", answer.applies_to)
    yield from _sources(path, answer.sources)


def _option(path: str, option: OptionItem) -> Iterator[Fault]:
    if not option.text:
        yield f"{path}.text", "It is empty. Write the option, or remove it."
    for name in ("text", "feedback"):
        yield from _markdown(f"{path}.{name}", getattr(option, name), OPTION_LIMIT)


def _correction(path: str, correction: CorrectionItem) -> Iterator[Fault]:
    yield from _uid(f"{path}.uid", correction.uid)
    if not correction.claim:
        yield f"{path}.claim", "It is empty. Say what was wrong."
    for name in ("claim", "explanation", "fix"):
        yield from _markdown(f"{path}.{name}", getattr(correction, name))
    yield from _uid(f"{path}.answer", correction.answer)
    yield from _line(f"{path}.credit", correction.credit)
    yield from _sources(path, correction.sources)


def _provenance(path: str, provenance: ProvenanceItem) -> Iterator[Fault]:
    if not provenance.source:
        yield f"{path}.source", "It is empty. Name the source, or leave the provenance out."
    for name in ("source", "license", "attribution"):
        yield from _line(f"{path}.{name}", getattr(provenance, name))
    yield from _line(f"{path}.date", provenance.date, _DATE_LIMIT)
    yield from _line(f"{path}.external_id", provenance.external_id or "", _EXTERNAL_ID_LIMIT)
    if provenance.url:
        yield from _url(f"{path}.url", provenance.url)


def _sources(path: str, sources: list[SourceItem]) -> Iterator[Fault]:
    for index, source in enumerate(sources):
        yield from _url(f"{path}.sources[{index}].url", source.url)
        yield from _line(f"{path}.sources[{index}].title", source.title)


def _filter(path: str, filter: DeckFilter) -> Iterator[Fault]:
    for name in ("all", "any", "none"):
        tags = getattr(filter, name)
        if len(tags) > FILTER_TAGS_LIMIT:
            yield (
                f"{path}.{name}",
                (
                    f"It names {len(tags)} tags, the limit is {FILTER_TAGS_LIMIT}. "
                    "Name the tag above several of them."
                ),
            )
        for index, tag in enumerate(tags):
            yield from _tag_path(f"{path}.{name}[{index}]", tag)
    yield from _line(f"{path}.text", filter.text, FILTER_TEXT_LIMIT)


def _uid(path: str, uid: str | None) -> Iterator[Fault]:
    if uid is not None and not _UID.fullmatch(uid):
        yield path, f"{_shown(uid)} is not a UUID. Leave the uid out to make it a new one."


def _slug(path: str, slug: str) -> Iterator[Fault]:
    if not _SLUG.fullmatch(slug):
        yield path, f"{_shown(slug)} may hold small letters a to z, digits and hyphens only."
    yield from _line(path, slug, SLUG_LIMIT)


def _tag_path(path: str, tag: str) -> Iterator[Fault]:
    if not _PATH.fullmatch(tag):
        yield (
            path,
            (
                f"{_shown(tag)} is not a tag's path: small letters a to z, digits and hyphens, "
                "with a slash below each parent, such as 'flask/basics'."
            ),
        )
    yield from _line(path, tag, SLUG_LIMIT)


def _url(path: str, url: str) -> Iterator[Fault]:
    if not _URL.fullmatch(url):
        yield (
            path,
            (
                f"{_shown(url)} is not a web address: it must begin with http:// or https:// "
                "and hold no space."
            ),
        )
    yield from _line(path, url, URL_LIMIT)


def _line(path: str, text: str, limit: int = LINE_LIMIT) -> Iterator[Fault]:
    if len(text) > limit:
        yield path, f"It has {len(text):,} characters, the limit is {limit:,}. Shorten it."


def _markdown(path: str, text: str, limit: int = ANSWER_LIMIT) -> Iterator[Fault]:
    # A character takes four bytes at most, so most texts need no encoding to be measured.
    if 4 * len(text) > limit and (size := len(text.encode())) > limit:
        yield path, f"It has {size:,} bytes, the limit is {limit:,}. Split or shorten it."


def _own_repeated(content: Content) -> Iterator[Fault]:
    places: dict[str, str] = {}
    for path, uid in _uids(content):
        if uid in places:
            yield path, f"{uid} stands in {places[uid]} already. Leave it out of one of the two."
        places.setdefault(uid, path)


def _uids(content: Content) -> Iterator[tuple[str, str]]:
    """Yield path and uid of everything in `content` that has an identity of its own."""
    if content.uid is not None:
        yield "uid", content.uid
    for index, answer in enumerate(content.answers):
        if answer.uid is not None:
            yield f"answers[{index}].uid", answer.uid
    if isinstance(content, Item):
        for index, correction in enumerate(content.corrections):
            if correction.uid is not None:
                yield f"corrections[{index}].uid", correction.uid


def _is_blank(answer: AnswerItem) -> bool:
    return not (answer.label or answer.body or answer.applies_to or answer.sources)


def _shown(text: str) -> str:
    """Return `text` in quotes, cut where it would fill the message."""
    return f"'{text}'" if len(text) <= 60 else f"'{text[:59]}…'"


# --- normal forms of the parts -------------------------------------------------

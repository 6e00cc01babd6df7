"""Content as the bank keeps it: texts normalized, identities in one form, times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

from msgspec.structs import replace

from cms.formats.item import (
    Content,
    CorrectionItem,
    DeckFilter,
    DeckItem,
    Item,
    ProvenanceItem,
    SourceItem,
    TagItem,
)
from cms.text import normalize_body, normalize_line, normalize_text
from cms.vocabulary import Difficulty

C = TypeVar("C", bound=Content)


def normalized(content: C) -> C:
    """Return `content` as the bank keeps it; what the bank holds comes out unchanged."""
    changed = replace(
        content,
        uid=_identity(content.uid),
        slug=None if content.slug is None else normalize_line(content.slug) or None,
        stem=normalize_line(content.stem),
        context=normalize_body(content.context),
        tags=list(dict.fromkeys(normalize_line(tag) for tag in content.tags)),
        answers=[
            replace(
                answer,
                uid=_identity(answer.uid),
                label=normalize_line(answer.label),
                body=normalize_body(answer.body),
                applies_to=normalize_line(answer.applies_to),
                sources=_normalized_sources(answer.sources),
            )
            for answer in content.answers
        ],
        options=[
            replace(
                option, text=normalize_body(option.text), feedback=normalize_body(option.feedback)
            )
            for option in content.options
        ],
    )
    if isinstance(changed, Item):
        changed.corrections = [_normalized_correction(each) for each in changed.corrections]
        changed.provenance = _normalized_provenance(changed.provenance)
        changed.published_at = _utc(changed.published_at)
        changed.updated_at = _utc(changed.updated_at)
    return changed


def normalized_tag(tag: TagItem) -> TagItem:
    """Return a tag as the bank keeps it."""
    return replace(
        tag,
        uid=_identity(tag.uid),
        slug=normalize_line(tag.slug),
        name=normalize_line(tag.name),
        description=normalize_body(tag.description),
    )


def normalized_deck(deck: DeckItem) -> DeckItem:
    """Return a deck as the bank keeps it."""
    return replace(
        deck,
        slug=normalize_line(deck.slug),
        title=normalize_line(deck.title),
        description=normalize_body(deck.description),
        filter=_normalized_filter(deck.filter),
        questions=list(dict.fromkeys(uid.strip().lower() for uid in deck.questions)),
    )


def _identity(text: str | None) -> str | None:
    """A uid as it is compared; an empty one is none."""
    return None if text is None else normalize_line(text).lower() or None


def _normalized_sources(sources: list[SourceItem]) -> list[SourceItem]:
    return [
        replace(source, url=normalize_text(source.url).strip(), title=normalize_line(source.title))
        for source in sources
    ]


def _normalized_correction(correction: CorrectionItem) -> CorrectionItem:
    return replace(
        correction,
        uid=_identity(correction.uid),
        claim=normalize_body(correction.claim),
        explanation=normalize_body(correction.explanation),
        fix=normalize_body(correction.fix),
        answer=_identity(correction.answer),
        credit=normalize_line(correction.credit),
        sources=_normalized_sources(correction.sources),
        decided_at=_utc(correction.decided_at),
    )


def _normalized_provenance(provenance: ProvenanceItem | None) -> ProvenanceItem | None:
    if provenance is None:
        return None
    external_id = provenance.external_id
    return replace(
        provenance,
        source=normalize_line(provenance.source),
        url=normalize_text(provenance.url).strip(),
        date=normalize_line(provenance.date),
        license=normalize_line(provenance.license),
        attribution=normalize_line(provenance.attribution),
        external_id=None if external_id is None else normalize_line(external_id),
    )


def _normalized_filter(filter: DeckFilter) -> DeckFilter:
    def paths(tags: list[str]) -> list[str]:
        return list(dict.fromkeys(normalize_line(tag) for tag in tags))

    return DeckFilter(
        all=paths(filter.all),
        any=paths(filter.any),
        none=paths(filter.none),
        difficulty=[level for level in Difficulty if level in filter.difficulty],
        text=normalize_line(filter.text),
    )


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # On the calendar's first and last day a zone leads off its edge.
        return moment.replace(tzinfo=UTC)

"""What a release changed of a question, as readers see it: kept with the release's Change."""

from collections.abc import Iterator

from cms.formats.item import Item, SourceItem

CORRECTION = "correction "
"""What begins a part that is a new erratum; its number follows."""


def changed_parts(before: Item, after: Item) -> list[str]:
    """Return the names of the parts that differ between two public texts of one question.

    They are 'stem', 'context', 'answers', 'options', 'sources', 'tags', 'difficulty',
    'address', and 'correction 3' for each erratum that is new. None of them
    holds a word of the text.
    """
    return list(_parts(before, after))


def _parts(before: Item, after: Item) -> Iterator[str]:
    for name in ("stem", "context"):
        if getattr(before, name) != getattr(after, name):
            yield name
    if _texts(before) != _texts(after):
        yield "answers"
    if before.options != after.options:
        yield "options"
    if _sources(before) != _sources(after):
        yield "sources"
    for name in ("tags", "difficulty"):
        if getattr(before, name) != getattr(after, name):
            yield name
    if before.slug != after.slug:
        yield "address"
    known = {each.number for each in before.corrections}
    for correction in after.corrections:
        if correction.number not in known:
            yield f"{CORRECTION}{correction.number}"


def _texts(item: Item) -> list[tuple[str, str, str]]:
    return [(answer.label, answer.body, answer.applies_to) for answer in item.answers]


def _sources(item: Item) -> list[SourceItem]:
    return [source for answer in item.answers for source in answer.sources]

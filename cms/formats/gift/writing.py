"""Writing GIFT: a block for each question."""

from __future__ import annotations

from collections.abc import Iterator

from cms.formats.gift.texts import escaped
from cms.formats.html import to_html
from cms.formats.item import Item, OptionItem
from cms.formats.outgoing import Export, gathered
from cms.formats.quiz import explanation_html, moodle_name, question_html, shares
from cms.formats.quiztags import categories, labels_of


def write(export: Export) -> Iterator[bytes]:
    """Write a block for each question, and one for each change of the category."""
    return gathered(_blocks(export))


def _blocks(export: Export) -> Iterator[bytes]:
    category_of = categories(export)
    current = ""
    for entry in export.entries:
        item = entry.item
        category = category_of(item)
        if category != current:
            yield f"$CATEGORY: {category}\n\n".encode()
            current = category
        yield _block(item, entry.url).encode()


def _block(item: Item, url: str) -> str:
    labels = "".join(f" [tag:{label}]" for label in labels_of(item))
    name = f"::{escaped(moodle_name(item))}::" if item.stem else ""
    text = escaped(question_html(item, _address))
    explanation = explanation_html(item, url, _address)
    feedback = f"####{escaped(explanation)}" if explanation else ""
    if item.options:
        choices = "".join(map(_choice, item.options, _marks_of(item.options)))
        feedback = f"{choices}\n\t{feedback}\n" if feedback else f"{choices}\n"
    return f"// [id:{item.uid}]{labels}\n{name}[html]{text}{{{feedback}}}\n\n"


def _marks_of(options: list[OptionItem]) -> Iterator[str]:
    """Yield what stands before each option. Without any '~' it would be a text to be typed."""
    for share in shares(options):
        plain = {"0": "~", "100": "=" if len(options) > 1 else ""}
        yield plain.get(share) or f"~%{share}%"


def _choice(option: OptionItem, mark: str) -> str:
    feedback = f"#{_html(option.feedback)}" if option.feedback else ""
    return f"\n\t{mark}{_html(option.text)}{feedback}"


def _html(markdown: str) -> str:
    return escaped(to_html(markdown, _address))


def _address(name: str) -> str:
    """Where an image is: nowhere, since a text has no files; but it is known again by its name."""
    return f"asset:{name}"

"""Writing a package: an item for each question, its images, and the manifest at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from html import escape

from cms.formats.archive import packed
from cms.formats.html import AssetAddress
from cms.formats.html import to_html as markdown_as_html
from cms.formats.item import ASSET_PATTERN, Item
from cms.formats.outgoing import Export
from cms.formats.qti.xhtml import to_xhtml
from cms.formats.quiz import explanation_html, name_of, question_html
from cms.vocabulary import Difficulty

MANIFEST = "imsmanifest.xml"
ITEM_TYPE = "imsqti_item_xmlv2p1"
# An identifier may not begin with a digit, as uids do.
UID_PREFIX = "i"
# What Canvas, too, takes for what is said whatever was answered.
ANSWER_FEEDBACK = "general_answer"
# How learning object metadata (LOM 1.0) call the difficulties.
LOM_DIFFICULTY = {
    Difficulty.easy: "easy",
    Difficulty.medium: "medium",
    Difficulty.hard: "difficult",
}

_ITEMS, _IMAGES = "items", "images"
_IMAGE = re.compile(rf'src="{_IMAGES}/({ASSET_PATTERN})"')
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"


def write(export: Export) -> Iterator[bytes]:
    """Write a zip of items; its manifest alone stays in memory."""
    return packed(_files(export))


def _files(export: Export) -> Iterator[tuple[str, bytes]]:
    def address(name: str) -> str:
        return f"{_IMAGES}/{name}" if export.asset(name) else f"asset:{name}"

    resources: list[bytes] = []
    written: set[str] = set()
    for number, entry in enumerate(export.entries, start=1):
        item = entry.item
        path = f"{_ITEMS}/{number:06}.xml"
        text = _item(item, entry.url, address)
        images = list(dict.fromkeys(_IMAGE.findall(text)))
        yield path, text.encode()
        for name in images:
            asset = export.asset(name)
            if asset is not None and name not in written:
                written.add(name)
                yield f"{_ITEMS}/{_IMAGES}/{name}", asset.data
        resources.append(_resource(item, number, path, images).encode())
    yield MANIFEST, _manifest(export, resources)


# --- the manifest ------------------------------------------------------------------


def _manifest(export: Export, resources: list[bytes]) -> bytes:
    head = (
        f"{_HEAD}"
        '<manifest xmlns="http://www.imsglobal.org/xsd/imscp_v1p1" '
        'xmlns:imsmd="http://www.imsglobal.org/xsd/imsmd_v1p2" '
        f'identifier="release-{export.bank.release}">\n'
        "<metadata><schema>QTIv2.1 Package</schema>"
        "<schemaversion>1.0.0</schemaversion></metadata>\n"
        "<organizations/>\n<resources>\n"
    )
    return b"".join([head.encode(), *resources, b"</resources>\n</manifest>\n"])


def _resource(item: Item, number: int, path: str, images: list[str]) -> str:
    files = "".join(
        f'<file href="{href}"/>'
        for href in (path, *(f"{_ITEMS}/{_IMAGES}/{name}" for name in images))
    )
    return (
        f'<resource identifier="resource-{number}" type="{ITEM_TYPE}" href="{path}">'
        f"<metadata>{_metadata(item)}</metadata>{files}</resource>\n"
    )


def _metadata(item: Item) -> str:
    keywords = "".join(f"<imsmd:keyword>{_lang(tag)}</imsmd:keyword>" for tag in item.tags)
    general = f"<imsmd:title>{_lang(name_of(item))}</imsmd:title>{keywords}"
    said = f"<imsmd:general>{general}</imsmd:general>"
    if item.difficulty:
        level = (
            f"<imsmd:source>{_lang('LOMv1.0')}</imsmd:source>"
            f"<imsmd:value>{_lang(LOM_DIFFICULTY[item.difficulty])}</imsmd:value>"
        )
        difficulty = f"<imsmd:difficulty>{level}</imsmd:difficulty>"
        said += f"<imsmd:educational>{difficulty}</imsmd:educational>"
    return f"<imsmd:lom>{said}</imsmd:lom>"


def _lang(text: str) -> str:
    return f'<imsmd:langstring xml:lang="x-none">{escape(text)}</imsmd:langstring>'


# --- an item -----------------------------------------------------------------------


def _item(item: Item, url: str, address: AssetAddress) -> str:
    text = to_xhtml(question_html(item, address))
    answer = to_xhtml(explanation_html(item, url, address))
    body = f"<div>{text}</div>"
    lines = _choice(item, body, address) if item.options else _essay(body, answer)
    if answer:
        lines += _feedback(ANSWER_FEEDBACK, answer)
    title = escape(name_of(item))
    return (
        f'{_HEAD}<assessmentItem xmlns="{_QTI}" identifier="{UID_PREFIX}{item.uid}" '
        f'title="{title}" adaptive="false" timeDependent="false">\n{lines}</assessmentItem>\n'
    )


def _essay(body: str, answer: str) -> str:
    rubric = f'<rubricBlock view="scorer"><div>{answer}</div></rubricBlock>\n' if answer else ""
    interaction = '<extendedTextInteraction responseIdentifier="RESPONSE" expectedLines="15"/>'
    return (
        '<responseDeclaration identifier="RESPONSE" cardinality="single" baseType="string"/>\n'
        f"{_OUTCOMES}"
        f"<itemBody>\n{body}\n{rubric}{interaction}\n</itemBody>\n"
        f"<responseProcessing>{_SHOW_ANSWER}</responseProcessing>\n"
    )


def _choice(item: Item, body: str, address: AssetAddress) -> str:
    html = partial(markdown_as_html, asset=address)
    right = [f"choice-{n}" for n, option in enumerate(item.options, 1) if option.correct]
    cardinality, most = ("single", 1) if len(right) == 1 else ("multiple", 0)
    values = "".join(f"<value>{identifier}</value>" for identifier in right)
    answer = f"<correctResponse>{values}</correctResponse>" if right else ""
    choices, conditions, feedback = "", "", ""
    for number, option in enumerate(item.options, start=1):
        choices += _simple_choice(number, to_xhtml(html(option.text)))
        if option.feedback:
            conditions += _shown_if(number, cardinality)
            feedback += _feedback(f"feedback-{number}", to_xhtml(html(option.feedback)))
    return (
        f'<responseDeclaration identifier="RESPONSE" cardinality="{cardinality}" '
        f'baseType="identifier">{answer}</responseDeclaration>\n'
        f"{_OUTCOMES}"
        f'<itemBody>\n{body}\n<choiceInteraction responseIdentifier="RESPONSE" shuffle="true" '
        f'maxChoices="{most}">\n{choices}</choiceInteraction>\n</itemBody>\n'
        f"<responseProcessing>{_SCORE}{conditions}{_SHOW_ANSWER}</responseProcessing>\n"
        f"{feedback}"
    )


def _simple_choice(number: int, text: str) -> str:
    return f'<simpleChoice identifier="choice-{number}">{text}</simpleChoice>\n'


def _feedback(identifier: str, text: str) -> str:
    return (
        f'<modalFeedback outcomeIdentifier="FEEDBACK" identifier="{identifier}" '
        f'showHide="show"><div>{text}</div></modalFeedback>\n'
    )


_OUTCOMES = (
    '<outcomeDeclaration identifier="SCORE" cardinality="single" baseType="float"/>\n'
    '<outcomeDeclaration identifier="FEEDBACK" cardinality="multiple" baseType="identifier"/>\n'
)
_SCORE = (
    '<responseCondition><responseIf><match><variable identifier="RESPONSE"/>'
    '<correct identifier="RESPONSE"/></match><setOutcomeValue identifier="SCORE">'
    '<baseValue baseType="float">1</baseValue></setOutcomeValue></responseIf></responseCondition>'
)


def _said(identifier: str) -> str:
    """Return what adds a feedback to those that are shown."""
    return (
        '<setOutcomeValue identifier="FEEDBACK"><multiple><variable identifier="FEEDBACK"/>'
        f'<baseValue baseType="identifier">{identifier}</baseValue></multiple></setOutcomeValue>'
    )


_SHOW_ANSWER = _said(ANSWER_FEEDBACK)


def _shown_if(number: int, cardinality: str) -> str:
    test = "match" if cardinality == "single" else "member"
    chosen = (
        f'<{test}><baseValue baseType="identifier">choice-{number}</baseValue>'
        f'<variable identifier="RESPONSE"/></{test}>'
    )
    shown = f"<responseIf>{chosen}{_said(f'feedback-{number}')}</responseIf>"
    return f"<responseCondition>{shown}</responseCondition>"

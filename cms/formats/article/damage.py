"""Damaged places in an answer's prose, lists and tables.

A warning costs an editor's time: every rule here is one that sound text does
not break. Rules look at one sentence at a time, with code and link targets
blanked out, and carry the sentence as the passage to find.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cms.formats.article import tables
from cms.formats.article.codedamage import code_damages, tag_damages
from cms.formats.article.inline import pieces, plain
from cms.formats.article.markdown import Block, Kind
from cms.formats.incoming import Damage

_LONGEST_SENTENCE = 2000
_LONGEST_PASSAGE = 240
_AROUND = 90
_FEW_WORDS = 4

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"'‘(`])")
_ITEM_MARK = re.compile(r"\A\s*+(?:[-*+]|\d{1,3}[.)])(?:\s++|$)")

_LOOK_IT_UP = "Look it up in the original and put it in."
_CONDITIONS = r"(?:operator|keyword|statement|clause|gate|condition|expression|comparison|test)s?"

# (pattern, guarded, what is missing): a guarded pattern counts only if no word
# before it in the sentence lets a clause end there ('what it is, and why').
_HOLES: tuple[tuple[re.Pattern[str], bool, str], ...] = (
    (
        re.compile(
            r"\b(?:is|are|was|were)(?:"
            r", (?:and|or|but) (?:the|a|an|its|their|our|your|we|you|they|it|this)"
            r"| (?:and|or|but) (?:we|you|they|it|he|she|the|this))\b"
        ),
        True,
        "Nothing follows the verb: a word, a value or an address is missing",
    ),
    (
        re.compile(r"(?<!\bnot )\b(?:is|are|was|were)\.$"),
        True,
        "The sentence ends without saying what: a word or a value is missing",
    ),
    (
        re.compile(r"“\s?”|‘\s?’|„\s?[“”]|«\s?»"),
        False,
        "There is nothing between the quotation marks",
    ),
    (re.compile(r"(?<=\w) \(\s*\)"), False, "There is nothing between the parentheses"),
    (
        re.compile(r"(?<!\band)(?<!\bor)(?<!\bnot)(?<!\bxor), (?:and|or)\s?[.;?)]"),
        False,
        "The last item of the enumeration is missing",
    ),
    (
        re.compile(r",\s?[,;]|,\s?\.(?![.\w/])"),
        False,
        "Something between two punctuation marks is missing",
    ),
    (
        re.compile(r"(?<!, )(?<!\band )(?<!\bor )\b(?:the|an|your|our)(?:[.,;!?](?=\s|$)| \.$)"),
        False,
        "An article or pronoun has no noun after it",
    ),
    (
        re.compile(rf"\bthe (?:is|are|was|were|of|and|or)\b(?![-'’])(?! (?:an? )?{_CONDITIONS}\b)"),
        False,
        "An article has no noun after it",
    ),
    (
        re.compile(r"\b(?:between|such as) (?:and|or)\b(?! (?:and|or)\b)|\bsuch as ?[.;]"),
        False,
        "What should be named here is missing",
    ),
    (
        re.compile(
            r"\b(?:at|to|from|in|on|of|by|with|see|visit|via|is|are|was|were) (?:,(?=\s)|\.$)"
        ),
        True,
        "A word, a link or an address before the punctuation is missing",
    ),
)
_GUARDS = re.compile(
    r"\b(?:what|how|where|who|whom|whose|which|why|when|whether|whatever|wherever|that|as|than|way"
    r"|it|he|she|they|this|these|those|there|we|you|i|one|everything|anything|nothing|all)\b",
    re.IGNORECASE,
)
# Another clause before may be what the verb leaves unsaid: 'a is not absolute, but b is.'
_CONTRAST = re.compile(r"\b(?:but|not|only|however|so|neither|nor|unlike|and|because|if)\b", re.I)
_EMPTINESS = re.compile(
    r"\b(?:empty|blank|parenthes[ie]s|brackets?|tuple|quotes?|quotation)\b", re.I
)

_TWICE = re.compile(
    r"\b(the|an|of|and|or|is|are|for|with|by|we|you|be|from|can|to) \1\b(?![-'’])", re.IGNORECASE
)
_CONJUNCTION_TWICE = re.compile(
    r"\b(when|because|while)\b(?: (?!(?:and|or|not|but)\b)[\w'’-]+){1,3} \1\b", re.IGNORECASE
)
_VERBS = re.compile(r"\b(?:is|are|has|have|was|were)\b", re.IGNORECASE)
_CONNECTORS = re.compile(
    r"[,;:()–—]|\b(?:and|or|but|which|that|who|because|so|while|if|as|when|where|than|not|to)\b",
    re.IGNORECASE,
)
_FUSED_SENTENCES = re.compile(
    r"(?<![.\w/@])[a-z]{3,}+\.(?:(?:The|It|This|In|We|You|If|When|For|These|That|Also|However|There"
    r"|They|But|So|With|Here|On|As|By) [a-z]|[A-Z][a-z]+ [A-Z][a-z]+ [a-z])"
)
_FUSED_AFTER_CODE = re.compile(
    r"[a-z] `[^`]+` (?:Below|Here|The|This|It|In|We|You|If|When|These|For|Then) (?=[a-z])"
)
_FUSED_COMMAND = re.compile(
    r"(?:pip3? install \S+|(?:from [\w.]+ )?import [\w.]+) [A-Z][a-z]+ [a-z]+"
)
# 'the get data() method': one name needs no verb before it. Code is blanked out as 'x'.
_SPLIT_NAME = re.compile(
    r"(?:\bthe|\ba|['’]s) (?:make|get|add|render|create|send|save|read|write|delete|update|is)"
    r" x{4,}+ (?:method|function)\b"
)
_IMAGE = re.compile(r"\\?\[Image(?:: [^\[\]]*+)?\\?\]")
_CUT_OFF = re.compile(
    r"\[(?:…|\.\.\.)\\?\]$|(?<!\betc)(?<!\bon)(?<!\bmore)(?<=\w)(?:…|\.\.\.)$"
    r"|\b(?:the|an|and|or|of|such as|including|because)$|,$"
)


def find_damages(title: str, blocks: Sequence[Block]) -> list[Damage]:
    """Return the damaged places of an answer in their order, and those of its title first.

    Each passage is an exact part of the Markdown of a block (of the title for
    a hole in the title), so that it can be found on the question's page.
    """
    found = [_in_title(damage) for damage in _sentence_damages(title)]
    if not blocks:
        found.append(Damage("empty", "The article has no answer here: write one."))
    for index, block in enumerate(blocks):
        if block.kind is Kind.code:
            found += code_damages(block)
            continue
        if block.kind is Kind.table and block.mended:
            found.append(_rebuilt(block))
        last = index == len(blocks) - 1
        units = _units(block)
        for unit in units:
            found += _unit_damages(unit)
        if block.kind is Kind.table:
            ends = [unit for unit in units if unit.endswith(",")]
        else:
            ends = [unit for unit in units[-1:] if last and _CUT_OFF.search(unit[-_AROUND:])]
        message = "The text breaks off here: complete it."
        found += [Damage("truncated", message, _passage(unit)) for unit in ends]
        if last and block.kind is Kind.paragraph and block.text.rstrip(" *_").endswith(":"):
            message = "What this announces is not there: add it, or reword the sentence."
            found.append(Damage("truncated", message, _passage(units[-1])))
    found += tag_damages(blocks)
    found += _flattened(title, blocks)
    return list(dict.fromkeys(found))


def _units(block: Block) -> list[str]:
    """Return what is read as text of its own: a paragraph, an item, a cell."""
    if block.kind is Kind.list:
        return [_ITEM_MARK.sub("", line, count=1).strip() for line in block.lines]
    return [cell for cell in block.lines if cell] if block.kind is Kind.table else [block.text]


def _unit_damages(text: str) -> Iterator[Damage]:
    for found in _IMAGE.finditer(text):
        message = "An image stood here: say in words what it showed, or link to it."
        yield Damage("image", message, found.group())
    command = _FUSED_COMMAND.match(text)
    if command:
        message = "A line of code runs into the text after it: put the code in a block of its own."
        yield Damage("fused", message, command.group())
    before: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        if len(sentence) > _LONGEST_SENTENCE:
            continue
        words = sentence.casefold().split()
        if words == before and len(words) > _FEW_WORDS:
            message = "This sentence stands here twice: remove one, or correct it."
            yield Damage("repeat", message, _passage(sentence))
        before = words
        yield from _sentence_damages(sentence)


def _sentence_damages(sentence: str) -> Iterator[Damage]:
    text = _blanked(sentence)
    for pattern, guarded, missing in _HOLES:
        for found in pattern.finditer(text):
            before = text[: found.start()]
            if guarded and _GUARDS.search(before):
                continue
            if found.end() == len(text) and _CONTRAST.search(before):
                continue
            if not found.group().strip(" “”‘’„«»\"'()") and _EMPTINESS.search(text):
                continue
            message = f"{missing}. {_LOOK_IT_UP}"
            yield Damage("hole", message, _passage(sentence, found.start(), found.end()))
    for pattern in (_TWICE, _CONJUNCTION_TWICE):
        for found in pattern.finditer(text):
            message = f"“{found[1]}” comes twice: a part is lost or repeated; mend the sentence."
            yield Damage("repeat", message, _passage(sentence, found.start(), found.end()))
    if _comes_back(text):
        message = "The sentence begins again in its middle: make one sentence of its two halves."
        yield Damage("repeat", message, _passage(sentence))
    for found in _SPLIT_NAME.finditer(text):
        message = "A name in code seems to have lost its underscore: write it as one word."
        yield Damage("identifier", message, _passage(sentence, found.start(), found.end()))
    fused = [*_FUSED_SENTENCES.finditer(text), *_FUSED_AFTER_CODE.finditer(sentence)]
    for found in fused:
        message = "Two sentences run into each other: put the full stop and the space between them."
        yield Damage("fused", message, _passage(sentence, found.start(), found.end()))


def _comes_back(text: str) -> bool:
    """Whether a sentence ends with the words it began with, after two verbs and no connection."""
    words = text.rstrip(" .!?").split()
    keys = [word.casefold() for word in words]
    for width in (4, 3, 2):
        middle = " ".join(words[width:-width])
        if len(words) > 2 * width + 3 and keys[:width] == keys[-width:]:
            return len(_VERBS.findall(middle)) > 1 and not _CONNECTORS.search(middle)
    return False


def _rebuilt(block: Block) -> Damage:
    message = (
        "The columns of this table were lost and have been put back: "
        "compare every row and the header with the original."
    )
    return Damage("table", message, block.text.split("\n", maxsplit=1)[0])


def _flattened(title: str, blocks: Sequence[Block]) -> Iterator[Damage]:
    """Yield a warning if a comparison is a row of fragments that no table could be made of."""
    if tables.subjects(title) is None:
        return
    fragments: list[Block] = []
    for block in [*blocks, None]:
        text = plain(block.text) if block and block.kind is Kind.paragraph else ""
        if block and text and tables.is_cell(text) and "\n" not in text:
            fragments.append(block)
            continue
        unfinished = sum(not block.text.endswith((".", "!", "?")) for block in fragments)
        if len(fragments) >= tables.FEWEST_CELLS and unfinished * 2 > len(fragments):
            message = "This looks like a table that lost its columns: make a table of it."
            yield Damage("table", message, fragments[0].text)
        fragments = []


def _blanked(sentence: str) -> str:
    """Return a sentence with code and markup as 'x', every other character in its place."""
    text = "".join(
        "x" * len(piece) if literal else piece for literal, piece in pieces(sentence, markup=True)
    )
    return text.replace("\n", " ")


def _passage(text: str, start: int = 0, end: int = 0) -> str:
    """Return the sentence, or of a long one the words around what was found."""
    if len(text) <= _LONGEST_PASSAGE:
        return text
    left = max(0, start - _AROUND)
    right = min(len(text), max(end, start) + _AROUND)
    left = text.find(" ", left, start) + 1 if left and " " in text[left:start] else left
    if right < len(text) and (space := text.rfind(" ", end, right)) > end:
        right = space
    return text[left:right]


def _in_title(damage: Damage) -> Damage:
    return Damage(damage.kind, f"In the question: {damage.message}", damage.passage)

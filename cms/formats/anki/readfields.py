"""The fields of a note of ours, as people left them in Anki: a question again."""

from __future__ import annotations

from collections.abc import Mapping

from bs4 import BeautifulSoup, Tag

from cms.formats.anki.fields import SHORT
from cms.formats.html import AssetOf, to_markdown
from cms.formats.item import AnswerItem, Item, OptionItem, SourceItem
from cms.formats.strict_json import JSONFault
from cms.text import normalize_line
from cms.vocabulary import Difficulty

# What a note can say of a question only if it has the field.
STATED_BY = {
    "Question": "stem",
    "Context": "context",
    "Options": "options",
    "Answer": "answers[0].body",
    "Further answers": "answers[1:]",
    "Applies to": "answers[0].applies_to",
    "Sources": "answers[0].sources",
    "Difficulty": "difficulty",
}


def item_of(fields: Mapping[str, str], asset: AssetOf) -> tuple[Item, frozenset[str]]:
    """Return what a note of ours says, and what it cannot say for lack of a field.

    :raises JSONFault: with the name of a field as its place
    """

    def markdown(name: str) -> str:
        return to_markdown(fields.get(name, ""), asset)

    difficulty = line_of(fields.get("Difficulty", "")).lower()
    if difficulty and difficulty not in list(Difficulty):
        raise JSONFault(f"'{difficulty}' is none of {', '.join(Difficulty)}.", "field Difficulty")
    answers = [
        AnswerItem(
            body=markdown("Answer"),
            applies_to=line_of(fields.get("Applies to", "")),
            sources=_sources_of(fields.get("Sources", "")),
        )
    ]
    if short := markdown("Short answer"):
        answers.append(AnswerItem(label=SHORT, body=short))
    answers += _further_of(fields.get("Further answers", ""), asset)
    if not (answers[0].body or answers[0].applies_to or answers[0].sources) and len(answers) == 1:
        answers = []
    number, _, content_hash = line_of(fields.get("Revision", "")).partition(" ")
    item = Item(
        uid=line_of(fields.get("UID", "")) or None,
        stem=line_of(fields.get("Question", "")),
        context=markdown("Context"),
        difficulty=Difficulty(difficulty) if difficulty else None,
        answers=answers,
        options=_options_of(fields.get("Options", ""), asset),
        revision=int(number) if number.isdecimal() and len(number) < 10 else None,
        content_hash=content_hash or None,
    )
    return item, frozenset(said for name, said in STATED_BY.items() if name not in fields)


def line_of(html: str) -> str:
    """Return HTML as one line of plain text in which backticks mark code."""
    tree = BeautifulSoup(html, "html.parser")
    for code in tree.find_all("code"):
        words = code.get_text()
        code.replace_with(words if "`" in words or not words.strip() else f"`{words}`")
    for each in tree.find_all(("br", "p", "div", "li", "tr")):
        each.insert_before(" ")
    for each in tree.find_all(("script", "style")):
        each.decompose()
    return normalize_line(tree.get_text())


def _sources_of(html: str) -> list[SourceItem]:
    sources = []
    for link in BeautifulSoup(html, "html.parser").find_all("a"):
        url, title = str(link.get("href") or ""), normalize_line(link.get_text())
        if url:
            sources.append(SourceItem(url=url, title="" if title == url else title))
    return sources


def _further_of(html: str, asset: AssetOf) -> list[AnswerItem]:
    """Return the further answers; text that an editor wrote beside them is one, too."""
    answers, loose = [], []
    for node in BeautifulSoup(html, "html.parser", preserve_whitespace_tags={"pre", "code"}):
        if not (isinstance(node, Tag) and "further" in node.get_attribute_list("class")):
            loose.append(str(node))
            continue
        label = ""
        if isinstance(first := next(node.children, None), Tag) and first.name == "h4":
            label = normalize_line(first.extract().get_text())
        answers.append(AnswerItem(label=label, body=to_markdown(node.decode_contents(), asset)))
    if rest := to_markdown("".join(loose), asset):
        answers.append(AnswerItem(body=rest))
    return [answer for answer in answers if answer.body or answer.label]


def _options_of(html: str, asset: AssetOf) -> list[OptionItem]:
    options = []
    tree = BeautifulSoup(html, "html.parser", preserve_whitespace_tags={"pre", "code"})
    for choices in tree.find_all(("ol", "ul"), recursive=False):
        for item in choices.find_all("li", recursive=False):
            why = item.find("div", class_="why", recursive=False)
            feedback = to_markdown(why.extract().decode_contents(), asset) if why else ""
            options.append(
                OptionItem(
                    text=to_markdown(item.decode_contents(), asset),
                    correct="right" in item.get_attribute_list("class"),
                    feedback=feedback,
                )
            )
    return options

"""A question as the fields of a note of ours, and such fields as a question again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape

from bs4 import BeautifulSoup, Tag

from cms.formats.anki.notetype import FIELDS
from cms.formats.html import AssetAddress, AssetOf, to_html, to_markdown
from cms.formats.item import AnswerItem, CorrectionItem, Item, OptionItem, SourceItem
from cms.formats.outgoing import Entry, Retirement
from cms.formats.strict_json import JSONFault
from cms.markup import render_inline
from cms.text import normalize_line
from cms.vocabulary import CorrectionStatus, Difficulty

SHORT = "Short"
"""The label of the further answer that has a field of its own, where it comes first of them."""

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
# Anki plays, runs or typesets these wherever they stand in a field.
_COMMANDS = ("[sound:", "[anki:", "[latex]", "[$]", "[$$]")


# --- writing ---------------------------------------------------------------------


def note_fields(entry: Entry, item: Item, asset: AssetAddress) -> list[str]:
    """Return the fields of a question, in the order of the notetype's."""

    def html(markdown: str) -> str:
        # Of a definition of a link alone nothing would be seen: it is shown as it stands.
        shown = to_html(markdown, asset, highlight=True)
        return shown if shown or not markdown else f"<p>{escape(markdown)}</p>"

    answer, *further = item.answers or [AnswerItem()]
    short = further.pop(0).body if further and further[0].label == SHORT else ""
    fields = {
        "Question": render_inline(item.stem),
        "Context": html(item.context),
        "Options": "".join(_option(option, html) for option in item.options),
        "Short answer": html(short),
        "Answer": html(answer.body),
        "Further answers": "".join(
            f'<div class="further">{_tag("h4", each.label)}{html(each.body)}</div>'
            for each in further
        ),
        "Applies to": escape(answer.applies_to),
        "Sources": _sources(answer.sources),
        "Corrections": "".join(
            _correction(each, html)
            for each in item.corrections
            if each.status == CorrectionStatus.accepted
        ),
        "Difficulty": item.difficulty or "",
        "Link": escape(entry.url),
        "UID": item.uid or "",
        "Revision": f"{'-' if item.revision is None else item.revision} {item.content_hash or ''}",
    }
    if fields["Options"]:
        fields["Options"] = f"<ol>{fields['Options']}</ol>"
    return [_inert(fields.get(name, "")) for name in FIELDS]


def retired_fields(retirement: Retirement) -> list[str]:
    """Return the fields of a question that was retired: what it asked, and why it no longer does.

    Its answer is gone, since nobody stands for it any more.
    """
    banner = f"Retired on {_day(retirement.at)}."
    if retirement.reason:
        banner += f" {normalize_line(retirement.reason)}"
    shown = escape(banner)
    if retirement.url:
        shown += f' <a href="{escape(retirement.url)}">This question stands for it now.</a>'
    fields = {
        "Question": render_inline(retirement.stem) or "A question that was taken out of the bank",
        "Link": escape(retirement.url),
        "Retired": shown,
        "UID": retirement.uid,
    }
    return [_inert(fields.get(name, "")) for name in FIELDS]


def _day(at: datetime) -> str:
    return f"{at.day} {at:%B %Y}"


def _option(option: OptionItem, html: AssetAddress) -> str:
    kind = ' class="right"' if option.correct else ""
    why = f'<div class="why">{html(option.feedback)}</div>' if option.feedback else ""
    return f"<li{kind}>{html(option.text)}{why}</li>"


def _sources(sources: list[SourceItem]) -> str:
    items = "".join(
        f'<li><a href="{escape(each.url)}">{escape(each.title or each.url)}</a></li>'
        for each in sources
    )
    return f"<ul>{items}</ul>" if items else ""


def _correction(correction: CorrectionItem, html: AssetAddress) -> str:
    fix = correction.fix or correction.explanation
    return (
        "<p><b>This answer was corrected.</b> It said:</p>"
        f"<blockquote>{html(correction.claim)}</blockquote>"
        f"{'<p>Right is:</p>' if fix else ''}{html(fix)}"
    )


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def _inert(html: str) -> str:
    """Return a field in which nothing but HTML means something; no field has Anki's separator."""
    if "[" in html:
        for command in _COMMANDS:
            html = html.replace(command, f"&#91;{command[1:]}")
    return html


# --- reading ---------------------------------------------------------------------


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

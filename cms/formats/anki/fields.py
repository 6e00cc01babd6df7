"""A question as the fields of a note of ours, and such fields as a question again."""

from __future__ import annotations

from datetime import datetime
from html import escape

from cms.formats.anki.notetype import FIELDS
from cms.formats.html import AssetAddress, to_html
from cms.formats.item import AnswerItem, CorrectionItem, Item, OptionItem, SourceItem
from cms.formats.outgoing import Entry, Retirement
from cms.markup import render_inline
from cms.text import normalize_line
from cms.vocabulary import CorrectionStatus

SHORT = "Short"
"""The label of the further answer that has a field of its own, where it comes first of them."""

# Anki plays, runs or typesets these wherever they stand in a field.
_COMMANDS = ("[sound:", "[anki:", "[latex]", "[$]", "[$$]")


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

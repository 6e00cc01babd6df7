"""Our notetype: the fields of a note, what a card shows of them, and how it looks.

Its ids are the same for ever and everywhere: Anki knows a notetype, a field and a
template by id alone, so that a renamed field is still that field, and a note that
comes again updates the one that is there. Adding, removing or reordering fields
makes every note of those who have the deck 'conflicting': do not. `CHANGED` has to
become later with every change of a name, a template or the style, or Anki keeps
the old ones; a test holds it to the rest.

The fields are what somebody who makes decks would want to move, hide or search:

- the answers that one recalls (short) and reads (whole) are fields of their own, as
  are options, so that another template can ask by them;
- the difficulty is a field, found by `Difficulty:hard`: as a tag it could be taken
  for one of the bank's;
- what identifies the question comes last, where it is in nobody's way.
"""

from __future__ import annotations

from typing import Any

from cms.formats.format import BANK_FACTS, QUESTION_FACTS

# What a note of ours says nothing about: those are the bank's own.
DROPS = (
    QUESTION_FACTS
    | BANK_FACTS
    | {
        "slug",
        "answers.uid",
        "answers[0].label",
        "answers[1:].applies_to",
        "answers[1:].sources",
        "answers.sources.accessed_on",
        "corrections",
        "provenance",
        "assets.alt",
    }
)

NAME = "Question bank"
ID = 1_700_000_000_517
CHANGED = 1_795_700_000
"""When the notetype was last changed, in seconds since the epoch."""

FIELDS = {
    "Question": 5_170_001,
    "Context": 5_170_002,
    "Options": 5_170_003,
    "Short answer": 5_170_004,
    "Answer": 5_170_005,
    "Further answers": 5_170_006,
    "Applies to": 5_170_007,
    "Sources": 5_170_008,
    "Corrections": 5_170_009,
    "Difficulty": 5_170_010,
    "Link": 5_170_011,
    "Retired": 5_170_012,
    "UID": 5_170_013,
    "Revision": 5_170_014,
}
"""The fields of a note in their order, with their ids."""

_TEMPLATE_ID = 5_170_101

_FRONT = """\
{{#Retired}}<div class="retired">{{Retired}}</div>{{/Retired}}
<div class="stem">{{Question}}</div>
{{#Context}}<div class="context">{{Context}}</div>{{/Context}}
{{#Options}}<div class="options">{{Options}}</div>{{/Options}}"""

_BACK = (
    '<div class="back">\n'
    + _FRONT
    + """
<hr id="answer">
{{#Short answer}}<div class="short">{{Short answer}}</div>{{/Short answer}}
{{#Answer}}<div class="answer">{{Answer}}</div>{{/Answer}}
{{#Applies to}}<p class="applies">Applies to {{Applies to}}</p>{{/Applies to}}
{{#Further answers}}{{Further answers}}{{/Further answers}}
{{#Corrections}}<div class="corrections">{{Corrections}}</div>{{/Corrections}}
{{#Sources}}<div class="sources">Sources: {{Sources}}</div>{{/Sources}}
{{#Link}}<p class="link"><a href="{{text:Link}}">On the web</a></p>{{/Link}}
</div>"""
)

_STYLE = """\
.card {
  --text: #1b1f24; --quiet: #57606a; --ground: #ffffff; --raised: #f3f4f6; --line: #d0d7de;
  --link: #0b5cad; --good: #116329; --warn: #8a4600;
  --k: #a0146e; --s: #0a5c36; --c: #5c6670; --n: #8a4600; --f: #0b4f9e; --d: #6639ba;
  max-width: 42rem; margin: 0 auto; padding: 0.75rem; text-align: left;
  font: 1.125rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  color: var(--text); background: var(--ground); overflow-wrap: break-word;
}
.card.nightMode, .nightMode .card {
  --text: #e6e9ed; --quiet: #a8b1bb; --ground: #1b1d20; --raised: #282b30; --line: #454b53;
  --link: #7db7ff; --good: #7ee2a0; --warn: #ffb86b;
  --k: #ff9ad5; --s: #8fe3b0; --c: #a3adb8; --n: #ffc48a; --f: #9cc8ff; --d: #d3b8ff;
}
.stem { font-size: 1.3rem; font-weight: 600; line-height: 1.35; }
.card a { color: var(--link); }
.card img { max-width: 100%; height: auto; }
.card hr { border: 0; border-top: 1px solid var(--line); margin: 1rem 0; }
.card code {
  font: 0.9em ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  background: var(--raised); border-radius: 4px; padding: 0.1em 0.3em;
}
.card pre { overflow-x: auto; background: var(--raised); border-radius: 6px; padding: 0.75rem; }
.card pre code { display: block; width: max-content; min-width: 100%; padding: 0;
  white-space: pre; background: none; }
.card table { display: block; overflow-x: auto; border-collapse: collapse; }
.card th, .card td { border: 1px solid var(--line); padding: 0.25rem 0.6rem; }
.card blockquote { margin: 0 0 0 0.25rem; padding-left: 0.75rem; border-left: 3px solid
  var(--line); color: var(--quiet); }
.short { font-weight: 600; }
.further { margin-top: 1rem; padding-top: 0.5rem; border-top: 1px solid var(--line); }
.further h4, .applies, .sources, .link, .corrections { color: var(--quiet); font-size: 0.9rem; }
.corrections, .retired { border-left: 4px solid var(--warn); background: var(--raised);
  padding: 0.5rem 0.75rem; margin: 0.75rem 0; }
.retired { color: var(--warn); font-weight: 600; }
.options li { margin: 0.35rem 0; }
.options p { margin: 0; }
.options .why { display: none; color: var(--quiet); font-size: 0.9rem; }
.back .options .why { display: block; }
.back .options .right { color: var(--good); font-weight: 600; }
.back .options .right::marker { content: "\\2713\\00a0"; }
.card .k { color: var(--k); } .card .s { color: var(--s); } .card .c { color: var(--c); }
.card .n { color: var(--n); } .card .f { color: var(--f); } .card .d { color: var(--d); }
.card .ins { color: var(--good); } .card .del { color: var(--warn); }
"""


def notetype() -> dict[str, Any]:
    """Return the notetype as a schema-11 collection has it in `col.models`."""
    return {
        "id": ID,
        "name": NAME,
        "type": 0,
        "mod": CHANGED,
        "usn": -1,
        "sortf": 0,
        "did": None,
        "tmpls": [
            {
                "name": "Question",
                "id": _TEMPLATE_ID,
                "ord": 0,
                "qfmt": _FRONT,
                "afmt": _BACK,
                "bqfmt": "",
                "bafmt": "",
                "did": None,
                "bfont": "",
                "bsize": 0,
            }
        ],
        "flds": [
            {
                "name": name,
                "id": id,
                "ord": place,
                "sticky": False,
                "rtl": False,
                "font": "Arial",
                "size": 20,
                "description": "",
                "plainText": name in {"Difficulty", "Link", "UID", "Revision"},
                "collapsed": name in {"UID", "Revision"},
                "excludeFromSearch": False,
            }
            for place, (name, id) in enumerate(FIELDS.items())
        ],
        "css": _STYLE,
        "latexPre": "\\documentclass[12pt]{article}\n\\begin{document}\n",
        "latexPost": "\\end{document}",
        "latexsvg": False,
        "req": [[0, "any", [0]]],
        "tags": [],
        "vers": [],
    }

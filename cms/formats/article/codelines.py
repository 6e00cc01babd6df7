"""Code that lost its marking: which lines of a text are code, and in which language.

A line alone can be certain ('def f(x):'), or code only beside such a line
('return x', a comment, a closing bracket). Sentences are told from code by the
small words that only sentences have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# A longer line is prose or data, and not worth the work.
_LONGEST_LINE = 1000
# So many comments and the like may stand before the first line that is certainly code.
_LONGEST_LEAD = 8

_STRING = re.compile(r"\"[^\"\n]*+\"|'[^'\n]*+'")
_COMMENT = re.compile(r"(?:(?<=\s)|^)(?:#|//).*+")
_SMALL_WORDS = re.compile(
    r"\b(?:the|an|are|to|of|this|that|will|you|your|we|our|its|it|be|by|on|at|can|which|when|then"
    r"|there|these|they|was|were|has|have|should|must|using|used|does)\b",
    re.IGNORECASE,
)

_PYTHON = re.compile(
    r"""
      from \s+ [\w.]++ \s+ import \s+ [\w(*]
    | import \s+ [a-z_][\w.]*+ (?: \s+ as \s+ \w++ )? (?: ,\s* [\w.]++ )*+ \s*+ (?:\#.*)? $
    | (?: async \s+ )? def \s+ \w++ \s*+ \(
    | class \s+ \w++ (?: \( [^()]*+ \) )? \s*+ : \s*+ $
    | @ [A-Za-z_]\w*+ (?: \.\w++ )*+ \( .*+ $
    | @ [A-Za-z_]\w*+ (?: \.\w++ )++ \s*+ $
    | >>> \s
    """,
    re.VERBOSE,
)
_COMPOUND = re.compile(
    r"""
    (?: (?:if|elif|while) \b
        (?> .*? (?: [=!<>]= | __ | \w\( | \w\.\w | \bis\ (?:not\ )?None | \bnot\ in\b ) )
      | (?:async\ )? for \s++ [\w, ()]+? \s in \s
      | (?:async\ )? with \s+ [\w.]++ \(
      | except \s+ [A-Z(]
    ) .* : \s* (?:\#.*)? $
    """,
    re.VERBOSE,
)
_ASSIGNMENT = re.compile(
    r"""
    [A-Za-z_]\w*+ (?: \.\w++ | \[ [^\[\]]*+ \] )*+
    (?: : \s* (?:int|str|float|bool|bytes|list|dict|tuple|set|Any) \b [\w\[\], .|]*+ )?
    \s*+ (?: [-+*/|&%] | // | \*\* )? = (?![=>]) \s*+ \S
    """,
    re.VERBOSE,
)
_CALL = re.compile(r"(?:await\s+)?(?P<name>[A-Za-z_][\w.]*+)\((?P<args>.*)\)\s*+;?\s*+(?:#.*)?$")
_ARGUMENTS = re.compile(r"['\"=\[\]{}_.\d]|^\s*$")
_SCRIPT = re.compile(
    r"(?:const|let|var)\s+\w++\s*+=|function\s*+\w*+\s*+\(|console\.\w++\(|(?>.*?[=(]).*;\s*+$"
)
_SQL = re.compile(
    r"SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s"
    r"|(?:CREATE|ALTER|DROP)\s+(?:TABLE|INDEX|VIEW)\s"
)
_PAIR = re.compile(r"\"[\w-]++\"\s*+:\s*+(?:[\"\d\[{-]|true\b|false\b|null\b)")
_MARKUP = re.compile(r"<(?:!doctype\b|!--|/?[A-Za-z][\w-]*+(?=[\s/>]))", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*+>")
_TAG_AND_SPACE = re.compile(r"<[^<>]*+>\s")
_TEMPLATE = re.compile(r"\{[%{#]")
_SHELL = re.compile(
    r"""
      \$ \s+ [a-z.]
    | (?:sudo\s+)?
      (?: pip3? \s+ (?:install|uninstall|freeze|download|wheel|show|list|cache|check)\b
        | (?:python3?|py) \s+ (?: -m\s+\w | [\w./-]+\.py\b )
        | git \s+ (?:clone|init|add|commit|push|pull|checkout|switch|branch|merge|log|diff|tag)\b
        | docker \s+ (?:build|run|pull|push|compose|exec|ps|images|stop)\b
        | (?:npm|yarn|pnpm) \s+ (?:install|i|run|init|start|test|ci|publish|add)\b
        | (?:apt|apt-get|brew|conda|poetry|uv|cargo)
          \s+ (?:install|update|add|build|publish|run|sync)\b
        | flask \s+ (?:run|shell|db|routes|--app)\b
        | twine \s+ (?:upload|check)\b
        | (?:curl|wget) \s+ (?:-|https?:)
        | export \s+ \w+=
        | virtualenv \s+ [\w./-]+ $
        | source \s+ [\w.-]+/
      )
    """,
    re.VERBOSE,
)

_CONTINUATION = re.compile(
    r"""
      (?: return | yield | raise | pass | break | continue | print | assert | del | await )\b
    | (?: else | try | finally | except ) \s* :
    | [)\]}]++ [)\]},;:.]*+ $
    | [({\[] $
    | (?: \"\"\" | ''' )
    | @ [A-Za-z_]\w*+ $
    | [\"'\w.]++ \s*+ [:=] \s*+ .* ,$
    | [\"'] .* [\"'] ,? $
    | /\* | \*/
    """,
    re.VERBOSE,
)
# A table's name in TOML; the lines below it are assignments.
_SECTION = re.compile(r"\[{1,2}[A-Za-z][\w.-]*+\]{1,2}$")
_REMARK = re.compile(r"(?:#|//|--\s|<!--)")
_AFTER_GAP = re.compile(
    r"""
      \# | // | /\*
    | [)\]}]++ [)\]},;:]*+ $
    | (?: pass | break | continue | else\s*: | try\s*: | finally\s*: | except\s*: ) $
    | (?: return | yield | raise ) \s (?: \S*+ $ | .* [^\w\s.,] )
    """,
    re.VERBOSE,
)
_CAPTION = re.compile(r"[A-Z][\w ]*+:$")


def prosy(line: str) -> bool:
    """Whether a line, its strings and comments set aside, has the small words of a sentence."""
    return bool(_SMALL_WORDS.search(_COMMENT.sub("", _STRING.sub("", line))))


def language_of(line: str) -> str | None:
    """Return the language of a line that is certainly code ('' if unknown), else None."""
    text = line.strip()
    if not text or len(text) > _LONGEST_LINE:
        return None
    if _MARKUP.match(text) or _TEMPLATE.match(text):
        closed = text.endswith((">", "}}", "%}"))
        # '<b> makes text bold' speaks of a tag, '<b>text' uses it.
        used = not _TAG_AND_SPACE.match(text) and not prosy(_TAG.sub(" ", text))
        return "html" if closed or used else None
    if _SQL.match(text):
        return "sql"
    if prosy(text):
        return None
    if _PYTHON.match(text) or _COMPOUND.match(text):
        return "python"
    if _SHELL.match(text):
        return None if text.endswith((".", ":")) else "bash"
    if _SCRIPT.match(text):
        return "javascript" if text.startswith(("const ", "let ", "function", "console.")) else ""
    if _ASSIGNMENT.match(text) and not text.endswith("."):
        return "python"
    call = _CALL.match(text)
    if call and (call["name"][0].islower() or _ARGUMENTS.search(call["args"])):
        return "python"
    return "" if _PAIR.match(text) else None


def continues_code(line: str) -> bool:
    """Whether a line that stands beside code belongs to it."""
    text = line.strip()
    if not text or len(text) > _LONGEST_LINE:
        return False
    if _REMARK.match(text):
        return True
    if prosy(text):
        return False
    return line[:1] in (" ", "\t") or bool(_CONTINUATION.match(text) or _SECTION.match(text))


def code_run(lines: Sequence[str], start: int, stop: int) -> tuple[int, str] | None:
    """Return (end, language) of the code that begins at `lines[start]`, None if it is prose.

    Blank lines belong to the code if code of the same language goes on after
    them. `end` is exclusive and at most `stop`.
    """
    end, language, certain = start, "", False
    index = start
    while index < stop and (certain or index < start + _LONGEST_LEAD):
        line = lines[index]
        if not line.strip():
            index += 1
            continue
        after_blank = index > end
        own = language_of(line)
        if own is not None:
            if language and own and own != language:
                break
            language, certain = language or own, True
        elif after_blank:
            # Little else than a comment is sure to belong to code above a gap.
            if not certain or prosy(line) or not _AFTER_GAP.match(line.strip()):
                break
        elif not continues_code(line) and not _enclosed(lines, index, language):
            break
        index += 1
        end = index
    if language == "python" and any(_SECTION.match(line.strip()) for line in lines[start:end]):
        language = "toml"
    return (end, language) if certain else None


def _enclosed(lines: Sequence[str], index: int, language: str) -> bool:
    """Whether a doubtful line stands right between two lines of code."""
    line = lines[index]
    if index + 1 >= len(lines) or not lines[index + 1].strip() or not language:
        return False
    if _CAPTION.match(line.strip()) or (language != "html" and prosy(line)):
        return False
    return language_of(lines[index + 1]) == language

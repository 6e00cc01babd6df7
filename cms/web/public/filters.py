"""What an address asks for: filters of lists and exports, checked."""

from __future__ import annotations

from flask import request

from cms.errors import InvalidInput
from cms.text import normalize_line
from cms.vocabulary import Difficulty

TAGS_LIMIT = 8  # tags in one selection
QUERY_LIMIT = 200  # characters of a search


def asked_query() -> str:
    """Return the words of `q`; what is too long for a search is cut."""
    return normalize_line(request.args.get("q", ""))[:QUERY_LIMIT]


def asked_tags() -> tuple[str, ...]:
    """Return the paths of `tag`, each once.

    :raises InvalidInput: when there are too many
    """
    paths = (normalize_line(value).strip("/") for value in request.args.getlist("tag"))
    tags = tuple(dict.fromkeys(filter(None, paths)))
    if len(tags) > TAGS_LIMIT:
        raise InvalidInput(f"Choose at most {TAGS_LIMIT} tags at once.", field="tag")
    return tags


def asked_difficulty() -> Difficulty | None:
    """Return the value of `difficulty`; None where it is absent or empty.

    :raises InvalidInput: when there is no such difficulty
    """
    value = request.args.get("difficulty", "")
    if value and value not in list(Difficulty):
        raise InvalidInput(
            f"There is no difficulty “{value[:40]}”. Choose {', '.join(Difficulty)}.",
            field="difficulty",
        )
    return Difficulty(value) if value else None


def asked_number(name: str, meaning: str) -> int | None:
    """Return the whole number of parameter `name`; None where it is absent or empty.

    :raises InvalidInput: when it is something else; `meaning` says what it has to be
    """
    value = request.args.get(name, "")
    if value and not (value.isascii() and value.isdigit() and len(value) < 10):
        raise InvalidInput(f"“{value[:40]}” is not {meaning}.", field=name)
    return int(value) if value else None

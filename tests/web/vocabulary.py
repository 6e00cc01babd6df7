"""The part of the schema.org vocabulary that public pages use, and a check of nodes against it.

`schemaorg.json` holds, of release 30.0: the types with those right above them,
and the properties with the types that may have them (domain) and those that
their values have to be of (range).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

_VOCABULARY = json.loads(Path(__file__).with_name("schemaorg.json").read_text())
TYPES: dict[str, list[str]] = _VOCABULARY["types"]
PROPERTIES: dict[str, dict[str, list[str]]] = _VOCABULARY["properties"]

_KEYWORDS = {"@type", "@id"}
_ADDRESS = re.compile(r"(?:https?://[^\s/]+)?/\S*")
_INPUT = re.compile(r"required name=\w+")


def faults(node: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Yield what the vocabulary does not allow: unknown words, wrong subjects, wrong values."""
    kind = node.get("@type", "")
    if kind not in TYPES:
        yield f"{place}: there is no type {kind!r}"
        return
    if "@id" in node and not _ADDRESS.fullmatch(node["@id"]):
        yield f"{place}.@id: {node['@id']!r} is no address"
    for name, value in node.items():
        if name in _KEYWORDS:
            continue
        here = f"{place}.{name}"
        if name.endswith("-input"):
            # An annotation of an action's property: what whoever acts has to fill in.
            name = name.removesuffix("-input")
            if not _INPUT.fullmatch(value):
                yield f"{here}: {value!r} annotates nothing"
            value = ""
        if name not in PROPERTIES:
            yield f"{here}: there is no such property"
            continue
        if not any(_is(kind, subject) for subject in PROPERTIES[name]["domain"]):
            yield f"{here}: {kind} does not have it"
        for each in value if isinstance(value, list) else [value]:
            yield from _value_faults(each, PROPERTIES[name]["range"], here)


def _is(kind: str, ancestor: str) -> bool:
    return kind == ancestor or any(_is(each, ancestor) for each in TYPES[kind])


def _value_faults(value: Any, wanted: list[str], place: str) -> Iterator[str]:
    if isinstance(value, dict):
        kind = value.get("@type", "")
        if kind in TYPES and not any(each in TYPES and _is(kind, each) for each in wanted):
            yield f"{place}: {kind} is none of {wanted}"
        yield from faults(value, place)
    elif not any(_fits(value, each) for each in wanted):
        yield f"{place}: {value!r} is none of {wanted}"


def _fits(value: Any, data_type: str) -> bool:
    if isinstance(value, bool):
        return data_type == "Boolean"
    if isinstance(value, int):
        return data_type in {"Integer", "Number"}
    match data_type:
        case "Text":
            return True
        case "URL":
            return bool(_ADDRESS.fullmatch(value))
        case "DateTime":
            return datetime.fromisoformat(value).tzinfo is not None
    return False

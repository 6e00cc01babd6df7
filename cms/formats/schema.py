"""The published schemas: JSON Schema (draft 2020-12) of the JSON formats, Table Schema of CSV."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from cms.formats.csv import COLUMNS
from cms.formats.item import (
    PATH_PATTERN,
    SLUG_LIMIT,
    SLUG_PATTERN,
    UID_PATTERN,
    Item,
)
from cms.formats.json import BankFile, TombstoneLine
from cms.vocabulary import Difficulty, Status


def bank_schema() -> dict[str, Any]:
    """Return the schema that a JSON export and each line of a JSONL export fulfill."""
    references, definitions = msgspec.json.schema_components(
        [BankFile, Item, TombstoneLine], ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():
        definition["description"] = cleandoc(definition.get("description", ""))
        if definition.get("additionalProperties") is False:
            # The reader ignores such keys at every level.
            definition["patternProperties"] = {"^x-": {}}
    definitions["TombstoneLine"]["properties"]["withdrawn"] = {"const": True}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Question bank, version 1: a JSON export, or a line of a JSONL export",
        "anyOf": list(references),
        "$defs": definitions,
    }


# A text that begins with a hyphen has an apostrophe in front, so that no spreadsheet runs it.
_INERT = "'?"
# What each column of a CSV export holds: its type, what it means, what its cells have to be.
_CELLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "uid": (
        "string",
        "Identifies the question for good.",
        {"required": True, "unique": True, "pattern": UID_PATTERN},
    ),
    "revision": ("integer", "The revision that this row was made from.", {"minimum": 0}),
    "status": ("string", "For people: no cell sets a status.", {"enum": [*Status]}),
    "slug": (
        "string",
        "The address of its page.",
        {"pattern": f"{_INERT}{SLUG_PATTERN}", "maxLength": SLUG_LIMIT + 1},
    ),
    "stem": ("string", "The question: plain text, backticks mark code.", {"required": True}),
    "context": ("string", "What belongs to the question, in Markdown.", {}),
    "answer": ("string", "The canonical answer, in Markdown.", {}),
    "more_answers": ("array", "Further answers, each with uid, label and body.", {}),
    "difficulty": ("string", "", {"enum": [*Difficulty]}),
    "tags": (
        "string",
        "Paths of tags, joined by semicolons.",
        {"pattern": f"{_INERT}{PATH_PATTERN}(?:;{PATH_PATTERN})*"},
    ),
    "sources": ("string", "Addresses of the canonical answer's sources, one on a line.", {}),
    "corrections": ("integer", "How many there are.", {"minimum": 0}),
    "updated_at": ("datetime", "When it changed last, in UTC.", {}),
    "url": ("string", "The address of its page, where the site's own is known.", {}),
    "options": ("array", "Options, each with text, correct and feedback.", {}),
}


def table_schema() -> dict[str, Any]:
    """Return the schema that a CSV export fulfills (Table Schema, specs.frictionlessdata.io)."""
    return {
        "$schema": "https://specs.frictionlessdata.io/schemas/table-schema.json",
        "fields": [
            {"name": name, "type": kind, "description": description, "constraints": rules}
            for name, (kind, description, rules) in ((name, _CELLS[name]) for name in COLUMNS)
        ],
        "primaryKey": ["uid"],
        "missingValues": [""],
    }

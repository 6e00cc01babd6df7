"""The published JSON Schema (draft 2020-12) of the JSON formats, made from their Structs."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from cms.formats.item import Item
from cms.formats.json import BankFile, TombstoneLine


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

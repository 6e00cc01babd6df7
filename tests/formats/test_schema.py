"""The published JSON Schema describes what is written, and refuses what the reader refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from frictionless import Resource, Schema
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cms.formats import FORMATS
from cms.formats.item import Item
from cms.formats.schema import bank_schema, table_schema
from tests.formats.strategies import banks, decks, question, tags, tombstones, written

SCHEMA = Draft202012Validator(bank_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_schema_is_a_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(bank_schema())
    assert bank_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    json.dumps(bank_schema())


@given(
    bank=banks,
    tags=st.lists(tags, max_size=2),
    decks=st.lists(decks, max_size=2),
    gone=st.none() | st.lists(tombstones, max_size=2),
)
def test_every_export_and_every_line_is_valid(
    bank: list[Item], tags: Any, decks: Any, gone: Any
) -> None:
    whole = written(FORMATS["json"], bank, tags=tags, decks=decks, withdrawn=gone)
    SCHEMA.validate(json.loads(whole))
    for line in written(FORMATS["jsonl"], bank, withdrawn=gone).splitlines():
        SCHEMA.validate(json.loads(line))


def changed(**members: Any) -> Any:
    return json.loads(written(FORMATS["json"], [question()])) | members


@pytest.mark.parametrize(
    "wrong",
    [
        changed(format="quiz"),
        changed(version=2),
        changed(questions={}),
        changed(colour=1),
        changed(questions=[{"stem": ""}]),
        changed(questions=[{"stem": "x" * 501}]),
        changed(questions=[{"stem": "?", "colour": 1}]),
        changed(questions=[{"stem": "?", "uid": "7"}]),
        changed(questions=[{"stem": "?", "slug": "A B"}]),
        changed(questions=[{"stem": "?", "tags": ["a//b"]}]),
        changed(questions=[{"stem": "?", "difficulty": "impossible"}]),
        changed(questions=[{"stem": "?", "revision": -1}]),
        changed(decks=[{"slug": "d", "title": "D", "filter": {"limit": 3}}]),
        changed(decks=[{"slug": "d", "title": "D", "filter": {"any": ["A b"]}}]),
        changed(decks=[{"slug": "d", "title": "D", "filter": {"difficulty": ["nasty"]}}]),
        {"stem": "?", "answers": [{"body": 7}]},
        {"stem": "?", "answers": [{"body": "x", "sources": [{"url": "javascript:x"}]}]},
        {"uid": "01920000-0000-7000-8000-000000000001", "withdrawn": False, "release": 1},
        [],
        7,
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(wrong: Any) -> None:
    assert not SCHEMA.is_valid(wrong)


def test_keys_for_other_programs_are_allowed_at_every_level() -> None:
    SCHEMA.validate(changed(**{"x-a": 1}, questions=[{"stem": "?", "answers": [{"x-b": 1}]}]))


@given(bank=banks)
def test_every_csv_export_fulfills_its_table_schema(bank: list[Item]) -> None:
    rows = written(FORMATS["csv"], bank)
    resource = Resource(
        rows, format="csv", encoding="utf-8", schema=Schema.from_descriptor(table_schema())
    )
    report = resource.validate()
    assert report.valid, report.flatten(["rowNumber", "fieldName", "message"])

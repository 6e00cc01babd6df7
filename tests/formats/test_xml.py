"""XML from anybody: what is refused, where, and how soon."""

from __future__ import annotations

import pytest

from cms.errors import UnreadableFile
from cms.formats.xml import NODES_LIMIT, Node, parts, root_name, tree
from tests.formats.strategies import upload

ENTITIES = (
    b'<!DOCTYPE q [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>\n<q>&b;</q>'
)


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (ENTITIES, 1, "A document type is declared here"),
        (b'<q>\n<!DOCTYPE q SYSTEM "file:///etc/passwd"></q>', 2, "not well-formed"),
        (b"<q>\n&nbsp;</q>", 2, "undefined entity"),
        (b"<q>\n" + b"<a>" * 200, 2, "more than 100 deep"),
        (b"<q>\n<a>" + b"<b/>" * (NODES_LIMIT + 1) + b"</a></q>", 2, "more than 20,000 elements"),
        (b"<q>\n<a " + b"x" * 8_000_000 + b"='1'/></q>", 2, "A tag is longer than 2,000,000"),
        (b"<q><a>\n</b></q>", 2, "not well-formed XML (mismatched tag)"),
        (b"<q><a>\n\n", 3, "The file is cut off here"),
        (b"<q><a x='", 1, "The file is cut off here"),
        (b"<q><a><![CDATA[x", 1, "The file is cut off here"),
        (b"", 1, "The file is cut off here"),
        (b"<q>\xff</q>", 1, "is not UTF-8"),
        (b"<p><a/></p>", 1, "The outermost element is <p>, <q> was expected"),
    ],
)
def test_what_is_no_document_is_refused_with_its_line(data: bytes, line: int, said: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        list(parts(upload(data, "bank.xml"), "q"))
    assert said in str(caught.value)
    assert caught.value.place == f"line {line}"


def test_what_stands_before_the_damage_is_read() -> None:
    found: list[Node] = []
    with pytest.raises(UnreadableFile):
        found.extend(parts(upload(b"<q><a>1</a><a>2</a><a>3"), "q"))
    assert [each.text for each in found] == ["1", "2"]


def test_a_declared_encoding_does_not_matter_since_the_text_is_decoded_already() -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><q><a>Tee für zwei – 茶</a></q>'
    for data in (text.encode(), text.encode("utf-16")):
        (found,) = parts(upload(data), "q")
        assert found.text == "Tee für zwei – 茶"


def test_names_come_without_their_namespaces_and_text_in_order() -> None:
    root = tree(upload(b'<x:q xmlns:x="urn:q" x:a="1">one<b>two</b><c/>three</x:q>'))
    assert (root.name, root.attributes, root.text) == ("q", {"a": "1"}, "onetwothree")
    assert [each.name for each in root.elements()] == ["b", "c"]
    assert root.first("b", "none").text == ""


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <p> -->\n<q a='1'><b>", "q"),
        (b"<q", None),
        (b"<!DOCTYPE q><q>", None),
        (b"no", None),
        (b"", None),
    ],
)
def test_the_outermost_element_is_seen_in_an_opening(data: bytes, name: str | None) -> None:
    assert root_name(upload(data)) == name

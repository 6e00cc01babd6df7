"""Pages as a validator and a crawler read them: parse errors, and rules of the HTML standard."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

import html5lib
from html5lib.constants import E as MESSAGES

# What refers to an element of its own page by its id.
_REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "form", "list")
_LINKS = {"a": "href", "link": "href", "script": "src", "img": "src", "form": "action"}
_INTERACTIVE = {"a", "button", "input", "label", "select", "summary", "textarea"}
# Elements in which these children alone may stand.
_CHILDREN = {
    "ul": {"li", "script", "template"},
    "ol": {"li", "script", "template"},
    "dl": {"dt", "dd", "div"},
    "select": {"option", "optgroup", "hr"},
    "tr": {"th", "td"},
    "head": {"meta", "title", "link", "script"},
}
_PHRASING_ONLY = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "span", "button", "label"}
_BLOCKS = {
    *("p", "div", "ul", "ol", "dl", "table", "section", "article", "pre", "blockquote", "form"),
    *("details", "fieldset", "figure"),
}
# Attributes of fields, and the types of inputs that do not have them.
_NOT_OF_TYPE = {
    "autocomplete": {"button", "checkbox", "radio", "submit"},
    "maxlength": {"checkbox", "date", "datetime-local", "file", "month", "number", "radio", "time"},
}


class HtmlPage:
    """A page that was parsed as the HTML standard has it."""

    def __init__(self, text: str, address: str) -> None:
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        self.root: Element = parser.parse(text)
        self.address = address
        self._parse_errors = [
            f"line {place[0]}: {MESSAGES.get(code, code) % data}"
            for place, code, data in parser.errors
        ]
        self.elements = [each for each in self.root.iter() if isinstance(each.tag, str)]
        self.ids = [each.attrib["id"] for each in self.elements if "id" in each.attrib]

    def faults(self) -> list[str]:
        """Return what is wrong with the page as a document."""
        return [*self._parse_errors, *self._broken_rules()]

    def _broken_rules(self) -> Iterator[str]:
        for id, count in Counter(self.ids).items():
            if count > 1:
                yield f"the id {id!r} stands {count} times"
            if not id or re.search(r"\s", id):
                yield f"{id!r} is no id"
        for name in ("title", "main", "h1"):
            if (count := len(list(self.root.iter(name)))) != 1:
                yield f"there are {count} {name} elements"
        for each in self.elements:
            yield from self._faults_of(each)
        yield from self._nested(self.root, frozenset())

    def _faults_of(self, element: Element) -> Iterator[str]:
        given, name = element.attrib, element.tag
        for attribute in _REFERENCES:
            for id in given.get(attribute, "").split():
                if id not in self.ids:
                    yield f"{attribute}={id!r} leads to no element"
        if name == "img" and "alt" not in given:
            yield "an image has no alternative text"
        if name == "a" and not "".join(element.itertext()).strip() and not given.get("aria-label"):
            yield f"the link to {given.get('href')} has no name"
        if name in {"input", "select", "textarea"} and given.get("type") != "hidden":
            labels = list(self.root.iter("label"))
            named = given.get("aria-label") or given.get("aria-labelledby")
            named = named or given.get("id", "") in {each.get("for") for each in labels}
            if not named and not any(element in each.iter() for each in labels):
                yield f"the field {given.get('name')!r} has no label"
        for attribute, types in _NOT_OF_TYPE.items():
            if name == "input" and attribute in given and given.get("type") in types:
                yield f"{attribute} stands at a field of type {given['type']}"
        if name in _CHILDREN:
            for child in element:
                if isinstance(child.tag, str) and child.tag not in _CHILDREN[name]:
                    yield f"{child.tag} stands right in {name}"
        if name == "meta" and not {"charset", "name", "property", "http-equiv"} & given.keys():
            yield "a meta element says nothing"

    def _nested(self, element: Element, above: frozenset[str]) -> Iterator[str]:
        for child in element:
            name = child.tag
            if not isinstance(name, str):
                continue
            if name in _INTERACTIVE and above & {"a", "button"}:
                yield f"{name} stands in {sorted(above & {'a', 'button'})}"
            if name in _BLOCKS and (outer := above & _PHRASING_ONLY):
                yield f"{name} stands in {sorted(outer)}"
            yield from self._nested(child, above | {name})

    def links(self) -> Iterator[str]:
        """Yield every address that the page leads to or loads, those in its data too."""
        for each in self.elements:
            if address := each.attrib.get(_LINKS.get(each.tag, ""), ""):
                yield urljoin(self.address, address)
        for node in self.linked_data():
            for address in _addresses(node):
                yield urljoin(self.address, address)

    def linked_data(self) -> list[dict[str, Any]]:
        """Return the nodes of the page's JSON-LD."""
        nodes: list[dict[str, Any]] = []
        for script in self.root.iter("script"):
            if script.get("type") == "application/ld+json":
                document = json.loads(script.text or "")
                assert document["@context"] == "https://schema.org"
                nodes += document["@graph"]
        return nodes

    def loaded(self) -> list[str]:
        """Return the addresses of the page's style sheets and scripts."""
        sheets = [each.get("href", "") for each in self.root.iter("link")]
        sheets = [each for each in sheets if ".css" in each]
        scripts = [each.get("src", "") for each in self.root.iter("script") if each.get("src")]
        return [urljoin(self.address, each) for each in sheets + scripts]

    def meta(self, name: str) -> list[str]:
        """Return the contents of the meta elements of this name or property."""
        return [
            each.get("content", "")
            for each in self.root.iter("meta")
            if name in (each.get("name"), each.get("property"))
        ]

    def related(self, relation: str) -> list[str]:
        """Return the addresses of the link elements of this relation."""
        links = self.root.iter("link")
        return [each.get("href", "") for each in links if each.get("rel") == relation]


def _addresses(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _addresses(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in {"@id", "url", "contentUrl"} and isinstance(value, str):
                # An @id names a thing by a part of its page: the page has no such anchor.
                yield value.partition("#")[0] if name == "@id" else value
            else:
                yield from _addresses(value)

"""Atom feeds (RFC 4287) as text: what every feed and every entry has to have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5
from xml.etree import ElementTree as ET

from flask import Response

from cms.web.public.heads import ATOM
from cms.web.public.linkeddata import w3c

NAMESPACE = "http://www.w3.org/2005/Atom"
_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
# What XML 1.0 cannot hold, not even as a reference.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# The identifiers of entries are made in this space, so that no move to another host changes them.
_ENTRIES = UUID("5b0f4a0e-6a0c-4e0e-9d53-0e7f3c1c6a27")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `id` is an IRI that is its own for good, `html` its content."""

    id: str
    title: str
    updated: datetime
    address: str
    html: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed: its title, its own address and that of the page that it belongs to."""

    title: str
    address: str
    page: str
    author: str
    updated: datetime
    entries: Sequence[Entry]


def entry_id(*parts: str | int) -> str:
    """Return the identifier of what these parts name."""
    return uuid5(_ENTRIES, "\n".join(map(str, parts))).urn


def atom_response(feed: Feed) -> Response:
    """Return a feed as a response. Addresses in it that are relative count from its page."""
    root = ET.Element("feed", {"xmlns": NAMESPACE, "xml:lang": "en", _XML_BASE: feed.page})
    _add(root, "id", feed.address)
    _add(root, "title", feed.title)
    _add(root, "updated", w3c(feed.updated))
    _link(root, "self", ATOM, feed.address)
    _link(root, "alternate", "text/html", feed.page)
    _add(ET.SubElement(root, "author"), "name", feed.author)
    for each in feed.entries:
        entry = ET.SubElement(root, "entry")
        _add(entry, "id", each.id)
        _add(entry, "title", each.title)
        _add(entry, "updated", w3c(each.updated))
        _link(entry, "alternate", "text/html", each.address)
        _add(entry, "content", each.html, type="html")
    return xml_response(root, ATOM)


def xml_response(root: ET.Element, media_type: str) -> Response:
    """Return an XML document as a response."""
    ET.indent(root)
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(body + b"\n", content_type=f"{media_type}; charset=utf-8")


def _add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    ET.SubElement(parent, name, attributes).text = _FORBIDDEN.sub("", text)


def _link(parent: ET.Element, relation: str, media_type: str, address: str) -> None:
    ET.SubElement(parent, "link", {"rel": relation, "type": media_type, "href": address})

"""What robots and browsers are told of the site as a whole."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from flask import Response, current_app
from sqlalchemy.orm import Session

from cms.web.pages import frozen, is_addressed
from cms.web.public import page, route, text_response
from cms.web.public.addresses import absolute
from cms.web.public.atom import xml_response

ROBOTS = """\
User-agent: *
Disallow: /admin/
Disallow: /login
Disallow: /account
Disallow: /export/bank.
Disallow: /decks/*.
Allow: /decks/*/feed.atom
Disallow: /questions/?
Disallow: /questions/study?
Disallow: /questions/suggest?
Disallow: /study/interview?
"""
FROZEN_ROBOTS = """\
User-agent: *
Disallow: /export/bank.
Disallow: /decks/*.
Allow: /decks/*/feed.atom
Disallow: /questions/?
Disallow: /search/
Disallow: /study/cards/
Disallow: /study/list/
Disallow: /study/interview/draw/
"""
OPENSEARCH = "http://a9.com/-/spec/opensearch/1.1/"
OPENSEARCH_TYPE = "application/opensearchdescription+xml"
SHORT_NAME_LIMIT = 16  # characters, by OpenSearch


@route("/robots.txt")
def robots() -> Response:
    """Let robots read everything but the desk, the files and the endless lists of searches."""
    text = FROZEN_ROBOTS if frozen() else ROBOTS
    if is_addressed():
        text += f"\nSitemap: {absolute('public.sitemap')}\n"
    return text_response(text, "text/plain")


@page("/opensearch.xml")
def opensearch(_session: Session) -> Response:
    """Tell a browser how to search the bank from its address bar (OpenSearch 1.1)."""
    name = current_app.config["SITE_NAME"]
    root = ET.Element("OpenSearchDescription", {"xmlns": OPENSEARCH})
    ET.SubElement(root, "ShortName").text = name[:SHORT_NAME_LIMIT].strip()
    ET.SubElement(root, "LongName").text = name[:48].strip()
    ET.SubElement(root, "Description").text = f"Search the questions of {name}"
    ET.SubElement(root, "InputEncoding").text = "UTF-8"
    icon = absolute("static", filename="icon.svg")
    ET.SubElement(root, "Image", {"type": "image/svg+xml"}).text = icon
    template = f"{absolute('public.questions')}?q={{searchTerms}}"
    ET.SubElement(root, "Url", {"type": "text/html", "method": "get", "template": template})
    return xml_response(root, OPENSEARCH_TYPE)

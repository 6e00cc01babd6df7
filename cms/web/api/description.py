"""What the API says of itself: OpenAPI 3.1, made of the Structs that it sends."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec
from flask import Response, current_app, request

from cms.formats.item import SLUG_PATTERN, UID_PATTERN, Item
from cms.services.listing import SORTS
from cms.vocabulary import Difficulty
from cms.web.api import PAGE_LIMIT, PAGE_SIZE, PREFIX, api, views

_REF = "#/components/schemas/{name}"

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 999_999_999}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_AFTER = _parameter("after", "The place that the address in `next` names.", _TEXT)
_LIMIT = _parameter(
    "limit",
    "Rows of a page.",
    {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_SIZE},
)
_LISTED = [_AFTER, _LIMIT]
_FILTERS = [
    _parameter("q", "Words to search for, the last as the beginning of one.", _TEXT),
    _parameter(
        "tag",
        "The path of a tag, which stands for those below it. Several: all of them.",
        {"type": "array", "items": _TEXT},
    ),
    _parameter("difficulty", "One difficulty.", {"enum": [*Difficulty]}),
    _parameter("sort", "The order; a search comes by relevance.", {"enum": list(SORTS)}),
    _parameter("deck", "The slug of a deck: its questions in its order, nothing else.", _TEXT),
]

# Each address: its view, what it sends, its parameters, and what else may come of it.
_PATHS: dict[str, tuple[Any, type, list[dict[str, Any]], dict[int, str]]] = {
    "/": (views.index, views.Index, [], {}),
    "/questions": (
        views.questions,
        views.QuestionsPage,
        [*_FILTERS, *_LISTED],
        {400: "A parameter has no such value.", 404: "There is no such deck."},
    ),
    "/questions/{uid}": (
        views.question,
        Item,
        [],
        {
            301: "It was merged into the question at `Location`.",
            404: "No public question ever had this uid.",
            410: "It was withdrawn.",
        },
    ),
    "/tags": (views.tags, views.TagsPage, _LISTED, {400: "`limit` is out of its bounds."}),
    "/decks": (views.decks, views.DecksPage, _LISTED, {400: "`limit` is out of its bounds."}),
    "/decks/{slug}": (views.deck, views.DeckDocument, [], {404: "There is no such deck."}),
    "/corrections": (
        views.corrections,
        views.CorrectionsPage,
        _LISTED,
        {400: "A parameter has no such value."},
    ),
    "/changes": (
        views.changes,
        views.ChangesPage,
        [
            _parameter("since", "A release: only later ones count.", {**_NUMBER, "default": 0}),
            *_LISTED,
        ],
        {400: "A parameter has no such value."},
    ),
}
_IN_PATH = {
    "uid": {"type": "string", "pattern": f"^{UID_PATTERN}$"},
    "slug": {"type": "string", "pattern": f"^{SLUG_PATTERN}$"},
}
_PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
    },
}


def openapi_document(title: str, url: str) -> dict[str, Any]:
    """Return the description of the API of a bank; `url` is the address of its site."""
    sent = [struct for _, struct, _, _ in _PATHS.values()]
    references, schemas = msgspec.json.schema_components(sent, ref_template=_REF)
    for schema in schemas.values():
        schema["description"] = cleandoc(schema.get("description", ""))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": "1",
            "description": "The published bank, read-only. Every response carries an `ETag`; "
            "send it back as `If-None-Match`, and what has not changed is a 304.",
        },
        "servers": [{"url": f"{url}{PREFIX}"}],
        "paths": {
            path: {"get": _operation(path, *said, reference)}
            for (path, said), reference in zip(_PATHS.items(), references, strict=True)
        },
        "components": {"schemas": {**schemas, "Problem": _PROBLEM}},
    }


def _operation(
    path: str,
    view: Any,
    _struct: type,
    parameters: list[dict[str, Any]],
    others: dict[int, str],
    reference: dict[str, Any],
) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in _IN_PATH.items()
        if f"{{{name}}}" in path
    ]
    answers: dict[str, dict[str, Any]] = {
        "200": {
            "description": "It is here.",
            "content": {"application/json": {"schema": reference}},
        },
        "304": {"description": "What you have is up to date."},
    }
    for status, description in others.items():
        answers[str(status)] = {"description": description}
        if status >= 400:
            problem = {"schema": {"$ref": _REF.format(name="Problem")}}
            answers[str(status)]["content"] = {"application/problem+json": problem}
    return {
        "operationId": view.__name__,
        "summary": cleandoc(view.__doc__ or "").splitlines()[0],
        "parameters": [*in_path, *parameters],
        "responses": answers,
    }


@api.route("/openapi.json", methods=["GET"], provide_automatic_options=False)
def openapi() -> Response:
    """Describe this API."""
    document = openapi_document(current_app.config["SITE_NAME"], current_app.config["BASE_URL"])
    response = Response(
        msgspec.json.format(msgspec.json.encode(document)), mimetype="application/json"
    )
    response.add_etag()
    response.make_conditional(request)
    return response

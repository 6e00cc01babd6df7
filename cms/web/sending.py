"""Files that are made while they are asked for: written in full before the first byte goes out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO, cast

from flask import Response, current_app, request
from werkzeug.wsgi import FileWrapper

from cms.formats import Format
from cms.models import Asset
from cms.services.exporting import Head
from cms.web.keptfiles import FileReader

# Drawings have styles of their own.
IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

# Of a client that stalls the server holds some pieces: larger ones take more memory, and
# smaller ones more time.
_PIECE = 16_384


def send_file(chunks: Iterable[bytes], format: Format, name: str) -> Response:
    """Return a response that downloads what `chunks` yield as a file of this format and name."""
    return send_chunks(chunks, format.media_type, name)


def send_chunks(chunks: Iterable[bytes], media_type: str, name: str) -> Response:
    """Return a response that downloads what `chunks` yield as a file of this name.

    A slow client holds no database connection: all is read before it gets anything.
    """
    return _sent(FileReader.of(chunks), media_type, name)


def send_kept(
    file: FileReader, media_type: str, name: str, *, etag: str, modified: datetime
) -> Response:
    """Return a response that downloads a kept file, or the range of it that was asked for.

    A download that broke off goes on where it ended, as long as the file is the same.
    """
    response = _sent(file, media_type, name)
    response.set_etag(etag)
    response.last_modified = modified
    response.make_conditional(request, accept_ranges=True, complete_length=file.size)
    return response


def _sent(file: FileReader, media_type: str, name: str) -> Response:
    response = Response(FileWrapper(cast(BinaryIO, file), _PIECE), content_type=media_type)
    response.call_on_close(file.close)
    response.content_length = file.size
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def image_response(asset: Asset) -> Response:
    """Return an image of the bank; an SVG that is opened by itself may load and run nothing."""
    response = Response(asset.data, mimetype=asset.media_type)
    response.set_etag(asset.name.partition(".")[0])
    response.headers["Content-Security-Policy"] = IMAGE_POLICY
    return response


def export_head() -> Head:
    """Return what exports say of this bank."""
    return Head(current_app.config["SITE_NAME"], current_app.config["BASE_URL"])


def asked_options(format: Format) -> dict[str, bool]:
    """Read the format's own switches from the address, such as `bom=1`."""
    return {name: request.args.get(name) == "1" for name in format.options}

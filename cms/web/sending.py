"""Files that are made while they are asked for: written in full before the first byte goes out."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile

from flask import Response, current_app, request
from werkzeug.wsgi import FileWrapper

from cms.formats import Format
from cms.models import Asset
from cms.services.exporting import Head

# Drawings have styles of their own.
IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
# Bytes of a file that stay in memory while it is written; more goes to the disk.
SPOOL = 1_000_000


def send_file(chunks: Iterable[bytes], format: Format, name: str) -> Response:
    """Return a response that downloads what `chunks` yield as a file of this format and name."""
    return send_chunks(chunks, format.media_type, name)


def send_chunks(chunks: Iterable[bytes], media_type: str, name: str) -> Response:
    """Return a response that downloads what `chunks` yield as a file of this name.

    A slow client holds no database connection: all is read before it gets anything.
    """
    with ExitStack() as stack:
        spool = stack.enter_context(SpooledTemporaryFile(max_size=SPOOL))
        spool.writelines(chunks)
        size = spool.tell()
        spool.seek(0)
        response = Response(content_type=media_type)
        if size <= SPOOL:
            response.data = spool.read()
        else:
            response.response = FileWrapper(spool, 65_536)
            # From here on the file is closed with the response.
            response.call_on_close(stack.pop_all().close)
    response.content_length = size
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

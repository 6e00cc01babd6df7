"""Images of pixels, by Pillow, which is imported with the first of them.

What a file is, its bytes say; nothing of a photograph is kept that tells of its making.
"""

from __future__ import annotations

import io

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from cms.errors import InvalidInput
from cms.formats.assets import Picture, check_pixels, too_large

# How Pillow calls them. A photo of two views is 'MPO': a JPEG with a second one behind it.
_ENDINGS = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "GIF": "gif", "WEBP": "webp"}
# Where programs put the place, the time and the owner's name, as Pillow calls it.
_PRIVATE = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "photoshop"})


def raster(data: bytes) -> Picture:
    """Return a PNG, JPEG, GIF or WebP as the bank keeps it.

    :raises InvalidInput: when it is none of them, is damaged or too large
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
            check_pixels(*image.size)
            image.load()
            ending = _ENDINGS[image.format or ""]
            if getattr(image, "n_frames", 1) == 1 or image.format == "MPO":
                data = _without_private(data, image)
    except InvalidInput:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large("more pixels than can be counted safely") from None
    except UnidentifiedImageError:
        raise InvalidInput(
            "This is no image that the bank keeps. PNG, JPEG, GIF, WebP and SVG are.", field="file"
        ) from None
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to.
        raise InvalidInput(
            f"This image is damaged ({error}). Save it again.", field="file"
        ) from None
    with Image.open(io.BytesIO(data)) as kept:
        return Picture(data, ending, *kept.size)


def _without_private(data: bytes, image: Image.Image) -> bytes:
    """Return the image turned upright, without what tells of its making; its colors stay."""
    if not _PRIVATE & image.info.keys() and image.format != "MPO":
        return data
    upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
    shown = image if upright else ImageOps.exif_transpose(image)
    for name in _PRIVATE:
        shown.info.pop(name, None)
    more = {"icc_profile": image.info["icc_profile"]} if "icc_profile" in image.info else {}
    kept = io.BytesIO()
    if image.format in {"JPEG", "MPO"}:
        # 'keep' is for pixels that stand where they stood.
        quality = {"quality": "keep" if upright and image.format == "JPEG" else 92}
        shown.save(kept, "JPEG", exif=b"", **quality, **more)
    elif image.format == "WEBP":
        shown.save(kept, "WEBP", quality=92, exif=b"", **more)
    else:
        shown.save(kept, image.format, **more)
    return kept.getvalue()

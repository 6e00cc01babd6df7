"""SVG that is safe to keep and to show: drawn shapes and text, and nothing that acts or loads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from cms.errors import InvalidInput

DEPTH_LIMIT = 100  # elements inside of one another

_SVG = "http://www.w3.org/2000/svg"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"

# Elements of SVG 2 (https://www.w3.org/TR/SVG2/eltindex.html) that draw. Those that run, load,
# animate or hold other languages are not among them.
_DRAWING = (
    "circle clipPath defs desc ellipse filter g line linearGradient marker mask path pattern "
    "polygon polyline radialGradient rect stop style svg symbol text textPath title tspan use "
    "feBlend feColorMatrix feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting "
    "feDisplacementMap feDistantLight feDropShadow feFlood feFuncA feFuncB feFuncG feFuncR "
    "feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting "
    "feSpotLight feTile feTurbulence"
)
_ELEMENTS = frozenset(_DRAWING.split())
# What these hold is drawn, they themselves are not.
_WRAPPERS = frozenset({"a", "switch"})
_SAYING = (
    # Geometry and references.
    "class clipPathUnits cx cy d dx dy fr fx fy gradientTransform gradientUnits height href id "
    "lengthAdjust markerHeight markerUnits markerWidth maskContentUnits maskUnits method offset "
    "orient pathLength patternContentUnits patternTransform patternUnits points "
    "preserveAspectRatio r refX refY role rotate rx ry side spacing spreadMethod startOffset style "
    "textLength transform version viewBox width x x1 x2 y y1 y2 aria-label lang "
    # Presentation (https://www.w3.org/TR/SVG2/propidx.html).
    "alignment-baseline baseline-shift clip-path clip-rule color color-interpolation "
    "color-interpolation-filters color-rendering direction display dominant-baseline fill "
    "fill-opacity fill-rule filter flood-color flood-opacity font font-family font-size "
    "font-size-adjust font-stretch font-style font-variant font-weight image-rendering "
    "letter-spacing lighting-color marker marker-end marker-mid marker-start mask mask-type "
    "opacity overflow paint-order shape-rendering stop-color stop-opacity stroke stroke-dasharray "
    "stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity "
    "stroke-width text-anchor text-decoration text-rendering transform-origin unicode-bidi "
    "vector-effect visibility white-space word-spacing writing-mode "
    # Filters.
    "amplitude azimuth baseFrequency bias diffuseConstant divisor edgeMode elevation exponent "
    "filterUnits in in2 intercept k1 k2 k3 k4 kernelMatrix kernelUnitLength limitingConeAngle "
    "mode numOctaves operator order pointsAtX pointsAtY pointsAtZ preserveAlpha primitiveUnits "
    "radius result scale seed slope specularConstant specularExponent stdDeviation stitchTiles "
    "surfaceScale tableValues targetX targetY type values xChannelSelector yChannelSelector "
    "z"
)
_ATTRIBUTES = frozenset(_SAYING.split())
# All by which a style could load something, or hide that it does; `url(#…)` is in the file itself.
_LOADS = re.compile(
    r"\\|@import|@namespace|image(?:-set)?\s*\(|src\s*\(|url\s*\((?!\s*[\"']?#)", re.IGNORECASE
)
_LENGTH = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)(?:px)?\s*")
# What a browser makes of a drawing that says no size (CSS 2.2, 10.3.2).
_UNSAID = (300.0, 150.0)


class Drawing(NamedTuple):
    """A clean SVG and its size in CSS pixels."""

    data: bytes
    width: float
    height: float


def clean_drawing(data: bytes) -> Drawing:
    """Return an SVG without anything that runs, loads, links or declares entities.

    What is clean already stays as it is, byte for byte.

    :raises InvalidInput: when it is no SVG, declares entities, or is nested too deep
    """
    try:
        root = fromstring(data)
    except DefusedXmlException:
        raise InvalidInput(
            "This SVG declares entities, which can hide anything. Save it as plain SVG.",
            field="file",
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise InvalidInput(f"This SVG is damaged ({error}). Save it again.", field="file") from None
    if root.tag != f"{{{_SVG}}}svg":
        raise InvalidInput("This is XML, but no SVG. Choose an image.", field="file")
    [clean] = _cleaned(root, DEPTH_LIMIT)
    clean.attrib = {"xmlns": _SVG, **clean.attrib}
    clean.tail = None
    _drop_uses_of_uses(clean)
    return Drawing(tostring(clean, encoding="unicode").encode(), *_size(clean))


def _cleaned(element: Element, depth: int) -> Iterator[Element]:
    """Yield the element as it may stay, or what stays of a wrapper, or nothing."""
    if not depth:
        raise InvalidInput(
            f"This SVG has more than {DEPTH_LIMIT} elements inside of one another. "
            "Flatten its groups.",
            field="file",
        )
    namespace, _, name = element.tag.rpartition("}")
    if namespace != f"{{{_SVG}":
        return
    within = [clean for child in element for clean in _cleaned(child, depth - 1)]
    if name in _WRAPPERS:
        yield from within
    if name not in _ELEMENTS or (name == "style" and _LOADS.search(element.text or "")):
        return
    clean = Element(name, dict(_attributes(element)))
    clean.text, clean.tail = element.text, element.tail
    clean.extend(within)
    yield clean


def _attributes(element: Element) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        known = "href" if name == _XLINK_HREF else name
        if known == "href" and not value.startswith("#"):
            continue
        if (known in _ATTRIBUTES or known == _XML_SPACE) and not _LOADS.search(value):
            yield known, value


def _drop_uses_of_uses(root: Element) -> None:
    """Let a copy hold no copies: a few lines of them would draw a shape a billion times."""
    holders = {
        element.get("id")
        for element in root.iter()
        if any(inner.tag == "use" for inner in element.iter())
    }
    for element in root.iter():
        for child in list(element):
            if child.tag == "use" and child.get("href", "")[1:] in holders:
                element.remove(child)


def _size(root: Element) -> tuple[float, float]:
    """Return the width and height that a drawing says: by its attributes, else by its view."""
    view = root.get("viewBox", "").replace(",", " ").split()
    shown = [_length(each) for each in view[2:4]] if len(view) == 4 else []
    said = [_length(root.get(name, "")) for name in ("width", "height")]
    ratio = shown[0] / shown[1] if len(shown) == 2 and all(shown) else _UNSAID[0] / _UNSAID[1]
    width, height = said
    if width and height:
        return width, height
    if width or height:
        return width or height * ratio, height or width / ratio
    return (shown[0], shown[1]) if len(shown) == 2 and all(shown) else _UNSAID


def _length(value: str) -> float:
    """Return a length in pixels, 0 where it is in another unit, or none."""
    found = _LENGTH.fullmatch(value)
    return float(found[1]) if found else 0.0

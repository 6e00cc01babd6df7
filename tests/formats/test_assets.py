"""Which images are kept, what is taken out of them, and how texts name them."""

from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image

from cms.errors import InvalidInput
from cms.formats.assets import ASSET_LIMIT, MEDIA_TYPES, asset_item, asset_names, picture
from tests.formats.pictures import DRAWING, ENDINGS, declared, photo, picture_of

NAME = "0" * 64 + ".png"


def svg(inside: str, attributes: str = "") -> bytes:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f"{attributes}>{inside}</svg>"
    ).encode()


@pytest.mark.parametrize("kind", list(ENDINGS))
def test_an_image_is_what_its_bytes_say_and_stays_as_it_is(kind: str) -> None:
    data = picture_of(kind)
    found = picture(data)
    assert (found.data, found.ending) == (data, ENDINGS[kind])
    assert (found.width, found.height) == (12, 8)
    assert found.name == f"{hashlib.sha256(data).hexdigest()}.{ENDINGS[kind]}"
    assert found.media_type == MEDIA_TYPES[found.ending]


def test_an_item_carries_its_name_and_words() -> None:
    item = asset_item(picture_of(), "A blue box")
    assert item.name == picture(picture_of()).name
    assert item.alt == "A blue box"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (12, 8)), (6, (8, 12))])
def test_a_photo_is_kept_upright_without_its_place(
    kind: str, orientation: int, size: tuple[int, int]
) -> None:
    found = picture(photo(kind, orientation))
    with Image.open(io.BytesIO(found.data)) as image:
        image.load()
        assert not dict(image.getexif())
    assert (found.width, found.height) == size
    assert b"Somebody" not in found.data
    assert picture(found.data) == found


def test_an_animation_keeps_all_its_frames() -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), (shade, 0, 0)) for shade in (0, 90, 200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert picture(file.getvalue()).data == file.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no image that the bank keeps"),
        (b"%PDF-1.7", "PNG, JPEG, GIF, WebP and SVG are"),
        (b"\x89PNG\r\n\x1a\n", "no image that the bank keeps"),
        (picture_of("JPEG", (90, 90))[:-40], "damaged"),
        (bytes(ASSET_LIMIT + 1), "2,000,001 bytes, the limit is 2,000,000. Make it smaller."),
        (declared(4_001, 4_000), "4,001 × 4,000 pixels, the limit is 16,000,000"),
        (declared(16_001, 2), "16,001 × 2 pixels"),
        (declared(60_000, 60_000), "more pixels than can be counted safely"),
        (b"<svg/>", "no SVG"),
        (svg("<g>"), "damaged"),
        (svg("<g>" * 100 + "</g>" * 100), "more than 100 elements inside of one another"),
        (svg("<g>" * 200_000 + "</g>" * 200_000), "Flatten its groups"),
        (b'<!DOCTYPE svg [<!ENTITY a "aaa">]>' + svg("&a;"), "declares entities"),
        (b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + svg("&a;"), "entities"),
    ],
)
def test_what_is_no_safe_image_is_refused_with_what_to_do(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        picture(data)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("hostile", "left"),
    [
        ("<script>alert(1)</script>", ""),
        ('<rect onclick="alert(1)" width="4"/>', '<rect width="4" />'),
        ("<foreignObject><p>words</p></foreignObject>", ""),
        ('<image href="https://evil.example/a.png"/>', ""),
        ('<use xlink:href="https://evil.example/#a"/>', "<use />"),
        ('<use xlink:href="#a"/>', '<use href="#a" />'),
        ('<a href="javascript:alert(1)"><circle r="1"/></a>', '<circle r="1" />'),
        ('<rect fill="url(https://evil.example/#a)"/>', "<rect />"),
        ('<rect fill="url(#a)" id="image-1"/>', '<rect fill="url(#a)" id="image-1" />'),
        ('<rect style="fill:u\\72l(//evil.example)"/>', "<rect />"),
        ('<style>@import "//evil.example";</style>', ""),
        ("<style>.a { background: image-set('//evil.example' 1x) }</style>", ""),
        ("<style>.a { fill: red }</style>", "<style>.a { fill: red }</style>"),
        ('<set attributeName="href" to="javascript:alert(1)"/>', ""),
        ("<!-- words --><?php words ?>", ""),
        ('<html:b xmlns:html="http://www.w3.org/1999/xhtml">words</html:b>', ""),
        (
            '<g id="b"><use href="#a"/><use href="#a"/></g><g id="c"><use href="#b"/></g>',
            '<g id="b"><use href="#a" /><use href="#a" /></g><g id="c" />',
        ),
    ],
)
def test_an_svg_keeps_what_draws_and_nothing_that_runs_or_loads(hostile: str, left: str) -> None:
    data = picture(svg(hostile, 'onload="alert(1)"')).data
    begins = b'<svg xmlns="http://www.w3.org/2000/svg"'
    assert data == begins + (b">" + left.encode() + b"</svg>" if left else b" />")
    assert picture(data).data == data


def test_a_document_type_without_entities_is_left_out() -> None:
    kind = b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">\n'
    assert picture(kind + DRAWING).data == DRAWING


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="30" height="20px"', (30, 20)),
        ('viewBox="0 0 40 20"', (40, 20)),
        ('viewBox="0,0,40,20" width="100%"', (40, 20)),
        ('viewBox="0 0 40 20" width="10"', (10, 5)),
        ('width="10"', (10, 5)),
        ('width="4cm"', (300, 150)),
        ('width="0.2" height="99999999"', (1, 16_000)),
        ("", (300, 150)),
    ],
)
def test_a_drawing_has_the_size_that_a_browser_gives_it(
    attributes: str, size: tuple[int, int]
) -> None:
    found = picture(svg("<circle r='1'/>", attributes))
    assert (found.width, found.height) == size


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        (f"![a box](asset:{NAME}) and ![again](asset:{NAME})", [NAME]),
        (f"[![in a link](asset:{NAME})](https://example.org)", [NAME]),
        (f"![][a]\n\n[a]: <asset:{NAME}>", [NAME]),
        ("![](asset:0000.png) ![](https://example.org/a.png)", []),
        (f"![](asset:{NAME.replace('.png', '.exe')})", []),
        (f'{{"body":"![](asset:{NAME})"}}', [NAME]),
    ],
)
def test_a_text_names_each_image_once(text: str, names: list[str]) -> None:
    assert asset_names(text) == names


def test_a_hostile_text_is_searched_in_no_time() -> None:
    assert asset_names("asset:" * 50_000 + "asset:" + "0" * 100_000) == []

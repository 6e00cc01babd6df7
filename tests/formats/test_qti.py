"""QTI: what an item and a package are made of, packages of others, damaged ones."""

from __future__ import annotations

import pytest
from hypothesis import given

from cms.errors import UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.archive import Archive, packed
from cms.formats.incoming import Reading
from cms.formats.item import Item, OptionItem
from cms.formats.xml import Node, tree
from tests.formats.strategies import banks, question, upload, written

QTI = FORMATS["qti.zip"]

# What the 2.1 schema (imsqti_v2p1.xsd) says of the elements that are written: in which order an
# item has its parts, and what may stand in what.
PARTS = [
    *("responseDeclaration", "outcomeDeclaration", "itemBody", "responseProcessing"),
    "modalFeedback",
]
INLINE = {"a", "br", "code", "em", "img", "span", "strong", "sub", "sup"}
BLOCK = {"blockquote", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table"}
BLOCK.add("ul")
FLOW = INLINE | BLOCK
IN = {
    **dict.fromkeys(("div", "li", "td", "th", "simpleChoice", "modalFeedback"), FLOW),
    **dict.fromkeys(("a", "code", "em", "p", "span", "strong", "sub", "sup"), INLINE),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6", "pre"), INLINE),
    **dict.fromkeys(("blockquote", "rubricBlock"), BLOCK),
    "itemBody": BLOCK | {"rubricBlock", "choiceInteraction", "extendedTextInteraction"},
    "choiceInteraction": {"simpleChoice"},
    "ol": {"li"},
    "ul": {"li"},
    "table": {"thead", "tbody"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tr": {"td", "th"},
}
ATTRIBUTES = {
    "a": {"href", "label"},
    "img": {"alt", "src", "label"},
    "modalFeedback": {"outcomeIdentifier", "identifier", "showHide"},
    "rubricBlock": {"view"},
    "simpleChoice": {"identifier"},
    "choiceInteraction": {"responseIdentifier", "shuffle", "maxChoices"},
    "extendedTextInteraction": {"responseIdentifier", "expectedLines"},
}
NO_TEXT = {"itemBody", "rubricBlock", "blockquote", "choiceInteraction", "ol", "ul", "table", "tr"}


def faults(node: Node) -> list[str]:
    """Return what the schema would refuse in a body or a feedback."""
    found = [
        f"line {node.line}: <{each.name}> in <{node.name}>"
        for each in node.elements()
        if each.name not in IN.get(node.name, ())
    ]
    found += [
        f"line {node.line}: {name} of <{node.name}>"
        for name in node.attributes.keys() - ATTRIBUTES.get(node.name, set()) - {"class"}
    ]
    if node.name in NO_TEXT and any(isinstance(c, str) and c.strip() for c in node.children):
        found.append(f"line {node.line}: text in <{node.name}>")
    if node.name == "table" and not any(node.elements("tbody")):
        found.append(f"line {node.line}: a table without body")
    return found + [fault for each in node.elements() for fault in faults(each)]


def package(files: dict[str, str | bytes]) -> bytes:
    return b"".join(
        packed(
            (name, data.encode() if isinstance(data, str) else data) for name, data in files.items()
        )
    )


def items_of(data: bytes) -> list[Node]:
    archive = Archive(upload(data))
    return [tree(archive.read(name)) for name in archive.names if name.startswith("items/0")]


def read(data: bytes) -> tuple[Reading, list[Item | str]]:
    assert QTI.read is not None
    reading = QTI.read(upload(data, "bank.zip"))
    return reading, [row.item or f"{row.place}: {row.error}" for row in reading.rows]


# --- writing -----------------------------------------------------------------------


@given(bank=banks.filter(bool))
def test_items_are_what_the_schema_allows(bank: list[Item]) -> None:
    for item in items_of(written(QTI, bank)):
        names = [each.name for each in item.elements()]
        assert names == sorted(names, key=PARTS.index)
        assert item.attributes.keys() == {"identifier", "title", "adaptive", "timeDependent"}
        assert item.attributes["identifier"][0] == "i"
        assert faults(item.first("itemBody")) == []
        assert [fault for each in item.elements("modalFeedback") for fault in faults(each)] == []


def test_markdown_that_html_of_qti_lacks_is_said_by_classes_and_labels() -> None:
    text = '3. ~~no~~\n4. [a](http://x.example "Title")\n\n| a |\n|---|\n\nend'
    data = written(QTI, [question(context=text)])
    (item,) = items_of(data)
    assert faults(item.first("itemBody")) == []
    _, (found,) = read(data)
    assert isinstance(found, Item)
    assert found.context.startswith('3. ~~no~~\n4. [a](http://x.example "Title")')


def test_an_essay_tells_scorers_the_answer_and_a_choice_says_what_is_right() -> None:
    options = [
        OptionItem(text="Yes", correct=True, feedback="So it is."),
        OptionItem(text="No", feedback="Look again."),
        OptionItem(text="Also", correct=True),
    ]
    bank = [question(1), question(2, options=options), question(3, options=options[:2])]
    essay, several, single = items_of(written(QTI, bank))
    body = essay.first("itemBody")
    assert [each.name for each in body.elements()][-1] == "extendedTextInteraction"
    assert body.first("rubricBlock").attributes == {"view": "scorer"}
    assert "Number 1." in body.first("rubricBlock").text
    assert not any(essay.descendants("correctResponse"))
    right = [value.text for value in several.descendants("value")]
    assert right == ["choice-1", "choice-3"]
    for item, cardinality, most in ((several, "multiple", "0"), (single, "single", "1")):
        assert item.first("responseDeclaration").attributes["cardinality"] == cardinality
        interaction = item.first("itemBody", "choiceInteraction")
        assert interaction.attributes["maxChoices"] == most
    feedback = [each.attributes["identifier"] for each in several.elements("modalFeedback")]
    assert feedback == ["feedback-1", "feedback-2", "general_answer"]


def test_the_manifest_lists_each_item_with_its_tags_and_difficulty() -> None:
    data = written(QTI, [question(tags=["flask/basics"], difficulty="hard")])
    manifest = tree(Archive(upload(data)).read("imsmanifest.xml"))
    assert manifest.first("metadata", "schema").text == "QTIv2.1 Package"
    assert [each.name for each in manifest.elements()] == ["metadata", "organizations", "resources"]
    (resource,) = manifest.first("resources").elements()
    assert resource.attributes["type"] == "imsqti_item_xmlv2p1"
    assert resource.attributes["href"] == resource.first("file").attributes["href"]
    assert [each.text for each in resource.descendants("keyword")] == ["flask/basics"]
    assert [each.first("value").text for each in resource.descendants("difficulty")] == [
        "difficult"
    ]


# --- reading -----------------------------------------------------------------------

CHOICE = """<?xml version="1.0" encoding="UTF-8"?>
<assessmentItem xmlns="http://www.imsglobal.org/xsd/imsqti_v2p2" identifier="kettle" title="Parts">
  <responseDeclaration identifier="R" cardinality="multiple" baseType="identifier">
    <mapping defaultValue="0"><mapEntry mapKey="A" mappedValue="1"/>
    <mapEntry mapKey="B" mappedValue="-1"/></mapping>
  </responseDeclaration>
  <itemBody>
    <p>Look: <object data="img/a.png" type="image/png">a kettle</object></p>
    <choiceInteraction responseIdentifier="R" maxChoices="0">
      <prompt>What has <em>every</em> kettle?</prompt>
      <simpleChoice identifier="A">A spout<feedbackInline outcomeIdentifier="F" identifier="A"
        showHide="show">It pours.</feedbackInline></simpleChoice>
      <simpleChoice identifier="B"><p>A dial</p></simpleChoice>
    </choiceInteraction>
  </itemBody>
</assessmentItem>"""
ITEM = '<assessmentItem identifier="e" title="T"><itemBody>{}</itemBody></assessmentItem>'
ESSAY = ITEM.format('<p>Why?</p><extendedTextInteraction responseIdentifier="R"/>')
ORDER = ITEM.format('<p>In which order?</p><orderInteraction responseIdentifier="R"/>')


def manifest(*hrefs: str, kind: str = "imsqti_item_xmlv2p2") -> str:
    resources = "".join(f'<resource type="{kind}" href="{href}"/>' for href in hrefs)
    return (
        f'<manifest><resources>{resources}<resource type="imsqti_test_xmlv2p2" href="t.xml"/>'
        "</resources></manifest>"
    )


def test_a_package_of_another_program_is_read_in_its_order() -> None:
    listed = manifest("q/b.xml", "q/a.xml", "q/order.xml", "q/none.xml", "q/cut.xml")
    data = package(
        {
            "imsmanifest.xml": listed,
            "q/a.xml": ESSAY,
            "q/b.xml": CHOICE,
            "q/order.xml": ORDER,
            "q/cut.xml": ESSAY[:50],
        }
    )
    assert detect(upload(data)) is QTI
    reading, (choice, essay, missing, cut) = read(data)
    assert isinstance(choice, Item)
    assert isinstance(essay, Item)
    # An image cannot be part of a stem, which is the item's title then.
    assert choice.stem == "Parts"
    assert choice.context == "Look: a kettle\n\nWhat has *every* kettle?"
    assert choice.options[1:] == [OptionItem(text="A dial")]
    assert choice.options[0] == OptionItem(text="A spout", correct=True, feedback="It pours.")
    assert essay.stem == "Why?"
    assert missing == "q/none.xml: The manifest lists this file, but the package lacks it."
    assert isinstance(cut, str)
    assert cut.startswith("q/cut.xml, line 1: The file is cut off here")
    assert reading.notes == [
        "Left out: 1 of the type 'imsqti_test_xmlv2p2', which has no question by itself.",
        "q/b.xml: 'img/a.png' is left out. The package lacks it. Export it again.",
        "1 item with orderInteraction left out: that is not read here.",
    ]


def test_one_item_alone_and_a_package_without_manifest_are_read() -> None:
    assert detect(upload(ESSAY)) is QTI
    _, (alone,) = read(ESSAY.encode())
    _, (packed_alone,) = read(package({"a.xml": ESSAY, "notes.txt": "no"}))
    assert alone == packed_alone


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<quiz/>", "line 1: The outermost element is <quiz>, <assessmentItem> was expected"),
        (
            package({"imsmanifest.xml": "<manifest>"}),
            "imsmanifest.xml, line 1: The file is cut off",
        ),
        (package({"imsmanifest.xml": "<a/>"}), "imsmanifest.xml, line 1: The outermost element"),
        (
            package({"imsmanifest.xml": '<!DOCTYPE a [<!ENTITY x "y">]><manifest/>'}),
            "imsmanifest.xml, line 1: A document type is declared here",
        ),
        (package({"a.xml": "<a/>"})[:-30], "The archive is damaged"),
        (package({"../a.xml": "<a/>"}), "leads out of the archive"),
    ],
)
def test_a_damaged_package_is_refused_with_the_place(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(data)
    assert said in str(caught.value)


def test_an_item_with_choices_without_end_is_an_error() -> None:
    choices = '<simpleChoice identifier="c">x</simpleChoice>' * 300
    many = ITEM.format(f'<choiceInteraction responseIdentifier="R">{choices}</choiceInteraction>')
    _, (found,) = read(package({"a.xml": many}))
    assert found == "a.xml: It has more than 200 answers. Split the question."

"""Tables that others made: what their columns mean, and what is read by it."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from cms.errors import InvalidInput, UnreadableFile
from cms.formats import FORMATS, detect
from cms.formats.columns import Meaning, columns_of, mapping_guess, mapping_of, words_of
from cms.formats.incoming import Reading, Upload
from cms.formats.table import read, read_mapped
from tests.formats.strategies import question, upload, written

CARDS = "Front\tBack\nWhat is a?\tA.\nWhat is b?\tB.\n"


def guessed(text: str) -> str:
    return words_of(mapping_guess(columns_of(upload(text))))


def pairs(reading: Reading) -> list[tuple[str, str]]:
    return [
        (row.item.stem, row.item.answers[0].body if row.item.answers else "")
        for row in reading.rows
        if row.item
    ]


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("question,answer\nA?,B\n", "question=stem,answer=answer"),
        ("Term\tDefinition\na\tb\n", "Term=stem,Definition=answer"),
        ("Prompt,Response,Notes\na,b,c\n", "Prompt=stem,Response=answer,Notes=ignore"),
        ("Frage;Antwort;Thema\na;b;c\n", "Frage=stem,Antwort=answer,Thema=tag"),
        ("Pregunta;Respuesta;Nivel\na;b;c\n", "Pregunta=stem,Respuesta=answer,Nivel=difficulty"),
        ("Question,Réponse,Étiquettes\na,b,c\n", "Question=stem,Réponse=answer,Étiquettes=tags"),
        # Nothing tells but what stands there.
        ("What is a?\tA.\nWhat is b?\tB.\n", "1=stem,2=answer"),
        ("a,b,c\nd,e,f\n", "1=stem,2=answer,3=ignore"),
        (
            "Id,Ask,Tell\n1,What is a?,A long text.\n2,What is b?,B.\n",
            "Id=external_id,Ask=stem,Tell=answer",
        ),
        # A name that stands twice, or is a number, cannot name its column.
        ("Question,Answer,X,X\na,b,c,d\n", "Question=stem,Answer=answer,3=ignore,4=ignore"),
    ],
)
def test_what_columns_mean_is_guessed_by_their_names_and_their_shape(
    text: str, mapping: str
) -> None:
    assert guessed(text) == mapping
    assert words_of(mapping_of(mapping)) == mapping


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("words.txt", CARDS),
        ("words.txt", "What is a?\tA.\nWhat is b?\tB.\n"),
        ("words.tsv", "a,b\n"),
        ("words.csv", "a;b;c\nd;e;f\n"),
        ("words", "Antwort;Frage\nA.;Was ist a?\n"),
        ("pasted", "Ask,Tell\nWhat is a?,A.\nWhat is b?,B.\n"),
    ],
)
def test_a_table_is_known_by_its_names_its_tabs_or_its_own_name(name: str, text: str) -> None:
    assert detect(upload(text, name)) is FORMATS["table"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("stem,answer\nA?,B\n", "csv"),
        ("#separator:tab\n#html:true\na\tb\nc\td\n", None),
        ("Q 1. What is a?\n\nA, or b.\n\nQ 2. What is b?\n\nB, or c.\n", "article"),
        ("Some prose, with commas, in it.\nMore of it, without an end, here.\n", None),
    ],
)
def test_what_is_no_table_of_others_is_not_taken_for_one(text: str, name: str | None) -> None:
    assert not FORMATS["table"].detect(upload(text))
    if name:
        assert detect(upload(text)) is FORMATS[name]


def test_each_meaning_becomes_its_part_of_the_question() -> None:
    text = (
        "Nr,Category,Question,Answer,Labels,Level,Link,Secret\r\n"
        '7,"Web/HTTP",What is a?,"A,\r\nreally.","x; y z",Beginner,https://a.example/,s\r\n'
    )
    reading = read(upload(text, "sheet.csv"))
    (row,) = reading.rows
    assert row.item is not None
    item = row.item
    assert (item.stem, item.difficulty) == ("What is a?", "easy")
    assert item.tags == ["web/http", "x", "y-z"]
    (answer,) = item.answers
    assert answer.body == "A,\nreally."
    assert [source.url for source in answer.sources] == ["https://a.example/"]
    assert item.provenance is not None
    assert (item.provenance.source, item.provenance.external_id) == ("sheet", "7")
    assert "‘Question’ as the question" in reading.notes[0]
    assert reading.notes[1] == "Left out, as no meaning was given to it: Secret."
    assert "context" in row.drops
    assert not {"tags", "answers", "difficulty"} & row.drops


def test_columns_are_named_by_number_where_there_is_no_header() -> None:
    file = upload("x,What is a?,A.\ny,What is b?,B.\n")
    mapping = {"2": Meaning.stem, "3": Meaning.answer}
    assert pairs(read_mapped(file, mapping)) == [("What is a?", "A."), ("What is b?", "B.")]
    assert pairs(read_mapped(file, mapping, header=True)) == [("What is b?", "B.")]


def test_quotes_are_characters_in_a_table_that_no_spreadsheet_wrote() -> None:
    mapping = {"1": "stem", "2": "answer"}
    plain = upload('"Hi" is what?\tA "word"\nb\t"c\n')
    assert pairs(read_mapped(plain, mapping)) == [('"Hi" is what?', 'A "word"'), ("b", '"c')]
    quoted = upload('"a ""q"""\t"l\nm"\nb\tc\n')
    assert pairs(read_mapped(quoted, mapping)) == [('a "q"', "l\nm"), ("b", "c")]


def test_a_row_that_cannot_be_read_names_its_line_and_its_column() -> None:
    text = "Front,Back,Ref\nWhat is a?,A.\n,B.,https://b.example\nWhat is c?,C.,nowhere\n"
    mapping = {"Front": "stem", "Back": "answer", "Ref": "sources"}
    short, empty, bad = read_mapped(upload(text), mapping).rows
    assert short.place == "line 2"
    assert "The row has 2 cells, the first one 3" in str(short.error)
    assert (empty.place, empty.error) == ("line 3, Front", "It is empty. Write the question.")
    assert bad.place == "line 4, Ref"
    cut = upload("Front,Back\nWhat?," + "x" * 32_767 + "\n")
    (row,) = read_mapped(cut, {"Front": "stem", "Back": "answer"}).rows
    assert row.truncated
    assert row.place == "line 2, Back"


def test_a_difficulty_that_is_none_is_told_and_left_out() -> None:
    reading = read(upload("Question,Answer,Level\nA?,a,spicy\nB?,b,hard\nC?,c,spicy\n"))
    assert [row.item.difficulty for row in reading.rows if row.item] == [None, "hard", None]
    assert reading.notes[-1].startswith("The difficulty ‘spicy’ of 2 rows is none")


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("Front=answer", "No column is said to hold the question."),
        ("Front=stem,Back=stem", "2 columns are said to hold the question. Choose one."),
        ("Vorn=stem", "The table has no column 'Vorn'. It has: Front, Back."),
        ("3=stem", "The table has no column '3'."),
        ("Front", "'Front' does not say what a column means."),
        ("Front=title", "one of stem, answer, context"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_with_what_would(mapping: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_mapped(upload(CARDS), mapping_of(mapping))
    assert said in str(caught.value)
    assert caught.value.field == "columns"


def test_a_table_without_telling_names_says_how_to_name_its_columns() -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(upload("What is a?\tA.\nWhat is b?\tB.\n", "words.txt"))
    assert "Say what they mean, such as 1=stem,2=answer" in str(caught.value)


def test_what_is_written_as_two_columns_is_read_as_a_table() -> None:
    bank = [question(1, stem="What is `a`,\tb?"), question(2, answers=[])]
    bank[0].answers[0].body = "It is **a**:\n\n- one\n- two\n\n```\nx\ty\n```\n" + "\n\nMore." * 200
    data = written(FORMATS["tsv"], bank)
    first, second = data.decode().splitlines()
    assert first.startswith("What is a, b?\tIt is a: one two x y More. More.")
    assert len(first) < 520
    assert second == "What is number 2?\t"
    assert detect(Upload("bank.tsv", data)) is FORMATS["table"]
    assert [
        stem for stem, _ in pairs(read_mapped(Upload("b", data), {"1": "stem", "2": "answer"}))
    ] == [
        "What is a, b?",
        "What is number 2?",
    ]


def test_an_answer_labeled_short_is_the_short_answer() -> None:
    both = question(1)
    short = question(2).answers[0]
    short.label, short.body = "Short", "In *short*."
    both.answers.append(short)
    assert written(FORMATS["tsv"], [both]) == b"What is number 1?\tIn short.\n"


def test_a_long_table_is_read_in_bounded_memory() -> None:
    lines = io.StringIO()
    lines.write("Front,Back\r\n")
    for number in range(20_000):
        lines.write(f'"What is {number}, and why?","It follows {number - 1}."\r\n')
    file = upload(lines.getvalue())
    tracemalloc.start()
    rows = iter(read(file).rows)
    next(rows)
    _, before = tracemalloc.get_traced_memory()
    assert sum(1 for _ in rows) == 19_999
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < before + 100_000

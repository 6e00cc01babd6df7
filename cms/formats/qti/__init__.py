"""QTI 2.1: a content package, one file for each item, with a manifest that lists them.

By the information model and the bindings of IMS QTI 2.1 (2012) and IMS Content
Packaging 1.1.4. Version 2.1 because readers of it are common: importers skip
resources of version 3, whose type has another name. Items of version 2.2 are read,
too: what is read of them is spelled the same.
"""

from __future__ import annotations

from cms.formats.format import Format, Purpose
from cms.formats.qti.reading import detect, read
from cms.formats.qti.writing import write
from cms.formats.quiz import DROPS

__all__ = ["QTI"]

QTI = Format(
    name="qti.zip",
    title="QTI 2.1: a package for Canvas, TAO and their like",
    extension="qti.zip",
    media_type="application/zip",
    purpose=Purpose.teach,
    detect=detect,
    read=read,
    write=write,
    drops=DROPS,
    through_html=True,
    holds="a question bank of Canvas, TAO and their like, with its images",
    checked_with="what the 2.1 schema says of its elements; by hand, that schema and TAO's SDK",
)

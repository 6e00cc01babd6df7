"""Samples: the code in a text that is meant to be run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from cms.markup.dialect import dialect


@dataclass(frozen=True, slots=True)
class Sample:
    """A fence opened with 'python run': code, and what it has to print if that is shown.

    `line` and `output_line` say on which line of the Markdown, from 1, the
    content of each fence begins; `output_line` is 0 without an expected output.
    """

    code: str
    expected: str | None
    line: int
    output_line: int = 0

    @property
    def hash(self) -> str:
        """The SHA-256 (hex) of the code and its expected output."""
        parts = [self.code] if self.expected is None else [self.code, self.expected]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def samples(markdown: str) -> list[Sample]:
    """Return the code of a text that is meant to be run, in order.

    An 'output' fence right after a sample, in the same list or quotation, is
    what it has to print.
    """
    if "run" not in markdown:
        # Most texts hold none; parsing them all would cost a large bank minutes.
        return []
    tokens = _parser.parse(markdown)
    return [sample_at(tokens, index) for index, token in enumerate(tokens) if is_sample(token)]


def fence_info(token: Token) -> tuple[str, list[str]]:
    """Return the language of a fence in lower case, and the words after it."""
    language, *words = token.info.split() or [""]
    return language.lower(), words


def is_sample(token: Token) -> bool:
    """Whether a token is a fence of code that is meant to be run."""
    language, words = fence_info(token)
    return token.type == "fence" and language == "python" and "run" in words


def sample_at(tokens: Sequence[Token], index: int) -> Sample:
    """Return the sample whose fence is the token at `index`."""
    token, after = tokens[index], tokens[index + 1 : index + 2]
    # A fence knows on which line it opens, from 0.
    line = (token.map or [0])[0] + 2
    if after and after[0].type == "fence" and fence_info(after[0])[0] == "output":
        return Sample(token.content, after[0].content, line, (after[0].map or [0])[0] + 2)
    return Sample(token.content, None, line)


_parser = dialect()

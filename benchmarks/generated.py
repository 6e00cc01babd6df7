"""A generated bank: plausible sizes, no two texts alike, the same for the same number."""

import random
import uuid
from collections.abc import Iterator

import msgspec

from cms.formats.item import AnswerItem, BankItem, Item, SourceItem
from cms.vocabulary import Difficulty

WORDS = [
    *("route", "view", "request", "session", "cookie", "template", "extension", "config"),
    *("context", "blueprint", "server", "client", "header", "status", "deploy", "worker"),
    *("thread", "queue", "cache", "index", "query", "migration", "schema", "model", "form"),
    *("field", "token", "secret", "login", "logout", "password", "test", "fixture", "mock"),
    *("client", "error", "handler", "logging", "signal", "stream", "upload", "download", "static"),
    *("asset", "file", "path", "url", "endpoint", "method"),
]


def items(count: int, seed: int = 1) -> Iterator[Item]:
    """Yield `count` questions of about 1.5 kB with two answers, two tags and a source."""
    chance = random.Random(seed)
    for number in range(count):
        yield Item(
            uid=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            slug=f"question-{number}",
            stem=f"What does {chance.choice(WORDS)} {number} do to a {chance.choice(WORDS)}?",
            difficulty=chance.choice(list(Difficulty)),
            tags=sorted(chance.sample([f"topic/{word}" for word in WORDS[:20]], 2)),
            answers=[
                AnswerItem(
                    uid=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                    body=_prose(chance),
                    sources=[SourceItem(url=f"https://example.org/{number}", title="Reference")],
                ),
                AnswerItem(
                    uid=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
                    label="Short",
                    body=" ".join(chance.choices(WORDS, k=20)).capitalize() + ".",
                ),
            ],
        )


def bank(count: int) -> bytes:
    """Return `count` questions as a JSON bank."""
    document = {
        "format": "question-bank",
        "version": 1,
        "bank": BankItem(title="Generated"),
        "questions": list(items(count)),
    }
    return msgspec.json.encode(document)


def _prose(chance: random.Random) -> str:
    paragraphs = [" ".join(chance.choices(WORDS, k=50)).capitalize() + "." for _ in range(3)]
    code = "\n".join(f"{w} = app.{w}()" for w in chance.choices(WORDS, k=4))
    return f"{paragraphs[0]}\n\n```python\n{code}\n```\n\n- {paragraphs[1]}\n- {paragraphs[2]}"

"""Small tokenizers of every kind, trained once on a made-up corpus."""

import itertools

import pytest

from heedful.text.tokenizer import BPE, Tokenizer, Unigram

SUBJECTS = ["the old house", "a small dog", "every teacher", "our neighbour", "the young nurse"]
VERBS = ["watches", "has painted", "never forgets", "is looking for", "remembers", "doesn't like"]
OBJECTS = ["3.5 red apples", "the well-known garden", "nothing at all!", "an idea", "who else?"]
TRANSLATED = {
    "the old house": "das alte Haus",
    "a small dog": "ein kleiner Hund",
    "every teacher": "jeder Lehrer",
    "our neighbour": "unser Nachbar",
    "the young nurse": "die junge Pflegerin",
    "watches": "beobachtet",
    "has painted": "hat gemalt:",
    "never forgets": "vergisst nie",
    "is looking for": "sucht gerade",
    "remembers": "erinnert sich an",
    "doesn't like": "mag überhaupt nicht",
    "3.5 red apples": "3,5 rote Äpfel",
    "the well-known garden": "den wohlbekannten Garten",
    "nothing at all!": "gar nichts!",
    "an idea": "eine Idee",
    "who else?": "wen sonst?",
}

KINDS = {"bpe": BPE, "unigram": Unigram}
VARIANTS = [f"{kind}-{way}" for kind in KINDS for way in ("shared", "separate")]


def corpus() -> list[tuple[str, str]]:
    """150 pairs, every subject with every verb and object."""
    rows = itertools.product(SUBJECTS, VERBS, OBJECTS)
    return [(" ".join(row), " ".join(TRANSLATED[part] for part in row)) for row in rows]


def trained(variant: str) -> Tokenizer:
    kind, way = variant.split("-")
    config = KINDS[kind](vocabulary_size=290, shared=way == "shared")
    return Tokenizer.train(corpus, config, languages=["de", "zh_CN"])


@pytest.fixture(scope="session")
def tokenizers() -> dict[str, Tokenizer]:
    return {variant: trained(variant) for variant in VARIANTS}


@pytest.fixture(params=VARIANTS)
def tokenizer(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Tokenizer:
    return tokenizers[request.param]

"""What the native API reads and writes: JSON, and what stands in the address of a document.

`native` uses them, and the OpenAPI document shows them. How much is allowed is checked here too,
against `ServerLimits`.
"""

__all__ = [
    "Asked",
    "Detected",
    "DetectAsked",
    "DocumentAsked",
    "DocumentTranslated",
    "Failure",
    "Known",
    "KnownModel",
    "OneModel",
    "Shape",
    "StreamAsked",
    "Text",
    "TranslateAsked",
    "Translated",
    "Translations",
    "check_document",
    "check_texts",
    "whole",
    "within",
]

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from heedful.careful import Care
from heedful.data.glossary import Term
from heedful.request import Request
from heedful.search import Beam, Greedy, SearchConfig
from heedful.serve.batcher import How
from heedful.serve.limits import ServerLimits
from heedful.serve.models import Way
from heedful.serve.refusal import RefusalError


def whole(text: str) -> str:
    """Return a text; raises ValueError for one that is not to be written as UTF-8."""
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("it holds half a surrogate pair")
    return text


Text = Annotated[str, AfterValidator(whole)]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S"), AfterValidator(whole)]


class Shape(BaseModel):
    """Fields that are what they say; nothing is turned into another type, nothing else is taken."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


@lru_cache(256)
def _search(beam: int, length_penalty: float, n_best: int) -> SearchConfig:
    """Return a search; to make one takes longer than to look for it."""
    if beam == 1:
        return Greedy()
    return Beam(beam_size=beam, length_penalty=length_penalty, n_best=n_best)


class Asked(Shape):
    """How to translate."""

    to: str | None = None
    """The language to translate to; may be left out where the models have one alone."""
    from_: str | None = Field(None, alias="from")
    """The language of the texts."""
    model: str | None = None
    """The name of a model; the first that fits if not given."""
    beam: int | None = Field(None, ge=1)
    """Hypotheses that the search keeps; 4, or as many as are allowed, if not given; 1 is greedy."""
    length_penalty: float = Field(0.6, ge=0, le=10)
    """How much long translations are favoured."""
    alternatives: int = Field(1, ge=1)
    """So many translations of each text, the best first."""
    glossary: dict[Word, Annotated[list[Word], Field(min_length=1)]] = {}
    """Terms with their translations, of which any will do."""
    must: list[Annotated[list[Word], Field(min_length=1)]] = []
    """Words that must appear in every translation; of several forms of one, any will do."""
    never: list[Word] = []
    """Words that must not appear."""
    prefix: Text = Field("", max_length=200)
    """How every translation begins; its last word may go on, unless a space follows it."""
    protect: bool = False
    """Keep placeholders, tags, addresses and numbers as they are."""
    confidence: bool = False
    """Tell how good each translation can be expected to be, if the model knows."""

    def how(self, way: Way, limits: ServerLimits) -> How:
        """Return how to translate; raises RefusalError for more than is allowed."""
        within("beam", self.beam or 1, limits.beam)
        most = min(limits.alternatives, self.beam or limits.beam)
        within("alternatives", self.alternatives, most)
        beam = self.beam or max(limits.usual_beam, self.alternatives)
        forms = sum(len(one) for one in self.must) + len(self.never)
        within("words in must and never", forms, limits.words)
        within("terms of the glossary", sum(map(len, self.glossary.values())), limits.terms)
        return How(
            to=way.to,
            from_=way.from_,
            search=_search(beam, self.length_penalty, self.alternatives),
            care=Care(protect=self.protect),
            terms=tuple(
                Term(source.strip(), tuple(targets)) for source, targets in self.glossary.items()
            ),
            confidence=self.confidence,
        )

    def request(self, text: str) -> Request:
        """Return a text with what its translation must be like."""
        return Request(text, self.prefix, tuple(map(tuple, self.must)), tuple(self.never))


class TranslateAsked(Asked):
    """Texts to translate."""

    texts: list[Text] = Field(min_length=1)
    """The texts."""


class StreamAsked(Asked):
    """One long text to translate sentence by sentence."""

    text: Text
    """The text."""


class DetectAsked(Shape):
    """Texts whose languages are asked for."""

    texts: list[Text] = Field(min_length=1)
    """The texts."""


def _term(line: str) -> str:
    """Return a term as an address has it; raises ValueError for what is none."""
    source, _, targets = line.partition("=")
    if not source.strip() or not all(form.strip() for form in targets.split("|")):
        raise ValueError("it is not SOURCE=TARGET, or SOURCE=FORM|FORM")
    return line


class DocumentAsked(BaseModel):
    """How to translate a document; placeholders, tags, addresses and numbers are always kept."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    to: str | None = None
    """The language to translate to; may be left out where the models have one alone."""
    from_: str | None = Field(None, alias="from")
    """The language of the document."""
    model: str | None = None
    """The name of a model; the first that fits if not given."""
    beam: int | None = Field(None, ge=1)
    """Hypotheses that the search keeps; 4, or as many as are allowed, if not given; 1 is greedy."""
    length_penalty: float = Field(0.6, ge=0, le=10)
    """How much long translations are favoured."""
    glossary: list[Annotated[str, Field(max_length=400), AfterValidator(_term)]] = []
    """Terms, each `SOURCE=TARGET`, or `SOURCE=FORM|FORM` where any form will do."""

    def how(self, way: Way, limits: ServerLimits) -> How:
        """Return how to translate; raises RefusalError for more than is allowed."""
        pairs = [line.partition("=")[::2] for line in self.glossary]
        terms = [Term(a.strip(), tuple(map(str.strip, forms.split("|")))) for a, forms in pairs]
        within("terms of the glossary", sum(len(term.targets) for term in terms), limits.terms)
        asked = Asked(beam=self.beam, length_penalty=self.length_penalty, protect=True)
        return replace(asked.how(way, limits), terms=tuple(terms), align=True)


class DocumentTranslated(Shape):
    """A document's translation."""

    model: str
    """Who translated."""
    to: str | None
    """The language of the translation, if it has a name."""
    text: str
    """The translated document."""
    notes: list[str]
    """What was done and what could not be, in sentences, as `heed translate` says it."""
    kept: list[int]
    """Lines of the translated document, from 1, at which a text stays as it was."""


class Alternative(Shape):
    """One possible translation."""

    text: str
    score: float
    """What the search ranks by: higher is likelier."""


class Translated(Shape):
    """A text's translation."""

    text: str
    """The best translation."""
    alternatives: list[Alternative]
    """All that were asked for, the best first."""
    flags: list[str]
    """What was done or is wrong: see heedful.pipeline.FLAGS."""
    confidence: float | None = None
    """The chrF to expect, from 0 to 100, if it was asked for."""


class Translations(Shape):
    """The answer to texts."""

    model: str
    """Who translated."""
    to: str | None
    """The language of the translations, if it has a name."""
    translations: list[Translated]
    """One for every text, in their order."""


class Detected(Shape):
    """A language that a text may be in."""

    language: str
    probability: float
    """From 0 to 1."""


class KnownModel(Shape):
    """A model."""

    name: str
    ready: bool
    """Whether it takes requests."""
    ways: list[list[str]]
    """Every source with its target; none for a model that writes, and where `languages` say it."""
    languages: list[str]
    """Three languages or more, each of which is translated to every other."""
    writes: bool
    """Whether it goes on with texts, and does not translate."""


class OneModel(Shape):
    """A model as OpenAI's clients know it."""

    id: str
    """Its name."""
    object: Literal["model"] = "model"
    created: int = 0
    """Nobody knows when."""
    owned_by: str = "heedful"


class Known(Shape):
    """What there is."""

    models: list[KnownModel]
    missing: list[str]
    """Models that could not be loaded."""
    limits: dict[str, Any]
    """What is allowed."""
    object: Literal["list"] = "list"
    data: list[OneModel]
    """The models once more, for OpenAI's clients."""


class Failure(BaseModel):
    """Why something was not done."""

    error: str
    """A plain sentence."""


def check_texts(texts: Sequence[str], limits: ServerLimits) -> None:
    """Raise RefusalError for too many texts, and for one that is too long."""
    within("texts", len(texts), limits.texts, 413)
    for number, text in enumerate(texts, start=1):
        within(f"characters of text {number}", len(text), limits.characters, 413)


def check_document(text: str, limits: ServerLimits) -> None:
    """Raise RefusalError for a document that is too long."""
    within("characters of the document", len(text), limits.document_characters, 413)


def within(what: str, given: int, most: int, status: int = 422) -> None:
    """Raise RefusalError for more than is allowed."""
    if given > most:
        raise RefusalError(status, f"{what}: {given:,} were given and {most:,} are allowed")

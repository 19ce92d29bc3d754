"""Which models are there, which of them translates a pair of languages, and which of them write.

A pair comes in, a way goes out: a model with the languages to ask it for. The dialects ask.
"""

__all__ = ["Model", "Models", "Served", "Way", "WritingModel", "language_name"]

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar

from heedful.serve.batcher import Batcher
from heedful.serve.embedding import Embedder
from heedful.serve.refusal import RefusalError, shown
from heedful.serve.writing import Scribe

Result = TypeVar("Result")

_LISTED = 100
"""Pairs of languages that a sentence names; a model of 200 languages has 40,000."""

WAYS = 1024
"""Requests for a pair of languages whose answers are kept."""

NAMES = {
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""What languages are called; others by their code."""


def language_name(code: str) -> str:
    """Return what a language is called in English; the code, where that is not known."""
    return NAMES.get(code, code)


class Served(Protocol):
    """What lets the requests for a model share its time."""

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        ...

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        ...

    @property
    def computing(self) -> bool:
        """Whether a thread of the model is in the middle of something."""
        ...

    @property
    def pending(self) -> int:
        """Requests that have not been answered in whole."""
        ...

    def start(self) -> None:
        """Begin to work, in the running event loop."""
        ...

    def drain(self) -> None:
        """Refuse what comes from now on. Any thread may call."""
        ...

    async def stop(self) -> None:
        """End; what still waits is refused."""
        ...

    async def aside(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns that computes with the model."""
        ...


@dataclass(frozen=True, eq=False)
class Model:
    """A model that is loaded and translates; equal to itself alone."""

    name: str
    ways: tuple[tuple[str, str], ...]
    """Every source with its target; empty names where nobody said what they are."""
    batcher: Batcher
    embedder: Embedder | None = None

    @property
    def languages(self) -> list[str]:
        """Languages of which each is translated to every other; fewer than three are none.

        200 of them are 39,800 ways.
        """
        known = list(dict.fromkeys(source for source, _ in self.ways))
        others = {(a, b) for a in known for b in known if a != b}
        return known if len(known) > 2 and others == {*self.ways} else []


class WritingModel(NamedTuple):
    """A model that is loaded and writes."""

    name: str
    scribe: Scribe
    embedder: Embedder | None = None


class Way(NamedTuple):
    """A model and the languages to ask it for."""

    model: Model
    from_: str | None
    to: str | None


class Models:
    """All models of a server.

    `missing` are the names of those that could not be loaded.
    """

    def __init__(
        self,
        loaded: Sequence[Model],
        missing: Sequence[str] = (),
        writers: Sequence[WritingModel] = (),
    ) -> None:
        self.loaded, self.missing, self.writers = tuple(loaded), tuple(missing), tuple(writers)
        self.served: dict[str, Served] = {model.name: model.batcher for model in self.loaded}
        self.served |= {model.name: model.scribe for model in self.writers}
        every = [(model.name, model.embedder) for model in self.loaded]
        every += [(model.name, model.embedder) for model in self.writers]
        self.embedders = {name: one for name, one in every if one is not None}
        pairs = [pair for model in self.loaded for pair in model.ways if all(pair)]
        self.ways = tuple(dict.fromkeys(pairs))
        """Every pair of named languages that some model translates, each once."""
        self.sources = frozenset(source for source, _ in self.ways)
        self.targets = frozenset(target for _, target in self.ways)
        self.find = lru_cache(WAYS)(self._find)
        """Return the first model that fits; see `_find`."""

    @property
    def ready(self) -> bool:
        """Whether every model that is loaded takes requests."""
        return bool(self.served) and all(one.ready for one in self.served.values())

    @property
    def idle(self) -> bool:
        """Whether no model has anything to do."""
        return all(one.idle for one in self.served.values())

    @property
    def computing(self) -> bool:
        """Whether a model's thread is in the middle of something, whoever waits for it."""
        return any(one.computing for one in self.served.values())

    def drain(self) -> None:
        """Refuse all that comes from now on. Any thread may call."""
        for one in self.served.values():
            one.drain()

    def pairs(self) -> str:
        """Return those pairs in words; of many, how many languages there are."""
        if len(self.ways) <= _LISTED:
            return ", ".join(f"{a} to {b}" for a, b in self.ways)
        return (
            f"{len(self.ways):,} pairs, from {len(self.sources):,} languages to "
            f"{len(self.targets):,} (GET /languages lists them)"
        )

    def _find(
        self, to: str | None = None, from_: str | None = None, name: str | None = None
    ) -> Way:
        """Return the first model that fits; raises RefusalError, with what there is, if none does.

        `to` may be left out where a model translates to one language alone, `from_` always.
        """
        models = [model for model in self.loaded if name in (None, model.name)]
        if not models:
            raise self.unknown(name or "", [model.name for model in self.loaded], "translates")
        for model in models:
            fitting = [(a, b) for a, b in model.ways if (from_ or a, to or b) == (a, b)]
            if not fitting:
                continue
            targets = list(dict.fromkeys(b for _, b in fitting))
            if len(targets) > 1:
                listed = ", ".join(targets)
                raise RefusalError(400, f"the target language is missing; give one of {listed}")
            return Way(model, from_ or None, targets[0] or None)
        raise RefusalError(400, self._nobody(to, from_))

    def unknown(self, name: str, known: Sequence[str], does: str) -> RefusalError:
        """Return what is said of a model that is none of those that do something."""
        if not known:
            said = f"no model here {does}"
        elif name in self.served:
            said = f"the model {name} is none that {does}; known: {', '.join(known)}"
        else:
            said = f"there is no model {shown(name)} here; known: {', '.join(known)}"
        return RefusalError(404, said, param="model", code="model_not_found")

    def _nobody(self, to: str | None, from_: str | None) -> str:
        said = [f" from {shown(from_, 16)}" if from_ else "", f" to {shown(to, 16)}" if to else ""]
        pairs = self.pairs()
        offered = f"loaded are: {pairs}" if pairs else "the models loaded do not name theirs"
        return f"no model here translates{''.join(said)}; {offered}"

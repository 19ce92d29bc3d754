"""Which models are there, and which of them translates a pair of languages.

A pair comes in, a way goes out: a model with the languages to ask it for. The dialects ask.
"""

__all__ = ["Model", "Models", "Way", "language_name"]

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from heedful.serve.batcher import Batcher
from heedful.serve.refusal import RefusalError, shown

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


class Model(NamedTuple):
    """A model that is loaded."""

    name: str
    ways: tuple[tuple[str, str], ...]
    """Every source with its target; empty names where nobody said what they are."""
    batcher: Batcher


class Way(NamedTuple):
    """A model and the languages to ask it for."""

    model: Model
    from_: str | None
    to: str | None


class Models:
    """All models of a server.

    `missing` are the names of those that could not be loaded.
    """

    def __init__(self, loaded: Sequence[Model], missing: Sequence[str] = ()) -> None:
        self.loaded, self.missing = tuple(loaded), tuple(missing)
        self.find = lru_cache(WAYS)(self._find)
        """Return the first model that fits; see `_find`."""

    @property
    def ready(self) -> bool:
        """Whether every model that is loaded takes requests."""
        return bool(self.loaded) and all(model.batcher.ready for model in self.loaded)

    @property
    def idle(self) -> bool:
        """Whether no model has anything to do."""
        return all(model.batcher.idle for model in self.loaded)

    @property
    def computing(self) -> bool:
        """Whether a model's thread is in the middle of something, whoever waits for it."""
        return any(model.batcher.computing for model in self.loaded)

    def drain(self) -> None:
        """Refuse all that comes from now on. Any thread may call."""
        for model in self.loaded:
            model.batcher.drain()

    def ways(self) -> list[tuple[str, str]]:
        """Return every pair of named languages that some model translates, each once."""
        pairs = [pair for model in self.loaded for pair in model.ways if all(pair)]
        return list(dict.fromkeys(pairs))

    def _find(
        self, to: str | None = None, from_: str | None = None, name: str | None = None
    ) -> Way:
        """Return the first model that fits; raises RefusalError, with what there is, if none does.

        `to` may be left out where a model translates to one language alone, `from_` always.
        """
        models = [model for model in self.loaded if name in (None, model.name)]
        if not models:
            known = ", ".join(model.name for model in self.loaded)
            raise RefusalError(404, f"there is no model {shown(name or '')} here; known: {known}")
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

    def _nobody(self, to: str | None, from_: str | None) -> str:
        said = [f" from {shown(from_, 16)}" if from_ else "", f" to {shown(to, 16)}" if to else ""]
        pairs = ", ".join(f"{a} to {b}" for a, b in self.ways())
        offered = f"loaded are: {pairs}" if pairs else "the models loaded do not name theirs"
        return f"no model here translates{''.join(said)}; {offered}"

"""A `Translator` as the batcher's engine: sizes, translations, and the proof that it works.

`heedful.commands.serve` makes one of every model.
"""

__all__ = ["TranslatorEngine"]

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock

import torch

from heedful.careful import Care
from heedful.data.glossary import Glossary, Term
from heedful.device import cores
from heedful.errors import HeedfulError
from heedful.flowing import Feed
from heedful.request import Request
from heedful.search import Greedy
from heedful.serve.batcher import How
from heedful.serve.model_thread import CrashError
from heedful.translation import Translation
from heedful.translator import Translator

GLOSSARIES = 32
"""Glossaries that are kept for the requests to come."""

CANARY = "1, 2, 3."
"""A text that any model can do something with."""


class TranslatorEngine:
    """Translates with one translator."""

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self.lanes = torch.get_num_threads()  # one a core
        self._glossary = lru_cache(GLOSSARIES)(Glossary)
        self._at_work, self._counting = 0, Lock()

    @property
    def workers(self) -> int:
        """As many as cores where each is translated by one; else products take all cores."""
        return self.lanes if self.translator.flows else 1

    def sizes(self, texts: Sequence[str], how: How) -> list[int]:
        """Return the number of source pieces of every text."""
        try:
            tag = self.translator.target(how.to, how.from_)
            return [len(ids) for ids in self.translator.tokenizer.encode_source(texts, tag)]
        except HeedfulError:
            raise
        except BaseException as error:  # tokenizers panic with one that is no Exception
            raise CrashError(type(error).__name__) from error

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        """Return the translation of every text, in order."""
        with self._its_cores():
            return self.translator.translate_detailed(
                requests,
                how.to,
                from_=how.from_,
                search=how.search,
                care=how.care,
                glossary=self._terms(how.terms),
                align=how.align,
                confidence=how.confidence,
            )

    @contextmanager
    def _its_cores(self) -> Iterator[None]:
        """Let this thread have its part of the cores: all, if no other translates."""
        with self._counting:
            self._at_work += 1
            part = max(1, self.lanes // self._at_work)
        try:
            with cores(part):
                yield
        finally:
            with self._counting:
                self._at_work -= 1

    def flows(self, how: How) -> bool:
        """Whether it can, and nothing is asked for that is sooner done for many texts together."""
        more = how.terms or how.align or how.confidence or how.care != Care()
        return self.translator.flows and not more

    def flow(self, how: How, feed: Feed) -> None:
        """Translate what a feed brings, until nothing comes."""
        self.translator.flow(feed, how.to, from_=how.from_, search=how.search)

    def prove(self) -> None:
        """Translate a few signs; the first time, wait for the kernels before."""
        self.translator.settle()
        source, target = self.translator.ways()[0]
        self.translator.translate(
            [CANARY], target or None, from_=source or None, search=Greedy(max_extra=4)
        )

    def _terms(self, terms: tuple[Term, ...]) -> Glossary | None:
        return self._glossary(terms) if terms else None

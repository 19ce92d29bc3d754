"""Text becomes text: the object most people use.

Any texts come in, as many translations go out in their order: long texts are split at sentence
ends and rejoined, blank ones stay as they are. `heed translate`, `evaluate` and `demo` call it.
"""

__all__ = [
    "BUNDLED",
    "Candidate",
    "Translation",
    "Translator",
    "limits_of",
    "load",
]

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from heedful.data.windows import LARGEST, windows
from heedful.decode.engine import BATCH_TOKENS, Engine
from heedful.decode.quantize import pick_precision
from heedful.decode.shortlist import Shortlist
from heedful.device import pick_device
from heedful.errors import DataError, ModelError, SettingError, did_you_mean
from heedful.model_folder import LoadedModel, load_model
from heedful.model_header import Languages
from heedful.model_path import BUNDLED, model_path
from heedful.search import Beam, Hypothesis, Limits, SearchConfig
from heedful.text.pieces import CONTROL, UNKNOWN
from heedful.text.segments import Segments, segment
from heedful.text.tokenizer import Tokenizer

SPLIT_ABOVE = 40
"""Source pieces up to which several sentences are translated in one go. A model trained on single
sentences leaves out or repeats parts of longer texts."""

MAX_ENCODED = 100_000
"""Characters; a longer line is split first, since no model takes that many pieces at once."""

UNFINISHED = "unfinished"
"""Flag: the maximum length came before the end of the translation."""


_HALF = re.compile("[\ud800-\udfff]")


class Candidate(NamedTuple):
    """One possible translation of a text; of a split text, the sums over its parts."""

    text: str
    score: float
    """What the search ranks by; of a beam, log_prob / length penalty."""
    log_prob: float


@dataclass(frozen=True)
class Translation:
    """A text's translation and what there is to say about it."""

    source: str
    text: str
    """The best translation."""
    hypotheses: tuple[Candidate, ...]
    """The n best, best first."""
    flags: tuple[str, ...] = ()
    """`split` (at sentence ends), `split-inside` (a sentence was too long), `unfinished`."""


def limits_of(tokenizer: Tokenizer, max_length: int) -> Limits:
    """Return what a search must know: no control piece but `</s>` is ever produced."""
    tags = range(len(CONTROL), len(CONTROL) + len(tokenizer.languages) * tokenizer.shared)
    forbidden = (tokenizer.pad_id, tokenizer.start_id, UNKNOWN, *tags)
    size = tokenizer.target_size
    return Limits(tokenizer.start_id, tokenizer.end_id, forbidden, max_length, size)


def load(
    path_or_name: str | Path = BUNDLED,
    device: str = "auto",
    precision: str = "auto",
    fast: bool = False,
) -> "Translator":
    """Load a translator: a model folder, a run folder, or the name of a bundled model."""
    return Translator.load(path_or_name, device, precision, fast)


class Translator:
    """Translates with one model.

    >>> load("en-de").translate(["Good morning!"], to="de")  # doctest: +SKIP
    ['Guten Morgen!']
    """

    def __init__(
        self,
        loaded: LoadedModel,
        device: torch.device | str = "cpu",
        precision: str = "auto",
        shortlist: Shortlist | None = None,
    ) -> None:
        self.model = loaded.model
        self.tokenizer: Tokenizer = loaded.tokenizer
        self.languages: Languages = loaded.languages
        self.device = torch.device(device)
        self.limits = limits_of(loaded.tokenizer, loaded.model.config.max_length)
        self.precision = pick_precision(precision, loaded.model, self.device)
        self._engine = Engine(
            loaded.model,
            self.device,
            precision=self.precision,
            candidates=None if shortlist is None else shortlist.candidates,
        )

    @classmethod
    def load(
        cls,
        path_or_name: str | Path = BUNDLED,
        device: str = "auto",
        precision: str = "auto",
        fast: bool = False,
    ) -> "Translator":
        """Load a model folder, a run folder or a bundled model onto `auto`, `cpu` or `cuda`.

        `precision` is what products are computed in: `float32`, on CPU `int8`, on a GPU `bf16`,
        or `auto`, which is int8 on CPU and float32 on a GPU. `fast` looks for each translation
        among the pieces of the model's shortlist alone (see docs/speed.md). Raises ModelError when
        the model is missing or damaged, or has no shortlist to be `fast` with; SettingError for an
        unknown device, or a precision that is not for it.
        """
        chosen = pick_device(device)
        folder = model_path(path_or_name)
        loaded = load_model(folder, chosen)
        return cls(
            loaded, chosen, precision, _shortlist(folder, loaded.tokenizer) if fast else None
        )

    def target(self, to: str | None = None, from_: str | None = None) -> str | None:
        """Return the language tag to ask for, None for a model of one direction.

        Raises SettingError when `to` is missing and needed, or when `to` or `from_` is a language
        that the model does not translate.
        """
        tagged = self.tokenizer.languages
        if not tagged:
            self._agree("to", to, self.languages.target)
            self._agree("from", from_, self.languages.source)
            return None
        for option, language in (("to", to), ("from", from_)):
            if language is not None and language not in tagged:
                raise SettingError(
                    f'the model knows no language "{language}"',
                    where=f"--{option}",
                    fix=did_you_mean(language, tagged),
                )
        if to is not None and to == from_:
            raise SettingError(f'both are "{to}"', where="--from and --to", fix="give one of them")
        others = [language for language in tagged if language != from_]
        if to is None and (from_ is None or len(others) != 1):
            known = " or ".join(f"--to {language}" for language in others)
            raise SettingError("the model translates into several languages", fix=f"give {known}")
        return to if to is not None else others[0]

    def _agree(self, option: str, asked: str | None, known: str) -> None:
        """Raise SettingError when a one-direction model is asked for a language it has not."""
        if asked is None or asked == known:
            return
        source, target = self.languages.source, self.languages.target
        if not known:
            raise SettingError(
                "the model was trained without naming its languages",
                where=f"--{option} {asked}",
                fix="leave it out",
            )
        raise SettingError(
            f"the model translates only from {source or 'its source'} to {target or 'its target'}",
            where=f"--{option} {asked}",
            fix="leave it out, or use another model",
        )

    def translate(
        self,
        texts: Sequence[str],
        to: str | None = None,
        *,
        from_: str | None = None,
        search: SearchConfig | None = None,
        batch_tokens: int = BATCH_TOKENS,
        split_above: int = SPLIT_ABOVE,
    ) -> list[str]:
        """Return the translation of every text, in their order; see `stream`."""
        found = self.translate_detailed(
            texts,
            to,
            from_=from_,
            search=search,
            batch_tokens=batch_tokens,
            split_above=split_above,
        )
        return [translation.text for translation in found]

    def translate_detailed(
        self,
        texts: Sequence[str],
        to: str | None = None,
        *,
        from_: str | None = None,
        search: SearchConfig | None = None,
        batch_tokens: int = BATCH_TOKENS,
        split_above: int = SPLIT_ABOVE,
    ) -> list[Translation]:
        """Return translations with their n-best lists, scores and flags; see `stream`."""
        if isinstance(texts, str):
            raise SettingError(
                "the texts are one string", where="translate", fix='give a list: ["..."]'
            )
        return list(
            self.stream(
                texts,
                to,
                from_=from_,
                search=search,
                batch_tokens=batch_tokens,
                split_above=split_above,
                window=LARGEST,
            )
        )

    def stream(
        self,
        texts: Iterable[str],
        to: str | None = None,
        *,
        from_: str | None = None,
        search: SearchConfig | None = None,
        batch_tokens: int = BATCH_TOKENS,
        split_above: int = SPLIT_ABOVE,
        window: int | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> Iterator[Translation]:
        """Yield the translation of every text, in their order, as soon as it is there.

        `to` is the target language (see `target`), `search` defaults to `Beam()`. A text of
        several sentences with more than `split_above` source pieces is translated sentence by
        sentence. `window` texts are read before the first result comes; None: few, then more.
        Memory is bounded by the window. `ready` tells whether another text is there already; where
        none is, those that have come are translated. A line break in a translation becomes a
        space. Raises SettingError for languages and settings, DataError for a text that is not
        Unicode.
        """
        for name, value in (("batch_tokens", batch_tokens), ("split_above", split_above)):
            if value < 1:
                raise SettingError(f"{value} is less than 1", where=name, fix="give more")
        target = self.target(to, from_)
        how = search if search is not None else Beam()
        return (
            translation
            for portion in windows(_sound(texts), window, ready)
            for translation in self._portion(portion, target, how, batch_tokens, split_above)
        )

    def _portion(
        self,
        texts: list[str],
        to: str | None,
        search: SearchConfig,
        batch_tokens: int,
        split_above: int,
    ) -> Iterator[Translation]:
        known = self._encode_whole(texts, to)
        room = self.model.config.max_length
        longest = max(room - search.max_extra, room // 2)

        def ids(text: str) -> list[int]:
            if text not in known:
                known[text] = self.tokenizer.encode_source([text], to)[0]
            return known[text]

        def size(text: str) -> int:
            return len(ids(text)) if len(text) <= MAX_ENCODED else longest + 1

        plans = [
            segment(text, size, split_above=split_above, longest=longest)
            if text and not text.isspace()
            else None
            for text in texts
        ]
        found = self._engine.decode(
            [ids(part) for plan in plans if plan for part, _ in plan.parts if part],
            search,
            self.limits,
            batch_tokens,
        )
        waiting = iter(found)
        for text, plan in zip(texts, plans, strict=True):
            yield self._assemble(text, plan, waiting, search.returned) if plan else _blank(text)

    def _encode_whole(self, texts: Sequence[str], to: str | None) -> dict[str, list[int]]:
        """Return the ids of every text that is neither blank nor huge, all encoded together."""
        bodies = [body for text in texts if (body := text.strip()) and len(body) <= MAX_ENCODED]
        return dict(zip(bodies, self.tokenizer.encode_source(bodies, to), strict=True))

    def _assemble(
        self, text: str, plan: Segments, found: Iterator[list[Hypothesis]], n_best: int
    ) -> Translation:
        """Join the translations of a text's parts, each with what followed it."""
        flags = set(plan.flags)
        chains = [_Chain("", 0, 0.0, 0.0, None)]
        for part, gap in plan.parts:
            hypotheses = next(found) if part else [_NOTHING]
            words = self.tokenizer.decode_target([x.tokens for x in hypotheses])
            both = [
                chain.then(_tidy(word) + gap, hypothesis)
                for chain in chains
                for word, hypothesis in zip(words, hypotheses, strict=True)
            ]
            chains = sorted(both, key=lambda chain: (chain.unfinished, -chain.score))[:n_best]
        if chains[0].unfinished:
            flags.add(UNFINISHED)
        candidates = tuple(Candidate(x.text(), x.score, x.log_prob) for x in chains)
        return Translation(text, candidates[0].text, candidates, tuple(sorted(flags)))


def _sound(texts: Iterable[str]) -> Iterator[str]:
    """Yield the texts; raises DataError with the number (from 1) of one that is none."""
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise DataError(f"{text!r:.60} is not a text", where=f"text {number}")
        if not text.isascii() and (half := _HALF.search(text)):
            raise DataError(
                f"it holds half a surrogate pair, U+{ord(half[0]):04X}",
                where=f"text {number}",
                fix="decode it from the bytes that it was read from",
            )
        yield text


@lru_cache(64)
def _blank(text: str) -> Translation:
    """Return a text without words as it is; files of millions of empty lines share one."""
    return Translation(text, text, (Candidate(text, 0.0, 0.0),))


_NOTHING = Hypothesis(tokens=(), log_prob=0.0, score=0.0, finished=True)


@dataclass(frozen=True)
class _Chain:
    """Translations of a text's first parts; the earlier ones hang on `before`."""

    last: str
    unfinished: int
    score: float
    log_prob: float
    before: "_Chain | None"

    def then(self, text: str, found: Hypothesis) -> "_Chain":
        """Return the chain with the next part's translation at its end."""
        return _Chain(
            text,
            self.unfinished + (not found.finished),
            self.score + found.score,
            self.log_prob + found.log_prob,
            self,
        )

    def text(self) -> str:
        """Return the translation of all parts so far."""
        words = []
        chain: _Chain | None = self
        while chain is not None:
            words.append(chain.last)
            chain = chain.before
        return "".join(reversed(words))


def _tidy(text: str) -> str:
    """Keep a translation on one line."""
    return text.replace("\n", " ").replace("\r", " ").strip()


def _shortlist(folder: Path, tokenizer: Tokenizer) -> Shortlist:
    """Return the shortlist of a model; raises ModelError if it has none, or another's."""
    found = Shortlist.load(folder)
    fix = f"learn one: heed shortlist --model {folder} --data CORPUS"
    if found is None:
        raise ModelError("this model has no shortlist to be fast with", where=str(folder), fix=fix)
    if (found.source_size, found.target_size) != (tokenizer.source_size, tokenizer.target_size):
        raise ModelError("its shortlist is of another vocabulary", where=str(folder), fix=fix)
    return found

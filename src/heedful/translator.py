"""Text becomes text: the object most people use.

Any texts come in, as many translations go out in their order: long texts are split at sentence
ends and rejoined, blank ones stay as they are. `heed translate`, `evaluate` and `demo` call it.
"""

__all__ = [
    "BUNDLED",
    "Candidate",
    "Care",
    "Request",
    "Translation",
    "Translator",
    "limits_of",
    "load",
]

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypedDict, Unpack

import torch

from heedful.careful import Care
from heedful.confidence import Calibration, Confidence
from heedful.data.windows import LARGEST, windows
from heedful.decode.engine import Engine
from heedful.decode.quantize import pick_precision
from heedful.decode.shortlist import Shortlist, shortlist_of
from heedful.device import pick_device
from heedful.directions import asked_of, ways_of
from heedful.errors import SettingError
from heedful.flowing import Feed, Flowing
from heedful.model_folder import LoadedModel, check_alike, load_model
from heedful.model_header import Languages
from heedful.model_path import BUNDLED, model_path
from heedful.pipeline import How, Pipeline
from heedful.request import Request, sound
from heedful.search import Alternatives, Beam, Client, Hypothesis, Limits, SearchConfig, Wish
from heedful.text.framing import parted
from heedful.text.pieces import CONTROL, UNKNOWN
from heedful.text.tokenizer import Tokenizer
from heedful.translation import Candidate, Translation

if TYPE_CHECKING:
    from heedful.data.glossary import Glossary


class Options(TypedDict, total=False):
    """What `Translator.stream` and its kin can be told beside the texts and languages."""

    search: SearchConfig | None
    """How translations are looked for; `Beam()` if it is not said."""
    care: Care
    """What is looked after in the output."""
    glossary: "Glossary | None"
    """Terms whose translations must be used."""
    align: bool
    """Whether to tell which word is which word's translation."""
    confidence: bool
    """Whether to tell how good each translation can be expected to be."""
    batch_tokens: int
    """Source pieces times rows decoded at once."""
    split_above: int
    """Source pieces from which a text of several sentences is translated one by one."""


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
    ensemble: Sequence[str | Path] = (),
) -> "Translator":
    """Load a translator: a model folder, a run folder, or the name of a bundled model."""
    return Translator.load(path_or_name, device, precision, fast, ensemble)


class Translator:
    """Translates with one model.

    >>> load("everyday").translate(["Good morning!"], to="de")  # doctest: +SKIP
    ['Guten Morgen!']
    """

    def __init__(
        self,
        loaded: LoadedModel | Sequence[LoadedModel],
        device: torch.device | str = "cpu",
        precision: str = "auto",
        shortlist: Shortlist | None = None,
        folder: Path | None = None,
    ) -> None:
        members = [loaded] if isinstance(loaded, LoadedModel) else list(loaded)
        first = members[0]
        self.model = first.model
        self.tokenizer: Tokenizer = first.tokenizer
        self.languages: Languages = first.languages
        self.device = torch.device(device)
        longest = min(member.model.config.max_length for member in members)
        self.limits = limits_of(first.tokenizer, longest)
        fitting = {pick_precision(precision, one.model, self.device) for one in members}
        self.precision = fitting.pop() if len(fitting) == 1 else "float32"
        self.folder = folder
        self._engine = Engine(
            [member.model for member in members],
            self.device,
            precision=self.precision,
            candidates=None if shortlist is None else shortlist.candidates,
        )
        self._pipeline = Pipeline(self.model, self.tokenizer, self._engine, self.limits)

    @classmethod
    def load(
        cls,
        path_or_name: str | Path = BUNDLED,
        device: str = "auto",
        precision: str = "auto",
        fast: bool = False,
        ensemble: Sequence[str | Path] = (),
    ) -> "Translator":
        """Load a model folder, a run folder or a bundled model onto `auto`, `cpu` or `cuda`.

        `precision` is what products are computed in: `float32`, on CPU `int8`, on a GPU `bf16`,
        or `auto`, which is int8 on CPU and float32 on a GPU. `fast` looks for each translation
        among the pieces of the model's shortlist alone (see docs/speed.md). The probabilities of
        the models of `ensemble` are averaged with the first one's. Raises ModelError when a model
        is missing or damaged, has no shortlist to be `fast` with, or another vocabulary than the
        first; SettingError for an unknown device, or a precision that is not for it.
        """
        chosen = pick_device(device)
        folder = model_path(path_or_name)
        first = load_model(folder, chosen)
        others = [load_model(model_path(path), chosen) for path in ensemble]
        for path, other in zip(ensemble, others, strict=True):
            check_alike(first, other, str(path))
        shortlist = shortlist_of(folder, first.tokenizer) if fast else None
        return cls([first, *others], chosen, precision, shortlist, folder)

    def check_glossary(self, glossary: "Glossary") -> None:
        """Raise SettingError for the first term that the model could not be asked for."""
        for term in glossary:
            try:
                self._pipeline.wishes.check(term.targets)
            except SettingError as error:
                raise error.said_of(f'the term "{term.source}"') from None

    def settle(self) -> None:
        """Let everything from now on be translated the same way, where there are two.

        Until its kernels are there, an engine computes without them, and in int8 the two may differ
        where sums are close. They are waited for; the first time on a machine that is half a
        minute.
        """
        self._engine.settle()

    def target(self, to: str | None = None, from_: str | None = None) -> str | None:
        """Return what to ask the tokenizer for, None for a model of one direction.

        It is the target's tag, or a `heedful.text.framing.direction`. Raises SettingError when `to`
        is missing and needed, or when `to` or `from_` is a language that the model does not
        translate.
        """
        return asked_of(self.tokenizer, self.languages, to, from_)

    def ways(self) -> list[tuple[str, str]]:
        """Return every source with its target; all of them where the model does not say."""
        return ways_of(self.tokenizer.languages, self.languages)

    def translate(
        self,
        texts: Sequence[str | Request],
        to: str | None = None,
        *,
        from_: str | None = None,
        **options: Unpack[Options],
    ) -> list[str]:
        """Return the translation of every text, in their order; see `stream`."""
        found = self.translate_detailed(texts, to, from_=from_, **options)
        return [translation.text for translation in found]

    def translate_detailed(
        self,
        texts: Sequence[str | Request],
        to: str | None = None,
        *,
        from_: str | None = None,
        **options: Unpack[Options],
    ) -> list[Translation]:
        """Return translations with their n-best lists, scores and flags; see `stream`."""
        if isinstance(texts, str):
            raise SettingError(
                "the texts are one string", where="translate", fix='give a list: ["..."]'
            )
        return list(self.stream(texts, to, from_=from_, window=LARGEST, **options))

    def stream(
        self,
        texts: Iterable[str | Request],
        to: str | None = None,
        *,
        from_: str | None = None,
        window: int | None = None,
        ready: Callable[[], bool] | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Translation]:
        """Yield the translation of every text, in their order, as soon as it is there.

        A `Request` is a text with what its translation must be like. `to` is the target language
        (see `target`), `options` are those of `Options`. A text of several sentences with more than
        `split_above` source pieces is translated sentence by sentence. `window` texts are read
        before the first result comes; None: few, then more. Memory is bounded by the window.
        `ready` tells whether another text is there already; where none is, those that have come are
        translated. A line break in a translation becomes a space. Raises SettingError for languages
        and settings, DataError for a text that is not Unicode.
        """
        curve = self._curve(to, from_) if options.get("confidence") else None
        how = self._how(to, from_, options)
        return (
            translation if curve is None else self._judged(translation, curve)
            for portion in windows(sound(texts), window, ready)
            for translation in self._pipeline.run(portion, how)
        )

    def calibration(self, to: str | None = None, from_: str | None = None) -> Calibration | None:
        """Return what the model knows of its own quality in a target language; None: nothing."""
        return self._confidence.targets.get(self.target(to, from_) or "")

    @cached_property
    def _confidence(self) -> Confidence:
        return Confidence({}) if self.folder is None else Confidence.load(self.folder)

    def mean_log_probs(self, translations: Sequence[Translation]) -> list[float]:
        """Return the natural logarithm of a piece's probability, the mean over each best one."""
        best = [translation.hypotheses[0] for translation in translations]
        return [one.log_prob / max(one.pieces, 1) for one in best]

    def _curve(self, to: str | None, from_: str | None) -> Calibration:
        """Return the calibration; raises SettingError where there is none."""
        found = self.calibration(to, from_)
        if found is None:
            raise SettingError(
                "the model does not know how good its translations are",
                where="confidence",
                fix="heed evaluate --model THIS --data dev.tsv --calibrate learns it",
            )
        return found

    def _judged(self, translation: Translation, curve: Calibration) -> Translation:
        if not translation.hypotheses[0].pieces:
            return translation
        [expected] = curve(self.mean_log_probs([translation])).tolist()
        return replace(translation, confidence=expected)

    @property
    def flows(self) -> bool:
        """Whether `flow` can be asked for: see `Engine.flows`."""
        return self._engine.flows

    def flow(
        self, feed: Feed, to: str | None = None, *, from_: str | None = None, search: SearchConfig
    ) -> None:
        """Translate what a feed brings, each with what has come by then, until nothing comes."""
        flowing = Flowing(self._pipeline, feed, self._how(to, from_, {"search": search}))
        self._engine.flow(flowing, search, self.limits)

    def partial(
        self,
        text: str | Request,
        to: str | None = None,
        *,
        from_: str | None = None,
        **options: Unpack[Options],
    ) -> Iterator[str | Translation]:
        """Yield the text of one translation as it grows, the translation itself last.

        Of a beam it is the best beginning so far, which may still change. A text that is cut into
        several parts comes part by part.
        """
        curve = self._curve(to, from_) if options.get("confidence") else None
        how, given = self._how(to, from_, options), list(sound([text]))
        shown: SimpleQueue[str | Translation | BaseException] = SimpleQueue()
        stopped = Event()

        def show(_: int, beginning: str) -> None:
            if stopped.is_set():
                raise _StoppedError
            shown.put(beginning)

        def work() -> None:
            try:
                [found] = self._pipeline.run(given, how, show)
                shown.put(found if curve is None else self._judged(found, curve))
            except BaseException as error:  # it is raised where the texts are read
                shown.put(error)

        Thread(target=work, name="partial", daemon=True).start()
        try:
            while True:
                beginning = shown.get()
                if isinstance(beginning, BaseException):
                    raise beginning
                yield beginning
                if isinstance(beginning, Translation):
                    return
        finally:
            stopped.set()

    def search(
        self,
        sources: Sequence[Sequence[int]],
        search: SearchConfig,
        clients: Sequence[Client] | None = None,
        batch_tokens: int | None = None,
        wishes: Sequence[Wish] | None = None,
    ) -> list[list[Hypothesis]]:
        """Return what is found for sources that are pieces; maybe nothing where a client leaves."""
        return self._engine.decode(
            sources, search, self.limits, batch_tokens, wishes=wishes, clients=clients
        )

    def alternatives(
        self,
        text: str,
        prefix: str,
        to: str | None = None,
        *,
        from_: str | None = None,
        count: int = 5,
    ) -> list[Candidate]:
        """Return other ways to go on after `prefix`, the likeliest first, each a whole translation.

        `prefix` is the beginning that stays; its last word is whole.
        """
        request = Request(text, prefix=prefix.rstrip() + " ")
        how = self._how(to, from_, {"search": Alternatives(count=count)})
        [found] = self._pipeline.run([request], how)
        return list(found.hypotheses)

    def _how(self, to: str | None, from_: str | None, options: Options) -> How:
        for name in ("batch_tokens", "split_above"):
            value = options.get(name, 1)
            if isinstance(value, int) and value < 1:
                raise SettingError(f"{value} is less than 1", where=name, fix="give more")
        tag = self.target(to, from_)
        told, target = parted(tag)
        language = target or self.languages.target
        known = told or from_ or self.languages.known_source(target)
        how = How(to=tag, source=known, language=language, search=options.get("search") or Beam())
        apart = ("search", "confidence")
        given = {name: value for name, value in options.items() if name not in apart}
        return replace(how, **given)  # type: ignore[arg-type]


class _StoppedError(Exception):
    """Nobody reads what is being translated any more."""

"""Requests become translations: cut, translated, looked after, joined.

A portion of requests comes in, as many translations go out in their order. The translator calls it;
the engine searches, `heedful.careful` looks at what was found.
"""

__all__ = ["FLAGS", "How", "Pipeline", "Plan"]

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from heedful.careful import (
    PROTECTED,
    REFUSED,
    REPEATS,
    RETRIED,
    TERMS,
    UNSEARCHED,
    UNTRANSLATED,
    Care,
    Part,
    Target,
    beam_of,
    mend,
)
from heedful.decode.alignment import Link, word_links
from heedful.decode.engine import BATCH_TOKENS, Engine
from heedful.models.architecture import Model
from heedful.request import Request, Wishes
from heedful.search import (
    Alternatives,
    Asked,
    Hypothesis,
    Limits,
    MinimumBayesRisk,
    Sample,
    SearchConfig,
)
from heedful.text.casing import is_shouted, is_titled, shouted, unshouted, untitled
from heedful.text.chrf import expected_utility
from heedful.text.copied import is_copied
from heedful.text.mnemonic import returned, taken
from heedful.text.protect import places
from heedful.text.segments import INSIDE, SPLIT, Segments, nothing, segment
from heedful.text.sentences import gap_after
from heedful.text.spans import words
from heedful.text.tokenizer import Tokenizer
from heedful.translation import UNFINISHED, Translation, begun, blank, grown, joined

if TYPE_CHECKING:
    from heedful.data.glossary import Glossary

SPLIT_ABOVE = 40
"""Source pieces up to which several sentences are translated in one go. A model trained on single
sentences leaves out or repeats parts of longer texts."""

MAX_ENCODED = 100_000
"""Characters; a longer line is split first, since no model takes that many pieces at once."""

CAPITALS = "capitals"
"""Flag: the text was all in capitals."""
TITLE = "title"
"""Flag: the text had capitals as an English title has."""
COPIED = "copied"
"""Flag: the translation is the text itself, and there was something to translate."""
UNALIGNED = "unaligned"
"""Flag: the translation has more pieces than the model can read, so that no words are linked."""

FLAGS = {
    SPLIT: "split at sentence ends",
    INSIDE: "split inside a sentence that was too long",
    UNFINISHED: "unfinished: the maximum length came before the end",
    PROTECTED: "with placeholders, tags, addresses or numbers, all kept",
    CAPITALS: "all in capitals, translated as if not",
    TITLE: "with the capitals of a title, translated as a sentence",
    TERMS: "with terms of the glossary",
    RETRIED: "translated anew, because the first translation was not good enough",
    REPEATS: "repeat a phrase, whatever was tried",
    REFUSED: "without the words or the beginning that were asked for: they could not be",
    UNTRANSLATED: "kept as they are, in whole or in part: placeholders or numbers were lost",
    COPIED: "as in the source: names, or words that the model does not know",
    UNALIGNED: "without links of some words: too long for the model to read again",
}
"""What each flag of a translation means, after a number of lines."""


Show = Callable[[int, str], None]
"""Told the number of a request and the beginning of its translation."""


_Tell = Callable[[Part, Sequence[int]], None]
"""Told a part and the pieces of the beginning of its translation."""


@dataclass(frozen=True)
class How:
    """How a portion is translated."""

    to: str | None
    """The language tag to ask for."""
    source: str
    """The language that is read, as far as it is known."""
    language: str
    """The target's, as far as it is known."""
    search: SearchConfig
    batch_tokens: int = BATCH_TOKENS
    split_above: int = SPLIT_ABOVE
    care: Care = field(default_factory=Care)
    glossary: "Glossary | None" = None
    align: bool = False


Ids = dict[str, list[int]]
"""Source pieces of texts."""


@dataclass
class Plan:
    """One request on its way."""

    request: Request
    text: str
    """The text as it goes into the model."""
    segments: Segments
    parts: list[Part | None]
    """One for each segment; None: nothing to translate."""
    flags: set[str]
    mark: str | None = None
    """Of a keyboard shortcut."""

    def translated(self) -> list[Part]:
        """Return the parts that there is something to translate in."""
        return [part for part in self.parts if part]

    def followed(self, number: int, text: str) -> str:
        """Return the translation of a part with what comes between it and the next."""
        (source, gap), *others = self.segments.parts[number : number + 2]
        return text + (gap_after(source, gap, text) if others and others[0][0] else gap)


class Pipeline:
    """Translates with one engine."""

    def __init__(self, model: Model, tokenizer: Tokenizer, engine: Engine, limits: Limits) -> None:
        assert limits.max_length is not None
        self.model, self.tokenizer = model, tokenizer
        self.wishes = Wishes(tokenizer)
        self._engine, self._limits, self._longest = engine, limits, limits.max_length

    def run(
        self, requests: Sequence[Request], how: How, watch: Show | None = None
    ) -> Iterator[Translation]:
        """Yield the translation of every request; `watch` is told of them as they grow."""
        plans, known = self.plans(requests, how)
        parts = [part for plan in plans if plan for part in plan.translated()]
        tell = None if watch is None else self._telling(plans, watch)
        self._decode(parts, how.search, how, known, tell)
        links = self._mended(parts, how, known, tell)
        for request, plan in zip(requests, plans, strict=True):
            yield self._joined(plan, how, links) if plan else blank(request.text)

    def plans(self, requests: Sequence[Request], how: How) -> tuple[list[Plan | None], Ids]:
        """Return what is to be translated of each request, None: nothing, and the pieces of it."""
        known = self._encode_whole([one.text for one in requests], how.to)
        return [self._plan(one, how, known) for one in requests], known

    def asked(self, part: Part, how: How, known: Ids) -> Asked:
        """Return what a search is asked for, of a part."""
        return Asked(self._ids(part.text, how.to, known), part.wish, part.client)

    def finished(self, plan: Plan, how: How, known: Ids) -> Translation:
        """Return the translation of a request whose parts have been searched for."""
        return self._joined(plan, how, self._mended(plan.translated(), how, known, None))

    def _mended(
        self, parts: Sequence[Part], how: How, known: Ids, tell: _Tell | None
    ) -> dict[int, list[Link]]:
        """Look after what was found for parts; return the links of their words, if asked for."""

        def decode(some: Sequence[Part], search: SearchConfig) -> None:
            self._decode(some, search, how, known, tell)

        parts = [part for part in parts if not part.client.gone]
        target = Target(how.language, self._longest)
        mend(parts, how.search, decode, self.wishes, how.care, target)
        return self._links(parts, how) if how.align else {}

    def _links(self, parts: Sequence[Part], how: How) -> dict[int, list[Link]]:
        """Return the links between the words of each part and of its best translation."""
        written = self.tokenizer.encode_target([part.words[0] for part in parts])
        read = []
        for part, pieces in zip(parts, written, strict=True):
            if len(pieces) <= self._longest:
                read.append(part)
            else:
                part.flags.add(UNALIGNED)
        pairs = [(part.text, part.words[0]) for part in read]
        found = word_links(self.model, self.tokenizer, pairs, to=how.to)
        return {id(part): links for part, links in zip(read, found, strict=True)}

    def _encode_whole(self, texts: Sequence[str], to: str | None) -> Ids:
        """Return the ids of every text that is neither blank nor huge, all encoded together."""
        bodies = [body for text in texts if (body := text.strip()) and len(body) <= MAX_ENCODED]
        return dict(zip(bodies, self.tokenizer.encode_source(bodies, to), strict=True))

    def _ids(self, text: str, to: str | None, known: Ids) -> list[int]:
        if text not in known:
            known[text] = self.tokenizer.encode_source([text], to)[0]
        return known[text]

    def _plan(self, request: Request, how: How, known: Ids) -> Plan | None:
        """Cut a text into parts, each with what is wished for it."""
        text, flags, mark = request.text, set[str](), None
        if not text or text.isspace():
            return None
        if how.care.protect:
            text, mark = taken(text)
        glossary = how.glossary if how.glossary is not None and how.glossary.terms(text) else None
        if how.care.capitals and request.plain and glossary is None:  # terms are as written
            if is_shouted(text):
                text = unshouted(text)
                flags.add(CAPITALS)
            elif how.source == "en" and is_titled(text):
                text = untitled(text)
                flags.add(TITLE)
        longest = max(self._longest - how.search.max_extra, self._longest // 2)

        def size(part: str) -> int:
            whole = len(part) <= MAX_ENCODED
            return len(self._ids(part, how.to, known)) if whole else longest + 1

        above = longest if request.must else how.split_above
        kept = places if how.care.protect else nothing
        segments = segment(text, size, split_above=above, longest=longest, kept=kept)
        client = request.client
        parts = [Part(part, client=client) if part else None for part, _ in segments.parts]
        self._wish(request, [part for part in parts if part], how, glossary)
        return Plan(request, text, segments, parts, flags | set(segments.flags), mark)

    def _wish(
        self, request: Request, parts: Sequence[Part], how: How, glossary: "Glossary | None"
    ) -> None:
        """Tell the parts what must and must not stand in their translations."""
        if not request.plain:
            wish = self.wishes.of(request)
            asked = [request.prefix, *(form for forms in request.must for form in forms)]
            for part in parts:
                part.wish = replace(wish, opening=None, must=())
            parts[0].wish, parts[0].asked = wish, " ".join(asked)
        if glossary is None:
            return
        for part in parts:
            terms = [term.targets for term in glossary.terms(part.text)]
            if not terms:
                continue
            wish = replace(part.wish, must=(*part.wish.must, *self.wishes.musts(terms)))
            most = min(self._longest, how.search.max_length or self._longest)
            fits = wish.need < most
            if fits:
                part.wish, part.glossary = wish, glossary
            part.asked = " ".join([part.asked, *(form for forms in terms for form in forms)])
            part.flags.add(TERMS if fits else REFUSED)

    def _telling(self, plans: Sequence[Plan | None], watch: Show) -> _Tell:
        """Return who puts what there is of a part into its whole translation, and tells of it."""
        owners = {
            id(part): (number, plan)
            for number, plan in enumerate(plans)
            if plan
            for part in plan.parts
            if part
        }

        def tell(part: Part, pieces: Sequence[int]) -> None:
            [text] = self.tokenizer.decode_target([pieces])
            part.words = [_tidy(text)]
            if id(part) in owners:
                number, plan = owners[id(part)]
                watch(number, _so_far(plan))

        return tell

    def _decode(
        self,
        parts: Sequence[Part],
        search: SearchConfig,
        how: How,
        known: Ids,
        tell: _Tell | None,
    ) -> None:
        """Search for translations; words that must appear are looked for by a beam."""
        asking = [part for part in parts if part.wish.must]
        free = [part for part in parts if not part.wish.must]
        for some, chosen in ((free, search), (asking, beam_of(search))):
            if not some:
                continue

            def grows(number: int, pieces: Sequence[int], some: Sequence[Part] = some) -> None:
                assert tell is not None
                tell(some[number], pieces)

            found = self._engine.decode(
                [self._ids(part.text, how.to, known) for part in some],
                chosen,
                self._limits,
                how.batch_tokens,
                wishes=[part.wish for part in some],
                clients=[part.client for part in some],
                watch=None if tell is None else grows,
            )
            for part, hypotheses in zip(some, found, strict=True):
                self.put(part, hypotheses, chosen)

    def put(self, part: Part, found: list[Hypothesis], search: SearchConfig) -> None:
        """Write down what was found for a part, nothing where its client has left."""
        found = found or [UNSEARCHED]
        words = self.tokenizer.decode_target([one.tokens for one in found])
        part.found, part.words = found, [_tidy(text) for text in words]
        if isinstance(search, MinimumBayesRisk):
            _rank_by_risk(part, search.n_best)

    def _joined(self, plan: Plan, how: How, links: dict[int, list[Link]]) -> Translation:
        """Join the translations of a text's parts, each with what followed it."""
        flags, chains = set(plan.flags), begun()
        joint: list[Link] = []
        read = written = 0
        for number, part in enumerate(plan.parts):
            if part is None:
                chains = joined(chains, [plan.followed(number, "")], [UNSEARCHED])
                continue
            flags |= part.flags
            joint += [
                Link(read + one.source, written + one.target) for one in links.get(id(part), [])
            ]
            if how.align:
                read, written = read + len(words(part.text)), written + len(words(part.words[0]))
            texts = [plan.followed(number, text) for text in part.words]
            if _drawn(how.search):
                chains = joined(chains, texts, part.found)
            else:
                chains = grown(chains, texts, part.found, how.search.returned)
        if chains[0].unfinished:
            flags.add(UNFINISHED)
        found = tuple(chain.candidate(_finished(chain.text(), plan)) for chain in chains)
        if is_copied(plan.request.text, found[0].text):
            flags.add(COPIED)
        return Translation(
            plan.request.text, found[0].text, found, tuple(sorted(flags)), tuple(joint)
        )


def _so_far(plan: Plan) -> str:
    """Return what there is of a translation; where a part has not begun, nothing stands."""
    best = ("" if part is None or not part.words else part.words[0] for part in plan.parts)
    return _finished("".join(plan.followed(*one) for one in enumerate(best)), plan)


def _drawn(search: SearchConfig) -> bool:
    """Return whether hypotheses are not ranked: the first of a part belongs to the first of all."""
    return isinstance(search, Sample | Alternatives) and not isinstance(search, MinimumBayesRisk)


def _finished(text: str, plan: Plan) -> str:
    """Give a translation back what was taken off its source."""
    if CAPITALS in plan.flags:
        text = shouted(text)
    return text if plan.mark is None else returned(text, plan.mark)


def _tidy(text: str) -> str:
    """Keep a translation on one line."""
    return text.replace("\n", " ").replace("\r", " ").strip()


def _rank_by_risk(part: Part, n_best: int) -> None:
    """Keep the different texts that are most like all that were drawn; the score is how much."""
    times = Counter(part.words)
    first = {text: part.found[part.words.index(text)] for text in times}
    utility = expected_utility(list(times), [float(count) for count in times.values()])
    ranked = sorted(
        zip(utility.tolist(), times, strict=True),
        key=lambda one: (not first[one[1]].finished, -one[0]),
    )[:n_best]
    part.words = [text for _, text in ranked]
    part.found = [replace(first[text], score=score) for score, text in ranked]

"""Sentences become trees: a translator whose target language is trees, with what that needs.

Lists of words come in, trees with what was repaired go out. `heed parse` and the benchmark call it;
training, search and the model itself are those of any translator, and the search is told what a
line of symbols may go on with (`heedful.text.tree_grammar`).
"""

__all__ = ["AT_ONCE", "REPAIRS", "SEARCH", "Parsed", "Parser"]

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from heedful.errors import DataError, ModelError
from heedful.search import Asked, Beam, SearchConfig, Wish
from heedful.text import linear_trees
from heedful.text.linear_trees import rebuilt
from heedful.text.tree_grammar import Symbols, TreeGrammar
from heedful.text.trees import Tree
from heedful.translator import Translator

SEARCH = Beam(beam_size=21, length_penalty=0.3, max_extra=300)
"""The search of section 6.3: beam 21, alpha 0.3, at most 300 pieces more than the sentence has."""

_TOO_LONG = "too long"
REPAIRS = linear_trees.REPAIRS | {
    _TOO_LONG: "had more words than the model can read: one phrase of untagged words"
}
"""What can be wrong with what a model writes, and what is done."""

_SPACES = frozenset(" \t\r\n")
"""What no word of a treebank can hold."""

AT_ONCE = 1024
"""Sentences that are read before the first tree comes: searches of like lengths go together."""


@dataclass(frozen=True)
class Parsed:
    """The tree of a sentence."""

    tree: Tree
    symbols: str
    """What the model wrote."""
    repairs: Counter[str]
    """What was wrong with that, by the names of `REPAIRS`; empty: nothing."""
    score: float
    """By which the search chose it."""


class Parser:
    """Finds the trees of sentences with one model.

    >>> Parser.load("runs/parser").parse([["The", "cat", "sat", "."]])  # doctest: +SKIP
    """

    def __init__(self, translator: Translator, batch_tokens: int | None = None) -> None:
        """Take a translator into trees; `batch_tokens` source pieces times beam go together."""
        self.translator = translator
        self.batch_tokens = batch_tokens
        self.tokenizer = translator.tokenizer
        if not self.knows("S"):
            raise ModelError(
                "the model writes no trees",
                where=str(translator.folder or "the model"),
                fix="train one: heed train --recipe parse --data FILE.trees",
            )
        self.symbols = Symbols.of(self.tokenizer)

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str = "auto",
        precision: str = "auto",
        batch_tokens: int | None = None,
    ) -> "Parser":
        """Load a model folder or a run folder; raises ModelError where it is none of a parser."""
        return cls(Translator.load(path, device, precision), batch_tokens)

    def knows(self, label: str) -> bool:
        """Return whether phrases of this label were learnt: then what opens them is one piece."""
        [pieces] = self.tokenizer.encode_target([f"({label}"])
        return len(pieces) == 2  # it and </s>

    def parse(
        self,
        sentences: Sequence[Sequence[str]],
        search: SearchConfig = SEARCH,
        *,
        free: bool = False,
    ) -> list[Parsed]:
        """Return the tree of every sentence, in their order; see `stream`."""
        return list(self.stream(sentences, search, free=free))

    def stream(
        self,
        sentences: Iterable[Sequence[str]],
        search: SearchConfig = SEARCH,
        *,
        free: bool = False,
    ) -> Iterator[Parsed]:
        """Yield the tree of every sentence, in their order, some hundreds at a time.

        Only lines of symbols that are trees of its words are searched, or all of them when `free`,
        as in the paper; what comes out is repaired, also where other rules of the search leave no
        tree. Raises DataError for a sentence without words, or one with a space within a word.
        """
        number = 0
        rest = iter(sentences)
        while some := list(islice(rest, AT_ONCE)):
            for words in some:
                number += 1
                _check(words, f"sentence {number}")
            yield from self._portion(some, search, free)

    def _portion(
        self, sentences: Sequence[Sequence[str]], search: SearchConfig, free: bool
    ) -> Iterator[Parsed]:
        sources = self.tokenizer.encode_source([" ".join(words) for words in sentences])
        most = self.translator.limits.max_length or max(map(len, sources))
        fits = [len(source) <= most for source in sources]
        wishes = [
            Wish() if free else Wish(grammar=self._grammar(source, words, search))
            for source, words, fit in zip(sources, sentences, fits, strict=True)
            if fit
        ]
        readable = [source for source, fit in zip(sources, fits, strict=True) if fit]
        every = self.translator.search(
            readable, search, batch_tokens=self.batch_tokens, wishes=wishes
        )
        found = iter(every)
        for words, fit in zip(sentences, fits, strict=True):
            if not fit:
                tree, _ = rebuilt("", words)
                yield Parsed(tree, "", Counter({_TOO_LONG: 1}), float("-inf"))
                continue
            best = next(found)[0]
            [symbols] = self.tokenizer.decode_target([best.tokens])
            tree, repairs = rebuilt(symbols, words)
            yield Parsed(tree, symbols, repairs, best.score)

    def _grammar(
        self, source: Sequence[int], words: Sequence[str], search: SearchConfig
    ) -> TreeGrammar:
        [room] = search.rooms([Asked(source)], self.translator.limits.max_length)
        return TreeGrammar(self.symbols, len(words), room)


def _check(words: Sequence[str], where: str) -> None:
    """Raise DataError for what is no sentence."""
    if not words:
        raise DataError("the sentence has no words", where=where, fix="write one, or leave it out")
    for word in words:
        if not word or not _SPACES.isdisjoint(word):
            raise DataError(f"the word {word!r} is empty or has a space", where=where)

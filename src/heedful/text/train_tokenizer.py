"""A corpus becomes a vocabulary of pieces: byte-pair encoding or a unigram language model.

Lines and settings come in, a tokenizer of the `tokenizers` library goes out; `Tokenizer.train`
calls it, once for a shared vocabulary and once a side for separate ones. A text that is learnt as
it runs has a family of its own, `TextTokenizerConfig`: what runs on has no beginning to put a
space before. `Vocabulary.train` calls that one.
"""

__all__ = [
    "BPE",
    "Characters",
    "RunningBPE",
    "TextTokenizerConfig",
    "TokenizerConfig",
    "Unigram",
    "control_tokens",
    "new_backend",
    "train_backend",
]

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Annotated, Literal

from pydantic import Field, model_validator
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from heedful.errors import DataError, SettingError
from heedful.settings import Settings
from heedful.text.pieces import BYTE_LETTERS, CONTROL, UNKNOWN

LINES_A_BATCH = 1000


class BPE(Settings):
    """Byte-pair encoding: the most frequent neighbours become one piece (Sennrich et al., 2016).

    The same corpus always gives the same pieces.
    """

    kind: Literal["bpe"] = "bpe"
    vocabulary_size: int = Field(8000, ge=260)
    """Pieces in all, the 256 bytes and the control pieces among them."""
    exact: bool = True
    """Refuse a corpus too small for that many; else take the pieces that it gives."""
    shared: bool = True
    """One vocabulary for both sides; the paper shares it (section 5.1)."""
    words: Literal["kinds", "spaces"] = "kinds"
    """What ends a word, which no piece crosses: another kind of character (letters, digits, signs),
    as GPT-2 has it, or spaces alone, so that a frequent symbol such as `(NP` is one piece."""
    target_vocabulary_size: int | None = Field(None, ge=260)
    """Pieces of the target where it has its own (`shared` false), such as 512 for letters that
    become words; none: as many as the source."""
    learn_from: int = Field(1_000_000, ge=1)
    """Pairs to learn from at most, evenly spread over the corpus: memory holds their words."""

    @model_validator(mode="after")
    def _fits(self) -> "BPE":
        if self.shared and self.target_vocabulary_size is not None:
            raise ValueError("target_vocabulary_size needs --tokenizer.shared false")
        return self

    @property
    def of_target(self) -> "BPE":
        """How the target's own pieces are learnt."""
        size = self.target_vocabulary_size or self.vocabulary_size
        return self.model_copy(update={"vocabulary_size": size})

    def build(self, batches: Iterable[list[str]], special: list[AddedToken]) -> Backend:
        """Learn from the lines; pieces seen once in the corpus are not learnt."""
        spaces = self.words == "spaces"
        backend = new_backend(models.BPE(), at_spaces=spaces)
        if spaces:
            batches = _without(batches, [token.content for token in special])
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary_size,
            min_frequency=2,
            special_tokens=special,
            initial_alphabet=list(BYTE_LETTERS),
            show_progress=False,
        )
        backend.train_from_iterator(batches, trainer)
        return backend


class Unigram(Settings):
    """The pieces that make the corpus most likely when drawn independently (Kudo, 2018).

    The library sums in parallel, so that two trainings may differ in a piece of equal merit.
    """

    kind: Literal["unigram"] = "unigram"
    vocabulary_size: int = Field(8000, ge=260)
    """Pieces in all, the 256 bytes and the control pieces among them."""
    exact: bool = True
    """Refuse a corpus too small for that many; else take the pieces that it gives."""
    shared: bool = True
    """One vocabulary for both sides; the paper shares it (section 5.1)."""
    learn_from: int = Field(1_000_000, ge=1)
    """Pairs to learn from at most, evenly spread over the corpus: memory holds them."""

    @property
    def of_target(self) -> "Unigram":
        """How the target's own pieces are learnt."""
        return self

    def build(self, batches: Iterable[list[str]], special: list[AddedToken]) -> Backend:
        """Learn from the lines; scores are log-probabilities with six decimals.

        The library reads a longer number back with its last digit changed.
        """
        backend = new_backend(models.Unigram())
        trainer = trainers.UnigramTrainer(
            vocab_size=self.vocabulary_size,
            unk_token=CONTROL[UNKNOWN],
            special_tokens=special,
            initial_alphabet=list(BYTE_LETTERS),
            show_progress=False,
        )
        backend.train_from_iterator(batches, trainer)
        vocabulary = json.loads(backend.to_str())["model"]["vocab"]
        scored = [(piece, round(score, 6)) for piece, score in vocabulary]
        controls, learnt = scored[: len(special)], scored[len(special) :]
        learnt.sort(key=lambda entry: (-entry[1], entry[0]))
        rounded = models.Unigram(controls + learnt, unk_id=UNKNOWN, byte_fallback=False)
        backend = new_backend(rounded)
        backend.add_special_tokens(special)
        return backend


def new_backend(model: models.Model, *, spaced: bool = True, at_spaces: bool = False) -> Backend:
    """Return the pipeline around a model of pieces; it loses nothing of any text.

    A space is put before the text, so that a word is the same piece at the start as in the
    middle; words are split off as GPT-2 does, letters apart from punctuation, or `at_spaces`
    alone; each byte of UTF-8 is one letter. Decoding joins the bytes and takes that one space off
    again. Pieces of BART are not `spaced` so: there a word is another piece at the start.
    """
    backend = Backend(model)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not at_spaces)
    apart = pre_tokenizers.Split(" ", behavior="merged_with_next")
    backend.pre_tokenizer = pre_tokenizers.Sequence([apart, letters]) if at_spaces else letters
    if spaced:
        backend.normalizer = normalizers.Prepend(" ")
        backend.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    else:
        backend.decoder = decoders.ByteLevel()
    backend.encode_special_tokens = True  # a text that spells a control piece stays text
    return backend


def _without(batches: Iterable[list[str]], controls: Sequence[str]) -> Iterator[list[str]]:
    """Yield the lines with a space for each control piece: none may be learnt as a text's."""
    spelled = re.compile("|".join(map(re.escape, controls)))
    for batch in batches:
        yield [spelled.sub(" ", line) for line in batch]


def control_tokens(controls: Sequence[str]) -> list[AddedToken]:
    """Return the control pieces as the library takes them."""
    return [AddedToken(piece, special=True, normalized=False) for piece in controls]


def train_backend(lines: Iterable[str], config: BPE | Unigram, controls: Sequence[str]) -> Backend:
    """Learn `config.vocabulary_size` pieces from the lines; `controls` take the first ids.

    Raises DataError when the corpus is empty, or too small for that many and `config.exact`.
    """
    smallest = len(BYTE_LETTERS) + len(controls)
    if config.vocabulary_size < smallest:
        raise SettingError(
            f"{config.vocabulary_size} pieces cannot hold the 256 bytes and "
            f"{len(controls)} control pieces",
            where="tokenizer.vocabulary_size",
            fix=f"use at least --tokenizer.vocabulary-size {smallest}",
        )
    batches = _batches(lines)
    first = next(batches, None)
    if first is None:
        raise DataError("the corpus has no line to learn a vocabulary from")
    backend = config.build(chain([first], batches), control_tokens(controls))
    reached = backend.get_vocab_size()
    if reached < config.vocabulary_size and config.exact:
        raise DataError(
            f"the corpus is too small for a vocabulary of {config.vocabulary_size} pieces",
            where="tokenizer.vocabulary_size",
            fix=f"use --tokenizer.vocabulary-size {reached} or fewer",
        )
    return backend


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    source = iter(lines)
    while batch := list(islice(source, LINES_A_BATCH)):
        yield batch


TokenizerConfig = Annotated[BPE | Unigram, Field(discriminator="kind")]


class Characters(Settings):
    """Every character of the text to learn from is a piece; others are `<unk>`."""

    kind: Literal["characters"] = "characters"

    def build(self, portions: Iterable[str]) -> Backend:
        """Return the characters of the portions, in the order of their code points."""
        every = sorted(set().union(*map(set, portions)))
        pieces = {piece: number for number, piece in enumerate([*CONTROL, *every])}
        backend = Backend(models.WordLevel(pieces, unk_token=CONTROL[UNKNOWN]))
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(EACH), behavior="isolated")
        backend.decoder = decoders.Fuse()
        backend.add_special_tokens(control_tokens(CONTROL))
        return backend


EACH = r"[\s\S]"
"""Any one character, a line break too."""


class RunningBPE(Settings):
    """Byte-pair encoding of a text that runs on, as GPT-2's: nothing is put before it."""

    kind: Literal["bpe"] = "bpe"
    vocabulary_size: int = Field(8000, ge=260)
    """Pieces at most, the 256 bytes and the control pieces among them."""
    learn_from: int = Field(100_000_000, ge=1)
    """Characters to learn from at most, from the beginning of the text on."""

    def build(self, portions: Iterable[str]) -> Backend:
        """Learn from the portions; pieces seen once are not learnt."""
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary_size,
            min_frequency=2,
            special_tokens=control_tokens(CONTROL),
            initial_alphabet=list(BYTE_LETTERS),
            show_progress=False,
        )
        backend.train_from_iterator(_first(portions, self.learn_from), trainer)
        return backend


def _first(portions: Iterable[str], most: int) -> Iterator[str]:
    """Yield portions with so many characters together, the last of them cut.

    >>> list(_first(["ab", "cde", "f"], 4))
    ['ab', 'cd']
    """
    for portion in portions:
        yield portion[:most]
        most -= len(portion)
        if most <= 0:
            return


TextTokenizerConfig = Annotated[Characters | RunningBPE, Field(discriminator="kind")]

"""What a score does not see: repeats, lengths, lost numbers and placeholders, terms not used.

Sources and translations come in, counts go out; no model and no file is known here. References are
counted in the same way, since people too write numbers as words. `heed evaluate` shows both.
"""

__all__ = ["Checks", "Kept", "check"]

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heedful.data.glossary import Glossary
from heedful.text.copied import is_copied
from heedful.text.protect import KINDS, lost, spans
from heedful.text.repeats import loop, repeated_share
from heedful.text.scripts import words


@dataclass(frozen=True)
class Kept:
    """How many of what the sources hold stand in the translations."""

    kept: int
    of: int


@dataclass(frozen=True)
class Checks:
    """What was counted in one set of translations, or in the references."""

    repeated_4grams: float
    """Share of 4-grams of words that a text has had before, the mean over all texts (0 to 1)."""
    loops: int
    """Texts that say a phrase three times in a row, which their source does not."""
    copies: int
    """Texts that are their source, where there was something to translate: names, or failures."""
    characters: int
    words: int
    kept: dict[str, Kept]
    """By kind of span (`heedful.text.protect`), those that the sources hold at all."""
    glossary: Kept | None
    """Terms of the sources, as often as they stand there; None without a glossary."""

    def length_ratio(self, references: "Checks") -> dict[str, float]:
        """Return the lengths divided by those of the references."""
        return {
            "characters": self.characters / max(1, references.characters),
            "words": self.words / max(1, references.words),
        }

    def to_json(self, references: "Checks") -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return dataclasses.asdict(self) | {"length_ratio": self.length_ratio(references)}


def check(
    sources: Sequence[str],
    translations: Sequence[str],
    *,
    language: str = "",
    glossary: Glossary | None = None,
) -> Checks:
    """Count what translations, one for each source, repeat, lose and use; `language` is theirs.

    A number counts as kept in any spelling of the language, in digits.
    """
    pairs = list(zip(sources, translations, strict=True))
    wanted = Counter(span.kind for source in sources for span in spans(source))
    missing = Counter(span.kind for source, text in pairs for span in lost(source, text, language))
    return Checks(
        sum(map(repeated_share, translations)) / max(1, len(pairs)),
        sum(loop(text, source) is not None for source, text in pairs),
        sum(is_copied(*pair) for pair in pairs),
        sum(map(len, translations)),
        sum(len(words(text)) for text in translations),
        {kind: Kept(wanted[kind] - missing[kind], wanted[kind]) for kind in KINDS if wanted[kind]},
        None if glossary is None else _satisfied(pairs, glossary),
    )


def _satisfied(pairs: Sequence[tuple[str, str]], glossary: Glossary) -> Kept:
    used = found = 0
    for source, text in pairs:
        for term, times in Counter(glossary.terms(source)).items():
            found += times
            used += min(times, term.times_in(text))
    return Kept(used, found)

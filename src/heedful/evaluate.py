"""How good are translations? sacreBLEU and chrF with signatures, intervals and paired tests.

Lists of strings come in, `Scores` or a `Comparison` go out; no model and no file is known here.
The n-gram counts are sacreBLEU's own; intervals equal sacreBLEU's and p-values too, but for ties
(`heedful.resampling`).
`heedful.commands.evaluate` and validation during training call it.
"""

__all__ = [
    "Changed",
    "Comparison",
    "Paired",
    "Score",
    "Scores",
    "compare",
    "score",
    "sentence_chrf",
    "tokenizer_for",
]

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sacrebleu
from sacrebleu.metrics.base import Metric

from heedful.errors import DataError
from heedful.resampling import (
    RESAMPLES,
    ROUNDING,
    SEED,
    TRIALS,
    Array,
    Paired,
    Score,
    measured,
    paired,
)


@dataclass(frozen=True)
class Scores:
    """What is known of one set of translations."""

    bleu: Score
    chrf: Score
    bleu_lower: Score
    """BLEU of lower-cased, tokenised text, as older papers report it; never the headline."""
    sentences: int
    empty_hypotheses: int
    seconds: float | None = None
    """Time spent translating, without loading the model; None for text that was given."""

    @property
    def sentences_per_second(self) -> float | None:
        """Speed of translating, if it was measured."""
        return self.sentences / self.seconds if self.seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return dataclasses.asdict(self) | {"sentences_per_second": self.sentences_per_second}


@dataclass(frozen=True)
class Changed:
    """A sentence that two systems translate unlike well, by sacreBLEU's sentence chrF2."""

    row: int
    """Its place, from 0, in the lists that were compared."""
    a: float
    b: float

    @property
    def difference(self) -> float:
        """How many points b is better than a."""
        return self.b - self.a


@dataclass(frozen=True)
class Comparison:
    """Whether system b differs from system a, or luck explains it."""

    bleu: Paired
    chrf: Paired
    sentences: int
    resamples: int
    trials: int
    seed: int
    changed: tuple[Changed, ...]
    """The sentences in which b gains most, then those in which it loses most, the least first."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`; those of `changed` are shown with their texts."""
        plain = dataclasses.asdict(self)
        del plain["changed"]
        for name, metric in (("bleu", self.bleu), ("chrf", self.chrf)):
            plain[name]["difference"] = metric.difference
        return plain


def tokenizer_for(language: str) -> str:
    """Name sacreBLEU's tokenizer for a target language; "13a" where words are spaced.

    Japanese, Korean and Thai are counted by character: their word segmenters need a download.

    >>> tokenizer_for("de"), tokenizer_for("zh-CN"), tokenizer_for("ja")
    ('13a', 'zh', 'char')
    """
    code = language.lower().replace("_", "-").split("-")[0]
    return {"zh": "zh", "ja": "char", "ko": "char", "th": "char"}.get(code, "13a")


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: str = "",
    tokenize: str | None = None,
    seconds: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Scores:
    """Measure translations against one reference each.

    `language` is the target's, `tokenize` sacreBLEU's tokenizer for BLEU where it shall not be the
    language's, `seconds` what the translating took. Raises `DataError` when there is nothing to
    measure or the two differ in length.
    """
    _check(references, hypotheses)
    bleu, chrf, lower = (
        measured(measure, measure.counts(hypotheses, references), resamples, seed)
        for measure in _measures(tokenize or tokenizer_for(language))
    )
    empty = sum(not line.strip() for line in hypotheses)
    return Scores(bleu, chrf, lower, len(references), empty, seconds)


def compare(
    references: Sequence[str],
    a: Sequence[str],
    b: Sequence[str],
    *,
    language: str = "",
    tokenize: str | None = None,
    resamples: int = RESAMPLES,
    trials: int = TRIALS,
    seed: int = SEED,
    show: int = 5,
) -> Comparison:
    """Test whether the translations `b` differ from `a` by more than luck.

    The `show` sentences that gained most and the `show` that lost most are named. Raises
    `DataError` as `score` does.
    """
    _check(references, a, b)
    how = resamples, trials, seed
    bleu, chrf, _ = _measures(tokenize or tokenizer_for(language))
    bleus = paired(bleu, bleu.counts(a, references), bleu.counts(b, references), how)
    counts_a, counts_b = chrf.counts(a, references), chrf.counts(b, references)
    chrfs = paired(chrf, counts_a, counts_b, how)
    changed = _changed(chrf.formula(counts_a), chrf.formula(counts_b), show)
    return Comparison(bleus, chrfs, len(references), *how, changed)


def sentence_chrf(translations: Sequence[str], references: Sequence[str]) -> Array:
    """Return sacreBLEU's sentence chrF2 of each translation, from 0 to 100."""
    _check(references, translations)
    chrf = _measures("13a")[1]
    return chrf.formula(chrf.counts(translations, references))


def _changed(a: Array, b: Array, show: int) -> tuple[Changed, ...]:
    """Name the rows that differ most, `show` gains and `show` losses at most."""
    rows = sorted(range(len(a)), key=lambda row: (a[row] - b[row], row))
    gains = [row for row in rows if b[row] - a[row] > ROUNDING][:show]
    losses = [row for row in rows if a[row] - b[row] > ROUNDING]
    chosen = gains + losses[max(0, len(losses) - show) :]
    return tuple(Changed(row, float(a[row]), float(b[row])) for row in chosen)


def _check(references: Sequence[str], *systems: Sequence[str]) -> None:
    if not references:
        raise DataError("there is no sentence to score", fix="give a test set with references")
    for lines in systems:
        if len(lines) != len(references):
            raise DataError(
                f"{len(lines):,} translations stand against {len(references):,} references",
                fix="give one translation a line, in the order of the test set",
            )


@dataclass(frozen=True)
class _Measure:
    """A metric of sacreBLEU and its formula over whole arrays of summed counts."""

    name: str
    metric: Metric
    formula: Callable[[Array], Array]

    def counts(self, hypotheses: Sequence[str], references: Sequence[str]) -> Array:
        """Return the n-gram counts of every sentence, one row each.

        sacreBLEU shows these only through this method, on which its own paired tests rest.
        """
        rows = self.metric._extract_corpus_statistics(hypotheses, [references])
        return np.array(rows, dtype=np.float64)

    def signature(self, **resampling: int) -> str:
        """Return sacreBLEU's signature with the resampling that was done."""
        signature = self.metric.get_signature()
        for key, value in resampling.items():
            signature.update(key, value)
        return str(signature)


def _measures(tokenizer: str) -> tuple[_Measure, _Measure, _Measure]:
    # force: the warning about tokenised text is worth saying once, and not where it is known
    cased = sacrebleu.BLEU(tokenize=tokenizer, force=tokenizer == "none")
    lower = sacrebleu.BLEU(lowercase=True, tokenize=tokenizer, force=True)
    return (
        _Measure("BLEU", cased, _bleu),
        _Measure("chrF2", sacrebleu.CHRF(), _chrf),
        _Measure(f"BLEU, lower-cased, tokenised ({tokenizer})", lower, _bleu),
    )


def _bleu(sums: Array) -> Array:
    """BLEU (Papineni et al. 2002) with exponential smoothing, of `[system length, reference
    length, 4 correct, 4 total]` in every row.

    The n-th order that has no match at all counts as 1/2, 1/4, ... of a match (sacreBLEU's
    `exp`); a text without a single match, or too short for 4-grams, scores 0.
    """
    system, reference, correct, total = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
    smoothed = np.where(correct > 0, correct, 0.5 ** np.cumsum(correct == 0, axis=1))
    precisions = smoothed / np.maximum(total, 1)
    brevity = np.exp(np.minimum(0, 1 - reference / np.maximum(system, 1)))
    defined = (total > 0).all(1) & (correct > 0).any(1)
    bleu: Array = 100 * defined * brevity * np.exp(np.log(precisions).mean(1))
    return bleu


def _chrf(sums: Array) -> Array:
    """chrF2 (Popović 2015), of `[system, reference, both]` for every n-gram order in a row.

    Precision and recall are averaged over the orders that occur, then joined with beta = 2.
    """
    system, reference, both = (sums[:, start::3] for start in range(3))
    occurs = (system > 0) & (reference > 0)
    orders = np.maximum(occurs.sum(1), 1)
    precision = (both / np.where(occurs, system, 1) * occurs).sum(1) / orders
    recall = (both / np.where(occurs, reference, 1) * occurs).sum(1) / orders
    weighted = 4 * precision + recall
    chrf: Array = 500 * precision * recall / np.where(weighted > 0, weighted, 1)
    return chrf

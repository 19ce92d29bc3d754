"""What was seen, in lines for the terminal; `heed inspect` prints them.

Traces and differences come in, lines of aligned columns go out.
"""

__all__ = ["difference", "looks", "overview", "reasons"]

import math
import unicodedata
from collections.abc import Sequence

import numpy as np

from heedful.inspect.names import Kind
from heedful.inspect.trace import Trace
from heedful.inspect.what_if import Difference
from heedful.translator import Translator
from heedful.writer import Ended

CAUTION = "Where a head read from is no proof of why the model answered so: --ablate or --replace."
SHARES = ("rollout", "chefer")
"""Methods whose scores are shares; those of the others are nats."""


ENDED: dict[Ended, str] = {
    "end": "the model ended it",
    "length": "it may be no longer (--max-new)",
    "context": "the model can read no more",
}
"""Why a text is no longer."""


def overview(seen: Trace) -> list[str]:
    """Return what was written, how likely each piece was, and what was looked at.

    Of a model without an encoder the pieces of the prompt are among them, with how likely they
    were; those that it wrote are marked.
    """
    steps = seen.steps(4)
    written = len(steps) - seen.begins
    rows = [
        [
            f"{number}{' *' if not seen.encoded and number >= seen.begins else ''}",
            step.reads,
            step.predicts,
            _percent(step.log_prob),
            "  ".join(
                f"{piece} {_percent(value)}" for piece, value in step.top if piece != step.predicts
            ),
        ]
        for number, step in enumerate(steps)
    ]
    return [
        *_table(_texts(seen), "<<"),
        f"its log-probability is {seen.log_prob:.2f}, the mean of a piece "
        f"{seen.log_prob / written:.2f}",
        "",
        *_table(
            [["step", "reads", "predicts", "probability", "or"], *rows],
            "><<><" if seen.encoded else "<<<><",
        ),
        "",
        *(_alignment(seen) if seen.encoded else _back(seen)),
        "",
        CAUTION,
    ]


def _texts(seen: Trace) -> list[list[str]]:
    """Return what was given and what came of it."""
    if isinstance(seen.by, Translator):
        given = "given" if seen.forced else "translation"
        return [["source", seen.source.text], [given, seen.target.text]]
    text = seen.by.vocabulary.continuation(seen.source.ids, seen.target.ids[seen.begins :])
    texts = [["prompt", seen.source.text], ["given" if seen.forced else "goes on", text]]
    return texts if seen.forced else [*texts, ["ended", ENDED[seen.ended]]]


def _back(seen: Trace) -> list[str]:
    """Return what is looked at where each piece is predicted, in the mean of the last layer."""
    layer = seen.n_layers("decoder") - 1
    weights = seen.attention("decoder", layer).mean(0)
    rows = []
    for number in range(seen.begins, len(weights)):
        best = np.argsort(-weights[number], kind="stable")[:3]
        looked = "  ".join(f"{seen.reads[one]} {weights[number, one]:.0%}" for one in best)
        rows.append([str(number), seen.target.tokens[number], looked])
    name = f"looks back at (decoder.{layer}, mean of its heads)"
    return _table([["step", "predicts", name], *rows], "<<<")


def _alignment(seen: Trace) -> list[str]:
    """Return what each word of the translation looks at: by the head that was taught to align, or
    the mean of the decoder's last layer."""
    if not seen.n_layers("cross"):
        return ["this model has no attention: it knows of the source what it began with"]
    taught = seen.translator.model.config.alignment_layer
    if taught is None:
        layer = seen.n_layers("cross") - 1
        weights, which = seen.attention("cross", layer).mean(0), f"cross.{layer}, mean of its heads"
    else:
        weights, which = seen.attention("cross", taught, 0), f"cross.{taught}.0, taught to"
    rows = []
    by_word = seen.source.to_words(seen.target.of_words(weights))
    for word, row in zip(seen.target.words, by_word, strict=True):
        best = np.argsort(-row, kind="stable")[:3]
        looked = "  ".join(f"{seen.source.words[one]} {row[one]:.0%}" for one in best)
        rows.append([word, looked, f"{max(0.0, 1 - float(row.sum())):.0%}"])
    return _table([["word", f"looks at ({which})", "no word"], *rows], "<<>")


def looks(seen: Trace, word: str | int, kind: Kind) -> list[str]:
    """Return what every head looks at from a word."""
    rows = [
        [
            f"{kind}.{look.layer}.{look.head}",
            "  ".join(f"{name} {share:.1%}" for name, share in look.words),
            f"{max(0.0, look.elsewhere):.1%}",
        ]
        for look in seen.looks_at(word, kind, top=4)
    ]
    named = seen.sides(kind)[0]
    place = named.find(word)
    head = ["head", f'looks from "{named.words[place]}" at', "no word"]
    return [*_table([head, *rows], "<<>"), "", CAUTION]


def reasons(seen: Trace, word: str | int, method: str) -> list[str]:
    """Return what the prediction of a word rests on: of the first of its pieces, or of a step."""
    if isinstance(word, int):
        step = word
    else:
        step = int(seen.target.shares[:, seen.target.find(word)].argmax())
    found = seen.attribute(step, method)
    unit = "share" if method in SHARES else "nats"
    rows = [
        [piece, f"{value:.3f}"]
        for piece, value in zip(seen.source.tokens, found.source, strict=bool(seen.encoded))
    ]
    written = [
        [piece, f"{value:.3f}"]
        for piece, value in zip(seen.reads[: step + 1], found.target, strict=True)
    ]
    lines = [
        f'what step {step}, "{found.piece}", rests on by {method}',
        "",
        *([*_table([["source", unit], *rows], "<>"), ""] if rows else []),
        *_table([[f"{seen.what} so far", unit], *written], "<>"),
    ]
    if found.missing is not None:
        lines += ["", f"the scores lack {found.missing:+.3f} nats of the whole change"]
    return lines


def difference(found: Difference) -> list[str]:
    """Return both translations, and what each piece of the first lost."""
    before, after = found.before, found.after
    rows = [
        [piece, _percent(one), _percent(other), f"{other - one:+.3f}", f"{apart:.3f}"]
        for piece, (one, other), apart in zip(
            before.target.tokens[before.begins :], found.log_probs, found.divergence, strict=True
        )
    ]
    texts = [["before", before.target.text], ["after", after.target.text]]
    if before.source.text != after.source.text:
        texts.insert(0, ["source" if before.encoded else "prompt", after.source.text])
    head = ["piece", "before", "after", "nats", "KL"]
    return [*_table(texts, "<<"), str(found), "", *_table([head, *rows], "<>>>>")]


def _percent(log_prob: float) -> str:
    return f"{math.exp(log_prob):.1%}"


def _table(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Return rows in columns, each kept to its side; wide letters count as two.

    >>> _table([["a", "10"], ["猫", "7"]], "<>")
    ['a   10', '猫   7']
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for cell, width, side in zip(row, widths, sides, strict=True):
            gap = " " * (width - _width(cell))
            cells.append(gap + cell if side == ">" else cell + gap)
        lines.append("  ".join(cells).rstrip())
    return lines


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)

"""What the translation would be: without a head, with another word, or from another beginning on.

A trace and edits come in, a second trace and the difference go out. The edited model is searched
anew, and asked what it thinks of the first translation, step by step.
"""

__all__ = ["Difference", "what_if"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from heedful.errors import SettingError
from heedful.inspect.ablate import How, ablations, edited, merged
from heedful.inspect.leaving import still_wanted, waiting
from heedful.inspect.names import Head
from heedful.inspect.searching import search_model
from heedful.inspect.sides import Side, source_side
from heedful.inspect.stages import check_side, finished, logits_of, read
from heedful.inspect.trace import Trace
from heedful.request import Request, Wishes
from heedful.search import Asked, Wish
from heedful.shapes import Float, Tensor


@dataclass(frozen=True)
class Difference:
    """Two traces and how far apart they are."""

    before: Trace
    after: Trace
    """Of the edited text and model; its maps are those of the edited model."""
    log_probs: tuple[tuple[float, float], ...]
    """Of each piece of the first translation, before and after."""
    divergence: tuple[float, ...]
    """KL(before || after) of each step's probabilities, in nats."""

    @property
    def lost(self) -> float:
        """Return by how much the first translation's log-probability fell, in nats."""
        return sum(before - after for before, after in self.log_probs)

    @property
    def changed(self) -> bool:
        """Return whether the translation is another."""
        return self.before.target.text != self.after.target.text

    def __str__(self) -> str:
        verdict = "the translation changes" if self.changed else "the translation stays"
        moved = "loses" if self.lost >= 0 else "gains"
        said = f"{verdict}; the first one {moved} {abs(self.lost):.3f} nats"
        if not self.changed and abs(self.lost) < 0.01 * len(self.log_probs):
            return said + ": either it is unused, or others do the same job"
        return said


def what_if(
    seen: Trace,
    *,
    ablate: Iterable[str | Head] = (),
    how: How | str = "mean",
    replace: Mapping[str, str] | None = None,
    prefix: str | None = None,
) -> Difference:
    """Return what would be without some heads, with words replaced, or after a given beginning.

    A head's `mean` is that of the trace itself (see `ablate` for `how`). Words are replaced in the
    source, wherever they stand. The search is the trace's own, in float32. Raises SettingError
    where nothing is changed or a head is not there, DataError for a word that is not in the text.
    """
    heads = list(ablate)
    if not heads and not replace and prefix is None:
        raise SettingError("nothing is changed", where="what_if", fix="give an edit")
    source = _replaced(seen, replace) if replace else seen.source
    edits = merged(seen.edits, ablations(seen.model, heads, how, seen.looks) if heads else {})
    wish = Wishes(seen.tokenizer).of(Request(source.text, prefix=prefix or ""))
    with edited(seen.model, edits):
        target = _searched(seen, source, wish)
        looks, log_probs = read(seen.model, source.ids, target.ids)
        with torch.inference_mode():
            again = logits_of(seen.model, source.ids, seen.target.ids).float().log_softmax(-1)
    after = Trace(
        *(seen.translator, seen.to, source, target, seen.search, False, looks, log_probs),
        *(edits, wish),
    )
    return Difference(seen, after, *_compared(seen, again))


def _replaced(seen: Trace, words: Mapping[str, str]) -> Side:
    """Return the source with words replaced."""
    text = seen.source.text
    for word in words:
        if word not in seen.source.words:
            seen.source.find(word)
    parts, end = [], 0
    raw = text.encode()
    for span in seen.source.spans:
        parts += [raw[end : span.start].decode(), words.get(span.word, span.word)]
        end = span.end
    source = source_side(seen.tokenizer, "".join([*parts, raw[end:].decode()]), seen.to)
    check_side(seen.translator, source, "text")
    return source


def _searched(seen: Trace, source: Side, wish: Wish) -> Side:
    """Return what the search finds in the model as it is now."""
    limits = seen.translator.limits
    found = search_model(seen.model, Asked(source.ids, wish, waiting()), seen.search, limits)
    still_wanted()
    target = finished(seen.tokenizer, found[0])
    check_side(seen.translator, target, "target")
    return target


def _compared(
    seen: Trace, again: Float[Tensor, "T N"]
) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]]:
    chosen = torch.tensor(seen.target.ids, device=again.device)[:, None]
    before, after = (found.gather(1, chosen)[:, 0].tolist() for found in (seen.log_probs, again))
    apart = (seen.log_probs.exp() * (seen.log_probs - again)).sum(-1)
    return tuple(zip(before, after, strict=True)), tuple(apart.tolist())

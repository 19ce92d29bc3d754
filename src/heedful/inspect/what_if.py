"""What would be written: without a head, with another word, or from another beginning on.

A trace and edits come in, a second trace and the difference go out. The edited model is searched
anew, and asked what it thinks of the first translation, step by step. Without an encoder it goes on
anew with the prompt, and is asked about what was written behind it.
"""

__all__ = ["Difference", "what_if"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import replace as replaced_fields
from functools import partial

import torch

from heedful.errors import SettingError
from heedful.inspect.ablate import How, ablations, edited, merged
from heedful.inspect.leaving import still_wanted, waiting
from heedful.inspect.names import Head
from heedful.inspect.prompted import Started, start, traced_text, written
from heedful.inspect.searching import search_model
from heedful.inspect.sides import Side, source_side
from heedful.inspect.stages import check_side, finished, logits_of, read
from heedful.inspect.trace import Trace
from heedful.request import Request, Wishes
from heedful.search import Asked, Beam, Wish
from heedful.shapes import Float, Tensor
from heedful.writer import Writer


@dataclass(frozen=True)
class Difference:
    """Two traces and how far apart they are."""

    before: Trace
    after: Trace
    """Of the edited text and model; its maps are those of the edited model."""
    log_probs: tuple[tuple[float, float], ...]
    """Of each piece that the model wrote at first, before and after."""
    divergence: tuple[float, ...]
    """KL(before || after) of each step's probabilities, in nats."""

    @property
    def lost(self) -> float:
        """Return by how much the log-probability of what was written first fell, in nats."""
        return sum(before - after for before, after in self.log_probs)

    @property
    def changed(self) -> bool:
        """Return whether what the model writes is another."""
        return (
            self.before.target.ids[self.before.begins :]
            != self.after.target.ids[self.after.begins :]
        )

    def __str__(self) -> str:
        verdict = f"the {self.before.what} {'changes' if self.changed else 'stays'}"
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
    source, wherever they stand. The search is the trace's own, in float32. Without an encoder the
    beginning is read as the end of the prompt. Raises SettingError where nothing is changed or a
    head is not there, DataError for a word that is not in the text.
    """
    heads = list(ablate)
    if not heads and not replace and prefix is None:
        raise SettingError("nothing is changed", where="what_if", fix="give an edit")
    edits = merged(seen.edits, ablations(seen.model, heads, how, seen.looks) if heads else {})
    text = _replaced(seen, replace) if replace else seen.source.text
    after_of = _written_on if isinstance(seen.by, Writer) else _translated
    with edited(seen.model, edits), torch.inference_mode():
        source, after = after_of(seen, text, prefix or "")
        again = logits_of(seen.model, source.ids, _first(seen, source)).float().log_softmax(-1)
    count = len(seen.target.ids) - seen.begins
    after = replaced_fields(after, edits=edits)
    return Difference(seen, after, *_compared(seen, again[-count:]))


def _first(seen: Trace, source: Side) -> tuple[int, ...]:
    """Return the first target, behind another prompt where there is no encoder."""
    if not isinstance(seen.by, Writer):
        return seen.target.ids
    return (*source.ids[1:], *seen.target.ids[seen.begins :])


def _written_on(seen: Trace, text: str, prefix: str) -> tuple[Side, Trace]:
    """Return the prompt without what it is to go on with, and the trace of what is written."""
    assert isinstance(seen.by, Writer)
    assert not isinstance(seen.search, Beam)
    asked = partial(start, seen.by, most=seen.most, search=seen.search)
    source = seen.source if text == seen.source.text else asked(text).source
    begun = asked(text + prefix) if prefix else Started(seen.by, source, seen.search, seen.most)
    return source, traced_text(begun, written(begun))


def _translated(seen: Trace, text: str, prefix: str) -> tuple[Side, Trace]:
    """Return the source, and the trace of its translation."""
    source = seen.source
    if text != source.text:
        source = source_side(seen.tokenizer, text, seen.to)
        check_side(seen.translator, source, "text")
    wish = Wishes(seen.tokenizer).of(Request(source.text, prefix=prefix))
    target = _searched(seen, source, wish)
    looks, log_probs = read(seen.model, source.ids, target.ids)
    after = Trace(
        *(seen.translator, seen.to, source, target, seen.search, False, looks, log_probs),
        wish=wish,
    )
    return source, after


def _replaced(seen: Trace, words: Mapping[str, str]) -> str:
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
    return "".join([*parts, raw[end:].decode()])


def _searched(seen: Trace, source: Side, wish: Wish) -> Side:
    """Return what the search finds in the model as it is now."""
    translator = seen.translator
    asked = Asked(source.ids, wish, waiting())
    found = search_model(translator.model, asked, seen.search, translator.limits)
    still_wanted()
    target = finished(seen.tokenizer, found[0])
    check_side(seen.translator, target, "target")
    return target


def _compared(
    seen: Trace, again: Float[Tensor, "T N"]
) -> tuple[tuple[tuple[float, float], ...], tuple[float, ...]]:
    chosen = torch.tensor(seen.target.ids[seen.begins :], device=again.device)[:, None]
    first = seen.log_probs[seen.begins :]
    before, after = (found.gather(1, chosen)[:, 0].tolist() for found in (first, again))
    apart = (first.exp() * (first - again)).sum(-1)
    return tuple(zip(before, after, strict=True)), tuple(apart.tolist())

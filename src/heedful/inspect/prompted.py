"""What a model without an encoder did to go on with a prompt: the steps by which a trace is made.

A `Writer` and a prompt come in, a `heedful.inspect.trace.Trace` goes out that has the decoder's
side alone. The text is the one that the writer writes; then the model reads it once more, all of it
at once. The playground shows the text while it grows.
"""

__all__ = [
    "MOST",
    "Started",
    "Text",
    "continued",
    "grown",
    "start",
    "trace_prompt",
    "traced_text",
    "written",
]

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from heedful.decode.prompted import growing
from heedful.errors import DataError, SettingError
from heedful.inspect.leaving import still_wanted, waiting
from heedful.inspect.sides import Side, text_side
from heedful.inspect.stages import LONGEST, check_length, read
from heedful.inspect.trace import Trace
from heedful.search import Greedy, Sample
from heedful.writer import Ended, Writer

_SHORTER = "shorten it, or let less be written"

MOST = 20
"""Pieces that are written, if nobody says how many."""


class Started(NamedTuple):
    """What a trace is asked for."""

    writer: Writer
    source: Side
    """The prompt."""
    search: Greedy | Sample
    most: int


class Text(NamedTuple):
    """A prompt and what stands behind it, from the second piece on."""

    target: Side
    ended: Ended
    forced: bool = False
    """Whether it was given, and not written by the model."""


def trace_prompt(
    writer: Writer,
    prompt: str,
    continuation: str | None = None,
    *,
    most: int = MOST,
    search: Greedy | Sample | None = None,
) -> Trace:
    """Go on with a prompt and keep what the model looked at; or, with a `continuation`, what it
    would.

    At least one piece and at most `most` are written, the likeliest unless another search is given.
    Raises DataError for a prompt that is empty or, with what may be written, longer than 512
    pieces or the model's context, and for a continuation that changes the prompt's pieces.

    >>> seen = trace_prompt(writer, "Once upon a time", most=8)  # doctest: +SKIP
    >>> seen.attention("decoder", 0, 3)  # doctest: +SKIP
    """
    started = start(writer, prompt, most=most, search=search)
    if continuation is not None:
        return traced_text(started, continued(started, continuation))
    return traced_text(started, written(started))


def start(
    writer: Writer, prompt: str, *, most: int = MOST, search: Greedy | Sample | None = None
) -> Started:
    """Cut a prompt into pieces; raises as `trace_prompt` does."""
    if not 1 <= most <= LONGEST:
        raise SettingError(f"{most} is not from 1 to {LONGEST}", where="most")
    if isinstance(search, Sample) and search.count != 1:
        raise SettingError("one text is looked into", where="count", fix="draw one")
    source = text_side(writer.vocabulary, writer.prompt(prompt, "text"))
    # of the last piece that is written nothing is read
    check_length(source, min(LONGEST + 1 - most, writer.context), "text", _SHORTER)
    return Started(writer, source, Greedy() if search is None else search, most)


def grown(started: Started) -> Iterator[list[int]]:
    """Yield what stands behind the prompt after every piece that is written.

    Raises LeftError if nobody waits any more.
    """
    writer, source, search, most = started
    steps = growing(*(writer.model, source.ids, search, writer.limits), most=most, client=waiting())
    for pieces in steps:
        still_wanted()
        yield pieces
        if pieces[-1] in writer.end_ids:
            return
    still_wanted()


def written(started: Started, pieces: Sequence[int] | None = None) -> Text:
    """Return the text that the model writes, or that of the pieces that it wrote."""
    if pieces is None:
        *_, pieces = grown(started)
    if pieces[-1] in started.writer.end_ids:
        return Text(_target(started, pieces), "end")
    return Text(_target(started, pieces), "length" if len(pieces) == started.most else "context")


def continued(started: Started, continuation: str) -> Text:
    """Return a text that is given; raises DataError where the prompt's pieces are others in it."""
    writer, source = started.writer, started.source
    whole = writer.vocabulary.encode(source.text + continuation, "target")
    count = len(source.ids)
    if not source.text and tuple(whole[:count]) != source.ids:  # the model's own beginning
        whole = [*source.ids, *whole]
    if tuple(whole[:count]) != source.ids or len(whole) == count:
        raise DataError(
            "behind the prompt it is cut into other pieces",
            where="target",
            fix="begin it where a word begins: with a space, as a rule",
        )
    target = _target(started, whole[count:])
    check_length(target, min(LONGEST, writer.context), "target", _SHORTER)
    return Text(target, "end" if whole[-1] in writer.end_ids else "length", forced=True)


def traced_text(started: Started, text: Text) -> Trace:
    """Let the model read a text, and return the trace."""
    writer, source, search, most = started
    looks, log_probs = read(writer.model, source.ids, text.target.ids)
    return Trace(
        *(writer, None, source, text.target, search, text.forced, looks, log_probs),
        most=most,
        ended=text.ended,
    )


def _target(started: Started, written: Sequence[int]) -> Side:
    """Return prompt and continuation without the first piece."""
    whole = text_side(started.writer.vocabulary, (*started.source.ids, *written))
    return whole.part(slice(1, None))

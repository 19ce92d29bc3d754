"""A trace, told event by event as soon as each is there, and what an edit makes of it.

What is asked for comes in, events go out: together they are the object that `heedful.inspect.wire`
writes. Between two events whoever waits may leave, and other work may be done.
"""

__all__ = ["Clock", "Event", "traced_events", "written_events"]

import time
from collections.abc import Iterator, Sequence
from typing import Any

from heedful.inspect import prompted, stages, wire
from heedful.inspect.names import Kind, kinds_of
from heedful.inspect.trace import Trace, traced
from heedful.playground.asked import TraceAsked
from heedful.playground.kept import Kept, Traced
from heedful.search_options import writing_of
from heedful.translator import Translator
from heedful.writer import Writer

Event = dict[str, Any]


class Clock:
    """Counts what takes how long; waiting between two events is nobody's."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.ms: dict[str, float] = {}

    def again(self) -> None:
        """Begin anew, after a pause."""
        self._began = time.perf_counter()

    def done(self, name: str) -> None:
        """Add the time since the last call to a name."""
        now = time.perf_counter()
        self.ms[name] = round(self.ms.get(name, 0) + 1000 * (now - self._began), 2)
        self._began = now


def traced_events(
    name: str, translator: Translator, asked: TraceAsked, to: str | None, beam: int, kept: Kept
) -> Iterator[Event]:
    """Yield the events of a trace; once its last map is there it is kept.

    Raises HeedfulErrors as `heedful.inspect.trace` does, LeftError when nobody waits any more.
    """
    clock = Clock()
    begun = stages.begin(
        translator, asked.text, to=to, beam=beam, length_penalty=asked.length_penalty
    )
    number = kept.name()
    clock.done("tokens")
    yield {"event": "begin", "id": number} | wire.begun(translator, begun.to, begun.source, name)
    clock.again()
    encoded = stages.encode(begun)
    encoder = wire.of_encoder(begun, encoded)
    clock.done("encode")
    if encoder is not None:
        yield {"event": "attention"} | encoder
    clock.again()
    given = asked.target
    target = stages.searched(begun) if given is None else stages.given(begun, given)
    forced = given is not None
    clock.done("search")
    yield {"event": "target"} | wire.target(target, forced)
    clock.again()
    seen = traced(begun, encoded, target, forced, stages.write(begun, encoded, target))
    wire.check_size(seen)
    kept.keep(number, Traced(name, seen))
    kinds = [kind for kind in kinds_of(translator.model) if kind != "encoder"]
    yield from _seen_events(seen, kinds, clock)
    clock.again()
    tree = wire.beam(seen)
    clock.done("beam")
    yield {"event": "beam", "beam": tree}
    yield {
        "event": "done",
        "ms": clock.ms,
        "precision": "float32",
        "searched": None if forced else translator.precision,
    }


def written_events(name: str, writer: Writer, asked: TraceAsked, kept: Kept) -> Iterator[Event]:
    """Yield the events of a text that is gone on with, among them the text as it grows.

    Raises HeedfulErrors as `heedful.inspect.prompted.trace_prompt` does, LeftError when nobody
    waits any more.
    """
    clock = Clock()
    given = {"temperature": asked.temperature, "seed": asked.seed}
    search = writing_of({key: value for key, value in given.items() if value is not None})
    started = prompted.start(writer, asked.text, most=asked.most, search=search)
    number = kept.name()
    clock.done("tokens")
    yield {"event": "begin", "id": number} | wire.begun(writer, None, started.source, name)
    clock.again()
    if asked.target is None:
        pieces: list[int] = []
        for pieces in prompted.grown(started):
            added = writer.vocabulary.continuation(started.source.ids, pieces)
            clock.done("search")
            yield {"event": "writing", "so_far": started.source.text + added.rstrip("\ufffd")}
            clock.again()
        text = prompted.written(started, pieces)
    else:
        text = prompted.continued(started, asked.target)
    told = wire.writing(started.source, text.ended)
    yield {"event": "target"} | wire.target(text.target, text.forced) | told
    clock.again()
    seen = prompted.traced_text(started, text)
    wire.check_size(seen)
    kept.keep(number, Traced(name, seen))
    yield from _seen_events(seen, ("decoder",), clock)
    yield {"event": "done", "ms": clock.ms, "precision": "float32", "searched": None}


def _seen_events(seen: Trace, kinds: Sequence[Kind], clock: Clock) -> Iterator[Event]:
    """Yield the maps of a trace, its steps and its lens."""
    maps = [wire.attention_of(seen, kind) for kind in kinds]
    clock.done("read")
    for one in maps:
        yield {"event": "attention"} | one
    yield {"event": "steps", "steps": wire.steps(seen)}
    clock.again()
    lens = wire.lens(seen)
    clock.done("lens")
    yield {"event": "lens", "lens": lens}

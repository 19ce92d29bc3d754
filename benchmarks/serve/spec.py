"""What is measured: which servers, asked how, by how many clients."""

__all__ = [
    "CEILING",
    "CLIENTS",
    "DOCUMENT",
    "OURS",
    "SENTENCE",
    "SIZES",
    "SYSTEMS",
    "Asking",
    "System",
    "askings",
    "search_name",
]

from collections.abc import Iterator
from dataclasses import dataclass

CLIENTS = (1, 8, 64)
"""How many ask every system at once."""
SIZES = (1, 2, 4, 8, 16, 32, 64)
"""How many ask ours, so that whoever sets one up can tell what it bears."""
BEAMS = (1, 4)
OURS = "heedful"
CEILING = "no translation"
"""Requests for /health: all that HTTP costs, the clients' part among it."""
DOCUMENT = "document"
"""Requests of a hundred sentences."""
SENTENCE = "sentence"
"""Requests of one."""


@dataclass(frozen=True)
class System:
    """A server that is measured."""

    name: str
    about: str
    """What it is, in a sentence of the results."""
    module: str = ""
    """`serve/MODULE.py`, whose `main` runs it; none: `heed serve`."""
    words: tuple[str, ...] = ()
    """Words that are added to its command line."""
    counted: bool = True
    """Whether /metrics tells how many texts it translates at once."""
    ceiling: bool = False
    """Whether it is also asked for what needs no translation."""


SYSTEMS = (
    System(OURS, "`heed serve` as it is: requests of all clients go together", ceiling=True),
    System(
        "heedful, one at a time",
        "`heed serve --limits.batch-tokens 1`: no second text is let in, so that each is "
        "translated alone, one after another, on one core",
        words=("--limits.batch-tokens", "1"),
    ),
    System(
        "CTranslate2, each request",
        "CTranslate2 in int8 behind starlette and uvicorn, and no more than that: a thread of a "
        "pool calls translate_batch with one request, inter_threads = cores, intra_threads = 1",
        module="ct2_alone",
        counted=False,
        ceiling=True,
    ),
    System(
        "CTranslate2 in our batcher",
        "our server with CTranslate2 in int8 as its engine: a batch is one call of "
        "translate_batch, which divides it among inter_threads = cores",
        module="ct2_batched",
    ),
)


@dataclass(frozen=True)
class Asking:
    """One measurement: so many clients that ask one system for the same kind of thing."""

    system: str
    kind: str
    """SENTENCE, DOCUMENT or CEILING."""
    beam: int
    """1 is greedy; 0 where nothing is translated."""
    clients: int

    def __str__(self) -> str:
        return f"{self.system}: {search_name(self.beam)}, {self.kind}, {self.clients} clients"


def search_name(beam: int) -> str:
    """Return what a search is called in the tables.

    >>> search_name(1), search_name(4)
    ('greedy', 'beam 4')
    """
    return {0: CEILING, 1: "greedy"}.get(beam, f"beam {beam}")


def askings(round_: int, systems: tuple[System, ...] = SYSTEMS) -> Iterator[Asking]:
    """Yield the measurements of a round; each round begins with another system."""
    turn = round_ % len(systems)
    order = systems[turn:] + systems[:turn]
    for clients in sorted({*CLIENTS, *SIZES}):
        for beam in BEAMS:
            for system in order:
                if clients in (SIZES if system.name == OURS else CLIENTS):
                    yield Asking(system.name, SENTENCE, beam, clients)
        for system in order:
            if system.ceiling and clients in CLIENTS:
                yield Asking(system.name, CEILING, 0, clients)
    for beam in BEAMS:
        for system in order:
            yield Asking(system.name, DOCUMENT, beam, 1)

"""CTranslate2 as the engine inside our own server: `python -m serve.ct2_batched FILE`.

Connections, limits, queue and batches are heedful's, what translates a batch is not. Nobody looks
after the output, which heedful's own engine does.
"""

from collections.abc import Sequence

from serve.ct2 import Foreign, told

from heedful.flowing import Feed
from heedful.request import Request
from heedful.serve.app import create_app
from heedful.serve.batcher import Batcher, How
from heedful.serve.limits import ServerLimits
from heedful.serve.metrics import Metrics
from heedful.serve.models import Model, Models
from heedful.serve.server import bound, run
from heedful.translation import Candidate, Translation


class ForeignEngine:
    """CTranslate2 as the batcher's engine, which translates in batches alone."""

    lanes = 0

    def __init__(self, foreign: Foreign, to: str | None) -> None:
        self._foreign, self._to, self.workers = foreign, to, foreign.cores

    def sizes(self, texts: Sequence[str], how: How) -> list[int]:
        """Return the number of source pieces of every text."""
        return [len(row) for row in self._foreign.encode(texts, how.to)]

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        """Return the translation of every text, in order."""
        texts = [one.text for one in requests]
        found = self._foreign.translate(texts, how.to, how.rows)
        return [
            Translation(text, said, (Candidate(said, 0.0, 0.0),))
            for text, said in zip(texts, found, strict=True)
        ]

    def flows(self, how: How) -> bool:
        """Return that it cannot let texts in while it translates others."""
        return False

    def flow(self, how: How, feed: Feed) -> None:
        """Never asked for."""
        raise NotImplementedError

    def prove(self) -> None:
        """Translate a few signs."""
        self._foreign.translate(["1, 2, 3."], self._to, 1)


def main() -> None:
    """Serve on a free port until SIGTERM."""
    about, limits, metrics = told(), ServerLimits(), Metrics()
    ways = tuple((source, target) for source, target in about["ways"])
    engine = ForeignEngine(Foreign(about), ways[0][1] or None)
    batcher = Batcher("ct2", engine, limits, told=metrics.batches("ct2"))
    service = create_app(Models([Model("ct2", ways, batcher)]), limits, metrics=metrics)
    with bound("127.0.0.1", 0) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        raise SystemExit(run(service, listener, limits))


if __name__ == "__main__":
    main()

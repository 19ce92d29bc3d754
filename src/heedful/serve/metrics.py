"""What the server counts, for Prometheus: no text, no address, labels from closed lists alone.

Answers and batches are told of, the text of `/metrics` goes out; `guard` and `batcher` tell.
"""

__all__ = ["Metrics"]

from collections.abc import Callable, Iterable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from heedful.serve.jobs import Batch
from heedful.serve.models import Models, Served

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

OTHER = "other"
"""The route of whatever is none."""


class Metrics:
    """Counts for one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "heed_answers", "Answers", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "heed_answer_seconds",
            "Seconds from the headers of a request to its answer",
            ["route"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._texts = Histogram(
            "heed_batch_texts",
            "Texts translated or written together: in one go, or until others were let in",
            ["model"],
            buckets=TEXTS,
            registry=self._registry,
        )
        self._requests = Histogram(
            "heed_batch_requests",
            "Requests whose texts were translated or written together",
            ["model"],
            buckets=TEXTS,
            registry=self._registry,
        )
        self._batch_seconds = Histogram(
            "heed_batch_seconds",
            "Seconds for which they were the same",
            ["model"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._routes: frozenset[str] = frozenset()

    def know(self, routes: Iterable[str]) -> None:
        """Take the routes that are counted by their own names."""
        self._routes = frozenset(routes)

    def look_at(self, models: Models) -> None:
        """Show, whenever it is asked, how the models stand."""
        pending = Gauge(
            "heed_pending_requests", "Requests not answered", ["model"], registry=self._registry
        )
        ready = Gauge(
            "heed_ready", "1 if a model takes requests", ["model"], registry=self._registry
        )
        for name, served in models.served.items():
            pending.labels(name).set_function(partial(_pending, served))
            ready.labels(name).set_function(partial(_ready, served))

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        name = route if route in self._routes else OTHER
        self._answers.labels(name, str(status)).inc()
        self._seconds.labels(name).observe(seconds)

    def batches(self, model: str) -> Callable[[Batch], None]:
        """Return who counts the batches of a model."""

        def told(batch: Batch) -> None:
            self._texts.labels(model).observe(batch.texts)
            self._requests.labels(model).observe(batch.requests)
            self._batch_seconds.labels(model).observe(batch.seconds)

        return told

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self._registry)


def _pending(served: Served) -> float:
    return float(served.pending)


def _ready(served: Served) -> float:
    return float(served.ready)

"""What is wrong with a training that goes wrong: named, with its likely cause and first remedy.

The loop shows every step's loss and gradient to `Doctor.look`, every validation to
`same_everywhere`, and before the first step the schedule to `missing_warmup`. It goes back to its
newest checkpoint where it is told `Diverged`.
"""

__all__ = ["Diverged", "DivergedError", "Doctor", "Pulse", "missing_warmup", "same_everywhere"]

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heedful.errors import ModelError
from heedful.models.bert import BERT
from heedful.models.bert_heads import Value
from heedful.models.trainable import Trainable
from heedful.train.settings import LoopConfig

_SMOOTHING = 0.02
"""Weight of the newest loss in the running mean: it remembers about 50 steps."""
_REMEMBERED = round(1 / _SMOOTHING)
"""These steps. A running mean of fewer squared errors is no measure: a first batch of one row
may have none by luck."""
_HIGHER = 1.5
"""Nats a piece above the lowest running mean at which a loss counts as high (4.5 x perplexity)."""
_TIMES_HIGHER = 10
"""How many times the lowest running mean a squared error must be, too: it is of the size of the
labels, and those of 0 to 100 make batches that differ by hundreds."""
_HIGH_STEPS = 20
"""So many high losses in a row are a blow-up: sentences of one batch may well be hard ones."""
_FLAT_START = 0.2
"""Share of the highest rate at the first step, from which on the rate has no warm-up."""
_ENOUGH = 8
"""Translations that must be the same before anything is made of it."""


@dataclass
class Pulse:
    """What the doctor remembers of a training; a part of every checkpoint."""

    mean: float | None = None
    """Running mean of the loss, in nats a piece."""
    lowest: float | None = None
    """The lowest that the running mean has been."""
    high_steps: int = 0
    """Losses in a row that were high."""

    @property
    def calm(self) -> bool:
        """Whether the loss is not about to blow up, for all that is known."""
        return self.high_steps == 0


class Diverged(Exception):  # noqa: N818 - a finding, not a fault of the program
    """The training cannot go on from here; `cause` and `remedy` are parts of a sentence."""

    def __init__(self, problem: str, cause: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cause = cause
        self.remedy = remedy


class DivergedError(ModelError):
    """The training has diverged, and there is no checkpoint to go back to, or none any more."""


@dataclass(frozen=True)
class Doctor:
    """Looks at losses and gradients; `rate` gives the learning rate of a step."""

    settings: LoopConfig
    rate: Callable[[int], float]
    squared: bool = False
    """Whether losses are squared errors and no nats."""

    @classmethod
    def of(cls, model: Trainable, settings: LoopConfig, rate: Callable[[int], float]) -> "Doctor":
        """Return the doctor of a model's training."""
        squared = isinstance(model, BERT) and isinstance(model.config.head, Value)
        return cls(settings, rate, squared)

    def look(self, pulse: Pulse, step: int, loss: float, gradient: float) -> None:
        """Take note of a step's mean loss and length of gradient; raise Diverged where it is bad.

        The pulse then stays as it was.
        """
        if not math.isfinite(loss):
            raise self.diverged(f"the loss of step {step} is not a number")
        if not math.isfinite(gradient):
            raise self.diverged(f"the gradient of step {step} is not a number")
        high = pulse.lowest is not None and self._is_high(loss, pulse.lowest)
        high_steps = pulse.high_steps + 1 if high else 0
        if high_steps >= _HIGH_STEPS:
            raise self.diverged(
                f"the loss has blown up: {loss:.2f} at step {step}, "
                f"it was down to {pulse.lowest:.2f} before"
            )
        pulse.high_steps = high_steps
        pulse.mean = loss if pulse.mean is None else pulse.mean + _SMOOTHING * (loss - pulse.mean)
        if step >= _REMEMBERED or not self.squared:
            pulse.lowest = pulse.mean if pulse.lowest is None else min(pulse.lowest, pulse.mean)

    def _is_high(self, loss: float, lowest: float) -> bool:
        least = _TIMES_HIGHER * lowest if self.squared else 0.0
        return loss > max(lowest + _HIGHER, least)

    def diverged(self, problem: str) -> Diverged:
        """Return the finding, with the likely cause and the first remedy for these settings."""
        if missing_warmup(self.rate, self.settings.max_steps):
            return Diverged(problem, _NO_WARMUP, "--schedule.warmup-steps 4000")
        if self.settings.clip_norm is None:
            return Diverged(
                problem,
                "the learning rate is too high for these data",
                "--training.clip-norm 1, or half the learning rate",
            )
        return Diverged(
            problem, "the learning rate is too high for these data", "half the learning rate"
        )


_NO_WARMUP = "the learning rate starts at its full height, without warm-up"


def missing_warmup(rate: Callable[[int], float], max_steps: int) -> str | None:
    """Return a warning when the rate has no warm-up to speak of, None if it has.

    Adam's first steps go by a few gradients' signs alone, and with the norms after the residual
    sums the last layers' gradients are large at first (Xiong et al. 2020, arXiv 2002.04745).
    """
    if max_steps < 100:
        return None
    steps = sorted({1, *(round(10 ** (n / 8)) for n in range(41)), max_steps})
    highest = max(rate(step) for step in steps if step <= max_steps)
    if rate(1) < _FLAT_START * highest:
        return None
    return (
        f"{_NO_WARMUP} ({rate(1):.2g}): such trainings often diverge; --schedule.warmup-steps 4000"
    )


def same_everywhere(translations: Sequence[str], learning_rate: float) -> str | None:
    """Return a warning when different sentences are all translated alike, None if not."""
    if len(translations) < _ENOUGH or len(set(translations)) > 1:
        return None
    shown = translations[0] if len(translations[0]) <= 40 else translations[0][:39] + "…"
    return (
        f'all {len(translations)} dev sentences are translated alike ("{shown}"): the model does '
        "not look at the source; at the beginning that passes, later it comes of too high a "
        f"learning rate (now {learning_rate:.2g}) or of pairs that do not belong together: halve "
        "the rate, or look at them by heed report"
    )

"""Learning rates over the course of a training: a step number in, a rate out."""

__all__ = ["Cosine", "InverseSqrt", "Linear", "Schedule"]

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from heedful.settings import Settings


class InverseSqrt(Settings):
    """The paper's: `d_model^-0.5 min(step^-0.5, step warmup^-1.5)`, times a scale (equation 3)."""

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    warmup_steps: int = Field(4000, ge=1)
    """Steps of linear rise."""
    scale: float = Field(1.0, gt=0)
    """Multiplies the paper's rate."""

    def rate(self, step: int, d_model: int, max_steps: int) -> float:
        """Return the learning rate of step 1, 2, ..."""
        curve = min(step**-0.5, step * self.warmup_steps**-1.5)
        return float(self.scale * d_model**-0.5 * curve)


class Linear(Settings):
    """Linear rise to `peak`, then linear fall to zero at the last step, or when time is up."""

    kind: Literal["linear"] = "linear"
    warmup_steps: int = Field(400, ge=1)
    """Steps of linear rise."""
    peak: float = Field(1e-3, gt=0)
    """The highest learning rate."""

    def rate(self, step: int, d_model: int, max_steps: int) -> float:
        """Return the learning rate of step 1, 2, ...; zero after `max_steps`."""
        rise = step / self.warmup_steps
        fall = (max_steps + 1 - step) / max(1, max_steps + 1 - self.warmup_steps)
        return self.peak * max(0.0, min(1.0, rise, fall))


class Cosine(Settings):
    """Linear rise to `peak`, then half a cosine down to `lowest` (Loshchilov and Hutter 2016)."""

    kind: Literal["cosine"] = "cosine"
    warmup_steps: int = Field(400, ge=0)
    """Steps of linear rise; the one after them has the highest rate."""
    peak: float = Field(1e-3, gt=0)
    """The highest learning rate."""
    lowest: float = Field(1e-4, ge=0)
    """The rate that it falls to, and stays at."""

    def rate(self, step: int, d_model: int, max_steps: int) -> float:
        """Return the learning rate of step 1, 2, ..."""
        if step <= self.warmup_steps:
            return self.peak * step / (self.warmup_steps + 1)
        gone = (step - 1 - self.warmup_steps) / max(1, max_steps - self.warmup_steps)
        return self.lowest + (self.peak - self.lowest) * (1 + math.cos(math.pi * min(1, gone))) / 2

    @model_validator(mode="after")
    def _falls(self) -> "Cosine":
        if self.lowest > self.peak:
            raise ValueError(f"lowest {self.lowest:g} is above peak {self.peak:g}")
        return self


Schedule = Annotated[Cosine | InverseSqrt | Linear, Field(discriminator="kind")]

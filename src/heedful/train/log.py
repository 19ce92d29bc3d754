"""What a training tells: a live line on a terminal, plain lines in a pipe, `log.jsonl`.

TensorBoard gets the same numbers where the extra `track` is installed.
"""

__all__ = ["TrainLog", "Validation"]

import importlib.util
import json
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

from heedful.progress import Progress


class Validation(NamedTuple):
    """Loss on the dev set, in nats a piece, and BLEU of some of its sentences (None: not asked)."""

    loss: float
    perplexity: float
    bleu: float | None
    translations: tuple[str, ...] = ()
    """What BLEU was measured on."""
    scores: tuple[tuple[str, float], ...] = ()
    """Of a model that answers, what is measured instead of perplexity and BLEU, by its name."""

    @classmethod
    def of(
        cls,
        loss: float,
        bleu: float | None = None,
        translations: tuple[str, ...] = (),
        scores: tuple[tuple[str, float], ...] = (),
    ) -> "Validation":
        """Make it of a mean loss; a perplexity beyond e^100 is told as that."""
        return cls(loss, math.exp(min(loss, 100.0)), bleu, translations, scores)

    def record(self) -> dict[str, Any]:
        """Return what `log.jsonl` keeps."""
        if self.scores:
            return {"loss": self.loss, **dict(self.scores)}
        distinct = len(set(self.translations))
        known = {"loss": self.loss, "perplexity": self.perplexity, "bleu": self.bleu}
        return {**known, "distinct": distinct}

    def said(self) -> str:
        """Return it as a line has it."""
        named = [f"{name} {value:.3f}" for name, value in self.scores]
        if not named:
            named = [f"perplexity {self.perplexity:.2f}"]
        if self.bleu is not None:
            named.append(f"BLEU {self.bleu:.1f}")
        return " · ".join([f"dev loss {self.loss:.3f}", *named])


class TrainLog:
    """Writes records `{"step": ..., ...}` to the run folder and shows them."""

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        after_step: int = 0,
        *,
        mute: bool = False,
        unit: str = "tokens",
    ) -> None:
        self.path = folder / "log.jsonl"
        self.progress = progress
        self.unit = unit
        """What the speed is counted in."""
        self.mute = mute
        """Write and show nothing: this process is not the lead."""
        self.forget_after(after_step)
        self._board = None if mute else _tensorboard(folder)
        self._live: Any = None
        self._shown = 0.0

    def forget_after(self, step: int) -> None:
        """Drop records later than the checkpoint that a run goes on from."""
        if self.mute or not self.path.exists():
            return
        lines = self.path.read_text("utf-8", "replace").split("\n")
        kept = [line for line in lines if _step_of(line) <= step]
        fresh = self.path.with_suffix(".new")
        fresh.write_text("".join(line + "\n" for line in kept), "utf-8")
        fresh.replace(self.path)

    def record(self, kind: str, step: int, **values: Any) -> None:
        """Append one record."""
        if self.mute:
            return
        line = json.dumps({"kind": kind, "step": step, **values})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, int | float):
                    self._board.add_scalar(f"{kind}/{name}", value, step)

    def show(self, step: int, last: int, loss: float, speed: float, seconds_left: float) -> None:
        """Refresh the live line, or write a plain one at most every `progress.interval` seconds."""
        left = (
            f"{seconds_left / 60:.0f} min left"
            if seconds_left >= 90
            else (f"{seconds_left:.0f} s left")
        )
        line = f"step {step:,}/{last:,} · loss {loss:.3f} · {speed:,.0f} {self.unit}/s · {left}"
        if self.progress.live:
            self._status().update(line)
        elif time.monotonic() - self._shown >= self.progress.interval:
            self._shown = time.monotonic()
            self.progress.say(line)

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self._live is not None:
            self._live.console.print(line, markup=False, emoji=False, highlight=False)
        else:
            self.progress.say(line)

    def warn(self, line: str) -> None:
        """Write a line that stays, even when quiet."""
        if self._live is not None:
            self.say(line)
        elif not self.mute:
            self.progress.warn(line)

    def _status(self) -> Any:
        if self._live is None:
            from rich.console import Console

            self._live = Console(file=self.progress.stream).status("", spinner="dots")
            self._live.start()
        return self._live

    def close(self) -> None:
        """Stop the live line and flush TensorBoard."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._board is not None:
            self._board.close()


def _step_of(line: str) -> float:
    """Return the step of a record; infinity for a line that a crash cut off."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf


def _tensorboard(folder: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard.writer import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))

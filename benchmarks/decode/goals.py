"""What was to be reached, and whether it was: each goal with its figure."""

__all__ = ["goals"]

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from decode.models import LENGTHS

Rows = list[dict[str, Any]]

OURS, FAST, OTHER = "heedful int8", "heedful int8 fast", "CTranslate2"
TIMES_TRANSFORMERS = 5.0
TIMES_INT8 = {"small": 1.5, "base": 1.2}
TIMES_INT8_FAST = {"small": 2.0, "base": 1.5}
BLEU_LOST, BLEU_LOST_FAST = 0.1, 0.2


@dataclass(frozen=True)
class Goal:
    """A figure that was to be reached."""

    name: str
    measured: float
    least: float | None = None
    most: float | None = None

    def line(self) -> str:
        """Return its row of the table."""
        wanted = f"at least {self.least:,.2f}" if self.most is None else f"at most {self.most:,.2f}"
        return f"| {self.name} | {wanted} | {self.measured:,.2f} | {self._verdict()} |"

    def _verdict(self) -> str:
        if self.most is not None:
            over = self.measured - self.most
            return "holds" if over <= 0 else f"missed by {over:,.2f}"
        assert self.least is not None
        share = self.measured / self.least
        return "holds" if share >= 1 else f"missed by {100 * (1 - share):.0f} %"


def goals(rows: Rows) -> str:
    """Return a table of the goals whose engines were measured."""
    good = [row for row in rows if "failed" not in row]
    lines = ["| goal | wanted | measured | |", "|---|---|---|---|"]
    for part in ("small", "base"):
        for beam in (1, 4):
            some = [row for row in good if (row["part"], row["beam"]) == (part, beam)]
            for goal in (*_speed(some, part), *_quality(some), *_costs(some)):
                lines.append(goal.line().replace("| ", f"| {part}, beam {beam}: ", 1))
    lines += [goal.line() for goal in _by_length(good)]
    return "\n".join(lines) + "\n"


def _some(rows: Rows, name: str) -> Rows:
    """Return the rows of an engine in all its layouts."""
    return [row for row in rows if row["engine"].split(",")[0] == name]


def _fastest(rows: Rows, name: str) -> float | None:
    found = [row["sentences_per_second"] for row in _some(rows, name)]
    return max(found, default=None)


def _speed(rows: Rows, part: str) -> Iterator[Goal]:
    ours, fast = _fastest(rows, OURS), _fastest(rows, FAST)
    marian, theirs = _fastest(rows, "MarianMT generate"), _fastest(rows, f"{OTHER} int8")
    if ours and marian:
        yield Goal("speed, times transformers", ours / marian, least=TIMES_TRANSFORMERS)
    if ours and theirs:
        yield Goal("speed, times CTranslate2 int8", ours / theirs, least=TIMES_INT8[part])
    if fast and theirs:
        name = "speed with --fast, times CTranslate2 int8"
        yield Goal(name, fast / theirs, least=TIMES_INT8_FAST[part])


def _quality(rows: Rows) -> Iterator[Goal]:
    bleu = {row["engine"].split(",")[0]: row["bleu"] for row in rows if "bleu" in row}
    exact = bleu.get("heedful float32")
    if exact is not None and OURS in bleu:
        yield Goal("BLEU lost by int8", exact - bleu[OURS], most=BLEU_LOST)
    if exact is not None and FAST in bleu:
        yield Goal("BLEU lost by int8 and --fast", exact - bleu[FAST], most=BLEU_LOST_FAST)


def _costs(rows: Rows) -> Iterator[Goal]:
    ours = _some(rows, OURS)
    theirs = _some(rows, f"{OTHER} int8") + _some(rows, f"{OTHER} float32")
    alone = [[row["latency_ms"] for row in some if "latency_ms" in row] for some in (ours, theirs)]
    if all(alone):
        yield Goal("one sentence, ms", min(alone[0]), most=min(alone[1]))
    together = [row["peak_rss_mb"] for row in ours if ", 1 x " in row["engine"]]
    held = [row["peak_rss_mb"] for row in _some(rows, f"{OTHER} int8")]
    if together and held:
        yield Goal("memory in one process, MB", min(together), most=min(held) + _torch_mb())


def _by_length(rows: Rows) -> Iterator[Goal]:
    """A piece of a text of 1,000 may cost as many times more as the text is longer."""
    costs = {
        int(row["part"].split()[1]): 1 / row["tokens_per_second"]
        for row in _some(rows, OURS)
        if row["part"].startswith("length")
    }
    shortest, longest = LENGTHS[0], LENGTHS[-1]
    if shortest in costs and longest in costs:
        name = f"cost of a piece at {longest:,} pieces, times that at {shortest}"
        yield Goal(name, costs[longest] / costs[shortest], most=longest / shortest)


def _torch_mb() -> float:
    """Return what a process holds that has imported torch and does nothing."""
    code = "import torch; print(open('/proc/self/status').read())"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = (line for line in text.stdout.split("\n") if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024

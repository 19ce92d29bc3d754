"""The process that measures one engine: `python -m decode.worker TASK`.

It loads the engine, translates a sentence, says {"ready": seconds since it was started}, and then
obeys the lines of stdin: `all` (its share of the sentences, timed), `single` (each of the first
fifty alone, timed), `end`. Answers are lines of JSON.
"""

__all__ = ["Inputs", "Translate", "rows_of"]

import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heedful.search import Limits

Translate = Callable[[list[list[int]], int, int], list[list[int]]]
"""Sources, beam size and batch size become answers."""
SINGLE = 50


@dataclass(frozen=True)
class Inputs:
    """What is translated, and what a search must know."""

    sources: list[list[int]]
    forbidden: tuple[int, ...]
    max_length: int
    fixed: int | None
    """So many pieces in every answer; None where the model ends it."""

    def most(self, length: int) -> int:
        """Return the most pieces of an answer to sources of that length."""
        return self.fixed or min(length + 50, self.max_length)

    @property
    def limits(self) -> "Limits":
        """The same for heedful's own search."""
        from heedful.search import Limits
        from heedful.text.pieces import END, START

        if self.fixed:
            return Limits(START, END, (*self.forbidden, END), self.fixed)
        return Limits(START, END, self.forbidden, self.max_length)


def rows_of(sources: list[list[int]], tokens: int) -> int:
    """Return how many rows of an average source make a batch of so many tokens."""
    return max(1, tokens * len(sources) // sum(map(len, sources)))


def main() -> None:
    """Serve the task named on the command line."""
    from decode.spec import Task

    task = Task(**json.loads(sys.argv[1]))
    warnings.simplefilter("ignore")
    found = json.loads(Path(task.inputs).read_text("utf-8"))
    found["forbidden"] = tuple(found["forbidden"])
    inputs = Inputs(**found)
    share = inputs.sources[task.rank :: task.processes]
    module = importlib.import_module(f"decode.{task.module}")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(task.threads)
    options = {**task.options, "threads": task.threads}
    translate = module.load(Path(task.model), Path(task.exported), inputs, options)
    translate(share[:1], task.beam, task.batch_tokens)
    answer({"ready": time.time() - task.started})
    for word in map(str.strip, sys.stdin):
        if word == "end":
            break
        if word == "all":
            translate(share[-32:], task.beam, task.batch_tokens)
            begin = time.perf_counter()
            results = translate(share, task.beam, task.batch_tokens)
            answer({"seconds": time.perf_counter() - begin, "answers": results})
        if word == "single":
            alone = []
            for source in share[:SINGLE]:
                begin = time.perf_counter()
                translate([source], task.beam, task.batch_tokens)
                alone.append(time.perf_counter() - begin)
            answer({"latencies": alone})
    answer({"peak_rss_mb": _peak_mb()})


def _peak_mb() -> float:
    """Return the most memory held, without that of the process that started this one."""
    status = Path("/proc/self/status").read_text("utf-8").split("\n")
    (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def answer(data: dict[str, Any]) -> None:
    print(json.dumps(data), flush=True)


if __name__ == "__main__":
    sys.modules.setdefault("decode.worker", sys.modules["__main__"])
    main()

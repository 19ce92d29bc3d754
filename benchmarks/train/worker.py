"""The process that makes one run: `python -m train.worker TASK`, both a task and a result as JSON.

One line goes to stdout, {"result": ...} or {"absent": reason}. With several processes (DDP) each
of them is one of these, told by RANK who it is.
"""

import importlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from train.measure import Runner, measure
from train.spec import SIZES, Task

PEERS = {
    "torch.nn": "torch_nn",
    "torch.nn by hand": "torch_nn",
    "MarianMT": "marian",
    "x-transformers": "xt",
    "JoeyNMT": "joey",
}


def runner(task: Task, folder: Path) -> Runner:
    """Return what trains; raises ImportError where a peer is not installed."""
    if task.implementation == "heedful":
        from train.ours import Ours

        return Ours(task, folder)
    from train.plain import PlainLoop

    module = importlib.import_module(f"train.{PEERS[task.implementation]}")
    return PlainLoop(module.build(SIZES[task.size], task.settings), task)


def main() -> None:
    """Run the task named on the command line."""
    task = Task.from_json(json.loads(sys.argv[1]))
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    torch.set_num_threads(task.settings.threads)
    processes = task.settings.processes
    if processes > 1:
        place = f"file://{os.environ['RENDEZVOUS']}"
        rank = int(os.environ["RANK"])
        torch.distributed.init_process_group("gloo", place, rank=rank, world_size=processes)
    try:
        with tempfile.TemporaryDirectory(prefix="train-speed-") as folder:
            answer = {"result": measure(runner(task, Path(folder)), task)}
    except ImportError as failure:
        answer = {"absent": f"{type(failure).__name__}: {failure}"}
    print(json.dumps(answer), flush=True)
    if processes > 1:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

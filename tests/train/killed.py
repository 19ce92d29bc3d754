"""`heed train` in a process of its own that kills itself: `python killed.py PLACE NUMBER WORDS...`.

The process gets SIGKILL at its NUMBER-th call of the kinds that PLACE names:

    save    what a checkpoint is made of: opening, flushing, renaming, making and removing folders
    step    an update of the weights, after it and before it is counted
    any     both, and every other file that is opened for writing, renamed or removed

Python tells its audit hooks of opening, renaming and removing; flushing and updates are wrapped.
Nothing of the product knows of this.
"""

import os
import signal
import sys
from typing import Any

place, number, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
seen = 0


def count(what: str) -> None:
    global seen
    seen += 1
    if seen == number:
        os.write(2, f"killed at {what}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
    if not writing and event not in CHANGES:
        return
    path = str(arguments[0])
    inside = "checkpoints" in path
    if (place == "save" and inside) or (place == "any" and "run" in path):
        count(f"{event} {path}")


def main() -> int:
    import torch

    import heedful.run  # noqa: F401 - loaded before anything is counted
    from heedful.cli import main as heed

    flush = os.fsync

    def flushing(handle: int) -> None:
        flush(handle)
        if place != "step":
            count("flushed")

    os.fsync = flushing
    update = torch.optim.Adam.step

    def updating(self: Any, *given: Any) -> Any:
        result = update(self, *given)
        if place != "save":
            count("updated")
        return result

    torch.optim.Adam.step = updating  # type: ignore[method-assign]
    sys.addaudithook(hook)
    return heed(["train", *words])


if __name__ == "__main__":
    sys.exit(main())

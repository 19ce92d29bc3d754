"""`heed translate` killed at every moment: `python killed_translating.py FOLDER WORDS...`.

For N = 1, 2, ... a process gets SIGKILL at its N-th call of these: a line noted, lines flushed, a
file of results opened, flushed to the disk, renamed or removed. A second one goes on with what it
left and is killed too, at a call between its first and seventh; a third one writes
FOLDER/N/out.txt. It ends with the first that lived to its end. All are forks of this one, so that
each takes a blink, and the translator is a stub; around it is the product, which knows nothing of
this. Prints where each first one was killed.
"""

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

import heedful.translator
from heedful.cli import arguments
from heedful.commands import translate
from heedful.commands.translate import Options
from heedful.request import Request
from heedful.resuming import Part
from heedful.search import Beam
from heedful.translator import Candidate, Translation

CHANGES = ("os.rename", "os.remove")


class Stub:
    """Translates into capitals, three lines at a time."""

    precision = "float32"
    device = torch.device("meta")

    def __init__(self, *_: Any) -> None:
        pass

    def target(self, to: str | None, from_: str | None) -> str | None:
        return to

    def stream(
        self, requests: Iterator[Request], to: str, *, search: Beam, **_: Any
    ) -> Iterator[Translation]:
        while portion := [one.text for one in islice(requests, 3)]:
            for text in portion:
                many = search.n_best if text else 1
                found = [Candidate(text.upper() + "!" * n, -n / 8, -n / 4) for n in range(many)]
                yield Translation(text, found[0].text, tuple(found), ("split",) * (len(text) > 9))


def run(options: Options, settings: dict[str, Any], number: int) -> int:
    """Translate in a process of its own, killed at its `number`-th call; return how it ended.

    Where it is killed is printed for a positive number only.
    """
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen = 0

    def count(what: str) -> None:
        nonlocal seen
        seen += 1
        if seen == abs(number):
            os.write(1 if number > 0 else 2, f"{what}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if (event == "open" or event in CHANGES) and ".part" in str(arguments[0]):
            count(f"{event} {arguments[0]}")

    def wrap(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def counted(*given: Any) -> Any:
            result = function(*given)
            count(name)
            return result

        setattr(owner, name, counted)

    for owner, name in ((Part, "add"), (Part, "flush"), (os, "fsync")):
        wrap(owner, name)
    sys.addaudithook(hook)
    code = 1
    try:
        code = translate.run(options, settings)
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> int:
    heedful.translator.load = Stub  # type: ignore[assignment,misc]
    folder = Path(sys.argv[1])
    options, settings = arguments("translate", translate, [*sys.argv[2:], "--quiet"])
    killed, number = True, 0
    while killed:
        number += 1
        place = folder / str(number)
        place.mkdir()
        mine = replace(options, output=place / "out.txt")
        code = run(mine, settings, number)
        assert code in (0, -signal.SIGKILL), code
        killed = code != 0
        if killed:
            for later in (1 + number % 7, 0):
                code = run(replace(mine, resume=True), settings, -later)
            assert code == 0, code
    return 0


if __name__ == "__main__":
    sys.exit(main())

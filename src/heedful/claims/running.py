"""Runs the cases of claims, one after another, and writes down each when it is done.

A second run goes on where the first one ended; Ctrl-C loses the running case alone.
"""

__all__ = ["Where", "measure", "render", "where"]

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

from heedful.claims.claim import Case, Claim, Figures, Measured, Place, Report, Size
from heedful.claims.drawing import picture
from heedful.claims.results import Results, read_results
from heedful.device import pick_device
from heedful.errors import HeedfulError, SettingError
from heedful.output import unwritable, write_whole
from heedful.progress import Progress
from heedful.version import version_report


@dataclass(frozen=True)
class Where:
    """On what and for whom claims are measured."""

    devices: tuple[torch.device, ...]
    """Cases that name no device are run on the last of them."""
    progress: Progress
    data: Path | None
    jobs: int = 1
    """How many cases that name no device are run at a time, each in a process of its own."""

    def of(self, case: Case) -> torch.device | None:
        """Return where a case is to be run; None: not here."""
        if "device" not in case:
            return self.devices[-1]
        return next((one for one in self.devices if one.type == case["device"]), None)


def where(device: str, progress: Progress, data: Path | None, jobs: int = 1) -> Where:
    """Return where to measure: `auto` is the CPU and, if there is one, a GPU as well.

    Raises SettingError for a device that is not there, or for less than one job.
    """
    if jobs < 1:
        raise SettingError(f"{jobs} at a time is too few", where="--jobs", fix="give 1 or more")
    found = pick_device(device)
    both = device == "auto" and found.type == "cuda"
    devices = (torch.device("cpu"), found) if both else (found,)
    return Where(devices, progress, data, jobs)


def measure(claim: Claim, size: Size, folder: Path, site: Where) -> Results:
    """Measure what is missing of a claim; raises DataError for a file that cannot be gone on with.

    Says what is not measured here, and why; a case that fails is told, and the others go on. Raises
    OutputError for a folder that cannot be made.
    """
    results = read_results(folder / f"{claim.name}.json", claim.name, size)
    left = [case for case in claim.cases(size) if results.lacks(case)]
    here = [case for case in left if site.of(case) is not None]
    say = site.progress.say
    if len(here) < len(left):
        elsewhere = sorted({case["device"] for case in left if case not in here})
        say(f"{claim.name}: {len(left) - len(here)} cases are for {' and '.join(elsewhere)}")
    if here and (reason := claim.missing(site.data, size)) is not None:
        site.progress.warn(f"{claim.name}: {len(here)} cases are not measured: {reason}")
        return results
    if not here:
        say(f"{claim.name}: all that can be measured here is measured")
        return results
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error, "name another folder with --out") from None
    machine = dict(line.split(maxsplit=1) for line in version_report().split("\n"))
    done = _apart(claim, here, site) if site.jobs > 1 else _in_turn(claim, here, site)
    try:
        for one in site.progress.track(done, claim.name, len(here)):
            if isinstance(one, Failed):
                results.failed.append(one.case)
                site.progress.warn(f"{claim.name}: {_named(one.case)} has failed: {one.reason}")
            else:
                results.add(*one, machine)
    except KeyboardInterrupt as stop:
        kept = len(results.known(claim))
        stop.add_note(f"{kept} cases of {claim.name} are kept, the same command goes on")
        raise
    return results


class Failed(NamedTuple):
    """A case that could not be measured, such as a training that has diverged."""

    case: Case
    reason: str


def _named(case: Case) -> str:
    return ", ".join(f"{name} {value}" for name, value in case.items())


def _in_turn(claim: Claim, cases: Sequence[Case], site: Where) -> Iterator[Measured | Failed]:
    """Run one case after another."""
    for case in cases:
        device = site.of(case)
        assert device is not None
        yield _measured(claim.run, case, device, site.data, site.progress)


def _apart(claim: Claim, cases: Sequence[Case], site: Where) -> Iterator[Measured | Failed]:
    """Run cases that name no device side by side; first the others, whose time is measured.

    Raises SettingError where a process is ended from outside: it takes all others with it.
    """
    yield from _in_turn(claim, [case for case in cases if "device" in case], site)
    spawned = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // site.jobs)
    pool = ProcessPoolExecutor(site.jobs, spawned, torch.set_num_threads, (threads,))
    free = [case for case in cases if "device" not in case]
    try:
        device = site.devices[-1]
        given = [pool.submit(_measured, claim.run, case, device, site.data) for case in free]
        for future in as_completed(given):
            yield future.result()
    except BrokenProcessPool:
        raise SettingError(
            f"a process that measured {claim.name} was ended, perhaps for want of memory",
            where=f"--jobs {site.jobs}",
            fix="give fewer: the same command goes on",
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _measured(
    run: Callable[[Case, Place], Figures],
    case: Case,
    device: torch.device,
    data: Path | None,
    progress: Progress | None = None,
) -> Measured | Failed:
    """Run one case; those after it are not to fall with it."""
    torch.manual_seed(case.get("seed", 1))
    shown = Progress(quiet=True) if progress is None else progress
    with tempfile.TemporaryDirectory(prefix="heed-claims-") as own:
        try:
            return Measured(case, run(case, Place(device, shown, Path(own), data)))
        except HeedfulError as error:
            return Failed(case, str(error))


def render(claim: Claim, known: list[Measured], folder: Path) -> Report:
    """Return what the figures say, and write the plots beside them, where matplotlib is."""
    report = claim.report(known)
    for plot in report.plots if find_spec("matplotlib") is not None else ():
        write_whole(folder / f"{claim.name}-{plot.name}.svg", picture(plot))
    return report

"""The file of a claim's figures: a case after another, each written at once by rename.

    {"claim": "parallel", "size": "full", "machines": [{...}],
     "cases": [{"case": {...}, "figures": {...}, "machine": 0, "date": "2026-01-31"}]}

`machines` are what `heed --version` says, for each machine that cases were run on.
"""

__all__ = ["Results", "read_results"]

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heedful.claims.claim import Case, Claim, Figures, Measured, Size
from heedful.errors import DataError
from heedful.output import write_whole

_KEYS = {"claim", "size", "machines", "cases"}
_OF_CASE = {"case", "figures", "machine", "date"}


@dataclass
class Results:
    """What is known of a claim in one size."""

    path: Path
    claim: str
    size: Size
    machines: list[dict[str, str]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    failed: list[Case] = field(default_factory=list)
    """Of this run; they are not written, and tried once more by the next."""

    def known(self, claim: Claim) -> list[Measured]:
        """Return the cases of the claim that are measured, in the order of the claim.

        What was measured of cases that the claim has no longer is left out.
        """
        found = {_key(one["case"]): one["figures"] for one in self.cases}
        every = claim.cases(self.size)
        return [Measured(case, found[_key(case)]) for case in every if _key(case) in found]

    def lacks(self, case: Case) -> bool:
        """Return whether a case is still to be measured."""
        return all(_key(one["case"]) != _key(case) for one in self.cases)

    def add(self, case: Case, figures: Figures, machine: dict[str, str]) -> None:
        """Add a case and write the file, whole or not at all."""
        if machine not in self.machines:
            self.machines.append(machine)
        today = datetime.date.today().isoformat()
        place = self.machines.index(machine)
        entry = {"case": case, "figures": figures, "machine": place, "date": today}
        self.cases.append(json.loads(json.dumps(entry, allow_nan=False)))
        self.write()

    def write(self) -> None:
        """Write the file: a line a case, so that what was added is seen in a diff."""
        lines = [json.dumps(one, ensure_ascii=False) for one in self.cases]
        machines = json.dumps(self.machines, ensure_ascii=False, indent=2)
        listed = "[\n  " + ",\n  ".join(lines) + "\n]" if lines else "[]"
        head = f'"claim": {json.dumps(self.claim)},\n"size": {json.dumps(self.size)}'
        text = f'{{\n{head},\n"machines": {machines},\n"cases": {listed}\n}}\n'
        write_whole(self.path, text.encode())


def read_results(path: Path, claim: str, size: Size) -> Results:
    """Return what a file holds, or empty results where there is none yet.

    Raises DataError for a file that is damaged, of another claim or of another size.
    """
    if not path.exists():
        return Results(path, claim, size)
    remove = "remove it to measure anew"
    try:
        held = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError("no readable results", where=f"{path}{line}", fix=remove) from None
    if not _is_whole(held):
        raise DataError("these are no results of a claim", where=str(path), fix=remove)
    if held["claim"] != claim:
        problem = f'these are results of "{held["claim"]}", not of "{claim}"'
        raise DataError(problem, where=str(path), fix="give it back its name")
    if held["size"] != size:
        problem = f"these are figures of the {held['size']} form, not of the {size} one"
        raise DataError(problem, where=str(path), fix="name another folder with --out")
    return Results(path, claim, size, held["machines"], held["cases"])


def _is_whole(held: Any) -> bool:
    """Return whether a file has the parts that are looked up in it."""
    if not isinstance(held, dict) or set(held) != _KEYS:
        return False
    machines, cases = held["machines"], held["cases"]
    if held["size"] not in ("quick", "full") or not isinstance(machines, list):
        return False
    return isinstance(cases, list) and all(_is_entry(one, len(machines)) for one in cases)


def _is_entry(one: Any, machines: int) -> bool:
    if not isinstance(one, dict) or set(one) != _OF_CASE:
        return False
    if not isinstance(one["case"], dict) or not isinstance(one["figures"], dict):
        return False
    return isinstance(one["machine"], int) and 0 <= one["machine"] < machines


def _key(case: Case) -> str:
    return json.dumps(case, sort_keys=True)

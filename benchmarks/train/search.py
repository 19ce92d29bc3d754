"""The search for a peer's best settings, before it is measured against heedful.

One change at a time from what a competent user would start with, then all that helped together.
The next size starts from what was best for the one before and tries less, as its steps are long.
"""

__all__ = ["Trial", "best_settings", "candidates", "combined"]

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from train.spec import DEFAULT_BATCH_TOKENS, Settings

HELPS = 1.02
"""A change this much faster than the start goes into the combination."""


class Trial(NamedTuple):
    """Settings tried and the target tokens a second they gave; None where they do not work."""

    settings: Settings
    speed: float | None
    result: dict[str, Any]


def best_settings(
    implementation: str, start: Settings, thorough: bool, attempt: Callable[[Settings], Trial]
) -> list[Trial]:
    """Try settings and return all trials, the fastest first; only one when it is not installed."""
    found = [attempt(start)]
    if "absent" in found[0].result:
        return found
    for change in candidates(implementation, start, thorough):
        found.append(attempt(replace(start, **change)))
    together = combined(start, found)
    if all(trial.settings != together for trial in found):
        found.append(attempt(together))
    return sorted(found, key=lambda trial: -(trial.speed or 0))


def candidates(implementation: str, start: Settings, thorough: bool) -> list[dict[str, Any]]:
    """Return the changes to try, one at a time."""
    if not thorough:
        other = DEFAULT_BATCH_TOKENS // 2
        return [{"batch_tokens": DEFAULT_BATCH_TOKENS if start.batch_tokens == other else other}]
    changes: list[dict[str, Any]] = [
        {"fused": not start.fused},
        {"batch_tokens": DEFAULT_BATCH_TOKENS // 2},
        {"batch_tokens": DEFAULT_BATCH_TOKENS * 2},
        {"multiple": 8},
    ]
    if implementation == "torch.nn":
        changes += [{"dropout_everywhere": True}, {"threads": 1}]
    return changes


def combined(start: Settings, found: list[Trial]) -> Settings:
    """Return the start with every change that helped; of two values the faster one."""
    base = found[0].speed or 0.0
    changes: dict[str, Any] = {}
    for trial in sorted(found[1:], key=lambda trial: trial.speed or 0.0):
        if (trial.speed or 0.0) > HELPS * base:
            tried, first = asdict(trial.settings), asdict(start)
            changes |= {name: tried[name] for name in tried if tried[name] != first[name]}
    return replace(start, **changes)

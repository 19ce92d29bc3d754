"""Learning rates that were tried: what each led to, and which was best.

`Tries` has, by model and rate, the loss at the end; None where the training diverged.
"""

__all__ = ["Tries", "best", "cells", "tried"]

Tries = dict[str, dict[float, float | None]]


def best(tries: Tries) -> dict[str, float]:
    """Return the rate with the least loss of each model, if with any it did not diverge.

    >>> best({"LSTM": {1.0: 3.0, 2.0: 2.5, 4.0: None}, "GRU": {4.0: None}})
    {'LSTM': 2.0}
    """
    known = {
        model: [(loss, rate) for rate, loss in losses.items() if loss is not None]
        for model, losses in tries.items()
    }
    return {model: min(losses)[1] for model, losses in known.items() if losses}


def tried(tries: Tries) -> list[float]:
    """Return all rates, in order."""
    return sorted({rate for losses in tries.values() for rate in losses})


def cells(losses: dict[float, float | None], rates: list[float]) -> list[str]:
    """Return a model's losses as a row of a table.

    >>> cells({1.0: 3.0, 4.0: None}, [1.0, 2.0, 4.0])
    ['3.000', '', 'diverged']
    """
    said = {rate: "diverged" if loss is None else f"{loss:.3f}" for rate, loss in losses.items()}
    return [said.get(rate, "") for rate in rates]

"""The server: one model or several, over HTTP, for many clients at once.

Requests come in through `guard` (limits, origins, bodies), are answered by `native` or
`libretranslate`, and meet in the `batcher` of a model, where those that wait share batches.
`heed serve` and `heed play` start it; needs the extra `serve`.
"""

__all__ = ["lacking"]

from heedful.errors import SettingError


def lacking(error: ModuleNotFoundError) -> SettingError:
    """Return what to raise where a package of the extra is not installed."""
    problem = f"{error.name} is needed to serve, and is not installed"
    return SettingError(problem, fix='pip install "heedful[serve]"')

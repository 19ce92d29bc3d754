"""`corpus.json`: what a run folder's files were made of, so that a resumed run knows its corpus."""

__all__ = ["changed", "refuse_change"]

import json
from collections.abc import Mapping
from pathlib import Path

from heedful.errors import ModelError, SettingError
from heedful.progress import Progress


def changed(path: Path, now: Mapping[str, str]) -> str | None:
    """Return what is not as it was when the run began; None at its beginning too."""
    if not path.exists():
        return None
    try:
        then = json.loads(path.read_text("utf-8"))
        different = [name for name in now if then.get(name, now[name]) != now[name]]
    except (ValueError, AttributeError) as error:
        fix = "start a new run with another --out"
        raise ModelError("the file is damaged", where=str(path), fix=fix) from error
    if not different:
        return None
    return "corpus" if "fingerprint" in different else "tokenizer"


def refuse_change(what: str | None, folder: Path, progress: Progress, *, accepted: bool) -> None:
    """Raise SettingError for what has changed, or say so where that is accepted."""
    if what is None:
        return
    problem = f"the {what} has changed since this run began"
    if not accepted:
        raise SettingError(
            problem,
            where=str(folder),
            fix="restore the files, go on with the new one by --accept-changes, "
            "or start a new run with another --out",
        )
    progress.warn(f"{problem}: going on with the new one")

"""Files beside a checkpoint: found by their names, read as lines."""

__all__ = ["found_in", "lines_of"]

from collections.abc import Sequence
from pathlib import Path

from heedful.errors import ModelError

_MOST_BYTES = 256 * 2**20


def found_in(folder: Path, names: Sequence[str], what: str) -> Path:
    """Return the first of these files that is in the folder; raises ModelError for none."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    problem = f"{what} is missing: there is no {' and no '.join(names)} in it"
    raise ModelError(problem, where=str(folder), fix="copy it from where the model was trained")


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text; raises ModelError where there are none."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ModelError("it is too large for a list of pieces", where=str(path))
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ModelError("this is not UTF-8 text", where=str(path)) from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]

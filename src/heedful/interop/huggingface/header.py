"""The header of a safetensors file is looked at before the library reads it.

The library takes headers of 100 MB, tensors that are named twice, and spaces before the header;
whoever looks at 300,000 tensors needs seconds.
"""

__all__ = ["check_header"]

import json
import struct
from pathlib import Path

from heedful.errors import ModelError
from heedful.interop.huggingface.config import TwiceError, once

MOST_BYTES = 16 * 2**20
"""Of a header."""
MOST_TENSORS = 100_000
_FIX = "fetch the folder again"


def check_header(path: Path) -> None:
    """Raise ModelError for a header that is too large, no JSON, or names a tensor twice."""
    where = str(path)
    try:
        with path.open("rb") as file:
            begin = file.read(8)
            size = struct.unpack("<Q", begin)[0] if len(begin) == 8 else 0
            if size > MOST_BYTES:
                problem = f"its header is of {size:,} bytes, and {MOST_BYTES:,} are too many"
                raise ModelError(problem, where=where, fix=_FIX)
            header = file.read(size)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", where=where, fix=_FIX) from error
    if header.count(b'"dtype"') > MOST_TENSORS:
        problem = f"it names more than {MOST_TENSORS:,} tensors"
        raise ModelError(problem, where=where, fix=_FIX)
    try:
        if not header.startswith(b"{"):
            raise ValueError
        json.loads(header, object_pairs_hook=once)
    except TwiceError as error:
        problem = f'the key "{str(error)[:100]}" stands in its header twice'
        raise ModelError(problem, where=where, fix=_FIX) from error
    except (ValueError, RecursionError) as error:
        problem = "not a whole safetensors file (its header is no JSON)"
        raise ModelError(problem, where=where, fix=_FIX) from error

"""An answer as JSON that every browser reads: what is no finite number is null.

A dictionary comes in, bytes go out.
"""

__all__ = ["written"]

import json
import math
from typing import Any


def written(answer: Any) -> bytes:
    """Return an answer as JSON.

    >>> written({"cosine": float("nan"), "s": "猫"}).decode()
    '{"cosine":null,"s":"猫"}'
    """
    try:
        return _dumped(answer)
    except ValueError:
        return _dumped(_finite(answer))


def _dumped(answer: Any) -> bytes:
    return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _finite(answer: Any) -> Any:
    if isinstance(answer, float):
        return answer if math.isfinite(answer) else None
    if isinstance(answer, dict):
        return {name: _finite(value) for name, value in answer.items()}
    return [_finite(one) for one in answer] if isinstance(answer, list | tuple) else answer

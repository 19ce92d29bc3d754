"""What the pickle of a checkpoint may name, and the inert things that it gets instead.

No class of a toolkit is ever made: a name on this list becomes a `StandIn`, which keeps what it is
given and does nothing. A name that is not on it, nor among torch's own, ends the reading.
"""

__all__ = ["ALLOWED", "StandIn", "plain"]

from typing import Any


class StandIn:
    """Keeps the arguments and the state of what a checkpoint names."""

    given: tuple[Any, ...]
    state: Any = None

    def __new__(cls, *given: Any) -> "StandIn":
        made = super().__new__(cls)
        made.given = given
        return made

    def __init__(self, *given: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


_META = "AverageMeter MetersDict StopwatchMeter SumMeter TimeMeter safe_round"
_NAMES = {
    "argparse": "Namespace",
    "builtins": "bool bytes dict float getattr int list object set str tuple",
    "collections": "defaultdict",
    "copyreg": "_reconstructor",
    "functools": "partial",
    "typing": "Any Dict List Optional Tuple Union",
    "fairseq.meters": _META,
    "fairseq.logging.meters": _META,
    "fairseq.dataclass.constants": "StrEnum",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.nodes": "AnyNode BooleanNode EnumNode FloatNode IntegerNode StringNode",
    "onmt.inputters.inputter": "make_tgt make_src_map",
    "onmt.inputters.fields": "make_tgt make_src AlignField",
    "onmt.inputters.text_dataset": "TextMultiField _feature_tokenize text_sort_key",
    "torchtext.data.field": "Field RawField",
    "torchtext.vocab": "Vocab _default_unk_index",
    "numpy": "dtype ndarray float64",
    "numpy.core.multiarray": "scalar _reconstruct",
    "numpy._core.multiarray": "scalar _reconstruct",
    "_codecs": "encode",
}
ALLOWED = [
    (StandIn, f"{module}.{name}") for module, some in _NAMES.items() for name in some.split()
]
"""What `torch.serialization.safe_globals` takes."""

_DEPTH, _MOST = 24, 1_000_000


def plain(value: Any, left: list[int] | None = None, depth: int = _DEPTH) -> Any:
    """Return what JSON can hold of a value; an object becomes the dict of what it has.

    Raises ValueError for one that is nested too deeply, or that holds more than a million values.
    """
    left = [_MOST] if left is None else left
    left[0] -= 1
    if depth < 0 or left[0] < 0:
        raise ValueError("its settings are nested too deeply, or too many")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, StandIn):
        return _content(value, left, depth)
    if isinstance(value, dict):
        return {str(key)[:200]: plain(one, left, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, left, depth - 1) for one in value]
    return None  # a tensor or a class, which no setting is


def _content(value: StandIn, left: list[int], depth: int) -> Any:
    """Return what an object has: OmegaConf's hold it in `_content` and `_val`."""
    state = value.state
    if isinstance(state, dict):
        for inside in ("_content", "_val"):
            if inside in state:
                return plain(state[inside], left, depth - 1)
        return plain(state, left, depth - 1)
    return plain(value.given[0], left, depth - 1) if len(value.given) == 1 else None

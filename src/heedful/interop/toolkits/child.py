"""The process that reads a pickle: few rights, little memory, and no way to run what it names.

`python -P -m heedful.interop.toolkits.child CHECKPOINT FOLDER [CONFIG]` writes into the folder
`weights.safetensors` and `said.json`, or `error.json`. `torch.load` with `weights_only` makes
nothing but tensors, plain values and the stand-ins of `stand_ins.py`.
"""

__all__ = ["main", "read"]

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heedful.interop.toolkits.stand_ins import ALLOWED, StandIn, plain

OLDEST_TORCH = (2, 10)
"""The first whose `weights_only` has no known hole."""
WEIGHTS, SAID, ERROR = "weights.safetensors", "said.json", "error.json"
_MOST_TENSORS = 100_000
_MOST_PIECES = 2_000_000
_SPARE = 2 * 2**30
"""Bytes of memory that a checkpoint may need besides four times its size."""
_DEEPEST_YAML = 32
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000


class _RefusedError(Exception):
    """What a user is told: the problem, and what to do."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.problem, self.fix = problem, fix


def main() -> int:
    """Read as the command line says, with the rights that this needs."""
    checkpoint, folder = Path(sys.argv[1]), Path(sys.argv[2])
    config = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    _leave_the_network()
    import torch  # noqa: F401

    _limit(checkpoint.stat().st_size)
    return read(checkpoint, folder, config)


def read(checkpoint: Path, folder: Path, config: Path | None = None) -> int:
    """Write what a checkpoint holds into a folder; return 0, or 2 with an error written."""
    try:
        _read(checkpoint, folder, config)
        return 0
    except _RefusedError as error:
        told = {"problem": error.problem, "fix": error.fix}
    except MemoryError:
        told = {"problem": "reading it takes more memory than a checkpoint of its size needs"}
    except (
        OSError,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        AttributeError,
    ) as error:
        told = {"problem": f"it cannot be read ({' '.join(str(error).split())[:300]})"}
    except Exception as error:
        told = _unpickled(error)
    (folder / ERROR).write_text(json.dumps(told), "utf-8")
    return 2


def _unpickled(error: Exception) -> dict[str, str]:
    text = " ".join(str(error).split())
    marker = "GLOBAL "
    if marker in text:
        name = text.split(marker, 1)[1].split(" ")[0][:200]
        return {
            "problem": f"its pickle names {name}, which no checkpoint of a Transformer needs",
            "fix": "do not trust the file; take it from where the toolkit saved it",
        }
    if text.startswith("Weights only load failed"):  # torch advises to read it without that guard
        problem = "it is no pickle of tensors and plain values, or it is damaged"
        return {"problem": problem, "fix": "fetch it again from where the toolkit saved it"}
    return {"problem": f"it cannot be read ({text[:300]})"}


def _read(checkpoint: Path, folder: Path, config: Path | None) -> None:
    import torch
    from safetensors.torch import save_file

    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < OLDEST_TORCH:
        wanted = ".".join(map(str, OLDEST_TORCH))
        problem = (
            f"torch {torch.__version__} reads pickles, and old versions can be tricked by them"
        )
        raise _RefusedError(problem, f"install torch {wanted} or newer")
    with torch.serialization.safe_globals(list(ALLOWED)):
        found = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise _RefusedError(f"it holds a {type(found).__name__} and no checkpoint")
    said, weights = _sorted(found)
    if config is not None:
        said["settings"] = _yaml(config)
    save_file(weights, folder / WEIGHTS)
    (folder / SAID).write_text(json.dumps(said), "utf-8")


def _sorted(found: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a checkpoint says and its tensors, by the keys that each toolkit writes."""
    keys = found.keys()
    if "model_state" in keys:
        return {"toolkit": "joeynmt"}, _tensors(found["model_state"])
    if {"model", "opt", "vocab"} <= keys:
        weights = _tensors(found["model"])
        if found.get("generator") is not None:
            weights |= {
                f"generator.{name}": one for name, one in _tensors(found["generator"]).items()
            }
        form, pieces = _vocabulary(found["vocab"])
        settings = plain(found["opt"])
        return {"toolkit": "opennmt", "settings": settings, "form": form, "pieces": pieces}, weights
    if {"opt", "vocab"} <= keys:
        problem = "its weights are not in it, but in a safetensors file beside it"
        raise _RefusedError(problem, "save it with `--save_format pytorch` of OpenNMT-py")
    if "model" in keys and ("args" in keys or "cfg" in keys):
        cfg = found.get("cfg")
        form = "args" if cfg is None else "cfg"
        settings = plain(found["args"] if cfg is None else cfg)
        return {"toolkit": "fairseq", "settings": settings, "form": form}, _tensors(found["model"])
    named = ", ".join(sorted(str(key)[:40] for key in keys)[:12])
    raise _RefusedError(
        f"it is no checkpoint of fairseq, OpenNMT-py or JoeyNMT: it holds {named or 'nothing'}",
        "give a file such as checkpoint_best.pt, model_step_100000.pt or best.ckpt",
    )


def _tensors(state: Any) -> dict[str, Any]:
    """Return the tensors of a state dict, each with memory of its own."""
    import torch

    if not isinstance(state, dict) or not state:
        raise _RefusedError("its weights are no dict of tensors")
    if len(state) > _MOST_TENSORS:
        raise _RefusedError(f"it has {len(state):,} tensors, more than {_MOST_TENSORS:,}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _RefusedError(f"its weights are no dict of tensors ({str(name)[:60]!r})")
        if value.layout != torch.strided or value.is_complex() or value.is_quantized:
            raise _RefusedError(f"tensor {name[:100]!r} is sparse, complex or quantized")
        if value.numel() * value.element_size() > 4 * value.untyped_storage().nbytes() + 64:
            raise _RefusedError(f"tensor {name[:100]!r} is larger than what the file holds of it")
    return {name: value.detach().clone().contiguous() for name, value in state.items()}


def _vocabulary(vocab: Any) -> tuple[str, dict[str, list[str]]]:
    """Return the pieces of both sides, in the three forms that OpenNMT-py has had."""
    if isinstance(vocab, dict) and all(isinstance(vocab.get(x), list) for x in ("src", "tgt")):
        if vocab.get("src_feats"):
            raise _RefusedError("its words have features, which heedful does not read")
        form, sides = "lists", {side: vocab[side] for side in ("src", "tgt")}
    else:
        form = "fields" if isinstance(vocab, dict) else "torchtext"
        named = vocab if isinstance(vocab, dict) else dict(vocab)
        if any(str(name).startswith(("src_feat", "tgt_feat")) for name in named):
            raise _RefusedError("its words have features, which heedful does not read")
        sides = {side: _itos(named.get(side)) for side in ("src", "tgt")}
    for side, pieces in sides.items():
        if len(pieces) > _MOST_PIECES or not all(isinstance(piece, str) for piece in pieces):
            raise _RefusedError(f'the vocabulary "{side}" is no list of pieces')
    return form, sides


def _itos(field: Any) -> list[str]:
    """Return the pieces of a torchtext vocabulary, of the field that has it, or of the fields."""
    for _ in range(4):
        state = field.state if isinstance(field, StandIn) else None
        if not isinstance(state, dict):
            break
        if isinstance(state.get("itos"), list):
            return list(state["itos"])
        if isinstance(state.get("fields"), list):
            if len(state["fields"]) != 1:
                raise _RefusedError("its words have features, which heedful does not read")
            field = state["fields"][0][1]
        else:
            field = state.get("vocab")
    raise _RefusedError(
        f"its vocabulary is in a form that was never seen here ({type(field).__name__})",
        "save it again with OpenNMT-py 1.0 to 3.5",
    )


def _yaml(path: Path) -> Any:
    """Return the plain values of a YAML file without aliases, which can be made to explode."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        fix = "pip install heedful[interop]"
        problem = "the package pyyaml is not installed, which reads its config.yaml"
        raise _RefusedError(problem, fix) from None
    text = path.read_text("utf-8")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _DEEPEST_YAML:
                raise _RefusedError(f"{path.name} has aliases, or is nested too deeply")
        return plain(yaml.safe_load(text))
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())[:200]
        raise _RefusedError(f"{path.name} is no YAML of plain values ({where})") from error


def _limit(size: int) -> None:
    """Bound memory, time and what can be written; nothing where the system cannot."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_CPU: 120 + math.ceil(size / 10e6),
        resource.RLIMIT_FSIZE: 4 * size + 2**26,
        resource.RLIMIT_CORE: 0,
    }
    used = Path("/proc/self/statm")
    if used.exists():  # on Linux; elsewhere nothing says what is in use, nor is the bound kept
        pages = int(used.read_text().split()[0])
        wanted[resource.RLIMIT_AS] = pages * resource.getpagesize() + 4 * size + _SPARE
    for name, most in wanted.items():
        hard = resource.getrlimit(name)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(name, (bound, bound))


def _leave_the_network() -> None:
    """Leave all networks, where Linux allows it to this user."""
    import ctypes

    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_NEW_NET):
            libc.unshare(_NEW_USER | _NEW_NET)
    except (OSError, AttributeError, TypeError):
        pass


if __name__ == "__main__":
    sys.exit(main())

"""A model folder of heedful again, with its weights kept in another precision.

A model folder comes in, another goes out: the same tokenizer, languages, card and further files.
What was written is loaded back, must be the weights as near as the precision allows, and translates
a handful of sentences. `heed export` calls it.
"""

__all__ = ["QUANTIZATIONS", "export"]

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from heedful import __version__
from heedful.decode.engine import decode
from heedful.errors import OutputError, SettingError, did_you_mean
from heedful.interop.checking import Difference, compare, log_probs, probes
from heedful.interop.folder import fresh_folder
from heedful.model_folder import LoadedModel, load_model, save_model
from heedful.model_header import other_files
from heedful.models.architecture import Model
from heedful.models.int8 import SMALLEST, is_matrix
from heedful.search import Greedy, Limits
from heedful.text.pieces import END, START

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}

QUANTIZATIONS = tuple(_DTYPES)
"""How a model folder can keep the weights."""


def export(folder: Path, model: Path, quantization: str = "float32") -> Difference:
    """Write the folder and return how it translates against the model it was made from.

    Raises SettingError for an unknown quantization, ModelError for a damaged model, OutputError if
    the folder is not free or does not give the weights back.
    """
    if quantization not in QUANTIZATIONS:
        raise SettingError(
            f'a model folder knows no "{quantization}"',
            where="--quantization",
            fix=did_you_mean(quantization, QUANTIZATIONS),
        )
    loaded = load_model(model)
    with fresh_folder(folder) as fresh:
        save_model(
            fresh,
            loaded.model,
            loaded.tokenizer,
            loaded.languages,
            dtype=_DTYPES[quantization],
            card=_card(model, quantization),
            added={path.name: path.read_bytes() for path in other_files(model)},
        )
        again = load_model(fresh)
        if not _kept(loaded.model, again.model, quantization):
            raise OutputError(
                "the weights read back are not those that were written",
                where=str(folder),
                fix="try another disk; nothing was written",
            )
        return compare(loaded, Engine(again), probes(loaded))


def _card(model: Path, quantization: str) -> str:
    """Return the model's card with a line on what was done."""
    path = model / "README.md"
    card = path.read_text("utf-8", "replace") if path.is_file() else ""
    parts = {"int8": "matrices in int8 with a scale a row, the rest in float32"}
    done = f"Exported by heedful {__version__}: {parts.get(quantization, f'in {quantization}')}."
    return "\n\n".join([*([card.rstrip()] if card else []), done]) + "\n"


@torch.no_grad()
def _kept(before: Model, after: Model, quantization: str) -> bool:
    """Tell whether each weight is off by no more than half a step of its precision."""
    both = zip(before.named_parameters(), after.parameters(), strict=True)
    return all(
        bool(((new - old).abs() <= _step(name, old, quantization) * 0.501).all())
        for (name, old), new in both
    )


def _step(name: str, weight: Tensor, quantization: str) -> Tensor:
    """Return the distance of neighbouring numbers around each weight, or at least of the row's."""
    size = weight.abs()
    if quantization == "bfloat16":
        return (size / 128).clamp(min=SMALLEST)  # 8 significant bits
    if quantization == "int8" and is_matrix(name, weight.dim()):
        return (size.amax(dim=1, keepdim=True) / 127).clamp(min=254 * SMALLEST)
    return torch.zeros_like(size)


class Engine:
    """A model of ours as the `heedful.interop.checking.Foreign` that is compared."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded

    def greedy(self, source: Sequence[int], most: int) -> list[int]:
        """Return the likeliest pieces, with `</s>` if it came among `most`."""
        limits = Limits(START, END, (), most)
        ((found,),) = decode(self.loaded.model, [source], Greedy(), limits=limits)
        return [*found.tokens, *[END] * found.finished]

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> list[float]:
        """Return the log-probability of each piece of `target`."""
        every = log_probs(self.loaded, source, target)
        return every.gather(1, torch.tensor(target)[:, None])[:, 0].tolist()

"""Every importer of a folder with safetensors, by name: how a small folder is made, what reads it.

An importer that is added here goes through all of `test_hostile.py`, which asks for a line of every
architecture that is known.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from heedful.interop import huggingface
from heedful.interop.huggingface.seq2seq import load
from tests.interop.fairseq import make_fairseq
from tests.interop.folders import GPT2, LLAMA, make_folder
from tests.interop.opus import make_opus
from tests.interop.readers import make_reader
from tests.interop.t5_folders import make_t5


class Importer(NamedTuple):
    """A way in."""

    make: Callable[[Path], object]
    """Write a small folder that comes in."""
    read: Callable[[Path], Any]
    """Read it."""


def _pegasus(folder: Path) -> None:
    """Write what heedful exports of a model with pre-norm."""
    from heedful.interop.huggingface.seq2seq import export
    from heedful.nn.norm import PreNorm
    from heedful.nn.position import Sinusoidal
    from tests.interop.models import random_model, tokenizer_of

    position = Sinusoidal(layout="halves")
    export(folder, random_model(tokenizer_of(), residual=PreNorm(), position=position))


TRANSLATORS = {
    "marian": make_opus,
    "pegasus": _pegasus,
    "bart": partial(make_fairseq, kind="bart"),
    "mbart": partial(make_fairseq, kind="mbart"),
    "m2m_100": partial(make_fairseq, kind="m2m100"),
    "t5": make_t5,
    "mt5": partial(make_t5, kind="MT5"),
}
"""By `model_type`."""

IMPORTERS = {
    **{name: Importer(make, load) for name, make in TRANSLATORS.items()},
    "gpt2": Importer(partial(make_folder, config=GPT2), huggingface.load),
    "llama": Importer(partial(make_folder, config=LLAMA), huggingface.load),
    "bert": Importer(make_reader, huggingface.load_reader),
}

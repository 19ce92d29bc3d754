"""`heed export`: a model for another engine, checked to translate the same there."""

__all__ = ["EXAMPLES", "Options", "run"]

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from heedful.errors import SettingError

EXAMPLES = """
heed export --to ctranslate2 -o en-de-ctranslate2
heed export --model runs/mine --to ctranslate2 --quantization int8 -o mine-int8
heed export --model runs/mine --to onnx -o mine-onnx
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write a model for CTranslate2 or ONNX, with a README that shows how to use it there.

    The other engine translates a handful of sentences with it first; if they differ from heedful's,
    nothing is written.
    """

    to: Literal["ctranslate2", "onnx"]
    """Which format."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """The folder to write; there must be nothing of that name yet."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    quantization: str | None = None
    """ctranslate2 only: float32 (if not given), float16, bfloat16, int16 or int8."""


def run(options: Options) -> int:
    """Write the folder; say on standard output how near the other engine comes."""
    if options.quantization is not None and options.to != "ctranslate2":
        raise SettingError(
            f"--to {options.to} keeps the weights in float32",
            where="--quantization",
            fix="leave it out",
        )
    from heedful.model_folder import LoadedModel
    from heedful.translator import BUNDLED, Translator

    found = Translator.load(BUNDLED if options.model is None else options.model, "cpu")
    loaded = LoadedModel(found.model, found.tokenizer, found.languages)
    if options.to == "ctranslate2":
        from heedful.interop import ctranslate2

        kept = options.quantization or "float32"
        difference = ctranslate2.export(options.output, loaded, kept)
    else:
        from heedful.interop import onnx

        kept, difference = "float32", onnx.export(options.output, loaded)
    print(f"{options.output}: {options.to}, {kept}; {difference.worst}")
    return 0

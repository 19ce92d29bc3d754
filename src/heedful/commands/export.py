"""`heed export`: a model for another engine or in another precision, checked when it is written."""

__all__ = ["EXAMPLES", "Options", "run"]

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from heedful.errors import SettingError

EXAMPLES = """
heed export --to ctranslate2 -o everyday-ctranslate2
heed export --model runs/mine --to ctranslate2 --quantization int8 -o mine-int8
heed export --model runs/mine --to onnx -o mine-onnx
heed export --model runs/mine --to huggingface -o mine-transformers
heed export --model runs/mine --to heedful --quantization int8 -o mine-small
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Write a model for CTranslate2, ONNX or transformers, or for heedful in another precision.

    The other engine translates a handful of sentences with it first; if they differ from heedful's,
    nothing is written. What changes by quantization is said.
    """

    to: Literal["ctranslate2", "onnx", "huggingface", "heedful"]
    """Which format; huggingface: for transformers; heedful: like the one it is made from."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")]
    """The folder to write; there must be nothing of that name yet."""
    model: str | None = None
    """A model folder, a run folder or a bundled name; the bundled model if not given."""
    quantization: str | None = None
    """float32 (if not given), bfloat16 or int8; ctranslate2: float16 and int16, too; onnx and
    huggingface: none."""


def run(options: Options) -> int:
    """Write the folder; say on standard output how near the other engine comes."""
    if options.quantization is not None and options.to in ("onnx", "huggingface"):
        raise SettingError(
            f"--to {options.to} keeps the weights in float32",
            where="--quantization",
            fix="leave it out",
        )
    from heedful.model_folder import load_model
    from heedful.model_path import BUNDLED, model_path

    model = model_path(BUNDLED if options.model is None else options.model)
    kept = options.quantization or "float32"
    if options.to == "ctranslate2":
        from heedful.interop import ctranslate2

        difference = ctranslate2.export(options.output, load_model(model), kept)
    elif options.to == "onnx":
        from heedful.interop import onnx

        difference = onnx.export(options.output, load_model(model))
    elif options.to == "huggingface":
        from heedful.interop.huggingface import seq2seq

        difference = seq2seq.export(options.output, load_model(model))
    else:
        from heedful.interop import heedful

        difference = heedful.export(options.output, model, kept)
    print(f"{options.output}: {options.to}, {kept}; {difference.worst}")
    if options.to == "huggingface" and not (options.output / "tokenizer_config.json").exists():
        print("AutoTokenizer finds nothing in it that cuts as this model does; see its README.md")
    return 0

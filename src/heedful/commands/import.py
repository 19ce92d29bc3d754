"""`heed import`: a translator that was made elsewhere becomes a model folder of ours."""

__all__ = ["EXAMPLES", "Options", "run"]

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

# The command's name is a keyword.
# ruff: noqa: N999

EXAMPLES = """
heed import opus-mt-en-de -o models/opus-en-de
heed import opus-mt-en-ROMANCE --from en -o models/romance
heed import flan-t5-small --from en --to de --prefix "translate English to German:" -o models/t5
heed import my-model-for-transformers -o models/back
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Make a model folder of a folder of Hugging Face: Marian (OPUS-MT), T5, or what heed exported.

    All commands take the result: translate, evaluate, serve, play, inspect, export, and train,
    which goes on with it by --start. Nothing is fetched, and no pickle is read.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """A folder with config.json, model.safetensors, source.spm, target.spm and vocab.json; of a T5
    with spiece.model or tokenizer.json in place of the last three."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o", "--out"], metavar="FOLDER")]
    """The model folder to write; there must be nothing of that name yet."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """The language that it translates from, such as en, where the folder does not say."""
    to: str | None = None
    """The language that it translates to; a model with language tags knows its own."""
    prefix: str | None = None
    """Words that stand before each source, such as "translate English to German:" for a T5; if not
    given, those that its config.json names for these languages."""


def run(options: Options) -> int:
    """Write the folder; say on standard output what it holds."""
    from heedful.interop import importing

    loaded = importing.bring(
        options.folder, options.output, options.from_, options.to, options.prefix
    )
    tokenizer, count = loaded.tokenizer, sum(w.numel() for w in loaded.model.parameters())
    ways = " or ".join(f"--to {language}" for language in tokenizer.languages[:5])
    more = f", {ways}{' ...' if len(tokenizer.languages) > 5 else ''}" if ways else ""
    print(f"{options.output}: {count:,} weights, {tokenizer.target_size:,} pieces{more}")
    return 0

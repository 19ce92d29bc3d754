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
heed import fairseq/checkpoint_best.pt --pieces fairseq/bpecodes -o models/old
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Make a model folder of one of Hugging Face, or of a checkpoint of fairseq and its kin.

    All commands take the result: translate, evaluate, serve, play, inspect, export, and train,
    which goes on with it by --start. Nothing is fetched. Checkpoints of fairseq, OpenNMT-py and
    JoeyNMT, which are pickles, are read by a process of their own that can run nothing of them.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """A folder with config.json, model.safetensors and a vocabulary; or a checkpoint, such as
    checkpoint_best.pt, model_step_100000.pt or best.ckpt, with its dictionaries beside it."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o", "--out"], metavar="FOLDER")]
    """The model folder to write; there must be nothing of that name yet."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """The language that it translates from, such as en, where the folder does not say."""
    to: str | None = None
    """The language that it translates to; a model with language tags knows its own."""
    prefix: str | None = None
    """Words that stand before each source, such as "translate English to German:" for a T5; if not
    given, those that its config.json names for these languages."""
    pieces: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Of a checkpoint: its merges (subword-nmt, fastBPE) or its SentencePiece model."""
    target_pieces: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The same of the target, where it is another file."""


def run(options: Options) -> int:
    """Write the folder; say on standard output what it holds."""
    from heedful.interop import importing

    loaded, left_out = importing.bring(
        options.folder,
        options.output,
        options.from_,
        options.to,
        (options.pieces, options.target_pieces),
        options.prefix,
    )
    tokenizer, count = loaded.tokenizer, sum(w.numel() for w in loaded.model.parameters())
    ways = " or ".join(f"--to {language}" for language in tokenizer.languages[:5])
    more = f", {ways}{' ...' if len(tokenizer.languages) > 5 else ''}" if ways else ""
    print(f"{options.output}: {count:,} weights, {tokenizer.target_size:,} pieces{more}")
    if left_out:
        print(left_out)
    return 0

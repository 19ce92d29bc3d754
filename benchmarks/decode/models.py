"""What is translated, and with which model, in each part of the benchmark."""

__all__ = ["LENGTHS", "Part", "base_model", "learn_shortlist", "parts"]

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FIXED = 30
"""Pieces of every answer of the base model: it is not trained, and would never end."""
LENGTHS = (62, 125, 250, 500, 1000)
"""Pieces of source and answer, for the cost of a piece in texts of different lengths."""


@dataclass(frozen=True)
class Part:
    """Some sources, a model, and what is measured with them."""

    name: str
    model: Path
    sources: list[list[int]]
    fixed: int | None = None
    """So many pieces in every answer; None where the model ends it."""
    beams: tuple[int, ...] = (1, 4)
    sizes: tuple[int, ...] = (1024, 2048, 4096)
    """Batch sizes, in source pieces times rows, that every engine is tried with."""
    rounds: int = 3
    without: tuple[str, ...] = field(default=())
    """Engines that are left out: words of their labels."""


def parts(small: Path, base: Path, texts: list[str], rounds: int) -> Iterator[Part]:
    """Yield the parts of a full run."""
    from heedful.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(base / "tokenizer.json")
    sources = Tokenizer.load(small / "tokenizer.json").encode_source(texts)
    yield Part("small", small, sources, rounds=rounds)
    some = tokenizer.encode_source(texts[:64])
    without = ("PyTorch", "float32")
    yield Part("base", base, some, FIXED, sizes=(4096,), rounds=rounds, without=without)
    draw = random.Random(0)
    for length in LENGTHS:
        long = [draw.randrange(10, tokenizer.source_size) for _ in range(length - 1)]
        without = ("PyTorch", "fast", "Marian", "float32", ", 1 x ")
        yield Part(f"length {length}", base, [[*long, 2]], length, (1,), (1024,), 1, without)


def base_model(folder: Path, data: Path) -> Path:
    """Write the paper's base model, of up to 37,000 pieces, not trained; return its folder."""
    import torch

    from heedful.model_folder import save_model
    from heedful.model_header import Languages
    from heedful.recipes import paper_base
    from heedful.text.tokenizer import Tokenizer

    config = paper_base()
    paths = [data / "multi30k" / f"train.{side}" for side in ("en", "de")]
    paths.append(data / "tatoeba_en_de" / "train.tsv")
    lines = [line for path in paths for line in path.read_text("utf-8").splitlines()]
    tokenizer = Tokenizer.train(lambda: ((line, "") for line in lines), config.tokenizer)
    torch.manual_seed(0)
    model = config.model.build(tokenizer.source_size, tokenizer.target_size)
    save_model(folder, model, tokenizer, Languages(source="en", target="de"))
    return folder


def learn_shortlist(folder: Path, data: Path) -> None:
    """Put a shortlist into a model folder, learned from the training pairs of Multi30k."""
    import numpy as np

    from heedful.text.tokenizer import Tokenizer
    from heedful.train.shortlist import learn

    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    texts = [
        (data / "multi30k" / f"train.{side}").read_text("utf-8").strip().split("\n")
        for side in ("en", "de")
    ]
    coded = (tokenizer.encode_source(texts[0]), tokenizer.encode_target(texts[1]))
    rows = [
        (np.array(source), np.array([piece for piece in target if piece != tokenizer.end_id]))
        for source, target in zip(*coded, strict=True)
    ]
    learn(rows, tokenizer).save(folder)

"""CTranslate2 with the folder that `heed export` wrote: texts in, texts out.

`ct2_alone` and `ct2_batched` serve it. Nothing here loads torch.
"""

__all__ = ["Foreign", "told"]

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2

from heedful.text.tokenizer import Tokenizer


def told() -> dict[str, Any]:
    """Return what the file named on the command line says of the model; `prepare` writes it."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    return found


class Foreign:
    """Our tokenizer around CTranslate2, which gets the search of `decode/ct2.py`."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.tokenizer = Tokenizer.load(Path(about["model"]) / "tokenizer.json")
        self.cores, self.longest = int(about["cores"]), int(about["max_length"])
        self._source, self._target = self.tokenizer.vocabularies()
        self._ids = {piece: number for number, piece in enumerate(self._target)}
        self._forbidden = [[self._target[number]] for number in about["forbidden"]]
        self._engine = ctranslate2.Translator(
            about["exported"], "cpu", inter_threads=self.cores, intra_threads=1
        )

    def encode(self, texts: Sequence[str], to: str | None) -> list[list[int]]:
        """Return the ids of every text, with the tag of its target language if there are tags."""
        return self.tokenizer.encode_source(texts, to if self.tokenizer.languages else None)

    def translate(self, texts: Sequence[str], to: str | None, beam: int) -> list[str]:
        """Return the translations; several texts are shared out among the cores."""
        rows = self.encode(texts, to)
        found = self._engine.translate_batch(
            [[self._source[number] for number in row] for row in rows],
            beam_size=beam,
            max_batch_size=-(-len(rows) // self.cores),
            max_input_length=0,
            min_decoding_length=0,
            max_decoding_length=min(max(map(len, rows)) + 50, self.longest),
            suppress_sequences=self._forbidden,
        )
        ids = [[self._ids[piece] for piece in one.hypotheses[0]] for one in found]
        return [" ".join(text.splitlines()).strip() for text in self.tokenizer.decode_target(ids)]

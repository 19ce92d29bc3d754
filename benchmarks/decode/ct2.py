"""CTranslate2 with the folder that `heed export` wrote."""

from pathlib import Path
from typing import Any

import ctranslate2
from decode.worker import Inputs, Translate

from heedful.text.tokenizer import Tokenizer


def load(model: Path, exported: Path, inputs: Inputs, options: dict[str, Any]) -> Translate:
    """Return the function that translates; ids become tokens and back outside of torch."""
    source, target = Tokenizer.load(model / "tokenizer.json").vocabularies()
    ids = {piece: number for number, piece in enumerate(target)}
    engine = ctranslate2.Translator(
        str(exported / f"ctranslate2-{options['quantization']}"),
        "cpu",
        inter_threads=options["inter_threads"],
        intra_threads=options["threads"],
    )
    forbidden = [[target[number]] for number in inputs.forbidden]

    def translate(sources: list[list[int]], beam: int, batch_tokens: int) -> list[list[int]]:
        found = engine.translate_batch(
            [[source[number] for number in row] for row in sources],
            beam_size=beam,
            max_batch_size=batch_tokens,
            batch_type="tokens",
            max_input_length=0,
            min_decoding_length=inputs.fixed or 0,
            max_decoding_length=inputs.most(max(map(len, sources))),
            suppress_sequences=forbidden,
        )
        return [[ids[piece] for piece in result.hypotheses[0]] for result in found]

    return translate

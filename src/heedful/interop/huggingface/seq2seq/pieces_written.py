"""The files of pieces beside an exported model: ours as it is, and what `transformers` reads."""

__all__ = ["write_pieces"]

import json
from pathlib import Path
from typing import Any

from heedful.interop.folder import example_tag
from heedful.interop.huggingface.seq2seq.vocabulary import OWN
from heedful.model_folder import LoadedModel
from heedful.text.pieces import CONTROL, END, PAD, START, UNKNOWN
from heedful.text.sentencepiece_file import written
from heedful.text.tokenizer import Tokenizer

_SPECIAL = {"pad_token": PAD, "bos_token": START, "eos_token": END, "unk_token": UNKNOWN}


def write_pieces(folder: Path, loaded: LoadedModel, *, marian: bool) -> None:
    """Write the tokenizer and how to use the folder.

    One of SentencePiece becomes the files of a MarianTokenizer for a model that is `marian`, else
    one shared vocabulary a tokenizer.json; two vocabularies of ours are two files, which
    `AutoTokenizer` does not join.
    """
    tokenizer = loaded.tokenizer
    tokenizer.save(folder / OWN)
    settings: dict[str, Any] = {
        "model_max_length": loaded.model.config.max_length,
        **{name: CONTROL[number] for name, number in _SPECIAL.items()},
    }
    cutters = tokenizer.cutters()
    if cutters and marian:
        settings |= _marian(folder, tokenizer, cutters)
        settings |= {
            "source_lang": loaded.languages.source or None,
            "target_lang": loaded.languages.target or None,
        }
    elif tokenizer.shared:
        _plain(folder, tokenizer)
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    else:
        tokenizer.save_sides(folder)
    if "tokenizer_class" in settings:
        path = folder / "tokenizer_config.json"
        path.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    (folder / "README.md").write_text(_readme(loaded), "utf-8")


def _marian(folder: Path, tokenizer: Tokenizer, cutters: Any) -> dict[str, Any]:
    source, target = tokenizer.vocabularies()
    for name, cutter in zip(("source.spm", "target.spm"), cutters, strict=True):
        (folder / name).write_bytes(written(cutter))
    _numbers(folder / "vocab.json", source)
    if not tokenizer.shared:
        _numbers(folder / "target_vocab.json", target)
    return {"tokenizer_class": "MarianTokenizer", "separate_vocabs": not tokenizer.shared}


def _numbers(path: Path, pieces: list[str]) -> None:
    numbered = {piece: number for number, piece in enumerate(pieces)}
    path.write_text(json.dumps(numbered, ensure_ascii=False), "utf-8")


def _plain(folder: Path, tokenizer: Tokenizer) -> None:
    """Write tokenizer.json, with `</s>` put behind every text."""
    path = folder / "tokenizer.json"
    data = json.loads(tokenizer.library_file())
    end = CONTROL[END]
    whole = {"Sequence": {"id": "A", "type_id": 0}}
    last = {"SpecialToken": {"id": end, "type_id": 0}}
    data["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [whole, last],
        "pair": [whole, last, {"Sequence": {"id": "B", "type_id": 0}}, last],
        "special_tokens": {end: {"id": end, "ids": [END], "tokens": [end]}},
    }
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")


_README = """\
# A heedful model for transformers

```python
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

model = AutoModelForSeq2SeqLM.from_pretrained(".")
{use}
```

When it was exported, transformers translated with it as heedful did. `heed import` reads the
folder back; `{own}` is its tokenizer.
"""

_USE = """\
tokenizer = AutoTokenizer.from_pretrained(".")
given = tokenizer("{tag}A sentence.", return_tensors="pt", return_token_type_ids=False)
print(tokenizer.decode(model.generate(**given)[0], skip_special_tokens=True))"""
_USE_TWO = """\
# tokenizers.Tokenizer.from_file reads source_tokenizer.json and target_tokenizer.json;
# a source is the ids of its text and 2, for </s>."""


def _readme(loaded: LoadedModel) -> str:
    """Return how to use the folder."""
    joined = loaded.tokenizer.shared or loaded.tokenizer.cutters()
    before = json.dumps(loaded.tokenizer.prefix, ensure_ascii=False)[1:-1]
    use = _USE.format(tag=example_tag(loaded) + before) if joined else _USE_TWO
    return _README.format(use=use, own=OWN)

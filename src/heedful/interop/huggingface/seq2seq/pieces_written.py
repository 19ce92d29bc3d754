"""The files of pieces beside an exported model: ours as it is, and what `transformers` reads."""

__all__ = ["write_pieces"]

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heedful.interop.folder import example_tag
from heedful.interop.huggingface.seq2seq.bart import ARCHITECTURES
from heedful.interop.huggingface.seq2seq.pieces_framed import library_file
from heedful.interop.huggingface.seq2seq.vocabulary import OWN
from heedful.model_folder import LoadedModel
from heedful.models.architecture import as_transformer
from heedful.text.pieces import CONTROL, END, PAD, START, UNKNOWN, language_tag
from heedful.text.sentencepiece_file import written
from heedful.text.tokenizer import Tokenizer

_SPECIAL = {"pad_token": PAD, "bos_token": START, "eos_token": END, "unk_token": UNKNOWN}


def write_pieces(folder: Path, loaded: LoadedModel, kind: str, numbers: Sequence[int]) -> None:
    """Write the tokenizer and how to use the folder.

    One of SentencePiece becomes the files of a MarianTokenizer, of a T5 a tokenizer.json as one
    shared vocabulary of ours does; two vocabularies of ours are two files, which `AutoTokenizer`
    does not join. Of BART and its kin any becomes a tokenizer.json with the `numbers` of the
    weights. What cuts as subword-nmt is ours alone, since no tokenizer of transformers does.
    """
    tokenizer = loaded.tokenizer
    tokenizer.save(folder / OWN)
    settings: dict[str, Any] = {
        "model_max_length": loaded.model.config.max_length,
        **{name: CONTROL[number] for name, number in _SPECIAL.items()},
    }
    cutters = tokenizer.cutters()
    if not tokenizer.in_library:
        pass  # the README says so
    elif kind in ARCHITECTURES:
        data = library_file(loaded, numbers)
        if data is not None:
            text = json.dumps(data, ensure_ascii=False)
            (folder / "tokenizer.json").write_text(text, "utf-8")
            settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    elif cutters and kind != "t5":
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
    (folder / "README.md").write_text(_readme(loaded, "tokenizer_class" in settings), "utf-8")


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
_USE_DIRECTED = """\
tokenizer = AutoTokenizer.from_pretrained(".")
# A text is taken to be in {source}; {how}
given = tokenizer("{before}A sentence.", return_tensors="pt", return_token_type_ids=False)
target = tokenizer.convert_tokens_to_ids("{target}")
found = model.generate(**given, {name}_token_id=target)
print(tokenizer.decode(found[0], skip_special_tokens=True))"""
_USE_OWN = """\
# No tokenizer of transformers cuts texts as this model needs it: take the one of heedful."""
_USE_TWO = """\
# tokenizers.Tokenizer.from_file reads source_tokenizer.json and target_tokenizer.json;
# a source is the ids of its text and 2, for </s>."""


def _readme(loaded: LoadedModel, joined: bool) -> str:
    """Return how to use the folder; `joined`: `AutoTokenizer` reads the pieces."""
    tokenizer, known = loaded.tokenizer, loaded.tokenizer.languages
    before = json.dumps(tokenizer.prefix and f"{tokenizer.prefix} ", ensure_ascii=False)[1:-1]
    if not joined:
        use = _USE_TWO if tokenizer.in_library and not tokenizer.shared else _USE_OWN
    elif tokenizer.framing.directed:
        source = loaded.languages.source if loaded.languages.source in known else known[0]
        opening = as_transformer(loaded.model, "an export").config.opening
        use = _USE_DIRECTED.format(
            source=source,
            before=before,
            how=f'"{language_tag(source)}" among the ids says so',
            target=example_tag(loaded),
            name="forced_bos" if opening.before else "decoder_start",
        )
    else:
        use = _USE.format(tag=example_tag(loaded) + before)
    return _README.format(use=use, own=OWN)

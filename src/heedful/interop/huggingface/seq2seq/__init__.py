"""Translators of Hugging Face come in, and ours go out so that `transformers` loads them.

`marian.py` reads what the model is, `names.py` says where its weights are, `vocabulary.py` makes a
tokenizer of its SentencePiece files, `reading.py` checks all of it and fills a `Transformer`;
`writing.py` goes the other way. `t5.py`, `t5_weights.py` and `t5_pieces.py` are the same of T5.
"""

__all__ = ["ARCHITECTURES", "export", "left_out", "load", "task_prefix"]

from pathlib import Path

from heedful.interop.huggingface.config import kind_of, read_json
from heedful.interop.huggingface.folder import config_of
from heedful.interop.huggingface.seq2seq import reading, t5, t5_weights
from heedful.interop.huggingface.seq2seq.t5 import task_prefix
from heedful.interop.huggingface.seq2seq.writing import export
from heedful.interop.keys import Keys
from heedful.model_folder import LoadedModel

ARCHITECTURES = (*reading.ARCHITECTURES, *t5.ARCHITECTURES)
"""What `model_type` may be."""


def load(folder: Path) -> LoadedModel:
    """Return model, tokenizer and languages of a folder.

    Raises ModelError for whatever is missing, damaged, or not known here.
    """
    return t5_weights.load(folder) if _is_t5(folder) else reading.load(folder)


def left_out(folder: Path, loaded: LoadedModel) -> int:
    """Return how many rows of the folder's embeddings no piece of the loaded model has."""
    return 0 if _is_t5(folder) else reading.left_out(folder, loaded)


def _is_t5(folder: Path) -> bool:
    path = config_of(folder)
    return kind_of(Keys(read_json(path), str(path)), ARCHITECTURES) in t5.ARCHITECTURES

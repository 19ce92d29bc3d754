"""Translators of Hugging Face come in, and ours go out so that `transformers` loads them.

`marian.py` reads what the model is, `names.py` says where its weights are, `vocabulary.py` makes a
tokenizer of its SentencePiece files, `reading.py` checks all of it and fills a `Transformer`;
`writing.py` goes the other way.
"""

__all__ = ["ARCHITECTURES", "export", "left_out", "load"]

from heedful.interop.huggingface.seq2seq.reading import ARCHITECTURES, left_out, load
from heedful.interop.huggingface.seq2seq.writing import export

"""Models of Hugging Face: a folder with config.json, safetensors and tokenizer.json comes in.

`config.py` reads what the model is, `layouts.py` says where its weights are, `folder.py` checks
all of it against the files before anything is allocated, and fills a `GPT`. `encoder.py` does the
same for a `BERT`, and `sentences.py` reads how its states become the vector of a text.
"""

__all__ = ["Described", "load", "load_encoder", "load_model", "load_reader"]

from heedful.interop.huggingface.config import Described
from heedful.interop.huggingface.encoder import load_encoder, load_reader
from heedful.interop.huggingface.folder import load, load_model

"""Models of Hugging Face: a folder with config.json, safetensors and tokenizer.json comes in.

`config.py` reads what the model is, `layouts.py` says where its weights are, `folder.py` checks
all of it against the files before anything is allocated, and fills a `GPT`.
"""

__all__ = ["Described", "load", "load_model"]

from heedful.interop.huggingface.config import Described
from heedful.interop.huggingface.folder import load, load_model

"""GGUF: a file of llama.cpp, with weights in few bits and everything else, comes in.

`header.py` checks what the file says of itself, `config.py` and `pieces.py` read what the model and
its vocabulary are, `weights.py` fills a `GPT`: `load` makes the `Writer` of it.
"""

__all__ = ["load", "load_model"]

from pathlib import Path

import torch

from heedful.errors import ModelError
from heedful.interop.gguf.config import described
from heedful.interop.gguf.header import Header, read_header
from heedful.interop.gguf.pieces import tokenizer_of
from heedful.interop.gguf.weights import compare, fill, places, stretched
from heedful.interop.huggingface.config import Described
from heedful.model_folder import Unfilled
from heedful.models.gpt import GPT
from heedful.text.chat import ChatTemplate
from heedful.text.vocabulary import Vocabulary
from heedful.writer import Writer


def load(path: Path, device: torch.device | str = "cpu") -> Writer:
    """Return what writes with the model, the vocabulary and the chat template of a file.

    Raises ModelError for whatever is damaged, or not known here, and SettingError where the package
    is missing that knows the numbers of few bits.
    """
    header = read_header(path)
    said = described(header, str(path))
    data = tokenizer_of(header.fields, str(path))
    vocabulary = Vocabulary.of(data, said.vocabulary_size, str(path))
    model = _model(path, header, said).to(device)
    return Writer(model, vocabulary, said.begin_id, said.end_ids, _template(path, header, said))


def load_model(path: Path, device: torch.device | str = "cpu") -> tuple[GPT, Described]:
    """Return the model, in float32, and what the file says of it."""
    header = read_header(path)
    said = described(header, str(path))
    return _model(path, header, said).to(device), said


def _model(path: Path, header: Header, said: Described) -> GPT:
    config = stretched(path, header.tensors, said.model)
    wanted = places(said)
    compare(path, header.tensors, wanted)
    with Unfilled():
        model = config.build(said.vocabulary_size)
    fill(model, path, header.tensors, wanted)
    return model.eval()


def _template(path: Path, header: Header, said: Described) -> ChatTemplate | None:
    """Return how conversations are written, if the file says it."""
    source = header.fields.get("tokenizer.chat_template")
    if source is None:
        return None
    if not isinstance(source, str):
        raise ModelError("tokenizer.chat_template is no text", where=str(path))
    tokens = header.fields["tokenizer.ggml.tokens"]
    ids = {"bos_token": said.begin_id, "eos_token": next(iter(said.end_ids), None)}
    special = {name: tokens[at] for name, at in ids.items() if at is not None}
    return ChatTemplate(source, special, where=f"{path}, tokenizer.chat_template")

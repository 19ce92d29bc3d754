"""A Hugging Face folder with a BERT becomes a `BERT` of ours, with the head that it has.

The same checks as for decoders: what `config.json` says, then names, shapes and types of all
tensors, then memory, then numbers.
"""

__all__ = ["DescribedEncoder", "described_encoder", "load_encoder", "load_reader"]

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from heedful.errors import ModelError
from heedful.interop.huggingface.config import (
    NETWORKS,
    kind_of,
    read_json,
    settings_named,
)
from heedful.interop.huggingface.folder import (
    Held,
    check_tied,
    compare,
    config_of,
    fill,
    held_in,
)
from heedful.interop.huggingface.layouts import encoder_places
from heedful.interop.huggingface.sentences import sentences_of
from heedful.interop.keys import Keys
from heedful.model_folder import Unfilled
from heedful.models.bert import BERT, BERTConfig
from heedful.models.bert_heads import (
    Head,
    Labels,
    MaskedWords,
    NoHead,
    Span,
    TokenLabels,
    Value,
)
from heedful.nn.norm import LayerNorm
from heedful.reader import Reader
from heedful.text.wordpiece import WordPieces

ARCHITECTURES = ("bert",)
"""What `model_type` may be."""

_DECODER = "cls.predictions.decoder.weight"
_DECODER_BIAS = "cls.predictions.decoder.bias"


class DescribedEncoder(NamedTuple):
    """What config.json says of an encoder; whether it has a pooler, its tensors tell."""

    model: BERTConfig
    vocabulary_size: int


def load_reader(folder: Path, device: torch.device | str = "cpu") -> Reader:
    """Return what reads with the model and the vocabulary of a folder.

    Raises ModelError for whatever is missing, damaged, or not known here.
    """
    model = load_encoder(folder, device)
    vocabulary = WordPieces.load(folder, model.vocabulary_size)
    return Reader(model, vocabulary, sentences_of(folder, model.config))


def load_encoder(folder: Path, device: torch.device | str = "cpu") -> BERT:
    """Return the model, in float32."""
    said = described_encoder(config_of(folder))
    held = held_in(folder)
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in held else ""
    older = f"{prefix}embeddings.LayerNorm.gamma" in held
    config = _with_pooler(said.model, f"{prefix}pooler.dense.weight" in held)
    gain, shift = ("gamma", "beta") if older else ("weight", "bias")
    wanted = encoder_places(config, said.vocabulary_size, prefix=prefix, gain=gain, shift=shift)
    needed = {place.tensor: place.shape for place in wanted.values()}
    twice = _stored_twice(held, config, f"{prefix}embeddings.word_embeddings.weight")
    compare(folder, held, needed | {two: needed[one] for one, two in twice.items()}, "bert")
    with Unfilled():
        model = config.build(said.vocabulary_size)
    fill(model, held, wanted)
    for one, two in twice.items():
        check_tied(held, one, two)
    return model.to(device).eval()


def _with_pooler(config: BERTConfig, there: bool) -> BERTConfig:
    """Return the settings of a model with the pooler that its file has, or without."""
    return config if config.head.pooled else config.model_copy(update={"pooler": there})


def _stored_twice(held: Mapping[str, Held], config: BERTConfig, words: str) -> dict[str, str]:
    """Return the tensors that are one in the model, where the file has each of them."""
    if not isinstance(config.head, MaskedWords):
        return {}
    pairs = {words: _DECODER, "cls.predictions.bias": _DECODER_BIAS}
    return {one: two for one, two in pairs.items() if two in held}


def described_encoder(path: Path) -> DescribedEncoder:
    """Return what a config.json says.

    Raises ModelError for an architecture, a size or a habit that is not known here.
    """
    keys = Keys(read_json(path), str(path))
    kind_of(keys, ARCHITECTURES)
    keys.must(position_embedding_type="absolute", is_decoder=False, add_cross_attention=False)
    with settings_named(path):
        head = _head(keys)
        if isinstance(head, MaskedWords):
            keys.must(tie_word_embeddings=True)
        model = BERTConfig(
            d_model=keys.whole("hidden_size"),
            d_ff=keys.whole("intermediate_size"),
            n_heads=keys.whole("num_attention_heads"),
            n_layers=keys.whole("num_hidden_layers"),
            dropout=keys.real("hidden_dropout_prob", 0.1),
            max_length=keys.whole("max_position_embeddings"),
            n_segments=keys.whole("type_vocab_size", 2),
            feed_forward=NETWORKS[keys.word("hidden_act", "gelu", [*NETWORKS])],
            norm=LayerNorm(eps=keys.real("layer_norm_eps", 1e-12)),
            head=head,
        )
    return DescribedEncoder(model, keys.whole("vocab_size"))


def _head(keys: Keys) -> Head:
    """Return the head that `architectures` names; without that key there is none."""
    value = keys.data.get("architectures")
    named = value[0] if isinstance(value, list) and len(value) == 1 else value
    if named is None or named == "BertModel":
        return NoHead()
    if named in ("BertForMaskedLM", "BertForPreTraining"):
        return MaskedWords()
    if named == "BertForSequenceClassification":
        return _of_texts(keys)
    if named == "BertForTokenClassification":
        return TokenLabels(labels=_labels(keys))
    if named == "BertForQuestionAnswering":
        return Span()
    known = "BertModel, BertForMaskedLM, BertForPreTraining, BertForSequenceClassification, "
    known += "BertForTokenClassification, BertForQuestionAnswering"
    problem = f'"architectures" names {str(named)[:100]!r}'
    raise ModelError(problem, where=keys.where, fix=f"known: {known}")


def _of_texts(keys: Keys) -> Labels | Value:
    """Return the head of BertForSequenceClassification: labels, or a number where there is one."""
    known = ("single_label_classification", "regression")
    problem_type = keys.word("problem_type", "", known)
    names = _labels(keys)
    if problem_type == "regression" and len(names) > 1:
        problem = f'"problem_type" is regression and there are {len(names)} numbers'
        raise ModelError(problem, where=keys.where, fix="take a model that gives one")
    return Value() if len(names) == 1 else Labels(labels=names)


def _labels(keys: Keys) -> tuple[str, ...]:
    """Return the names of the labels, which transformers calls LABEL_0, ... without any."""
    count = keys.whole("num_labels", 2)
    return keys.names("id2label") or tuple(f"LABEL_{number}" for number in range(count))

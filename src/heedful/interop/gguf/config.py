"""The keys of a GGUF file become our settings, or are refused by name.

The keys of an architecture are known one by one: one that is not could change what the model
computes, and is refused.
"""

__all__ = ["ARCHITECTURES", "described"]

from collections.abc import Callable

from pydantic import ValidationError

from heedful.errors import ModelError
from heedful.interop.gguf.header import Fields, Header
from heedful.interop.huggingface.config import Described
from heedful.interop.keys import Keys
from heedful.models.gpt import GPTConfig
from heedful.nn.attention import Attention, GroupedQuery, MultiHead
from heedful.nn.feedforward import GELUTanh, SwiGLU
from heedful.nn.norm import LayerNorm, RMSNorm
from heedful.nn.position import Learned, Rotary

OUTPUT = "output.weight"
"""The output matrix; a file without it has the embedding for it."""

_KNOWN = {
    "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size",
    "attention.head_count", "attention.head_count_kv", "attention.layer_norm_rms_epsilon",
    "attention.layer_norm_epsilon", "attention.key_length", "attention.value_length",
    "attention.causal", "attention.sliding_window", "rope.dimension_count", "rope.freq_base",
    "rope.scaling.type", "rope.scaling.factor", "rope.scaling.finetuned",
    "rope.scaling.original_context_length", "expert_count", "expert_used_count",
    "tensor_data_layout",
}  # fmt: skip
"""Keys behind the name of the architecture that are looked at, or change nothing here."""

_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|endoftext|>", "<end_of_turn>")
"""Control pieces that end an answer whatever the keys say, as llama.cpp has it."""


class _Described(Keys):
    """The keys of one architecture, which stand behind its name."""

    def __init__(self, fields: Fields, architecture: str, where: str) -> None:
        prefix = f"{architecture}."
        own = {
            key.removeprefix(prefix): value
            for key, value in fields.items()
            if key.startswith(prefix)
        }
        super().__init__(own, f"{where}, {architecture}")

    def check(self) -> None:
        """Raise ModelError for a key that is not known here."""
        for key in sorted(self.data.keys() - _KNOWN):
            problem = f'it has the key "{key[:100]}", which heedful does not know'
            raise ModelError(problem, where=self.where, fix="take a model without it")
        self.must(**{"expert_count": 0, "attention.causal": True, "rope.scaling.type": "none"})
        if "rope.scaling.type" not in self.data:  # llama.cpp takes a factor alone for linear
            self.must(**{"rope.scaling.factor": 1.0})
        context = self.whole("context_length")
        if self.whole("attention.sliding_window", context) < context:
            self.must(**{"attention.sliding_window": context})


def described(header: Header, where: str) -> Described:
    """Return what the header says of the model.

    Raises ModelError for an architecture, a size or a habit that is not known here.
    """
    kind = str(header.fields.get("general.architecture"))[:100]
    if kind not in ARCHITECTURES:
        problem = f'the architecture "{kind}" is not known here'
        fix = f"known: {', '.join(ARCHITECTURES)}"
        raise ModelError(problem, where=where, fix=fix)
    keys = _Described(header.fields, kind, where)
    keys.check()
    try:
        model = ARCHITECTURES[kind](keys, OUTPUT not in header.tensors)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        named = ".".join(map(str, first["loc"]))
        raise ModelError(f"{named}: {message}" if named else message, where=where) from error
    tokens = header.fields.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens or not isinstance(tokens[0], str):
        problem = "it has no vocabulary (tokenizer.ggml.tokens)"
        raise ModelError(problem, where=where, fix="convert the model with its tokenizer")
    said = Keys(header.fields, where)
    begin, ends = said.ids("tokenizer.ggml.bos_token_id"), _ends(said, tokens)
    for number in (*begin, *ends):
        if number >= len(tokens):
            problem = f"piece {number:,} is named and the vocabulary has {len(tokens):,}"
            raise ModelError(problem, where=where)
    return Described(kind, model, len(tokens), next(iter(begin), None), ends)


def _ends(said: Keys, tokens: list[str]) -> tuple[int, ...]:
    """Return the pieces that end an answer."""
    named = [
        number
        for key in ("eos_token_id", "eot_token_id", "eom_token_id")
        for number in said.ids(f"tokenizer.ggml.{key}")
    ]
    kinds = said.data.get("tokenizer.ggml.token_type")
    control = isinstance(kinds, list) and len(kinds) == len(tokens)
    if control:
        its = [at for at, kind in enumerate(kinds or []) if kind == 3 and tokens[at] in _ENDS]
        named += its
    return tuple(dict.fromkeys(named))


def _attention(keys: Keys, n_heads: int, *, bias: bool) -> Attention:
    groups = keys.whole("attention.head_count_kv", n_heads)
    return MultiHead(bias=bias) if groups == n_heads else GroupedQuery(n_kv_heads=groups, bias=bias)


def _rotating(keys: Keys, tied: bool, *, bias: bool) -> GPTConfig:
    """Return the settings of a Llama, or of a Qwen2, which has biases."""
    d_model, n_heads = keys.whole("embedding_length"), keys.whole("attention.head_count")
    d_k = keys.whole("attention.key_length", max(d_model // n_heads, 1))
    keys.must(**{"attention.value_length": d_k, "rope.dimension_count": d_k})
    return GPTConfig(
        d_model=d_model,
        d_ff=keys.whole("feed_forward_length"),
        n_heads=n_heads,
        d_k=None if d_k * n_heads == d_model else d_k,
        n_layers=keys.whole("block_count"),
        dropout=0.0,
        max_length=keys.whole("context_length"),
        attention=_attention(keys, n_heads, bias=bias),
        position=Rotary(theta=keys.real("rope.freq_base", 10_000.0)),
        feed_forward=SwiGLU(),
        norm=RMSNorm(eps=keys.real("attention.layer_norm_rms_epsilon", 1e-5)),
        tied_output=tied,
    )


def _gpt2(keys: Keys, tied: bool) -> GPTConfig:
    n_heads = keys.whole("attention.head_count")
    keys.must(**{"attention.head_count_kv": n_heads})
    return GPTConfig(
        d_model=keys.whole("embedding_length"),
        d_ff=keys.whole("feed_forward_length"),
        n_heads=n_heads,
        n_layers=keys.whole("block_count"),
        dropout=0.0,
        max_length=keys.whole("context_length"),
        position=Learned(),
        feed_forward=GELUTanh(),
        norm=LayerNorm(eps=keys.real("attention.layer_norm_epsilon", 1e-5)),
        tied_output=tied,
    )


ARCHITECTURES: dict[str, Callable[[Keys, bool], GPTConfig]] = {
    "llama": lambda keys, tied: _rotating(keys, tied, bias=False),
    "qwen2": lambda keys, tied: _rotating(keys, tied, bias=True),
    "gpt2": _gpt2,
}
"""What `general.architecture` may be."""

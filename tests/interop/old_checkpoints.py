"""Checkpoints as fairseq, OpenNMT-py and JoeyNMT save them, small and random, and their forwards.

The toolkits cannot be installed, so names, order of modules and pickled objects follow their code:
fairseq 0.12 (transformer_layer.py, sinusoidal_positional_embedding.py), OpenNMT-py 1.2 and 3.5
(encoders/transformer.py, decoders/transformer.py, modules/position_ffn.py, modules/embeddings.py),
JoeyNMT 2.3 (transformer_layers.py). The forwards are written after the same files, in plain torch.
"""

import argparse
import math
import sys
import types
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CODES = "#version: 0.2\nt h\nth e</w>\nc a\na t</w>\nca t</w>\nd o\ndo g</w>\n"
WIDTH, INNER, HEADS = 16, 24, 4
State = dict[str, Tensor]


def pieces_of() -> list[str]:
    """Return pieces with `@@`: those that the codes make, and every letter."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [
        "the",
        "cat",
        "dog",
        "th@@",
        "ca@@",
        "do@@",
        "at",
        *letters,
        *(f"{x}@@" for x in letters),
    ]


class Drawn:
    """Draws tensors, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random) * 0.4

    def linear(self, state: State, name: str, n_out: int, n_in: int, *, bias: bool = True) -> None:
        state[f"{name}.weight"] = self(n_out, n_in)
        if bias:
            state[f"{name}.bias"] = self(n_out)

    def norm(self, state: State, name: str) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = 1 + self(WIDTH), self(WIDTH)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], eps)


def attention(
    state: State, names: tuple[str, str, str, str], x: Tensor, seen: Tensor, *, causal: bool
) -> Tensor:
    """Return multi-head attention of one sentence: [T D] looks at [S D]."""
    query, key, value = (
        linear(state, name, states).view(len(states), HEADS, -1).transpose(0, 1)
        for name, states in zip(names, (x, seen, seen), strict=False)
    )
    scores = query / math.sqrt(WIDTH // HEADS) @ key.transpose(1, 2)
    if causal:
        scores = scores + torch.full(scores.shape[1:], -math.inf).triu(1)
    context = scores.softmax(-1) @ value
    return linear(state, names[3], context.transpose(0, 1).reshape(len(x), WIDTH))


def interleaved(length: int) -> Tensor:
    """Return the table of OpenNMT-py and JoeyNMT."""
    table, position = torch.zeros(length, WIDTH), torch.arange(length).unsqueeze(1).float()
    rate = torch.exp(torch.arange(0, WIDTH, 2).float() * -(math.log(10000.0) / WIDTH))
    table[:, 0::2], table[:, 1::2] = torch.sin(position * rate), torch.cos(position * rate)
    return table


def concatenated(length: int) -> Tensor:
    """Return the table of OpenNMT-py's `SinusoidalConcat`."""
    rate = torch.exp(torch.arange(WIDTH // 2).float() * -(math.log(10000) / (WIDTH // 2 - 1)))
    angle = torch.arange(length).float().unsqueeze(1) * rate
    return torch.cat([angle.sin(), angle.cos()], dim=1)


# fairseq


def fairseq_state(seed: int, sizes: tuple[int, int], settings: dict[str, Any]) -> State:
    draw, state = Drawn(seed), State()
    for side, size in zip(("encoder", "decoder"), sizes, strict=True):
        state[f"{side}.version"] = torch.tensor([3.0])
        state[f"{side}.embed_tokens.weight"] = draw(size, WIDTH)
        if settings.get("encoder_learned_pos"):
            state[f"{side}.embed_positions.weight"] = draw(64 + 2, WIDTH)
        else:
            state[f"{side}.embed_positions._float_tensor"] = torch.zeros(1)
        for number in range(settings[f"{side}_layers"]):
            place = f"{side}.layers.{number}"
            looks = ["self_attn"] + ["encoder_attn"] * (side == "decoder")
            for look in looks:
                for part in ("k_proj", "v_proj", "q_proj", "out_proj"):
                    draw.linear(state, f"{place}.{look}.{part}", WIDTH, WIDTH)
                draw.norm(state, f"{place}.{look}_layer_norm")
            draw.linear(state, f"{place}.fc1", INNER, WIDTH)
            draw.linear(state, f"{place}.fc2", WIDTH, INNER)
            draw.norm(state, f"{place}.final_layer_norm")
        if settings[f"{side}_normalize_before"]:
            draw.norm(state, f"{side}.layer_norm")
    tied = settings["share_decoder_input_output_embed"]
    if settings["share_all_embeddings"]:
        state["decoder.embed_tokens.weight"] = state["encoder.embed_tokens.weight"]
    table = state["decoder.embed_tokens.weight"]
    state["decoder.output_projection.weight"] = table if tied else draw(*table.shape)
    return state


def fairseq_logits(
    state: State, settings: dict[str, Any], source: list[int], target: list[int]
) -> Tensor:
    """Return the logits behind each piece; `source` ends in, `target` begins with `</s>`."""
    before = settings["encoder_normalize_before"]
    activation = {"relu": F.relu, "gelu": F.gelu}[settings["activation_fn"]]

    def embedded(side: str, ids: list[int]) -> Tensor:
        x = state[f"{side}.embed_tokens.weight"][ids] * math.sqrt(WIDTH)
        places = torch.arange(2, 2 + len(ids))  # behind padding_idx 1
        learned = state.get(f"{side}.embed_positions.weight")
        if learned is not None:
            return x + learned[places]
        half = WIDTH // 2
        rate = torch.exp(torch.arange(half).float() * -(math.log(10000) / (half - 1)))
        angle = places.float().unsqueeze(1) * rate
        return x + torch.cat([angle.sin(), angle.cos()], dim=1)

    def wrapped(name: str, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if before:
            return x + sublayer(norm(state, name, x, 1e-5))
        return norm(state, name, x + sublayer(x), 1e-5)

    def look(place: str, x: Tensor, seen: Tensor | None, *, causal: bool) -> Tensor:
        names = tuple(f"{place}.{part}" for part in ("q_proj", "k_proj", "v_proj", "out_proj"))
        return attention(state, names, x, x if seen is None else seen, causal=causal)

    def network(at: str, x: Tensor) -> Tensor:
        return linear(state, f"{at}.fc2", activation(linear(state, f"{at}.fc1", x)))

    def stack(side: str, x: Tensor, memory: Tensor | None) -> Tensor:
        causal = side == "decoder"
        for number in range(settings[f"{side}_layers"]):
            at = f"{side}.layers.{number}"
            own = partial(look, f"{at}.self_attn", seen=None, causal=causal)
            x = wrapped(f"{at}.self_attn_layer_norm", x, own)
            if memory is not None:
                across = partial(look, f"{at}.encoder_attn", seen=memory, causal=False)
                x = wrapped(f"{at}.encoder_attn_layer_norm", x, across)
            x = wrapped(f"{at}.final_layer_norm", x, partial(network, at))
        return norm(state, f"{side}.layer_norm", x, 1e-5) if before else x

    memory = stack("encoder", embedded("encoder", source), None)
    states = stack("decoder", embedded("decoder", target), memory)
    return F.linear(states, state["decoder.output_projection.weight"])


def fairseq_settings(**changes: Any) -> dict[str, Any]:
    settings = {
        "arch": "transformer_iwslt_de_en",
        "task": "translation",
        "source_lang": "de",
        "target_lang": "en",
        "activation_fn": "relu",
        "dropout": 0.1,
        "share_all_embeddings": False,
        "share_decoder_input_output_embed": True,
        "adaptive_softmax_cutoff": None,
        "max_source_positions": 64,
        "max_target_positions": 64,
    }
    for side, layers in (("encoder", 2), ("decoder", 2)):
        settings |= {
            f"{side}_embed_dim": WIDTH,
            f"{side}_ffn_embed_dim": INNER,
            f"{side}_attention_heads": HEADS,
            f"{side}_layers": layers,
            f"{side}_normalize_before": False,
            f"{side}_learned_pos": False,
        }
    return settings | changes


def write_fairseq(
    folder: Path, *, seed: int = 0, form: str = "args", joint: bool = False, **changes: Any
) -> tuple[State, dict[str, Any]]:
    """Write checkpoint_best.pt, both dictionaries and codes; return the tensors and settings."""
    settings = fairseq_settings(**changes)
    pieces, sizes = {}, []
    for language in ("de", "en"):
        learnt = pieces_of() + ([] if settings["share_all_embeddings"] else [f"x{language}"])
        learnt += [f"madeupword{number:04d}" for number in range(-(len(learnt) + 4) % 8)]
        pieces[language] = learnt
        sizes.append(len(learnt) + 4)
        lines = "".join(f"{piece} {9 + number}\n" for number, piece in enumerate(learnt))
        (folder / f"dict.{language}.txt").write_text(lines)
    (folder / "bpecodes").write_text(CODES)
    state = fairseq_state(seed, (sizes[0], sizes[1]), settings)
    saved = {name: one.clone() for name, one in state.items()}
    if joint:  # before fairseq 0.9
        for name in [name for name in saved if name.endswith("q_proj.weight")]:
            place = name.removesuffix("q_proj.weight")
            for part in ("weight", "bias"):
                three = [saved.pop(f"{place}{x}_proj.{part}") for x in "qkv"]
                saved[f"{place}in_proj_{part}"] = torch.cat(three)
        saved.pop("decoder.output_projection.weight")
    namespace = argparse.Namespace(**settings)
    told = {"args": namespace, "cfg": None}
    if form == "cfg":
        told = {"args": None, "cfg": {"_name": None, "model": namespace, "task": namespace}}
    checkpoint = {
        **told,
        "model": OrderedDict(saved),
        "optimizer_history": [{"num_updates": 7, "best_loss": 3.5}],
        "extra_state": {"epoch": 2, "best": 3.5},
        "last_optimizer_state": {"state": {0: {"exp_avg": torch.ones(3)}}},
    }
    torch.save(checkpoint, folder / "checkpoint_best.pt")
    return state, settings


# OpenNMT-py

LUT = "embeddings.make_embedding.emb_luts.0.weight"


def opennmt_state(
    seed: int, sizes: tuple[int, int], *, bias: bool, inner_bias: bool, gated: bool, table: Tensor
) -> State:
    draw, state = Drawn(seed), State()
    for side, size in zip(("encoder", "decoder"), sizes, strict=True):
        state[f"{side}.{LUT}"] = draw(size, WIDTH)
        state[f"{side}.embeddings.make_embedding.pe.pe"] = table.unsqueeze(1)
        for number in range(2):
            stack = "transformer" if side == "encoder" else "transformer_layers"
            place = f"{side}.{stack}.{number}"
            looks = ["self_attn"] + ["context_attn"] * (side == "decoder")
            for look in looks:
                for part in ("linear_keys", "linear_values", "linear_query", "final_linear"):
                    draw.linear(state, f"{place}.{look}.{part}", WIDTH, WIDTH, bias=bias)
            for part in ("w_1", "w_3") if gated else ("w_1",):
                draw.linear(state, f"{place}.feed_forward.{part}", INNER, WIDTH, bias=inner_bias)
            draw.linear(state, f"{place}.feed_forward.w_2", WIDTH, INNER, bias=inner_bias)
            draw.norm(state, f"{place}.feed_forward.layer_norm")
            norms = ["layer_norm"] if side == "encoder" else ["layer_norm_1", "layer_norm_2"]
            for name in norms:
                draw.norm(state, f"{place}.{name}")
        draw.norm(state, f"{side}.layer_norm")
    return state


def opennmt_logits(
    state: State, generator: State, eps: float, source: list[int], target: list[int]
) -> Tensor:
    def embedded(side: str, ids: list[int]) -> Tensor:
        table = state[f"{side}.embeddings.make_embedding.pe.pe"][: len(ids), 0]
        return state[f"{side}.{LUT}"][ids] * math.sqrt(WIDTH) + table

    def look(place: str, x: Tensor, seen: Tensor, *, causal: bool) -> Tensor:
        parts = ("linear_query", "linear_keys", "linear_values", "final_linear")
        names = tuple(f"{place}.{part}" for part in parts)
        return attention(state, names, x, seen, causal=causal)

    def network(place: str, x: Tensor) -> Tensor:
        normed = norm(state, f"{place}.layer_norm", x, eps)
        inner = linear(state, f"{place}.w_1", normed)
        gated = f"{place}.w_3.weight" in state
        inner = F.silu(inner) * linear(state, f"{place}.w_3", normed) if gated else F.relu(inner)
        return linear(state, f"{place}.w_2", inner) + x

    x = embedded("encoder", source)
    for number in range(2):
        at = f"encoder.transformer.{number}"
        normed = norm(state, f"{at}.layer_norm", x, eps)
        x = network(f"{at}.feed_forward", look(f"{at}.self_attn", normed, normed, causal=False) + x)
    memory = norm(state, "encoder.layer_norm", x, eps)
    x = embedded("decoder", target)
    for number in range(2):
        at = f"decoder.transformer_layers.{number}"
        normed = norm(state, f"{at}.layer_norm_1", x, eps)
        query = look(f"{at}.self_attn", normed, normed, causal=True) + x
        normed = norm(state, f"{at}.layer_norm_2", query, eps)
        mid = look(f"{at}.context_attn", normed, memory, causal=False)
        x = network(f"{at}.feed_forward", mid + query)
    x = norm(state, "decoder.layer_norm", x, eps)
    return F.linear(x, generator["weight"], generator["bias"])


@contextmanager
def modules(**classes: Any) -> Iterator[None]:
    """Let classes be pickled as those of modules that are not installed."""
    made = []
    for full, one in classes.items():
        name = full.replace("__", ".").rpartition(".")[0]
        parts = name.split(".")
        for path in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
            if path not in sys.modules:
                sys.modules[path] = types.ModuleType(path)
                made.append(path)
        one.__module__ = name
        setattr(sys.modules[name], one.__qualname__, one)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


class Vocab:
    def __init__(self, itos: list[str]) -> None:
        self.freqs = Counter(dict.fromkeys(itos, 1))
        self.itos, self.stoi = itos, {piece: at for at, piece in enumerate(itos)}


class Field:
    def __init__(self, vocab: Vocab) -> None:
        self.dtype, self.vocab, self.sequential = torch.int64, vocab, True


class TextMultiField:
    def __init__(self, name: str, field: Field) -> None:
        self.fields = [(name, field)]


def write_opennmt(
    folder: Path, *, seed: int = 0, form: str = "lists", tied: bool = False, **changes: Any
) -> tuple[State, State, dict[str, list[str]]]:
    """Write model_step_7.pt and codes; return tensors, the generator's and the vocabularies."""
    learnt = pieces_of()
    controls = ["<unk>", "<blank>", "<s>", "</s>"]
    vocab = {"src": [*controls, *learnt], "tgt": [*controls, *learnt, *([] if tied else ["xen"])]}
    if form != "lists":  # no marks around a source before version 3
        vocab["src"] = vocab["src"] if tied else ["<unk>", "<blank>", *learnt]
    concat = changes.get("position_encoding_type") == "SinusoidalConcat"
    state = opennmt_state(
        seed,
        (len(vocab["src"]), len(vocab["tgt"])),
        bias=form != "lists",
        inner_bias=form != "lists" or "add_ffnbias" in changes,
        gated=changes.get("pos_ffn_activation_fn") == "silu",
        table=concatenated(5000) if concat else interleaved(5000),
    )
    draw = Drawn(seed + 1)
    table = state[f"decoder.{LUT}"]
    if tied:
        state[f"encoder.{LUT}"] = table
    generator = {"weight": table if tied else draw(*table.shape), "bias": draw(len(table))}
    opt = {
        "encoder_type": "transformer", "decoder_type": "transformer", "layers": 2,
        "enc_layers": 2, "dec_layers": 2, "heads": HEADS, "transformer_ff": INNER,
        "word_vec_size": WIDTH, "src_word_vec_size": WIDTH, "tgt_word_vec_size": WIDTH,
        "position_encoding": True, "share_embeddings": tied, "share_decoder_embeddings": tied,
        "copy_attn": False, "self_attn_type": "scaled-dot", "dropout": [0.1],
        "max_relative_positions": 0, "model_type": "text",
    }  # fmt: skip
    if form == "lists":  # what version 3.5 writes
        opt |= {
            "hidden_size": WIDTH, "enc_hid_size": WIDTH, "dec_hid_size": WIDTH,
            "self_attn_type": "scaled-dot-flash", "position_encoding_type": "SinusoidalInterleaved",
            "relative_positions_buckets": 0, "num_kv": 0, "sliding_window": 0, "num_experts": 0,
            "parallel_residual": False, "layer_norm": "standard", "norm_eps": 1e-6,
            "add_qkvbias": False, "add_ffnbias": False, "generator_function": "softmax",
            "decoder_start_token": "<s>",
        }  # fmt: skip
    else:
        opt |= {"rnn_size": WIDTH, "enc_rnn_size": WIDTH}
    opt |= changes
    checkpoint: dict[str, Any] = {
        "model": dict(state), "generator": dict(generator), "opt": argparse.Namespace(**opt),
        "optim": {"training_step": 7}, "vocab": {**vocab, "data_task": "seq2seq"},
    }  # fmt: skip
    if form != "lists":
        checkpoint["generator"] = {f"0.{name}": one for name, one in generator.items()}
        sides = {side: Vocab(pieces) for side, pieces in vocab.items()}
        checkpoint["vocab"] = [*sides.items()]
        if form == "fields":
            checkpoint["vocab"] = {
                side: TextMultiField(side, Field(one)) for side, one in sides.items()
            }
    with modules(
        torchtext__vocab__Vocab=Vocab,
        torchtext__data__field__Field=Field,
        onmt__inputters__text_dataset__TextMultiField=TextMultiField,
    ):
        torch.save(checkpoint, folder / "model_step_7.pt")
    (folder / "bpecodes").write_text(CODES)
    return state, generator, vocab


# JoeyNMT


def joey_state(seed: int, sizes: tuple[int, int], *, before: bool, tied: bool) -> State:
    draw, state = Drawn(seed), State()
    state["src_embed.lut.weight"] = draw(sizes[0], WIDTH)
    state["trg_embed.lut.weight"] = draw(sizes[1], WIDTH)
    for side in ("encoder", "decoder"):
        decodes = side == "decoder"
        for number in range(2):
            at = f"{side}.layers.{number}"
            for look in ("trg_trg_att", "src_trg_att") if decodes else ("src_src_att",):
                for part in ("k_layer", "v_layer", "q_layer", "output_layer"):
                    draw.linear(state, f"{at}.{look}.{part}", WIDTH, WIDTH)
            draw.norm(state, f"{at}.feed_forward.layer_norm")
            draw.linear(state, f"{at}.feed_forward.pwff_layer.0", INNER, WIDTH)
            draw.linear(state, f"{at}.feed_forward.pwff_layer.3", WIDTH, INNER)
            for name in ("x_layer_norm", "dec_layer_norm") if decodes else ("layer_norm",):
                draw.norm(state, f"{at}.{name}")
        state[f"{side}.pe.pe"] = interleaved(5000).unsqueeze(0)
        if before:
            draw.norm(state, f"{side}.layer_norm")
    if tied:
        state["src_embed.lut.weight"] = state["trg_embed.lut.weight"]
    table = state["trg_embed.lut.weight"]
    state["decoder.output_layer.weight"] = table if tied else draw(*table.shape)
    return state


def joey_logits(state: State, source: list[int], target: list[int]) -> Tensor:
    before = "encoder.layer_norm.weight" in state

    def embedded(side: str, ids: list[int]) -> Tensor:
        return state[f"{side}_embed.lut.weight"][ids] * math.sqrt(WIDTH) + interleaved(len(ids))

    def look(place: str, memory: Tensor, x: Tensor, *, causal: bool) -> Tensor:
        names = tuple(f"{place}.{x}_layer" for x in ("q", "k", "v", "output"))
        return attention(state, names, x, memory, causal=causal)

    def network(place: str, x: Tensor) -> Tensor:
        residual = x
        x = norm(state, f"{place}.layer_norm", x, 1e-6) if before else x
        inner = F.relu(linear(state, f"{place}.pwff_layer.0", x))
        x = linear(state, f"{place}.pwff_layer.3", inner) + residual
        return x if before else norm(state, f"{place}.layer_norm", x, 1e-6)

    def attended(
        at: str, name: str, look_name: str, x: Tensor, memory: Tensor | None, *, causal: bool
    ) -> Tensor:
        residual = x
        x = norm(state, f"{at}.{name}", x, 1e-6) if before else x
        x = look(f"{at}.{look_name}", x if memory is None else memory, x, causal=causal) + residual
        return x if before else norm(state, f"{at}.{name}", x, 1e-6)

    x = embedded("src", source)
    for number in range(2):
        at = f"encoder.layers.{number}"
        x = network(
            f"{at}.feed_forward", attended(at, "layer_norm", "src_src_att", x, None, causal=False)
        )
    memory = norm(state, "encoder.layer_norm", x, 1e-6) if before else x
    x = embedded("trg", target)
    for number in range(2):
        at = f"decoder.layers.{number}"
        x = attended(at, "x_layer_norm", "trg_trg_att", x, None, causal=True)
        x = attended(at, "dec_layer_norm", "src_trg_att", x, memory, causal=False)
        x = network(f"{at}.feed_forward", x)
    x = norm(state, "decoder.layer_norm", x, 1e-6) if before else x
    return F.linear(x, state["decoder.output_layer.weight"])


JOEY_CONFIG = """\
name: "small"
data:
{data}
model:
    tied_embeddings: {tied}
    tied_softmax: {tied}
    encoder: &unused
        type: transformer
        num_layers: 2
        num_heads: 4
        embeddings: {{embedding_dim: 16, scale: True, dropout: 0.}}
        hidden_size: 16
        ff_size: 24
        dropout: 0.1{order}
    decoder:
        type: transformer
        num_layers: 2
        num_heads: 4
        embeddings: {{embedding_dim: 16, scale: True, dropout: 0.}}
        hidden_size: 16
        ff_size: 24
        dropout: 0.1{order}
"""
JOEY_DATA = {
    1: "    src: de\n    trg: en\n    level: bpe",
    2: "    src: {lang: de, level: bpe}\n    trg: {lang: en, level: bpe}",
}


def write_joey(
    folder: Path, *, seed: int = 0, version: int = 2, before: bool = True, tied: bool = False
) -> tuple[State, dict[str, list[str]]]:
    """Write best.ckpt, config.yaml, vocabularies and codes; return tensors and vocabularies."""
    controls = ["<unk>", "<pad>", "<s>", "</s>"]
    vocab = {"src": [*controls, *pieces_of()]}
    vocab["trg"] = [*vocab["src"], *([] if tied else ["xen"])]
    for side, pieces in vocab.items():
        (folder / f"{side}_vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces))
    state = joey_state(seed, (len(vocab["src"]), len(vocab["trg"])), before=before, tied=tied)
    order = f"\n        layer_norm: {'pre' if before else 'post'}" if version == 2 else ""
    config = JOEY_CONFIG.format(data=JOEY_DATA[version], tied=tied, order=order)
    (folder / "config.yaml").write_text(config)
    (folder / "bpecodes").write_text(CODES)
    checkpoint = {"steps": 7, "best_ckpt_score": 1.5, "model_state": OrderedDict(state)}
    torch.save(checkpoint | {"optimizer_state": {"state": {}}}, folder / "best.ckpt")
    return state, vocab

"""transformers' Marian with our weights and its own `generate`, sources sorted by length."""

from pathlib import Path
from typing import Any

import torch
import transformers
from decode.worker import Inputs, Translate, rows_of

from heedful.errors import ModelError
from heedful.model_folder import load_model
from heedful.models.transformer import Transformer
from heedful.nn.embedding import ThreeWay
from heedful.text.pieces import END, PAD, START

BLOCKS = {
    "self_attn": "attention",
    "encoder_attn": "cross_attention",
    "self_attn_layer_norm": "attention_block.norm",
    "encoder_attn_layer_norm": "cross_attention_block.norm",
    "final_layer_norm": "feed_forward_block.norm",
    "fc1": "feed_forward.inner",
    "fc2": "feed_forward.outer",
    "q_proj": "query_proj",
    "k_proj": "key_proj",
    "v_proj": "value_proj",
    "out_proj": "output_proj",
}


def load(model: Path, exported: Path, inputs: Inputs, options: dict[str, Any]) -> Translate:
    """Return the function that translates."""
    return translating(build(load_model(model).model), inputs)


def translating(marian: transformers.MarianMTModel, inputs: Inputs) -> Translate:
    """Return the function that translates with a Marian, wherever it lies."""

    @torch.inference_mode()
    def one(sources: list[list[int]], beam: int) -> list[list[int]]:
        length = max(map(len, sources))
        padded = [[*row, *[PAD] * (length - len(row))] for row in sources]
        rows = torch.tensor(padded, device=marian.device)
        found = marian.generate(
            rows,
            attention_mask=(rows != PAD).long(),
            num_beams=beam,
            do_sample=False,
            min_new_tokens=inputs.fixed,
            max_new_tokens=inputs.most(length),
            suppress_tokens=list(inputs.forbidden),
        )
        answers = [[*row[1:], END] for row in found.tolist()]
        return [answer[: answer.index(END)] for answer in answers]

    def translate(sources: list[list[int]], beam: int, batch_tokens: int) -> list[list[int]]:
        order = sorted(range(len(sources)), key=lambda row: -len(sources[row]))
        count = rows_of(sources, batch_tokens // beam)
        answers: list[list[int]] = [[] for _ in sources]
        for at in range(0, len(order), count):
            chosen = order[at : at + count]
            for row, answer in zip(chosen, one([sources[x] for x in chosen], beam), strict=True):
                answers[row] = answer
        return answers

    return translate


def build(model: Transformer) -> transformers.MarianMTModel:
    """Return a Marian with the weights and the positions of a model of the paper's kind."""
    config = model.config
    kinds = (config.residual.kind, config.norm.kind, config.attention.kind, config.position.kind)
    if kinds != ("post_norm", "layer_norm", "multi_head", "sinusoidal") or not isinstance(
        config.embedding, ThreeWay
    ):
        raise ModelError("Marian is the paper's model and no variant of it", fix="leave it out")
    marian = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=model.tables.target.num_embeddings,
            d_model=config.d_model,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            encoder_attention_heads=config.n_heads,
            decoder_attention_heads=config.n_heads,
            encoder_ffn_dim=config.d_ff,
            decoder_ffn_dim=config.d_ff,
            activation_function=config.feed_forward.kind,
            scale_embedding=True,
            max_position_embeddings=config.max_length,
            pad_token_id=PAD,
            bos_token_id=None,
            eos_token_id=END,
            decoder_start_token_id=START,
            forced_eos_token_id=None,
        )
    ).eval()
    ours = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in marian.named_parameters():
            if "embed_positions" in name:
                weight.copy_(model.source_position.table)
            else:
                weight.copy_(ours.pop(_our_name(name)))
    if ours:
        raise ModelError(f"Marian has no place for {sorted(ours)[0]}")
    return marian


def _our_name(theirs: str) -> str:
    """Return the name that a parameter of Marian has with us."""
    if theirs == "model.shared.weight":
        return "tables.source.weight"
    _, side, _, layer, *rest = theirs.split(".")
    return ".".join([side, layer, *(BLOCKS.get(x, x) for x in rest)])

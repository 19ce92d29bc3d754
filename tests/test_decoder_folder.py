"""A decoder's folder holds all of it, and whoever wants a translator is told what it is."""

from pathlib import Path

import pytest
import torch

from heedful.decoder_folder import is_decoder, load_decoder, save_decoder
from heedful.errors import ModelError
from heedful.interop.writers import load_writer
from heedful.model_folder import load_model
from heedful.models.gpt import GPT, GPTConfig, llama_like
from heedful.nn.attention import MultiHead
from heedful.nn.feedforward import GELU
from heedful.nn.norm import LayerNorm
from heedful.search import Sample
from heedful.text.train_tokenizer import Characters
from heedful.text.vocabulary import Vocabulary

KNOWN = Vocabulary.train(["to be or not to be\n"], Characters())
SMALL = {"d_model": 16, "d_ff": 24, "n_heads": 4, "n_layers": 2, "max_length": 32}
BARE = {
    "attention": MultiHead(bias=False),
    "feed_forward": GELU(bias=False),
    "norm": LayerNorm(bias=False),
}


def model(config: GPTConfig) -> GPT:
    torch.manual_seed(1)
    return config.build(KNOWN.size).eval()


@pytest.mark.parametrize(
    "config",
    [
        GPTConfig(**SMALL),  # type: ignore[arg-type]
        GPTConfig(**SMALL, **BARE),  # type: ignore[arg-type]
        llama_like().model_copy(update=SMALL),
    ],
)
def test_a_decoder_is_the_same_from_disk(tmp_path: Path, config: GPTConfig) -> None:
    before = model(config)
    save_decoder(tmp_path / "m", before, KNOWN, card="# card")
    after, known, _ = load_decoder(tmp_path / "m")
    assert after.config == config
    assert known.fingerprint() == KNOWN.fingerprint()
    ids = torch.tensor([KNOWN.encode("not to be")])
    assert torch.equal(after.hidden(ids), before.hidden(ids))
    assert (tmp_path / "m" / "README.md").read_text() == "# card"
    assert is_decoder(tmp_path / "m")


def test_control_pieces_are_never_written(tmp_path: Path) -> None:
    save_decoder(tmp_path / "m", model(GPTConfig(**SMALL)), KNOWN)  # type: ignore[arg-type]
    writer = load_writer(tmp_path / "m")
    found = writer.write([writer.prompt("to", "here")], Sample(seed=1, count=20), 25)
    assert all(set(one.text) <= set("to be or not to be\n") for one in found[0])
    assert sum(one.pieces for one in found[0]) == sum(len(one.text) for one in found[0])


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_folder_is_refused(tmp_path: Path, name: str) -> None:
    save_decoder(tmp_path / "m", model(GPTConfig(**SMALL)), KNOWN)  # type: ignore[arg-type]
    path = tmp_path / "m" / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="has changed since it was written"):
        load_decoder(tmp_path / "m")


def test_it_is_no_translator(tmp_path: Path) -> None:
    save_decoder(tmp_path / "m", model(GPTConfig(**SMALL)), KNOWN)  # type: ignore[arg-type]
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path / "m")
    assert "goes on with texts and does not translate; write with it: heed generate" in str(
        caught.value
    )

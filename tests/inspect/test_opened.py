"""A decoder that is opened with more than `<s>`: a trace's places are those of what is written.

The same weights, opened with `<s>` alone and given the further pieces to read, are the reference.
"""

import pytest
import torch
from torch import nn

from heedful.inspect import Trace, trace
from heedful.model_folder import LoadedModel
from heedful.models.opening import Opening
from heedful.models.transformer import Transformer
from heedful.text.pieces import START
from heedful.translator import Translator, load

BEFORE = (2, 30)
N = len(BEFORE)


@pytest.fixture(scope="module")
def seen() -> Trace:
    known = load(precision="float32")
    config = known.model.config.model_copy(update={"opening": Opening(before=BEFORE)})
    model = config.build(known.tokenizer.source_size, known.tokenizer.target_size).eval()
    model.load_state_dict(known.model.state_dict())
    opened = Translator(LoadedModel(model, known.tokenizer, known.languages), "cpu", "float32")
    return trace(opened, "A dog runs.", "Ein Hund rennt.", to="de")


@pytest.fixture(scope="module")
def plain() -> Transformer:
    return load(precision="float32").model


def logits(plain: Transformer, seen: Trace) -> torch.Tensor:
    """Return what is predicted where the further pieces are read, too."""
    source = torch.tensor([seen.source.ids])
    target = torch.tensor([[*BEFORE, START, *seen.target.ids[:-1]]])
    memory = plain.encode(source, torch.ones_like(source, dtype=torch.bool))
    return plain.project(plain.hidden(target, memory))[0]


def test_the_lens_is_the_head_on_every_layer(seen: Trace, plain: Transformer) -> None:
    states: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: object, output: tuple[torch.Tensor, ...]) -> None:
        states.append(output[0])

    handles = [layer.register_forward_hook(keep) for layer in plain.decoder]
    with torch.inference_mode():
        logits(plain, seen)
        expected = [plain.project(plain.decoder_norm(one))[0, N:].log_softmax(-1) for one in states]
    for handle in handles:
        handle.remove()
    own = torch.tensor(seen.target.ids)[:, None]
    for said, log_probs in zip(seen.lens(), expected, strict=True):
        found = torch.tensor([one.log_prob for one in said])
        torch.testing.assert_close(found, log_probs.gather(1, own)[:, 0], atol=1e-3, rtol=1e-4)

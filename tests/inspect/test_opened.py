"""A decoder that is opened with more than `<s>`: a trace's places are those of what is written.

The same weights, opened with `<s>` alone and given the further pieces to read, are the reference.
"""

import pytest
import torch
from torch import nn

from heedful.inspect import Trace, trace
from heedful.inspect.ablate import Edit, edited
from heedful.inspect.relevance import chefer
from heedful.inspect.stages import logits_of
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


def test_edits_are_at_the_places_of_a_trace(seen: Trace, plain: Transformer) -> None:
    edits = {
        ("encoder", 0): Edit(silent=(1,)),
        ("decoder", 1): Edit(cut=((1, 2, 0), (None, 3, 1)), silent=(0, 2)),
        ("cross", 1): Edit(cut=((None, 1, 2),), silent=(0,)),
    }
    longer = {
        ("encoder", 0): Edit(silent=(1,)),
        ("decoder", 1): Edit(
            cut=((1, N + 2, 0), (1, N + 2, 1), (1, N + 2, N), (None, N + 3, N + 1)),
            silent=(0, 1, N, N + 2),
        ),
        ("cross", 1): Edit(cut=((None, N + 1, 2),), silent=(0,)),
    }
    with torch.inference_mode():
        with edited(seen.model, edits):
            found = logits_of(seen.model, seen.source.ids, seen.target.ids)
        with edited(plain, longer):
            expected = logits(plain, seen)[N:]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def silenced(plain: Transformer, seen: Trace, step: int, keys: tuple[int, ...]) -> float:
    """Return a step's log-probability with these keys of the decoder saying nothing."""
    edits = {("decoder", layer): Edit(silent=keys) for layer in range(len(plain.decoder))}
    with torch.inference_mode(), edited(plain, edits):
        return float(logits(plain, seen)[N + step].log_softmax(-1)[seen.target.ids[step]])


def test_what_a_silent_piece_costs(seen: Trace, plain: Transformer) -> None:
    step = 3
    whole = silenced(plain, seen, step, ())
    found = seen.attribute(step, "value_zeroing").target
    for place in range(step + 1):
        keys = (N + place,) if place else tuple(range(N + 1))
        change = silenced(plain, seen, step, keys) - whole
        assert found[place] == pytest.approx(-change, abs=1e-3)
        told = seen.evidence("decoder", step, place)
        assert told.without_value == pytest.approx(change, abs=1e-3)


def test_relevance_of_the_opening_is_the_first_pieces(seen: Trace, plain: Transformer) -> None:
    step = 3

    def predicted() -> torch.Tensor:
        return logits(plain, seen)[N + step].log_softmax(-1)[seen.target.ids[step]]

    across, own = chefer(plain, predicted)
    found = seen.attribute(step, "chefer")
    row = own[N + step]
    assert found.source == pytest.approx(across[N + step], abs=1e-5)
    assert found.target == pytest.approx([row[: N + 1].sum(), *row[N + 1 :][:step]], abs=1e-5)

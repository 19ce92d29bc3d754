"""A trace of a model without an encoder: its numbers are those of transformers' plain passes."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from heedful.errors import DataError, SettingError
from heedful.inspect import Trace, ablate
from heedful.inspect.importance import exactly, log_prob_of
from heedful.inspect.prompted import trace_prompt
from heedful.inspect.stages import TooLongError
from heedful.inspect.wire import to_wire
from heedful.interop.huggingface import load
from heedful.search import Greedy, Sample
from heedful.writer import Writer
from tests.inspect.writers import KINDS, theirs

PROMPT = "the cat sat on the mat, and Zoë ate"
NEAR = {"rtol": 1e-5, "atol": 2e-5}


class Both(NamedTuple):
    """A writer, transformers' model of the same weights, and a trace."""

    writer: Writer
    model: Any
    seen: Trace

    @property
    def ids(self) -> list[int]:
        """Return what the decoder read."""
        return [self.seen.source.ids[0], *self.seen.target.ids[:-1]]

    @torch.no_grad()
    def plain(self, ids: list[int] | None = None) -> Any:
        """Return what transformers says of a text."""
        asked = torch.tensor([self.ids if ids is None else ids])
        return self.model(asked, output_attentions=True, output_hidden_states=True)


@pytest.fixture(scope="module", params=list(KINDS))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp(request.param)
    model = theirs(folder, request.param)
    writer = load(folder)
    return Both(writer, model, trace_prompt(writer, PROMPT, most=7))


def test_the_text_is_the_writers(both: Both) -> None:
    writer, _, seen = both
    ids = writer.prompt(PROMPT, "here")
    [[wanted]] = writer.write([ids], Greedy(), 7)
    assert list(seen.source.ids) == ids
    assert (seen.source.text, seen.target.text) == (PROMPT, PROMPT + wanted.text)
    assert (seen.begins, seen.ended, seen.forced) == (len(ids) - 1, wanted.ended, False)
    assert seen.reads == (*seen.source.tokens, *seen.target.tokens[seen.begins : -1])


@pytest.mark.parametrize("seed", range(3))
def test_what_is_drawn_is_what_the_writer_draws(both: Both, seed: int) -> None:
    search = Sample(temperature=0.7, seed=seed)
    seen = trace_prompt(both.writer, PROMPT, most=9, search=search)
    [[wanted]] = both.writer.write([both.writer.prompt(PROMPT, "here")], search, 9)
    assert seen.target.text == PROMPT + wanted.text
    assert seen.ended == wanted.ended


def test_attention_is_transformers(both: Both) -> None:
    wanted = both.plain().attentions
    maps = both.seen.maps("decoder")
    assert maps.shape == (3, 4, len(both.ids), len(both.ids))
    for layer, weights in enumerate(wanted):
        np.testing.assert_allclose(maps[layer], weights[0].numpy(), **NEAR)
    assert np.triu(maps, 1).max() == 0


def test_predictions_are_transformers(both: Both) -> None:
    wanted = both.plain().logits[0].log_softmax(-1)
    torch.testing.assert_close(both.seen.log_probs, wanted, **NEAR)
    steps = both.seen.steps(4)
    assert len(steps) == len(both.ids)
    for row, step, piece in zip(wanted, steps, both.seen.target.ids, strict=True):
        assert step.log_prob == pytest.approx(float(row[piece]), abs=1e-5)
        assert step.rank == int((row > row[piece] + 1e-6).sum())
        best = row.topk(4)
        assert [value for _, value in step.top] == pytest.approx(best.values.tolist(), abs=1e-5)
        assert [piece for piece, _ in step.top] == both.writer.vocabulary.pieces(
            best.indices.tolist()
        )
    own = [step.log_prob for step in steps[both.seen.begins :]]
    assert both.seen.log_prob == pytest.approx(sum(own), abs=1e-4)


def test_the_lens_is_the_head_on_every_layer(both: Both) -> None:
    hidden = both.plain().hidden_states
    core = getattr(both.model, "transformer", None) or both.model.model
    norm = core.ln_f if hasattr(core, "ln_f") else core.norm
    lens = both.seen.lens(3)
    for layer, said in enumerate(lens[:-1]):
        with torch.no_grad():
            wanted = both.model.lm_head(norm(hidden[layer + 1]))[0].log_softmax(-1)
        for row, one, piece in zip(wanted, said, both.seen.target.ids, strict=True):
            assert one.log_prob == pytest.approx(float(row[piece]), abs=1e-5)
            values = [value for _, value in one.top]
            assert values == pytest.approx(row.topk(3).values.tolist(), abs=1e-5)
    assert [one.log_prob for one in lens[-1]] == pytest.approx(
        [step.log_prob for step in both.seen.steps()], abs=1e-5
    )


def test_a_head_that_is_zero_is_zero_in_transformers(both: Both) -> None:
    """The columns of W^O that a head writes through are emptied there."""
    layer, head, wide = 1, 2, 6
    core = getattr(both.model, "transformer", None) or both.model.model
    attention = core.h[layer].attn if hasattr(core, "h") else core.layers[layer].self_attn
    output = attention.c_proj if hasattr(attention, "c_proj") else attention.o_proj
    weight = output.weight.t() if hasattr(attention, "c_proj") else output.weight  # Conv1D
    before = output.weight.detach().clone()
    found = both.seen.what_if(ablate=[f"decoder.{layer}.{head}"], how="zero")
    with torch.no_grad():
        weight[:, head * wide : (head + 1) * wide] = 0
    try:
        wanted = both.plain().logits[0].log_softmax(-1)
        ids = list(both.seen.source.ids)
        for _ in range(len(found.after.target.ids) - both.seen.begins):
            ids.append(int(both.plain(ids).logits[0, -1].argmax()))
    finally:
        with torch.no_grad():
            output.weight.copy_(before)
    assert ids[1:] == list(found.after.target.ids)
    rows = range(both.seen.begins, len(both.ids))
    own = [float(wanted[row, both.seen.target.ids[row]]) for row in rows]
    assert [after for _, after in found.log_probs] == pytest.approx(own, abs=1e-5)
    assert found.lost == pytest.approx(both.seen.log_prob - sum(own), abs=1e-4)
    with ablate(both.writer.model, [f"decoder.{layer}.{head}"]):
        again = trace_prompt(both.writer, PROMPT, most=7)
        assert again.target.ids == found.after.target.ids
        assert again.lens() == found.after.lens()


def test_another_word_and_another_beginning(both: Both) -> None:
    """Both are another prompt, and what was written first is read behind the changed one."""
    found = both.seen.what_if(replace={"cat": "mat"})
    changed = trace_prompt(both.writer, PROMPT.replace("cat", "mat"), most=7)
    assert found.after.target.ids == changed.target.ids
    ids = [*changed.source.ids, *both.seen.target.ids[both.seen.begins : -1]]
    wanted = both.plain(ids).logits[0].log_softmax(-1)[changed.begins :]
    written = both.seen.target.ids[both.seen.begins :]
    own = [float(row[piece]) for row, piece in zip(wanted, written, strict=True)]
    assert [after for _, after in found.log_probs] == pytest.approx(own, abs=1e-5)
    begun = both.seen.what_if(prefix=" fish").after
    assert begun.source.text == PROMPT + " fish"
    assert begun.target.ids == trace_prompt(both.writer, PROMPT + " fish", most=7).target.ids


def test_a_text_that_is_given(both: Both) -> None:
    seen = trace_prompt(both.writer, "the cat", " sat on the mat")
    assert (seen.target.text, seen.forced) == ("the cat sat on the mat", True)
    ids = both.writer.vocabulary.encode("the cat sat on the mat")
    assert [seen.source.ids[0], *seen.target.ids] == ids
    wanted = both.plain(ids[:-1]).logits[0].log_softmax(-1)
    torch.testing.assert_close(seen.log_probs, wanted, **NEAR)
    with pytest.raises(DataError, match="cut into other pieces"):
        trace_prompt(both.writer, "the ca", "t sat")
    alone = trace_prompt(both.writer, "", "the cat")
    assert (alone.target.text, alone.begins) == ("the cat", 0)
    assert alone.source.ids == (both.writer.begin_id,)


def test_words_look_from_where_they_are_read(both: Both) -> None:
    seen = both.seen
    words = PROMPT.replace(",", " ,").split()
    by_words = seen.by_words("decoder", 1, 3)
    places, pieces = [], seen.source.tokens
    for number, piece in enumerate(pieces):
        if number == 0 or piece.startswith("▁") or piece == ",":
            places.append([])
        places[-1].append(number)
    weights = seen.attention("decoder", 1, 3)
    wanted = [[weights[np.ix_(row, column)].sum(1).mean() for column in places] for row in places]
    np.testing.assert_allclose(by_words[: len(words), : len(words)], wanted, **NEAR)
    [look] = [one for one in seen.looks_at("cat", "decoder") if (one.layer, one.head) == (1, 3)]
    assert dict(look.words)["cat"] == pytest.approx(wanted[1][1], abs=1e-5)


@pytest.mark.parametrize("method", ["grad_x_input", "integrated_gradients", "occlusion"])
def test_what_a_prediction_rests_on(both: Both, method: str) -> None:
    """Occlusion and the gradients are compared with transformers, given embeddings."""
    step = 6
    found = both.seen.attribute(step, method)
    assert found.source.shape == (0,)
    assert found.target.shape == (step + 1,)
    table = both.model.get_input_embeddings()
    given = table(torch.tensor([both.ids[: step + 1]])).detach()
    piece = both.seen.target.ids[step]

    def said(vectors: torch.Tensor) -> torch.Tensor:
        return both.model(inputs_embeds=vectors).logits[:, step].log_softmax(-1)[:, piece]

    if method == "occlusion":
        many = given.repeat(step + 1, 1, 1)
        many[range(step + 1), range(step + 1)] = 0
        with torch.no_grad():
            wanted = (said(given) - said(many)).numpy()
        np.testing.assert_allclose(found.target, wanted, **NEAR)
    elif method == "grad_x_input":
        vectors = given.clone().requires_grad_()
        said(vectors).sum().backward()
        products = (vectors.grad * given).sum(-1)[0]
        np.testing.assert_allclose(found.target, products, rtol=0, atol=1e-4)
    else:
        mean = table.weight.mean(0).expand_as(given)
        with torch.no_grad():
            change = float(said(given) - said(mean))
        assert found.target.sum() == pytest.approx(change, abs=0.02 * max(1, abs(change)) + 1e-4)


def test_rollout_and_relevance_are_products_of_the_maps(both: Both) -> None:
    maps = both.seen.maps("decoder").mean(1)
    product = np.eye(len(both.ids))
    for layer in maps:
        product = (layer + np.eye(len(layer))) / 2 @ product
    step = len(both.ids) - 1
    np.testing.assert_allclose(both.seen.attribute(step, "rollout").target, product[step], **NEAR)
    relevance = both.seen.attribute(step, "chefer").target
    assert relevance.min() >= 0
    assert relevance[-1] >= 1


def test_how_much_heads_matter(both: Both) -> None:
    """A gate's slope is what a small change of the gate does; the exact ones switch heads off."""
    seen = both.seen
    slopes = seen.importance()
    assert {kind: some.shape for kind, some in slopes.items()} == {"decoder": (3, 4)}
    measured = {str(one.head): one.change for one in exactly(seen, how="zero")}
    assert len(measured) == 12
    for name in ("decoder.0.1", "decoder.2.3"):
        found = seen.what_if(ablate=[name], how="zero")
        assert measured[name] == pytest.approx(-found.lost, abs=1e-4)
    step = seen.begins + 2
    assert log_prob_of(seen, step) == pytest.approx(seen.steps()[step].log_prob, abs=1e-5)


@pytest.mark.parametrize("step", [2, 14])
def test_evidence_of_a_pair(both: Both, step: int) -> None:
    found = both.seen.evidence("decoder", step, 1)
    weights = both.seen.maps("decoder")[:, :, step, 1]
    assert found.heads[0].weight == pytest.approx(weights.max())
    assert (found.step, len(found.heads)) == (step, 12)
    edits = both.seen.what_if(ablate=[found.heads[0].head]).after.edits
    change = log_prob_of(both.seen, step, edits) - both.seen.steps()[step].log_prob
    assert found.without_head == pytest.approx(change, abs=1e-4)
    assert "the text" not in str(found)


def test_as_data_and_as_files(both: Both, tmp_path: Path) -> None:
    wire = to_wire(both.seen, "tiny")
    assert [one["kind"] for one in wire["attention"]] == ["decoder"]
    assert (wire["begins"], wire["ended"], wire["to"]) == (both.seen.begins, both.seen.ended, None)
    assert wire["model"]["encoder_layers"] == 0
    assert wire["model"]["decoder_layers"] == 3
    assert "beam" not in wire
    for ending in ("html", "json", "npz", "svg"):
        both.seen.save(tmp_path / f"trace.{ending}", "tiny")
    assert json.loads((tmp_path / "trace.json").read_text("utf-8")) == json.loads(json.dumps(wire))
    with np.load(tmp_path / "trace.npz") as arrays:
        np.testing.assert_array_equal(arrays["decoder"], both.seen.maps("decoder"))
        assert "encoder" not in arrays


def test_what_is_refused(both: Both) -> None:
    writer, seen = both.writer, both.seen
    with pytest.raises(SettingError, match="does not translate"):
        _ = seen.beam
    with pytest.raises(SettingError, match="no attention of that kind; it has decoder"):
        seen.attention("cross", 0)
    with pytest.raises(SettingError, match="0 is not from 1 to 512"):
        trace_prompt(writer, PROMPT, most=0)
    with pytest.raises(SettingError, match="one text is looked into"):
        trace_prompt(writer, PROMPT, search=Sample(count=2))
    with pytest.raises(DataError, match="has 65 pieces and the model reads 64"):
        trace_prompt(writer, "x" * 65)
    with pytest.raises(TooLongError, match="shorten it"):
        trace_prompt(writer, "x" * 20, most=500)
    with pytest.raises(SettingError, match="there is no step"):
        seen.attribute(99)


def test_the_context_ends_the_text(both: Both) -> None:
    seen = trace_prompt(both.writer, "x" * 62, most=9, search=Sample(seed=4))
    assert seen.ended in ("context", "end")
    assert len(seen.target.ids) <= 64

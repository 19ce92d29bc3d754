"""How heads look back, on maps made by hand and on heads that are told where to look."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from heedful.commands.heads import Options, run
from heedful.errors import DataError, HeedfulError, SettingError
from heedful.inspect.heads.back import drawn_twice, look_back, on_texts, on_twice
from heedful.inspect.heads.back_table import page, plain
from heedful.inspect.names import modules
from heedful.interop.huggingface import load
from heedful.nn.attention import KeyValue
from heedful.writer import Writer
from tests.interop.folders import GPT2, LLAMA, make_folder

TEXTS = ["the cat sat on the mat", "a dog and a cat", "no"]
ROOM = 48

Where = Callable[[Sequence[int], int], int]
"""Of the ids that were read and a place in them, the place that is looked at from there."""


def previous(_: Sequence[int], row: int) -> int:
    return max(row - 1, 0)


def first(_: Sequence[int], row: int) -> int:
    return 0


def same(ids: Sequence[int], row: int) -> int:
    earlier = [place for place in range(row) if ids[place] == ids[row]]
    return earlier[-1] if earlier else row


def induction(ids: Sequence[int], row: int) -> int:
    """Behind the place where the same piece stood, looked for as a reader would."""
    earlier = [place for place in range(row) if ids[place] == ids[row]]
    return earlier[-1] + 1 if earlier else row


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """Return a model of 2 layers of 2 heads, each as wide as a text may be long."""
    shape = {"hidden_size": 32, "head_dim": ROOM, "max_position_embeddings": ROOM}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return load(make_folder(tmp_path / "model", LLAMA, **shape, **heads))


def plant(writer: Writer, where: dict[tuple[int, int], Where]) -> None:
    """Let heads look where they are told; all others look at all alike."""
    read: list[list[int]] = []
    hidden = writer.model.hidden

    def listening(target_in: torch.Tensor, *more: object) -> object:
        read[:] = target_in.tolist()
        return hidden(target_in, *more)

    vars(writer.model)["hidden"] = listening
    for _, layer, module in modules(writer.model):
        told = {head: one for (of, head), one in where.items() if of == layer}
        vars(module)["queries"] = _queries(read, module.n_heads, told)
        vars(module)["keys_values"] = _keys(module.keys_values)


def _queries(
    read: list[list[int]], heads: int, told: dict[int, Where]
) -> Callable[[torch.Tensor, int], torch.Tensor]:
    def queries(states: torch.Tensor, start: int = 0) -> torch.Tensor:
        found = torch.zeros(1, heads, states.shape[1], ROOM)
        for head, one in told.items():
            for row in range(states.shape[1]):
                found[0, head, row, one(read[0], row)] = 1000.0
        return found

    return queries


def _keys(inner: Callable[..., KeyValue]) -> Callable[..., KeyValue]:
    def keys_values(states: torch.Tensor, start: int = 0) -> KeyValue:
        own = inner(states, start)
        return KeyValue(torch.eye(ROOM)[: states.shape[1]].expand_as(own.key), own.value)

    return keys_values


def test_each_kind_of_head_is_found(writer: Writer) -> None:
    told: dict[tuple[int, int], Where] = {
        (0, 0): previous,
        (0, 1): first,
        (1, 0): same,
        (1, 1): induction,
    }
    plant(writer, told)
    report = look_back(writer, TEXTS, "here", "tiny")
    assert [one.roles for one in report.heads] == [
        ("previous",),
        ("first",),
        ("same",),
        ("induction",),
    ]
    for one, name in zip(report.heads, ("previous", "first", "same", "induction"), strict=True):
        assert getattr(one, name) == pytest.approx(1, abs=1e-6)
    assert report.heads[0].distance == pytest.approx(1, abs=1e-5)
    assert report.heads[0].spread == pytest.approx(0, abs=1e-5)
    assert (report.texts, report.left_out, report.twice) == (2, 1, 8)


def test_heads_that_look_at_all_alike_have_no_role(writer: Writer) -> None:
    plant(writer, {})
    report = look_back(writer, TEXTS, "here", "tiny")
    for one in report.heads:
        assert one.roles == ()
        assert one.spread == pytest.approx(1, abs=1e-5)


def test_shares_by_hand() -> None:
    """Two heads on four pieces: one gives three quarters to the piece before, one looks at all."""
    sharp = np.eye(4, dtype=np.float32) / 4 + np.eye(4, k=-1, dtype=np.float32) * 0.75
    even = np.tril(np.ones((4, 4), np.float32)) / np.arange(1, 5)[:, None]
    found = on_texts(np.stack([sharp, even]))
    nats = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    spread = (nats / np.log(3) + nats / np.log(4)) / 2
    np.testing.assert_allclose(found[0], [0.75, 0.0, spread, 0.75], rtol=1e-6)
    np.testing.assert_allclose(found[1], [7 / 24, 7 / 24, 1.0, 1.25], rtol=1e-6)
    twice = on_twice(np.stack([sharp, even]), 2)
    np.testing.assert_allclose(twice[0], [0.0, 0.75], rtol=1e-6)
    np.testing.assert_allclose(twice[1], [7 / 24, 7 / 24], rtol=1e-6)


def test_what_comes_twice_is_drawn_once(writer: Writer) -> None:
    for ids in drawn_twice(writer):
        assert ids[0] == writer.begin_id
        half = len(ids) // 2
        assert ids[1 : half + 1] == ids[half + 1 :]
        assert len(set(ids[1:])) == half
        assert not writer.vocabulary.controls & set(ids[1:])
    assert drawn_twice(writer) == drawn_twice(writer)


def test_as_data_and_as_a_page(writer: Writer) -> None:
    report = look_back(writer, TEXTS, "<here>", "tiny")
    data = json.loads(json.dumps(plain(report)))
    assert [one["head"] for one in data["heads"]] == [
        f"decoder.{layer}.{head}" for layer in range(2) for head in range(2)
    ]
    assert data["heads"][3]["induction"] == report.heads[3].induction
    assert "&lt;here&gt;" in page(report)
    with pytest.raises(DataError, match="no text has 4 to 48 pieces"):
        look_back(writer, ["no"], "here", "tiny")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(make_folder(tmp_path / "model", GPT2))
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(TEXTS))
    assert run(Options(model=folder, data=str(texts), device="cpu", json=True)) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["texts"], data["left_out"], len(data["heads"])) == (2, 1, 4)
    out = tmp_path / "heads.html"
    assert run(Options(named=(folder,), output=out, device="cpu")) == 0
    assert "induction" in out.read_text("utf-8")
    assert "decoder.1.1" in capsys.readouterr().out
    refused: list[dict[str, object]] = [
        {"to": "de"},
        {"from_": "en"},
        {"columns": "1,2"},
        {"output": tmp_path / "heads.svg"},
    ]
    for given in refused:
        with pytest.raises(SettingError, match=r"leave it out|end the name"):
            run(Options(model=folder, **given))  # type: ignore[arg-type]
    with pytest.raises(HeedfulError):
        run(Options(model=folder, data=str(tmp_path / "none.txt")))

"""Prompts become texts: where they end, what is shown of them meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from heedful.errors import DataError
from heedful.interop.huggingface import load
from heedful.models.gpt import GPT
from heedful.search import Greedy, Sample
from heedful.text.vocabulary import Vocabulary
from heedful.writer import Writer
from tests.interop.folders import make_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("writer") / "gpt2")


def writer_of(folder: Path, ids: Sequence[int], ends: Sequence[int] = (0,)) -> Writer:
    """Return one that writes these pieces whatever it is given, one after the other, then 0.

    Its states do nothing but tell how many pieces came before: the prompt must have one.
    """
    real = load(folder)
    model, size = real.model, real.model.vocabulary_size

    class Reciting(GPT):
        def hidden(self, target_in, cache=None, counts=None):  # type: ignore[no-untyped-def]
            start = cache.length.clone()
            cache.advance(target_in.shape[1], counts)
            places = start[:, None] + torch.arange(target_in.shape[1])
            return places[..., None].float()

        def project(self, hidden, entries=None):  # type: ignore[no-untyped-def]
            said = torch.tensor([*ids, *[0] * 64])
            return 50 * torch.nn.functional.one_hot(said[hidden[..., 0].long()], size).float()

    reciting = Reciting(model.config, size).eval()
    return Writer(reciting, Vocabulary.load(folder / "tokenizer.json", size), 0, ends)


def ids_of(folder: Path, text: str) -> list[int]:
    return load(folder).vocabulary.encode(text)


def test_a_text_ends_where_the_model_ends_it(folder: Path) -> None:
    ids = ids_of(folder, " the cat 😀")
    ((one,),) = writer_of(folder, ids).write([[7]], Greedy(), 40)
    assert (one.text, one.pieces, one.ended) == (" the cat 😀", len(ids), "end")


@pytest.mark.parametrize("shown", [False, True])
def test_any_of_several_ends_is_one(shown: bool, folder: Path) -> None:
    ids = [*ids_of(folder, " the cat"), 5, *ids_of(folder, " more")]
    told: list[str] = []
    writer = writer_of(folder, ids, ends=(0, 5))
    ((one,),) = writer.write([[7]], Greedy(), 40, shown=told.append if shown else None)
    assert (one.text, one.ended) == (" the cat", "end")
    assert "".join(told) == (" the cat" if shown else "")


def test_a_text_ends_at_the_most_pieces_and_at_the_context(folder: Path) -> None:
    ids = ids_of(folder, "abcdefghi" * 9)
    writer = writer_of(folder, ids)
    ((one,),) = writer.write([[7]], Greedy(), 5)
    assert (one.pieces, one.ended) == (5, "length")
    ((one,),) = writer.write([[7]], Greedy(), 500)
    assert (one.pieces, one.ended) == (48, "context")


@pytest.mark.parametrize("count", [1, 2])
def test_a_text_ends_before_a_stop_string(count: int, folder: Path) -> None:
    """In the middle of a piece as well, and whether it is looked for meanwhile or afterwards."""
    ids = ids_of(folder, "one\ntwo\n\nthe cat sat\n\n")
    search = Greedy() if count == 1 else Sample(count=2)
    (found,) = writer_of(folder, ids).write([[7]], search, 40, stop=["\n\n", "sat"])
    assert [(one.text, one.ended) for one in found] == [("one\ntwo", "stop")] * count
    (found,) = writer_of(folder, ids).write([[7]], search, 40, stop=["e ca"])
    assert [one.text for one in found] == ["one\ntwo\n\nth"] * count


def test_what_is_shown_is_the_text_and_never_taken_back(folder: Path) -> None:
    text = "x 😀 猫\nQ: the cat\nQQ: no"
    told: list[str] = []
    ids = ids_of(folder, text)
    ((one,),) = writer_of(folder, ids).write([[7]], Greedy(), 60, stop=["\nQQ"], shown=told.append)
    assert one.text == "x 😀 猫\nQ: the cat"
    assert "".join(told) == one.text
    assert len(told) >= 8
    assert "\ufffd" not in "".join(told)
    assert "😀" in "".join(told)


def test_half_a_character_at_the_end_is_shown_as_such(folder: Path) -> None:
    told: list[str] = []
    ids = ids_of(folder, "a😀")[:-1]
    ((one,),) = writer_of(folder, ids).write([[7]], Greedy(), 40, shown=told.append)
    assert one.text.startswith("a\ufffd")
    assert "".join(told) == one.text


def test_pieces_that_the_vocabulary_lacks_are_never_drawn(folder: Path) -> None:
    writer = load(folder)
    with torch.no_grad():  # the three that only the model knows become the likeliest
        writer.model.tables.output.weight[-3:] *= 100
    for search in (Greedy(), Sample(count=4, temperature=5.0)):
        for (*found,) in writer.write([[7], [9, 8]], search, 20):
            assert all(one.pieces for one in found)
    last = writer.model.vocabulary_size
    assert writer.limits.forbidden == (last - 3, last - 2, last - 1)


def test_prompts(folder: Path) -> None:
    writer = load(folder)
    assert writer.prompt("the cat", "x") == ids_of(folder, "the cat")
    assert writer.prompt("", "x") == [0]
    with pytest.raises(
        DataError, match=r"a\.txt:3: the prompt has 60 pieces and the model reads 48"
    ):
        writer.prompt("~" * 60, "a.txt:3")
    writer.begin_id = None
    with pytest.raises(DataError, match="the prompt is empty"):
        writer.prompt("", "x")

"""The triton kernels against their definition: on a GPU, or where triton is, in its interpreter."""

import math
import os

import pytest
import torch
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ.setdefault("TRITON_INTERPRET", "1")
pytest.importorskip("triton", reason="triton comes with a CUDA build of torch")

from heedful.kernels.gpu import attend, best  # noqa: E402 - the interpreter is chosen before

SHAPES = [(6, 4, 4, 8, 20), (6, 4, 2, 6, 70), (3, 8, 1, 64, 40)]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, device=DEVICE)


@pytest.mark.parametrize("sloped", [False, True])
@pytest.mark.parametrize(("rows", "heads", "groups", "width", "columns"), SHAPES)
def test_attends_to_its_ancestors_and_itself(
    rows: int, heads: int, groups: int, width: int, columns: int, sloped: bool
) -> None:
    torch.manual_seed(rows + heads)
    query, out = drawn(rows, heads, width), drawn(rows, heads, width)
    kept = drawn(rows, groups, columns, width), drawn(rows, groups, columns, width)
    before = kept[0].clone(), kept[1].clone()
    new = drawn(rows, groups, width), drawn(rows, groups, width)
    counts = torch.randint(0, columns, (rows // 3,)).repeat_interleave(3).to(DEVICE)
    family = torch.arange(rows)[:, None] // 3 * 3
    origin = (family + torch.randint(0, 3, (rows, columns))).int().to(DEVICE)
    slopes = torch.rand(heads, device=DEVICE) if sloped else None
    scale = 1 / math.sqrt(width)
    attend(query, kept, counts, out, new=new, origin=origin, slopes=slopes, scale=scale)
    for row in range(rows):
        count = int(counts[row])
        lies = origin[row, :count].long()
        for head in range(heads):
            group = head // (heads // groups)
            key, value = (
                torch.cat([side[lies, group, torch.arange(count)], fresh[row, group][None]])
                for side, fresh in zip(before, new, strict=True)
            )
            scores = key @ query[row, head] * scale
            if slopes is not None:
                scores -= slopes[head] * torch.arange(count, -1, -1, device=DEVICE)
            torch.testing.assert_close(out[row, head], scores.softmax(0) @ value, atol=1e-5, rtol=0)
    for side, old, fresh in zip(kept, before, new, strict=True):
        old[torch.arange(rows), :, counts] = fresh
        assert torch.equal(side, old)


@pytest.mark.parametrize(("rows", "heads", "groups", "width", "columns"), SHAPES)
def test_attends_to_the_source(
    rows: int, heads: int, groups: int, width: int, columns: int
) -> None:
    torch.manual_seed(rows)
    sentences, scale = rows // 3, 1 / math.sqrt(width)
    query, out = drawn(rows, heads, width), drawn(rows, heads, width)
    key, value = drawn(sentences, groups, columns, width), drawn(sentences, groups, columns, width)
    counts = torch.randint(1, columns + 1, (sentences,)).to(DEVICE)
    attend(query, (key, value), counts, out, scale=scale)
    for row in range(rows):
        sentence = row // 3
        for head in range(heads):
            group, count = head // (heads // groups), int(counts[sentence])
            scores = key[sentence, group, :count] @ query[row, head] * scale
            mixed = scores.softmax(0) @ value[sentence, group, :count]
            torch.testing.assert_close(out[row, head], mixed, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("rows", "size", "kept"), [(5, 40, 1), (5, 40, 4), (3, 9_000, 5)])
def test_finds_the_likeliest_and_of_equal_ones_the_first(rows: int, size: int, kept: int) -> None:
    torch.manual_seed(size)
    logits = drawn(rows, size).round(decimals=1)
    never = torch.zeros(size, device=DEVICE)
    never[[0, 1, 7]] = -torch.inf
    found = torch.zeros((2, rows, kept), dtype=torch.float64, device=DEVICE)
    best(logits, never, found)
    allowed = logits.log_softmax(dim=1) + never
    expected = allowed.sort(dim=1, descending=True, stable=True).indices[:, :kept]
    ids = found[1].long()
    assert torch.equal(ids.sort(dim=1).values, expected.sort(dim=1).values)
    torch.testing.assert_close(found[0].float(), allowed.gather(1, ids), atol=1e-5, rtol=0)


def test_fewer_than_asked_for_and_no_number() -> None:
    logits, never = drawn(2, 40), torch.full((40,), -torch.inf, device=DEVICE)
    never[[3, 9]] = 0
    logits[1, 5] = torch.nan
    found = torch.zeros((2, 2, 4), dtype=torch.float64, device=DEVICE)
    best(logits, never, found)
    assert set(found[1, 0, found[0, 0] > -torch.inf].tolist()) == {3, 9}
    assert (found[1] < 40).all()
    assert found[0, 1].isnan().any()

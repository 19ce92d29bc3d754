"""Rows of divided tensors, read from the files of any number of writers, against torch.chunk."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import ModelError
from heedful.train import sharding
from heedful.train.checkpoint import Checkpoint, Checkpoints
from heedful.train.processes import Processes

Tensors = dict[str, torch.Tensor]


def part_of(tensor: torch.Tensor, rank: int, size: int) -> torch.Tensor:
    """Return what FSDP2 gives a process; one beyond the last chunk gets no rows."""
    chunks = tensor.chunk(size) if tensor.ndim else (tensor,) * size
    return chunks[rank] if rank < len(chunks) else tensor[:0]


def parts_of(tensors: Tensors, rank: int, size: int) -> Tensors:
    return {
        name: tensor if name.startswith("random/") else part_of(tensor, rank, size).contiguous()
        for name, tensor in tensors.items()
    }


def written(folder: Path, model: Tensors, optimizer: Tensors, writers: int) -> None:
    """Save a checkpoint as so many processes do that hold a part each."""
    whole = {name: list(tensor.shape) for name, tensor in (model | optimizer).items()}
    for act in ("_begin", "_write", "_commit"):
        for rank in range(writers):
            given_ = (parts_of(one, rank, writers) for one in (model, optimizer))
            checkpoint = Checkpoint(7, *given_, {"step": 7}, whole if writers > 1 else None)
            saving = Checkpoints(folder, Processes(rank, writers))
            getattr(saving, act)(checkpoint, folder / ".tmp-step-7")


def tensors(lengths: list[int]) -> tuple[Tensors, Tensors]:
    numbers = torch.Generator().manual_seed(1)
    model = {f"matrix{n}": torch.randn(n, 3, generator=numbers) for n in lengths}
    model |= {f"bias{n}": torch.randn(n, generator=numbers) for n in lengths}
    optimizer = {f"{name}/exp_avg": tensor + 1 for name, tensor in model.items()}
    steps = {f"{name}/step": torch.tensor(7.0) for name in model}
    return model, optimizer | steps | {"random/cpu": torch.arange(50, dtype=torch.uint8)}


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_any_number_reads_the_parts_of_any_other(
    lengths: list[int], writers: int, readers: int
) -> None:
    """Each reads its rows, of which there may be none, and the whole is read as it was."""
    model, optimizer = tensors(lengths)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder, model, optimizer, writers)
        for rank in range(readers):
            one = Checkpoints(folder, Processes(rank, readers), divided=True).load(7)
            for found, whole in ((one.model, model), (one.optimizer, optimizer)):
                expected = parts_of(whole, rank, readers)
                assert found.keys() == expected.keys()
                for key, tensor in expected.items():
                    assert torch.equal(found[key], tensor), key
                    assert found[key].dtype == tensor.dtype
            assert one.weight_shapes() == {key: list(w.shape) for key, w in model.items()}
        joined = Checkpoints(folder).load(7)
        assert joined.weight_shapes() == one.weight_shapes()
        for found, whole in ((joined.model, model), (joined.optimizer, optimizer)):
            assert all(torch.equal(found[key], tensor) for key, tensor in whole.items())


class Watched:
    """An open file that counts the numbers that are taken out of it."""

    def __init__(self, file: Any, taken: list[int]) -> None:
        self.file = file
        self.taken = taken

    def __enter__(self) -> "Watched":
        return Watched(self.file.__enter__(), self.taken)

    def __exit__(self, *error: Any) -> Any:
        return self.file.__exit__(*error)

    def keys(self) -> Any:
        return self.file.keys()

    def get_slice(self, name: str) -> "WatchedSlice":
        return WatchedSlice(self.file.get_slice(name), self.taken)


class WatchedSlice:
    def __init__(self, part: Any, taken: list[int]) -> None:
        self.part = part
        self.taken = taken

    def get_shape(self) -> Any:
        return self.part.get_shape()

    def __getitem__(self, rows: Any) -> torch.Tensor:
        found: torch.Tensor = self.part[rows]
        self.taken.append(found.numel())
        return found


@pytest.mark.parametrize("writers", [1, 3])
def test_no_other_rows_are_read(
    writers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four processes together take every row once."""
    model, optimizer = tensors([5, 8])
    written(tmp_path, model, optimizer, writers)
    taken: list[int] = []
    open_ = sharding.safe_open
    monkeypatch.setattr(sharding, "safe_open", lambda *given_: Watched(open_(*given_), taken))
    counts = []
    for rank in range(4):
        taken.clear()
        Checkpoints(tmp_path, Processes(rank, 4), divided=True).load(7)
        counts.append(sum(taken))
    everyone = 50 + 4  # the random state, and the steps of four weights
    assert sum(counts) - 4 * everyone == 2 * (5 * 3 + 8 * 3 + 5 + 8)
    assert max(counts) - everyone == 2 * (2 * 3 + 2 * 3 + 2 + 2)


class Follower(Processes):
    """A process that is told by the lead that step 7 is whole."""

    def of_lead(self, *values: float) -> list[float]:
        return [7.0]


@pytest.mark.parametrize("name", ["model-1-of-3.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("divided", [False, True])
def test_another_folder_than_the_leads(name: str, divided: bool, tmp_path: Path) -> None:
    """Who follows hashes nothing, but does not go on with files of other lengths."""
    model, optimizer = tensors([5, 8])
    written(tmp_path, model, optimizer, 3)
    follower = Checkpoints(tmp_path, Follower(1, 2), divided=divided)
    assert follower.newest()[0].step == 7
    with (tmp_path / "step-7" / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="process 1 does not read what the first process has"):
        follower.newest()


def test_the_lead_reads_every_byte(tmp_path: Path) -> None:
    """Nothing is used of a step of which one bit has turned, be it another process's part."""
    model, optimizer = tensors([5, 8])
    written(tmp_path, model, optimizer, 3)
    path = tmp_path / "step-7" / "model-2-of-3.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no whole checkpoint to resume from"):
        Checkpoints(tmp_path, divided=True).newest()
    assert (tmp_path / "corrupt-step-7").exists()

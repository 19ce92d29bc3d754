"""How large a batch fits: by trial on a GPU, by counting on a CPU; which errors mean memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.data.batches import Batch
from heedful.train import memory
from heedful.train.loop import Trainer
from heedful.train.memory import is_out_of_memory, largest_batch

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Machine:
    """Stands for a device that holds so many positions."""

    def __init__(self, holds: int) -> None:
        self.holds = holds
        self.tried: list[int] = []

    def fits(self, batch: Batch) -> bool:
        self.tried.append(batch.source.numel())
        return batch.source.numel() <= self.holds


@given(holds=st.integers(1, 300_000), longest=st.integers(1, 500), pieces=st.integers(1, 10**8))
def test_what_is_found_fits_and_is_nearly_all(holds: int, longest: int, pieces: int) -> None:
    machine = Machine(holds)
    found = largest_batch(machine, longest, pieces, GPU)
    most = max(longest, pieces // 100)
    assert longest <= found <= most
    if holds >= longest:
        rows = found // longest
        assert rows * longest <= holds
        assert found == most or found >= 0.7 * min(holds - longest, most)
    assert len(machine.tried) < 50


def test_a_small_corpus_gives_a_hundred_batches_an_epoch() -> None:
    assert largest_batch(Machine(10**9), 50, 400_000, GPU) == 4000


@pytest.mark.parametrize("free", [10**6, 3 * 10**7, 10**9])
def test_on_a_cpu_half_the_free_memory_is_enough(
    make: Callable[..., Trainer], monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    """Twice the memory holds twice the batch; what is kept grows as the estimate says."""
    gradients = make().gradients
    monkeypatch.setattr(memory, "_free_memory", lambda: free)
    found = largest_batch(gradients, 16, 10**9, CPU)
    monkeypatch.setattr(memory, "_free_memory", lambda: 2 * free)
    twice = largest_batch(gradients, 16, 10**9, CPU)
    assert found == 25_000 or twice == pytest.approx(min(2 * found, 25_000), abs=1)
    if 500 < found < 25_000:
        kept = memory._kept(gradients, memory._sentences(found, 16))
        assert kept * memory._PEAK == pytest.approx(free / 2, rel=0.1)
    assert all(weight.grad is None for weight in gradients.model.parameters())


def test_trying_leaves_random_numbers_alone(make: Callable[..., Trainer]) -> None:
    gradients = make({"model": {"dropout": 0.5}}).gradients
    before = torch.get_rng_state()
    largest_batch(gradients, 16, 10**6, CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_free_memory_is_a_number_of_bytes() -> None:
    assert 10**7 < memory._free_memory() < 10**14


def test_files_read_in_a_container_take_no_memory_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system gives up its copies of them before it refuses a program anything."""
    told = {"max": "9000000\n", "current": "8000000\n", "stat": "anon 1000000\n"}
    told["stat"] += "inactive_file 6000000\nactive_file 500000\n"
    for name, text in told.items():
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    assert memory._free_memory() == 7_500_000


@pytest.mark.parametrize(
    ("error", "means"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_which_errors_mean_memory(error: Exception, means: bool) -> None:
    assert is_out_of_memory(error) is means


def test_the_allocators_own_words() -> None:
    """What PyTorch says today when the machine has no more."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)

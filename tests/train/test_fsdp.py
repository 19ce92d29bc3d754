"""FSDP2 in bf16: what travels in which number format, and that two processes learn as one does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from heedful.cli import main
from heedful.config import RunConfig
from heedful.data.batches import BatchPlan
from heedful.data.store import TokenStore
from heedful.train.parallel import FSDP, ParallelGradients
from heedful.train.processes import Processes
from tests.train.test_parallel import heed, log, words

EPS = 2.0**-8
"""The largest relative error of rounding to bf16."""


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Processes]:
    """Return a group of one process, with which FSDP works as with many."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/place", rank=0, world_size=1)
    yield Processes()
    dist.destroy_process_group()


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_number_formats(
    precision: str, config: RunConfig, store: TokenStore, alone: Processes
) -> None:
    """Layers compute with bf16 weights, embeddings and all that is kept are float32."""
    torch.manual_seed(1)
    model = config.model.build(290, 290)
    cpu = torch.device("cpu")
    gradients = ParallelGradients(model, config.objective, precision, cpu, alone, FSDP())  # type: ignore[arg-type]
    found: dict[str, set[torch.dtype]] = {}

    def note(name: str) -> None:
        def look(module: torch.nn.Module, *_: object) -> None:
            found[name] = {weight.dtype for weight in module.parameters(recurse=False)}

        model.get_submodule(name).register_forward_pre_hook(look)

    names = [name for name, one in model.named_modules() if [*one.parameters(recurse=False)]]
    for name in names:
        note(name)
    plan = BatchPlan(store, 320, 1)
    batch = plan.batch(plan.epoch(0)[0])
    gradients.add(batch, batch.n_target)
    lowered = torch.bfloat16 if precision == "bf16" else torch.float32
    assert any(name.startswith("encoder.") for name in found)
    assert any(name.startswith("tables.") for name in found)
    for name, kinds in found.items():
        in_layer = name.startswith(("encoder.", "decoder."))
        assert kinds == {lowered if in_layer else torch.float32}, name
    for name, weight in model.named_parameters():
        assert weight.dtype == torch.float32, name
        assert weight.grad is not None, name
        assert weight.grad.dtype == torch.float32, name


@pytest.mark.slow
def test_two_processes_in_bf16_are_as_one(config: RunConfig, corpus: Path, tmp_path: Path) -> None:
    """The losses of every step, as near as the rounding of products allows.

    The two end after eight steps, and two others go on with what each of them has kept.
    """
    asked = words(config, corpus, precision="bf16")
    assert main(["train", "--out", str(tmp_path / "one"), *asked]) == 0
    two = ["--out", str(tmp_path / "two"), "--nproc", "2", "--parallel.kind", "fsdp"]
    for more in ([*asked, "--training.max-steps", "8"], ["--resume", "--quiet", *LONGER]):
        ended = heed(*two, *more)
        assert ended.returncode == 0, ended.stderr
    found, expected = log(tmp_path / "two"), log(tmp_path / "one")
    assert [(one["kind"], one["step"]) for one in found] == [
        (one["kind"], one["step"]) for one in expected
    ]
    assert [one["step"] for one in found if one["kind"] == "train"] == [*range(1, 13)]
    for one, other in zip(found, expected, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=EPS), (one, other)


LONGER = ["--training.max-steps", "12"]

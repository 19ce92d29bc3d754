"""What all tests share: few threads, the folder of real data, and the machine's GPU."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is first imported, also in the processes that tests start: the tests run in parallel.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The same examples every time and no time limit: a test fails by its code or not at all.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of real corpora that HEEDFUL_DATA names, or skip."""
    folder = os.environ.get("HEEDFUL_DATA")
    if not folder:
        pytest.skip("needs real corpora: set HEEDFUL_DATA to their folder")
    if not Path(folder).is_dir():
        pytest.skip(f"HEEDFUL_DATA names {folder}, which is not a folder")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked gpu where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))

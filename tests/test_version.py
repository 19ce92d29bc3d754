"""`heed --version` says what a bug report needs, also where something is broken."""

import sys
from types import SimpleNamespace

import pytest
import torch

from heedful import device as devices
from heedful.version import version_report


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "\ncuda        no device (" in version_report()


def test_with_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: properties)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "Some GPU")
    monkeypatch.setattr(devices, "has_bf16", lambda device: True)
    said = version_report()
    assert "\ncuda-0      Some GPU, 80 GiB, CUDA " in said
    assert said.endswith("bf16: yes")


def test_with_a_broken_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "torch       cannot be imported: ModuleNotFoundError: " in version_report()


def test_a_package_that_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.version.PACKAGES", ("no-such-package",))
    assert "\nno-such-package not installed" in version_report()

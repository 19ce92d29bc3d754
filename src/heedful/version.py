"""What a bug report needs: versions, machine, and what torch can use of it.

Printed by `heed --version`; a package that is absent or broken is said to be so, not raised.
"""

__all__ = ["version_report"]

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from heedful import __version__
from heedful.data.workers import usable_cores

PACKAGES = ("torch", "tokenizers", "numpy", "safetensors", "pydantic")


def version_report() -> str:
    """Return the report, one `name value` line each."""
    lines = {
        "heedful": __version__,
        "python": f"{platform.python_version()} ({sys.implementation.name})",
        **{package: _version(package) for package in PACKAGES},
        "platform": platform.platform(),
        "cpu": f"{_cpu_name()}, {usable_cores()} of {os.cpu_count()} threads usable",
        **_what_torch_can_use(),
    }
    return "\n".join(f"{name:<11} {value}" for name, value in lines.items())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu_name() -> str:
    try:
        if sys.platform == "darwin":
            asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
        for line in text.split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine() or "unknown"


def _what_torch_can_use() -> dict[str, str]:
    try:
        import torch

        from heedful.device import has_bf16
    except Exception as error:  # a broken installation is what the report is for
        return {"torch": f"cannot be imported: {type(error).__name__}: {error}"}
    level = torch.backends.cpu.get_cpu_capability()
    bf16 = _yes_no(has_bf16(torch.device("cpu")))
    lines = {"torch-cpu": f"{torch.get_num_threads()} threads, {level}, bf16 in hardware: {bf16}"}
    if not torch.cuda.is_available():
        built = f"built for {torch.version.cuda}" if torch.version.cuda else "a build without it"
        return {**lines, "cuda": f"no device ({built})"}
    for number in range(torch.cuda.device_count()):
        bf16 = _yes_no(has_bf16(torch.device("cuda", number)))
        gib = torch.cuda.get_device_properties(number).total_memory / 2**30
        name = torch.cuda.get_device_name(number)
        lines[f"cuda-{number}"] = f"{name}, {gib:.0f} GiB, CUDA {torch.version.cuda}, bf16: {bf16}"
    return lines


def _yes_no(fact: bool) -> str:
    return "yes" if fact else "no"

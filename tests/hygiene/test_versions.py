"""Versions agree wherever they are written, and no file records an address to download from."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import heedful

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONSTRAINTS = [
    line
    for line in (ROOT / "constraints.txt").read_text("utf-8").split("\n")
    if line and not line.startswith("#")
]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


HELD = {_canonical(line.split("==")[0]): Version(line.split("==")[1]) for line in CONSTRAINTS}


def test_the_version_is_the_installed_one() -> None:
    try:
        installed = version("heedful")
    except PackageNotFoundError:
        pytest.skip("heedful is not installed here, only on the path")
    assert heedful.__version__ == installed


def test_the_changelog_names_the_version() -> None:
    assert f"## {heedful.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("line", CONSTRAINTS)
def test_constraints_are_names_and_versions(line: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)


def test_the_torch_it_is_tested_with() -> None:
    assert HELD["torch"] == Version("2.13.0")


def test_every_dependency_is_held_within_its_bounds() -> None:
    declared = [
        *PROJECT["project"]["dependencies"],
        *(line for group in PROJECT["dependency-groups"].values() for line in group),
        *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
    ]
    for requirement in map(Requirement, declared):
        held = HELD[_canonical(requirement.name)]
        assert requirement.specifier.contains(held), f"{requirement} but {held} is held"

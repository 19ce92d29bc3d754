"""The wheel, built from the source distribution, works in an empty environment outside the tree."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="needs the package build (make setup installs it)")
pytest.importorskip("hatchling", reason="needs the package hatchling (make setup installs it)")

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "src" / "heedful" / "pretrained" / "everyday"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that holds the source distribution and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def heed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return `heed` in an environment that holds the wheel and sees our dependencies only."""
    home = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", home / "venv", cwd=home)
    python = home / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    run(*pip, "--no-deps", "--no-index", "--force-reinstall", wheel, cwd=home)
    site = next((home / "venv" / "lib").glob("python*/site-packages"))
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "dependencies.pth").write_text("\n".join(sorted(dependencies)), "utf-8")
    return python.with_name("heed")


def run(*words: str | Path, cwd: Path, text: str = "") -> str:
    """Run a program that sees nothing of this checkout; return its standard output."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "HEEDFUL_DATA"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        words, cwd=cwd, env=environment, input=text, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "src"
    sources = {
        str(path.relative_to(package).as_posix())
        for path in package.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == sources
    assert "heedful/py.typed" in names


def test_wheel_carries_the_licence_and_the_readme(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    licence = next(name for name in archive.namelist() if name.endswith("licenses/LICENSE"))
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
    assert (ROOT / "README.md").read_text("utf-8") in archive.read(metadata).decode("utf-8")


def test_source_distribution_can_build_test_and_document(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ["Makefile", "constraints.txt", "tools/make_venv.py", "README.zh-CN.md", "LICENSE"]
    assert {*wanted, "pyproject.toml", "tests/conftest.py", "docs/architecture.md"} <= names


def test_version_and_help(heed: Path, tmp_path: Path) -> None:
    assert "heedful " in run(heed, "--version", cwd=tmp_path)
    assert "Commands:" in run(heed, "--help", cwd=tmp_path)


def test_it_is_the_installed_package(heed: Path, tmp_path: Path) -> None:
    ask = "import heedful; print(heedful.__file__)"
    where = Path(run(heed.with_name("python"), "-c", ask, cwd=tmp_path).strip())
    assert where.is_relative_to(heed.parent.parent)


@pytest.mark.skipif(not BUNDLED.is_dir(), reason="there is no bundled model yet")
def test_it_translates(heed: Path, tmp_path: Path) -> None:
    text = "Where is the station?\n\nThe house is small.\n"
    lines = run(heed, "translate", "--to", "de", "--quiet", cwd=tmp_path, text=text).split("\n")
    assert [bool(line) for line in lines] == [True, False, True, False]
    assert "Bahnhof" in lines[0]

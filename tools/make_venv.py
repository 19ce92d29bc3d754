"""Build `.venv` with everything heedful needs; called by `make setup`, safe to call again.

Needs any Python 3.11 or later with pip, nothing else. A torch of at least 2.10 that is already
there is kept: in `.venv`, or in the Python that runs this (`.venv` then sees its packages).
Otherwise the version of constraints.txt is installed, before all else, so that no other package
can pull in a different build of it.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
CONSTRAINTS = ROOT / "constraints.txt"
OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 10)

if sys.version_info < OLDEST_PYTHON:  # before anything an older Python cannot read
    sys.exit(
        f"setup: heedful needs Python 3.11 or later, this is {sys.version.split()[0]}: "
        "name another one, as in `make setup PYTHON=python3.12`"
    )

ASK_TORCH = "from importlib.metadata import version; print(version('torch'))"
ASK_PYTHON = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
INSTALL_VENV = (
    "install its venv package (on Debian and Ubuntu: apt install python3-venv) "
    "and call `make setup` again"
)


def main() -> None:
    """Make the environment, then install torch, the tools and heedful itself into it."""
    if not PYTHON.exists():
        create()
    if ask("import pip") is None:
        add_pip()
    found = ask(ASK_PYTHON)
    if found is None or numbers(found) < OLDEST_PYTHON:
        stop(f"{VENV} holds Python {found}: remove that folder and call `make setup` again")
    pip("--upgrade", "pip")
    constraints = CONSTRAINTS
    torch = ask(ASK_TORCH)
    if torch is not None and numbers(torch) >= OLDEST_TORCH:
        print(f"torch {torch} is already there and is kept")
        constraints = VENV / "constraints.txt"
        lines = CONSTRAINTS.read_text("utf-8").split("\n")
        kept = [f"torch=={torch}" if line.startswith("torch==") else line for line in lines]
        constraints.write_text("\n".join(kept), "utf-8")
    else:
        pip("torch")
    pip("--group", f"{ROOT / 'pyproject.toml'}:dev", constraints=constraints)
    pip("--no-build-isolation", "--editable", str(ROOT), constraints=constraints)


def create() -> None:
    """Create the folder; without pip in it where the system's Python comes without ensurepip."""
    shutil.rmtree(VENV, ignore_errors=True)
    words = [sys.executable, "-m", "venv", *(["--system-site-packages"] if has_torch() else [])]
    try:
        run(*words, str(VENV), quiet=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(VENV, ignore_errors=True)
        try:
            run(*words, "--without-pip", str(VENV), quiet=True)
        except subprocess.CalledProcessError:
            stop(f"{sys.executable} cannot make virtual environments: {INSTALL_VENV}")


def add_pip() -> None:
    """Put pip into an environment that has none, by the pip of the Python that runs this."""
    try:
        run(sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "-q", "pip")
    except subprocess.CalledProcessError:
        stop(f"{sys.executable} cannot put pip into {VENV}: {INSTALL_VENV}")


def has_torch() -> bool:
    """Tell whether the Python that runs this holds a torch worth keeping."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return sys.prefix == sys.base_prefix and numbers(version("torch")) >= OLDEST_TORCH
    except PackageNotFoundError:
        return False


def numbers(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version: `2.13.0+cpu` gives (2, 13)."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def ask(code: str) -> str | None:
    """Return what a line of Python prints inside the environment, None if it fails."""
    answer = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def pip(*words: str, constraints: Path = CONSTRAINTS) -> None:
    """Install into the environment, held to the constraints."""
    run(str(PYTHON), "-m", "pip", "install", "-q", "-c", str(constraints), *words)


def run(*words: str, quiet: bool = False) -> None:
    """Run a program and raise if it fails; `quiet` drops what it says."""
    out = subprocess.DEVNULL if quiet else None
    subprocess.run(words, check=True, stdout=out, stderr=out)


def stop(sentence: str) -> None:
    """End with one plain sentence."""
    sys.exit(f"setup: {sentence}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        stop(f"this command failed, what it said stands above: {' '.join(map(str, error.cmd))}")

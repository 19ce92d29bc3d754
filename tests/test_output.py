"""Results are written whole or not at all, packed where the name says so."""

import contextlib
import gzip
from pathlib import Path

import pytest

from heedful.output import open_output


def test_a_packed_file_holds_the_lines_and_nothing_of_when_it_was_made(tmp_path: Path) -> None:
    made = [tmp_path / "a.gz", tmp_path / "b.gz"]
    for path in made:
        with open_output(path) as out:
            print("eins\n猫", file=out)
            out.flush()
    assert gzip.decompress(made[0].read_bytes()) == "eins\n猫\n".encode()
    assert made[0].read_bytes() == made[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == made


@pytest.mark.parametrize("name", ["a.txt", "a.gz"])
def test_what_was_not_finished_leaves_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"before")
    with contextlib.suppress(RuntimeError), open_output(path) as out:
        print("half", file=out)
        raise RuntimeError
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]

"""The pronouncing dictionary becomes pairs, parted by words."""

from pathlib import Path

import pytest

from heedful.errors import DataError
from heedful.tasks.g2p import main, parts_of, read

LINES = ["read R EH1 D", "read(2) R IY1 D", "abbey's AE1 B IY0 Z", "a42128 EY1 F", "x EH1 K S # a"]


def test_stress_goes_or_stays() -> None:
    pairs, left_out = read(LINES, stress=False)
    assert pairs[:3] == [("read", "R EH D"), ("read", "R IY D"), ("abbey's", "AE B IY Z")]
    assert (len(pairs), left_out) == (4, 1)
    assert read(LINES, stress=True)[0][0] == ("read", "R EH1 D")


def test_pronunciations_that_become_one_stand_once() -> None:
    assert read(["a AH0", "a(2) AH1"], stress=False)[0] == [("a", "AH")]


def test_a_word_has_one_part() -> None:
    pairs = [(f"word{number}", phones) for number in range(2000) for phones in ("A", "B")]
    parts = parts_of(pairs, seed=1)
    words = [{word for word, _ in part} for part in parts.values()]
    assert sum(map(len, words)) == 2000
    assert 70 < len(words[2]) < 130  # a twentieth, within 3 standard deviations


def test_other_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"d:2: .*no word and its phones"):
        read(["cat K AE1 T", "a table, of commas"], stress=False, where="d")
    path = tmp_path / "latin.dict"
    path.write_bytes("café K AH0".encode("latin-1"))
    assert main(["--dictionary", str(path), "--out", str(tmp_path / "out")]) == 2
    assert main(["--dictionary", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    path.write_text("\n".join(LINES), "utf-8")
    assert main(["--dictionary", str(path), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "this is not UTF-8 text" in said.err
    assert "left out: 1 entries" in said.out

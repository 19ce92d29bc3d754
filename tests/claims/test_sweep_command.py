"""What `heed sweep` cannot do is one sentence, before anything is trained."""

import pytest

from heedful.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["table4"], 'there is no sweep "table4"; did you mean "table3"?'),
        (["table3", "--rows", "F"], 'Table 3 has no row "F"'),
        (["table3", "--quick", "--rows", "A", "B"], '--rows: --quick does not train the row "B"'),
        (["table3", "--full", "--train", "a.tsv"], "--dev: --full learns a corpus of yours"),
        (["table3", "--quick", "--full"], "--quick and --full exclude each other"),
        (["table3", "--full", "--jobs", "2"], "--jobs: --full trains one row at a time"),
        (["table3", "--jobs", "0"], "--jobs: 0 at a time is too few"),
        (["table3", "--dev", "a.tsv"], "--dev: it is for --full alone"),
    ],
)
def test_a_wrong_wish_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *words]) == 2
    assert said in capsys.readouterr().err


def test_without_data_it_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEEDFUL_DATA", raising=False)
    assert main(["sweep", "table3", "--quick", "--device", "cpu"]) == 2
    assert "4 cases are not measured: it needs Multi30k" in capsys.readouterr().err

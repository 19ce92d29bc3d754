"""`heed translate` as a person runs it, with an untrained model: streams, files, bad input."""

import contextlib
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from heedful.cli import main
from heedful.data import windows
from heedful.data.formats.reading import MAX_LINE
from heedful.data.workers import usable_cores
from heedful.decode.shortlist import Shortlist
from heedful.model_folder import save_model
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.search import Beam, Greedy
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import load

PAIRS = [
    ("Good morning, my friend. How are you?", "Guten Morgen, mein Freund. Wie geht es dir?"),
    ("The house is small.", "Das Haus ist klein."),
] * 4


def make_model(folder: Path, languages: Languages, tags: tuple[str, ...] = ()) -> str:
    torch.manual_seed(2)
    tokenizer = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=300), tags)
    config = TransformerConfig(
        d_model=16, d_ff=8, n_heads=1, encoder_layers=1, decoder_layers=1, max_length=24
    )
    model = config.build(tokenizer.source_size, tokenizer.target_size)
    save_model(folder, model, tokenizer, languages)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of a model from English to German."""
    folder = tmp_path_factory.mktemp("one") / "model"
    return make_model(folder, Languages(source="en", target="de"))


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Return a function that puts bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


def expected(model: str, texts: list[str], search: Greedy | Beam | None = None) -> list[str]:
    return load(model, "cpu").translate(texts, search=search)


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with exit code 2 and one sentence; return the sentence."""
    assert main(["translate", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heed: ")
    assert err.count("\n") == 1
    return err


LINES = ["The house is small.", "", "  ", "Good\0morning", "friend. " * 30, "x" * 400, "猫"]


def test_words_on_the_command_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["The house is small.", "Good morning", "a\nb"]
    assert main(["translate", "--model", model, "--to", "de", *words]) == 0
    out, err = capsys.readouterr()
    assert out.split("\n") == [*expected(model, [*words[:2], "a", "b"]), ""]
    assert "second" not in err, "no summary after a few words"


def test_as_many_lines_out_as_in(
    model: str, feed: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    many = [f"{LINES[n % 7]}" if n % 7 > 3 and n % 1001 < 7 else f"a {n}" for n in range(10_000)]
    many[50:57] = LINES
    feed("\n".join(many).encode())
    assert main(["translate", "--model", model, "--beam", "1", "--batch-tokens", "20000"]) == 0
    out, err = capsys.readouterr()
    lines = out.split("\n")
    assert len(lines) == 10_001
    assert lines[-1] == ""
    assert lines[50:57] == expected(model, LINES, Greedy())
    assert "10,000 lines in " in err
    assert "; 2 blank, kept as they are; " in err
    assert " split inside a sentence that was too long; " in err
    assert " unfinished: the maximum length came before the end" in err


def test_crlf_and_byte_order_mark_are_counted(
    model: str, feed: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    feed(b"\xef\xbb\xbfThe house\r\n\r\nlone\rreturn\nsep\xe2\x80\xa8arator\n")
    assert main(["translate", "--model", model]) == 0
    out, err = capsys.readouterr()
    texts = ["The house", "", "lone\rreturn", "sep\u2028arator"]
    assert out.split("\n") == [*expected(model, texts), ""]
    assert "1 byte-order mark dropped; 2 carriage returns at line ends dropped" in err


def test_no_lines_in_no_lines_out(
    model: str, feed: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    feed(b"")
    assert main(["translate", "--model", model]) == 0
    assert capsys.readouterr().out == ""


def test_files_and_quiet(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.en", tmp_path / "a.de"
    source.write_bytes("\n".join(LINES).encode())
    target.write_text("old")
    target.chmod(0o640)
    words = ["translate", "--model", model, "--quiet", "-i", str(source), "-o", str(target)]
    assert main(words) == 0
    assert capsys.readouterr() == ("", "")
    assert target.read_bytes().decode() == "".join(x + "\n" for x in expected(model, LINES))
    assert target.stat().st_mode & 0o777 == 0o640
    with gzip.open(tmp_path / "a.en.gz", "wb") as packed:
        packed.write(source.read_bytes())
    assert main([*words[:-4], "-i", str(tmp_path / "a.en.gz"), "-o", str(source)]) == 0
    assert source.read_bytes() == target.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.de", "a.en", "a.en.gz"]
    assert main([*words[:-4], "-i", str(tmp_path / "a.en.gz"), "-o", f"{target}.gz"]) == 0
    assert gzip.decompress((tmp_path / "a.de.gz").read_bytes()) == target.read_bytes()
    assert main([*words[:-1], f"{target}.gz", "--resume"]) == 2
    assert "give -i FILE and -o FILE, not .gz" in capsys.readouterr().err


def test_the_input_is_not_written_over(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "a.txt"
    source.write_text("The house\n", "utf-8")
    for words in (["-i", str(source)], ["--glossary", str(source), "The house"]):
        said = refused(["--model", model, *words, "-o", str(source)], capsys)
        assert "a.txt is read, and would be written over; choose another output" in said
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == ["The house\n"]


def test_a_glossary_is_looked_over_as_a_whole(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terms, target = tmp_path / "terms.tsv", tmp_path / "a.de"
    terms.write_text(f"house\tHaus\nstation\t{'x' * 201}\n", "utf-8")
    words = ["--model", model, "--glossary", str(terms), "The house", "-o", str(target)]
    assert 'heed: the term "station": "xxx' in refused(words, capsys)
    assert not target.exists()


@pytest.mark.parametrize("text", ["--help", "-h", "--debug"])
def test_what_stands_behind_two_dashes_is_a_text(
    model: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", "--model", model, "--json", "--quiet", "--", text]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == text


@pytest.mark.parametrize("option", ["--prefix", "--must", "--never"])
def test_words_that_are_not_utf8_are_refused(
    model: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(["--model", model, "The house", option, os.fsdecode(b"gr\xfcn")], capsys)
    assert said == f"heed: {option}: invalid UTF-8: byte 0xFC; type it in UTF-8\n"


def test_a_device_as_output_is_written_to_and_not_replaced(model: str) -> None:
    assert main(["translate", "--model", model, "-o", os.devnull, "The house"]) == 0
    assert not Path(os.devnull).is_file()


def test_json_and_n_best(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["The house is small.", "", "friend. " * 30]
    search = Beam(beam_size=3, n_best=2, length_penalty=1.0)
    found = load(model, "cpu").translate_detailed(texts, search=search)
    words = ["translate", "--model", model, "--beam", "3", "--nbest", "2", *texts]
    words += ["--length-penalty", "1.0"]
    assert main([*words, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]
    for record, truth in zip(records, found, strict=True):
        assert list(record) == ["source", "translation", "hypotheses", "flags"]
        assert (record["source"], record["translation"]) == (truth.source, truth.text)
        assert record["flags"] == list(truth.flags)
        for shown, hypothesis in zip(record["hypotheses"], truth.hypotheses, strict=True):
            assert list(shown) == ["text", "score", "log_prob", "pieces"]
            assert shown["text"] == hypothesis.text
            assert shown["score"] == pytest.approx(hypothesis.score, abs=1e-4)
            assert shown["log_prob"] == pytest.approx(hypothesis.log_prob, abs=1e-4)
    assert main(words) == 0
    rows = [line.split("\t", 2) for line in capsys.readouterr().out.split("\n")[:-1]]
    assert [(number, text) for number, _, text in rows] == [
        (str(number), x.text) for number, line in enumerate(found) for x in line.hypotheses
    ]
    assert [row[0] for row in rows] == ["0", "0", "1", "2", "2"]


class Terminal(io.BytesIO):
    """Standard input with a person before it."""

    def isatty(self) -> bool:
        return True


def test_a_person_at_the_keyboard_is_answered_line_by_line(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Terminal(b"The house\nGood\n")))
    assert main(["translate", "--model", model]) == 0
    out, err = capsys.readouterr()
    assert out.split("\n") == [*expected(model, ["The house", "Good"]), ""]
    assert err.startswith("Type a line and press Enter")


@pytest.fixture
def full_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no busy machine cut a portion of lines short, so that what is kept can be foretold."""
    monkeypatch.setattr(windows, "LONGEST_WAIT", float("inf"))


@pytest.mark.usefixtures("full_portions")
def test_bad_input(
    model: str, tmp_path: Path, feed: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    feed(b"good\nna\xefve\n")
    said = refused(["--model", model], capsys)
    assert "standard input:2: invalid UTF-8: byte 0xEF at byte 3" in said
    assert "text 2: invalid UTF-8: byte 0xEF" in refused(["--model", model, "a", "\udcef"], capsys)
    feed(b"ok\n" + b"x" * (MAX_LINE + 1))
    assert "standard input:2: the line is longer than 64 MiB" in refused(["--model", model], capsys)
    bad, out = tmp_path / "bad.txt", tmp_path / "out.txt"
    bad.write_bytes(b"x\n" * 500 + b"\xff\n")
    files = ["--model", model, "-i", str(bad), "-o", str(out), "--quiet", "--beam", "1"]
    said = refused(files, capsys)
    assert f"{bad}:501: invalid UTF-8: byte 0xFF at byte 1; save it as UTF-8; kept: 448 l" in said
    assert not out.exists()
    nowhere = str(tmp_path / "no.txt")
    assert "no such file" in refused(["--model", model, "-i", nowhere], capsys)
    assert "is a directory" in refused(["--model", model, "-i", str(tmp_path)], capsys)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"The house\n" * 9)[:-9])
    assert f"{cut}: cannot be read" in refused(["--model", model, "-i", str(cut)], capsys)


@pytest.mark.usefixtures("full_portions")
def test_resume(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that cannot be read is mended; what was translated before it is not made again."""
    lines = [LINES[n % 7] + f" {n}" * (n % 3) for n in range(150)]
    good = "\r\n".join(lines).encode()
    source, out, whole = tmp_path / "a.gz", tmp_path / "out.txt", tmp_path / "whole.txt"
    words = ["--model", model, "--json", "--nbest", "2", "-i", str(source), "-o"]
    source.write_bytes(gzip.compress(good.replace(b" 124", b" \xff", 1)))
    assert refused([*words, str(out), "--quiet"], capsys).endswith(
        "; kept: 64 lines, with which --resume goes on\n"
    )
    source.write_bytes(gzip.compress(good))
    for more, said in [
        (["--json", "--nbest", "3"], "made with --nbest 2, this run is with --nbest 3; give the"),
        (["--split-above", "9"], "made with --split-above 40, this run is with --split-above 9"),
        (["--precision", "float32"], "made with --precision int8, this run is with --precision fl"),
    ]:
        assert said in refused([*words, str(out), "--resume", "--quiet", *more], capsys)
    assert main(["translate", *words, str(out), "--resume"]) == 0
    resumed = capsys.readouterr().err.splitlines()[-1]
    assert main(["translate", *words, str(whole)]) == 0
    alone = capsys.readouterr().err.splitlines()[-1]
    assert out.read_bytes() == whole.read_bytes()
    assert resumed.startswith("64 lines were there already, 86 lines in ")
    assert resumed.partition(";")[2] == alone.partition(";")[2], "the same notes of all lines"
    assert {path.name for path in tmp_path.iterdir()} == {"a.gz", "out.txt", "whole.txt"}


def test_resume_needs_files(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.txt", str(tmp_path / "out.txt")
    source.write_text("The house\n")
    for words in (
        ["The house", "-o", out],
        ["-i", "-", "-o", out],
        ["-o", out],
        ["-i", str(source)],
        ["-i", str(source), "-o", os.devnull],
    ):
        said = refused(["--model", model, "--resume", *words], capsys)
        assert said.startswith("heed: --resume: only a file of translations of a file can be gone")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.usefixtures("full_portions")
def test_an_earlier_run_is_not_dropped_in_silence(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_bytes(b"The house\n" * 64 + b"\xff\n")
    words = ["--model", model, "--beam", "1", "-i", str(source), "-o", str(out)]
    for earlier in (False, True):
        assert main(["translate", *words]) == 2
        said = capsys.readouterr().err
        assert ("an earlier run left 64 lines translated: they go as soon as" in said) == earlier
        assert ("; stop now and give --resume to go on with them\n" in said) == earlier
        assert said.endswith(
            f"heed: {source}:65: invalid UTF-8: byte 0xFF at byte 1; save it as "
            "UTF-8; kept: 64 lines, with which --resume goes on\n"
        )
    source.write_bytes(b"The house\n" * 3)
    assert main(["translate", *words, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert set(tmp_path.iterdir()) == {source, out}


def test_control_characters_are_one_line_each(
    model: str, feed: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    odd = ["\0", "\x1b[2J", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\u202e", "\u2066"]
    lines = [form.format(x) for x in odd for form in ("{}", "a{}b", "{}a", "a {} b")]
    feed("\n".join(lines).encode())
    assert main(["translate", "--model", model, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]
    assert [record["source"] for record in records] == lines
    assert not any("\n" in record["translation"] for record in records)


def test_a_folder_of_a_newer_version(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(model, newer)
    config = json.loads((newer / "config.json").read_text("utf-8"))
    config |= {"version": 99, "weights": "int4", "more": {}}
    (newer / "config.json").write_text(json.dumps(config), "utf-8")
    said = refused(["--model", str(newer), "The house"], capsys)
    assert said.endswith("format version 99 is not known here; install a newer heedful\n")


def test_an_output_that_cannot_be_written_stops_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (tmp_path / "no" / "out.txt", tmp_path):
        said = refused(["--model", "nothing", "-o", str(place), "The house"], capsys)
        assert f"{place}: cannot be written" in said


def test_impossible_options(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in [
        (["--beam", "0"], "--beam: input should be greater than or equal to 1"),
        (["--nbest", "5"], "--nbest: 5 are more than the beam holds; give --beam 5"),
        (["--length-penalty", "-1"], "--length-penalty: input should be greater"),
        (["--length-penalty", "nan"], "--length-penalty: input should be"),
        (["--batch-tokens", "0"], "--batch-tokens: 0 is less than 1"),
        (["--split-above", "0"], "--split-above: 0 is less than 1"),
        (["--device", "tpu"], 'there is no device "tpu"'),
        (["--to", "fr"], "only from en to de"),
        (["-i", "x.txt"], "texts and --input are both given"),
        (["--bean", "4"], "did you mean"),
    ]:
        assert told in refused(["--model", model, *words, "The house"], capsys)
    assert "there is no such folder" in refused(["--model", "no-such", "The house"], capsys)


@pytest.fixture
def cores() -> Iterator[None]:
    """Put back how many cores torch takes."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("cores")
def test_more_workers_than_cores_are_said(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["translate", "--model", model, "The house"]
    assert main([*words, "--workers", "999"]) == 0
    assert torch.get_num_threads() == usable_cores()  # more than a system has ended the process
    out, err = capsys.readouterr()
    assert out == "\n".join([*expected(model, ["The house"]), ""])
    assert err.startswith("--workers 999: more than the ")
    assert main([*words, "--workers", "999", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_precision(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    for precision in ("float32", "int8", "auto"):
        assert main(["translate", "--model", model, "--precision", precision, "The house"]) == 0
        [expected] = load(model, "cpu", precision).translate(["The house"])
        assert capsys.readouterr().out == f"{expected}\n"
    words = ["--model", model, "--device", "cpu", "The house", "--precision"]
    assert "--precision: bf16 is not for the device cpu; take int8 or" in refused(
        [*words, "bf16"], capsys
    )
    assert 'there is no precision "int9"; did you mean "int8"' in refused([*words, "int9"], capsys)


def test_fast(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", model, "The house", "--fast"]
    assert "this model has no shortlist to be fast with; learn one: heed shortlist" in refused(
        words, capsys
    )
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    size = tokenizer.target_size
    some = np.arange(4, size, 2)
    Shortlist.of([some] * tokenizer.source_size, np.array([2]), size).save(folder)
    words[1] = str(folder)
    assert main(["translate", *words]) == 0
    [found, end] = capsys.readouterr().out.split("\n")
    assert not end
    assert found == load(folder, "cpu", fast=True).translate(["The house"])[0]
    Shortlist.of([some] * 3, np.array([2]), size).save(folder)
    assert "its shortlist is of another vocabulary" in refused(words, capsys)


def test_a_model_of_two_directions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    languages = Languages(source="en", target="de", both_directions=True)
    both = make_model(tmp_path / "both", languages, ("en", "de"))
    assert "give --to en or --to de" in refused(["--model", both, "The house"], capsys)
    assert main(["translate", "--model", both, "--from", "en", "The house"]) == 0
    from_english = capsys.readouterr().out
    assert main(["translate", "--model", both, "--to", "de", "The house"]) == 0
    assert capsys.readouterr().out == from_english


def running(words: list[str], **pipes: int) -> subprocess.Popen[bytes]:
    """Start `heed translate` on a pipe that the test holds open."""
    command = [sys.executable, "-m", "heedful", "translate", *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **pipes)


def test_lines_that_have_come_are_answered_while_the_pipe_stays_open(model: str) -> None:
    process = running(["--model", model, "--beam", "1", "--quiet"], stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    for lines in (["The house", "Good"], ["", "The house is small."], ["Good"] * 70):
        process.stdin.write("".join(line + "\n" for line in [*lines, "half"])[:-5].encode())
        process.stdin.flush()
        found = [process.stdout.readline().decode() for _ in lines]  # hangs if they wait for more
        assert found == [text + "\n" for text in expected(model, lines, Greedy())]
    process.communicate()
    assert process.returncode == 0


def test_ctrl_c_leaves_what_was_there(model: str, tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    target.write_text("old")
    process = running(["--model", model, "--beam", "1", "--quiet", "-o", str(target)])
    assert process.stdin
    assert process.stderr
    process.stdin.write(b"The house\n" * 100)
    process.stdin.flush()
    while not any(path.stat().st_size for path in tmp_path.iterdir() if path != target):
        time.sleep(0.01)  # until the first translations are in the file in the making
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert process.stderr.read() == b"heed: interrupted\n"
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    for pipe in (process.stdin, process.stderr):
        pipe.close()


def peak_of(words: list[str], lines: Iterator[bytes]) -> tuple[int, int]:
    """Translate lines in a process of its own; return how many came out, and its peak in bytes."""
    code = (
        "import resource, sys; from heedful.cli import main; main(['translate', *sys.argv[1:]]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words, "--quiet", "--beam", "1"],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
        )
        assert process.stdin
        assert process.stderr
        for line in lines:
            process.stdin.write(line)
        process.stdin.close()
        peak = int(process.stderr.read()) * 1024  # Linux: KiB
        process.stderr.close()
        assert process.wait() == 0
        out.seek(0)
        return sum(1 for _ in out), peak


def test_empty_lines_stream_in_bounded_memory(model: str) -> None:
    few = peak_of(["--model", model], iter([b"\n"]))
    many = peak_of(["--model", model], iter([b"\n" * 10_000] * 30))
    assert (few[0], many[0]) == (1, 300_000)
    assert many[1] - few[1] < 20e6


@pytest.mark.slow
def test_ten_million_empty_lines(model: str) -> None:
    few = peak_of(["--model", model], iter([b"\n"]))
    many = peak_of(["--model", model], iter([b"\n" * 100_000] * 100))
    assert many[0] == 10_000_000
    assert many[1] - few[1] < 20e6


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [b"house small " * 50_000, b"x" * 1_000_000], ids=["words", "word"]
)
def test_a_line_beyond_all_measure(model: str, line: bytes) -> None:
    few = peak_of(["--model", model], iter([line[:10_000] + b"\n"]))
    many = peak_of(["--model", model], iter([line + b"\n"]))
    assert many[0] == 1
    assert many[1] - few[1] < 300e6


def test_a_reader_that_goes_away_ends_it_quietly(model: str) -> None:
    command = [sys.executable, "-m", "heedful", "translate", "--model", model, "--beam", "1"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(b"The house is small.\n" * 64)
    process.stdin.flush()
    assert process.stdout.readline()
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):  # it may have ended already
        process.stdin.write(b"The house is small.\n" * 128)
        process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()

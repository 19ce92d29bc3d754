"""`heed evaluate` on small models with random weights: its numbers are sacreBLEU's of the
translations that the Python API gives."""

import html
import json
import os
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch

import heedful
from heedful.cli import main
from heedful.model_folder import save_model
from heedful.model_header import Languages, add_file
from heedful.models.transformer import TransformerConfig
from heedful.search import Beam, Greedy
from heedful.text.tokenizer import BPE, Tokenizer

PAIRS = [
    ("The cat sleeps in Boston.", "Die Katze schläft in Boston."),
    ("Where is the cat?", "Wo ist die Katze?"),
    ("", "Ein Satz ohne Quelle."),
    ("A sentence without a translation.", " "),
    ("The mouse and the cat sleep.", "Die Maus und die Katze schlafen."),
]
SCORED = [0, 1, 4]


def make_model(folder: Path, seed: int, *, both: bool) -> Path:
    torch.manual_seed(seed)
    tags = ("en", "de") if both else ()
    tokenizer = Tokenizer.train(lambda: PAIRS * 4, BPE(vocabulary_size=300), tags)
    config = TransformerConfig(
        d_model=16, d_ff=16, n_heads=2, encoder_layers=1, decoder_layers=1, max_length=80
    )
    model = config.build(tokenizer.source_size, tokenizer.target_size)
    languages = Languages(source="en", target="de", both_directions=both)
    save_model(folder, model, tokenizer, languages)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models, and a test set in two formats."""
    folder = tmp_path_factory.mktemp("evaluate")
    make_model(folder / "one-way", 1, both=False)
    make_model(folder / "both-ways", 2, both=True)
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    (folder / "test.tsv").write_text(rows, encoding="utf-8")
    for side, name in enumerate(("test.en", "test.de")):
        lines = "".join(pair[side] + "\n" for pair in PAIRS)
        (folder / name).write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def evaluated(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["evaluate", "--data", "test.tsv", "--json", "--quiet", *words]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("model", "to", "side"), [("one-way", None, 0), ("both-ways", "de", 0), ("both-ways", "en", 1)]
)
def test_scores_are_those_of_the_translations(
    capsys: pytest.CaptureFixture[str], model: str, to: str | None, side: int
) -> None:
    """With --to of the first column's language the columns change places."""
    words = ["--to", to] if to else []
    found = evaluated(capsys, "--model", model, "--beam", "2", "-o", "hyp.txt", *words)
    sources = [pair[side] for pair in PAIRS]
    wanted = heedful.load(model).translate(sources, to, search=Beam(beam_size=2))
    assert Path("hyp.txt").read_text("utf-8") == "".join(line + "\n" for line in wanted)
    references = [PAIRS[row][1 - side] for row in SCORED]
    bleu = sacrebleu.corpus_bleu([wanted[row] for row in SCORED], [references])
    chrf = sacrebleu.corpus_chrf([wanted[row] for row in SCORED], [references])
    assert found["bleu"]["value"] == pytest.approx(bleu.score)
    assert found["chrf"]["value"] == pytest.approx(chrf.score)
    assert found["direction"] == ("en → de" if side == 0 else "de → en")
    assert (found["rows"], found["sentences"], found["search"]["beam_size"]) == (5, 3, 2)
    assert found["left_out"] == {"empty_first": 1, "empty_second": 1, "unreadable": 0}
    assert found["sentences_per_second"] > 0


def test_from_names_the_direction_too(capsys: pytest.CaptureFixture[str]) -> None:
    one = evaluated(capsys, "--model", "both-ways", "--from", "de", "--beam", "1")
    two = evaluated(capsys, "--model", "both-ways", "--to", "en", "--beam", "1")
    assert one["direction"] == two["direction"] == "de → en"
    assert one["chrf"] == two["chrf"]


def test_columns_and_two_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("turned.tsv").write_text(
        "".join(f"{target}\t{source}\n" for source, target in PAIRS), encoding="utf-8"
    )
    straight = evaluated(capsys, "--model", "one-way", "--beam", "1")
    turned = evaluated(
        capsys, "--model", "one-way", "--beam", "1", "--data", "turned.tsv", "--columns", "2,1"
    )
    files = evaluated(capsys, "--model", "one-way", "--beam", "1", "--data", "test.en,test.de")
    assert straight["chrf"] == turned["chrf"] == files["chrf"]


def test_the_table_says_what_json_says(capsys: pytest.CaptureFixture[str]) -> None:
    plain = evaluated(capsys, "--model", "one-way", "--beam", "1")
    words = ["evaluate", "--data", "test.tsv", "--model", "one-way", "--beam", "1"]
    assert main(words) == 0
    said, progress = capsys.readouterr()
    assert "5 rows, 3 scored" in said
    assert "1 with an empty first column, 1 with an empty second column" in said
    assert "lower-cased, tokenised (13a)" in said
    for name in ("bleu", "chrf", "bleu_lower"):
        assert f"{plain[name]['value']:.2f}" in said
        assert plain[name]["signature"] in said
    assert progress == ""


def test_two_files_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    good = [target or "x" for _, target in PAIRS]
    bad = ["Die Katze" for _ in PAIRS]
    for name, lines in (("good.txt", good), ("bad.txt", bad)):
        Path(name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    found = evaluated(capsys, "--compare", "bad.txt", "good.txt", "--to", "de")
    references = [PAIRS[row][1] for row in SCORED]
    lower = sacrebleu.corpus_chrf([bad[row] for row in SCORED], [references]).score
    assert found["a"]["chrf"]["value"] == pytest.approx(lower)
    assert found["comparison"]["chrf"]["difference"] == pytest.approx(100 - lower)
    assert main(["evaluate", "--data", "test.tsv", "--compare", "bad.txt", "good.txt"]) == 0
    assert f"{100 - lower:+.2f}" in capsys.readouterr().out


def test_tokenised_text_is_scored_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, "--model", "one-way", "--beam", "1", "--tokenize", "none")
    assert "|tok:none|" in found["bleu"]["signature"]
    assert main(["evaluate", "--data", "test.tsv", "--tokenize", "moses"]) == 2
    said = capsys.readouterr().err.strip()
    assert "moses" in said
    assert said.count("\n") == 0


def test_two_models_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--to", "de", "--beam", "1"]
    found = evaluated(capsys, "--compare", "one-way", "both-ways", *words)
    alone = [evaluated(capsys, "--model", name, *words) for name in ("one-way", "both-ways")]
    assert [found[side]["chrf"] for side in "ab"] == [scores["chrf"] for scores in alone]
    assert main(["evaluate", "--data", "test.tsv", "--compare", "one-way", "one-way", *words]) == 0
    assert "A and B score the same" in capsys.readouterr().out


def test_what_is_lost_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = ["%s: 2.5 disks\t%s: 2,5 Platten", "<b>7 disks</b>\t<b>sieben Platten</b>", "no\tnein"]
    lines = ["%s: 2,5 Platten", "<b>7 Scheiben", "nein nein nein"]
    Path("spans.tsv").write_text("\n".join(rows), encoding="utf-8")
    Path("lines.txt").write_text("\n".join(lines), encoding="utf-8")
    Path("terms.tsv").write_text("disks\tPlatten|Festplatten\n", encoding="utf-8")
    words = ["--data", "spans.tsv", "--compare", "lines.txt", "lines.txt", "--to", "de"]
    found = evaluated(capsys, *words, "--glossary", "terms.tsv")
    for checks in (found["a"]["checks"], found["b"]["checks"]):
        kept = {kind: [n["kept"], n["of"]] for kind, n in checks["kept"].items()}
        assert kept == {"placeholder": [1, 1], "tag": [1, 2], "number": [2, 2]}
        assert checks["glossary"] == {"kept": 1, "of": 2}
        assert checks["loops"] == 1
        assert checks["length_ratio"]["words"] == pytest.approx(9 / 8)
    assert found["references"]["checks"]["kept"]["number"] == {"kept": 1, "of": 2}
    assert found["references"]["checks"]["glossary"] == {"kept": 2, "of": 2}
    assert main(["evaluate", *words, "--glossary", "terms.tsv"]) == 0
    table = [line.split("  ") for line in capsys.readouterr().out.split("\n")]
    said = {line[0]: [cell.strip() for cell in line[1:] if cell] for line in table}
    assert said["numbers kept"] == ["2 of 2", "2 of 2", "1 of 2"]
    assert said["tags kept"] == ["1 of 2", "1 of 2", "2 of 2"]
    assert said["terms of the glossary"] == ["1 of 2", "1 of 2", "2 of 2"]
    assert said["caught in a loop"] == ["1", "1", "0"]


def test_the_sentences_that_changed_most_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    good = [target or "x" for _, target in PAIRS]
    for name, rows in (("a.txt", (0, 1)), ("b.txt", (1, 4))):
        lines = (good[row] if row in rows else "Maus" for row in range(len(PAIRS)))
        Path(name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    words = ["--compare", "a.txt", "b.txt", "--to", "de"]
    found = evaluated(capsys, *words)["changed"]
    assert [one["row"] for one in found] == [5, 1]
    best, worst = found
    assert (best["source"], best["b"], best["chrf_b"]) == (*PAIRS[4], 100)
    assert worst["reference"] == worst["a"] == PAIRS[0][1]
    assert worst["b"] == "Maus"
    assert best["difference"] == pytest.approx(
        100 - sacrebleu.sentence_chrf("Maus", [PAIRS[4][1]]).score
    )
    assert len(evaluated(capsys, *words, "--show", "1")["changed"]) == 2
    assert evaluated(capsys, *words, "--show", "0")["changed"] == []
    assert main(["evaluate", "--data", "test.tsv", *words]) == 0
    said = capsys.readouterr().out
    assert f"row 5   A {best['chrf_a']:.1f}   B 100.0   {best['difference']:+.1f}" in said
    assert (
        f"  source     {PAIRS[0][0]}\n  reference  {PAIRS[0][1]}\n  A          {good[0]}\n" in said
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--show", "3"], "--show: shows what two systems differ in; add --compare"),
        (["--compare", "a", "b", "--show", "-1"], "--show: -1 is less than 0"),
        (["--glossary", "gone.tsv"], "gone.tsv: no such file"),
        (["--glossary", "three.tsv"], "three.tsv:1: the line has 3 fields"),
        (["--model", "both-ways"], "give --to"),
        (["--model", "one-way", "--to", "fr"], "translates only from en to de"),
        (["--model", "nowhere"], "nowhere: there is no such folder"),
        (
            ["--model", "one-way", "--beam", "0"],
            "--beam: input should be greater than or equal to 1",
        ),
        (["--model", "one-way", "--seed", "-1"], "--seed: -1 is less than 0"),
        (["--model", "one-way", "-o", "no/such/folder.txt"], "cannot be written to"),
        (["--model", "one-way", "--compare", "a", "b"], "--compare takes no --model"),
        (["-o", "x", "--compare", "a", "b"], "--compare takes no --output"),
        (["--data", "gone.tsv"], "gone.tsv: no such file"),
        (["--data", "empty.tsv"], "empty.tsv: no row has both"),
        (["--data", "three.tsv"], "three.tsv:1: the row has 3 fields"),
        (
            ["--compare", "short.txt", "short.txt"],
            "short.txt: has 1 lines where the test set has 5",
        ),
        (["--compare", "latin.txt", "latin.txt"], "latin.txt:2: invalid UTF-8"),
    ],
)
def test_bad_input(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    Path("empty.tsv").write_text("\n\t\n", encoding="utf-8")
    Path("three.tsv").write_text("a\tb\tc\n", encoding="utf-8")
    Path("short.txt").write_text("a\n", encoding="utf-8")
    Path("latin.txt").write_bytes(b"a\nsch\xe4n\nb\nc\nd\n")
    assert main(["evaluate", "--data", "test.tsv", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heed: ")
    assert err.count("\n") == 1
    assert said in err


def test_rows_that_cannot_be_read_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{source}\t{target}\n" for source, target in PAIRS)
    Path("bad.tsv").write_text("one field\n" + rows, encoding="utf-8")
    found = evaluated(
        capsys, "--model", "one-way", "--beam", "1", "--data", "bad.tsv", "--skip-bad"
    )
    assert found["left_out"]["unreadable"] == 1
    assert found["sentences"] == 3


def test_a_page_for_human_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--data", "test.tsv", "--quiet", "--html", "page.html"]
    assert main([*words, "--model", "one-way"]) == 0
    scores = capsys.readouterr().out
    text = Path("page.html").read_text("utf-8")
    assert html.escape(scores.strip()) in text
    shown = [PAIRS[row] for row in SCORED]
    assert all(html.escape(side) in text for pair in shown for side in pair)
    assert "A sentence without" not in text
    assert main([*words, "--compare", "test.de", "both-ways", "--to", "de"]) == 0
    text = Path("page.html").read_text("utf-8")
    assert "A: test.de" in text
    assert "B: both-ways" in text
    assert main([*words[:-1], "nowhere/page.html", "--model", "one-way"]) == 2
    assert "nowhere/page.html: its folder cannot be written to" in capsys.readouterr().err
    assert main([*words[:-1], ".", "--model", "one-way"]) == 2
    assert ".: this is a folder; name a file in it" in capsys.readouterr().err


def test_a_link_and_a_device_are_written_into_not_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("kept.txt").write_text("of before", "utf-8")
    Path("link").symlink_to("kept.txt")
    Path("nothing").symlink_to(os.devnull)
    words = ["--model", "one-way", "--beam", "1"]
    evaluated(capsys, *words, "-o", "link", "--html", "nothing")
    assert Path("kept.txt").read_text("utf-8").count("\n") == len(PAIRS)
    evaluated(capsys, *words, "-o", "nothing", "--html", "link")
    assert Path("kept.txt").read_text("utf-8").startswith("<!doctype html>")
    assert Path("link").is_symlink()
    assert Path("nothing").is_symlink()
    assert Path(os.devnull).is_char_device()
    evaluated(capsys, *words, "-o", "lines.txt")
    assert main(["evaluate", "--data", "test.tsv", "--quiet", *words, "-o", "-"]) == 0
    assert capsys.readouterr().out.startswith(Path("lines.txt").read_text("utf-8"))
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "test.tsv"], "test.tsv: test.tsv is read, and would be written over; choose"),
        (["--html", "./test.tsv"], "test.tsv: test.tsv is read, and would be written over"),
        (["--data", "test.en,test.de", "-o", "test.de"], "test.de is read, and would be"),
        (["--glossary", "test.tsv", "--html", "test.tsv"], "is read, and would be written over"),
        (["-o", "one.txt", "--html", "./one.txt"], "--html one.txt: the page would be written"),
    ],
)
def test_nothing_that_is_read_is_written_over(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    before = [Path(name).read_bytes() for name in ("test.tsv", "test.en", "test.de")]
    assert main(["evaluate", "--model", "one-way", "--data", "test.tsv", *words]) == 2
    assert said in capsys.readouterr().err
    assert [Path(name).read_bytes() for name in ("test.tsv", "test.en", "test.de")] == before
    assert not Path("one.txt").exists()


def test_a_row_of_several_lines_is_one_line_of_the_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that the file can be compared with another."""
    rows = [{"source": "The cat.\r\n\nThe mouse.", "target": "Die Katze.\nDie Maus."}]
    rows += [{"source": "The cat.", "target": "Die Katze."}]
    Path("lines.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    words = ["evaluate", "--model", "one-way", "--beam", "1", "--data", "lines.jsonl", "--quiet"]
    assert main([*words, "-o", "one.txt"]) == 0
    said = "one.txt: 1 translation of several lines put into one line each\n"
    assert capsys.readouterr().err == said
    assert Path("one.txt").read_text("utf-8").count("\n") == 2
    assert main([*words[:1], *words[5:], "--compare", "one.txt", "one.txt"]) == 0


def test_a_test_set_whose_name_is_not_utf8() -> None:
    name = os.fsdecode(b"gr\xfcn.tsv")
    Path(name).write_bytes(Path("test.tsv").read_bytes())
    words = ["--model", "one-way", "--beam", "1", "--quiet", "--html", "named.html"]
    assert main(["evaluate", "--data", name, *words, "--json"]) == 0
    assert "Translations of gr\\udcfcn.tsv" in Path("named.html").read_text("utf-8")


def test_a_model_learns_how_good_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_model(folder / "known", 3, both=True)
    rows = [f"the {n} cat sleeps\tdie {n} Katze schläft\n" for n in range(120)]
    Path("many.tsv").write_text("".join(rows), "utf-8")
    words = ["evaluate", "--model", "known", "--to", "de", "--beam", "1", "--quiet"]
    assert main([*words, "--data", "test.tsv", "--calibrate"]) == 2
    assert "test.tsv: 3 sentences are too few to learn from" in capsys.readouterr().err
    add_file(folder / "known", "confidence.json", b"damaged")
    assert main([*words, "--data", "many.tsv", "--calibrate"]) == 0
    assert main([*words, "--data", "many.tsv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.strip().split("\n")[-1])["confidence"]
    translator = heedful.load("known")
    texts = [row.split("\t")[0] for row in rows]
    made = translator.translate_detailed(texts, "de", search=Greedy(), confidence=True)
    references = [row.strip().split("\t")[1] for row in rows]
    chrf = [
        sacrebleu.sentence_chrf(one.text, [reference]).score
        for one, reference in zip(made, references, strict=True)
    ]
    expected = [one.confidence for one in made]
    error = sum(abs(a - b) for a, b in zip(chrf, expected, strict=True)) / 120
    assert found["error"] == pytest.approx(error)
    assert found["correlation"] == pytest.approx(np.corrcoef(chrf, expected)[0, 1])
    given = ["translate", "--model", "known", "--to", "de", "--beam", "1", "--confidence"]
    assert main([*given, "--quiet", texts[0]]) == 0
    assert capsys.readouterr().out == f"{made[0].text}\t{expected[0]:.0f}\n"
    assert main([*given, "--json", texts[0]]) == 0
    assert json.loads(capsys.readouterr().out)["confidence"] == pytest.approx(expected[0])
    assert main([*given, "--nbest", "2", "--beam", "2", texts[0]]) == 2
    assert "--confidence: they are of the best" in capsys.readouterr().err


def test_the_package_is_not_calibrated(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--data", "test.tsv", "--to", "de", "--calibrate", "--quiet"]
    assert main(words) == 2
    assert "--calibrate: it is for one model that you can write to" in capsys.readouterr().err
    assert main([*words, "--model", "everyday"]) == 2
    assert "belongs to the package and is not changed" in capsys.readouterr().err


def test_exact_answers_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three answers one is right; the others lack a word of 5 and of 7."""
    (folder / "answers.txt").write_text(
        "Die Katze schläft in Boston.\n\n-\n-\nDie Maus und die Katze.\n", "utf-8"
    )
    command = ["evaluate", "--data", "test.tsv", "--compare", "answers.txt", "answers.txt"]
    assert main([*command, "--exact", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = told["a"]["exactness"]
    assert found["questions"] == 3
    assert found["exact"]["value"] == pytest.approx(100 / 3)
    assert found["token_errors"]["value"] == pytest.approx(100 * 6 / 15)
    assert told["comparison"]["exact"]["difference"] == 0
    assert main([*command, "--exact"]) == 0
    assert "exact match: A and B score the same" in capsys.readouterr().out

"""A training that begins with another model: its weights, its vocabulary, its languages."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.cli import main
from heedful.commands.train import Options, _begun, _changes
from heedful.config import RunConfig, merged, read_config
from heedful.data.corpus import DataConfig
from heedful.data.joined import Joined
from heedful.errors import DataError, SettingError
from heedful.model_folder import load_model
from heedful.progress import Progress
from heedful.run import train
from heedful.run_data import RunData, prepared
from heedful.start import general_sets, settings_of, unspelled
from heedful.train.log import TrainLog
from heedful.train.loop import Trainer

QUIET = Progress(quiet=True)
SHORT = {
    "training": {"max_steps": 4, "save_every": 2, "validate_every": 2, "batch_tokens": 320},
    "device": "cpu",
}


def prepared_in(folder: Path) -> RunData:
    return prepared(read_config(folder / "config.json"), folder)


@pytest.fixture(scope="module")
def general(corpus: Path) -> Path:
    return corpus


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of 60 pairs of another kind."""
    path = tmp_path_factory.mktemp("domain") / "ours.tsv"
    rows = [f"open the file {n} now\töffne jetzt die Datei {n}\n" for n in range(60)]
    path.write_text("".join(rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def begun(general: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """Return what trains a model of one direction or of two, each once."""
    known: dict[bool, Path] = {}

    def begin(both: bool) -> Path:
        if both not in known:
            folder = tmp_path_factory.mktemp("begun") / "run"
            shape = {"d_model": 32, "d_ff": 32, "n_heads": 2, "encoder_layers": 1}
            words = ["train", "--recipe", "tiny", "--data", str(general), "--out", str(folder)]
            words += ["--quiet", "--from", "en", "--to", "de", "--device", "cpu"]
            words += ["--tokenizer.vocabulary-size", "300", "--training.max-steps", "3"]
            words += ["--model.decoder-layers", "1", "--model.max-length", "256"]
            words += [f"--model.{name.replace('_', '-')}={size}" for name, size in shape.items()]
            assert main([*words, *(["--both-directions"] if both else [])]) == 0
            known[both] = folder
        return known[both]

    return begin


def config_of(start: Path, domain: Path, **more: Any) -> RunConfig:
    options = Options(out=Path("x"), start=str(start), data=(str(domain),), **more)
    return _begun(options, _changes(options, {}), QUIET)


@pytest.mark.parametrize("both", [False, True])
def test_it_begins_with_the_model_and_keeps_what_it_is(
    both: bool, begun: Callable[[bool], Path], domain: Path, tmp_path: Path
) -> None:
    start = load_model(begun(both) / "model")
    first = merged(config_of(begun(both), domain, from_="en", to="de"), SHORT)
    frozen = merged(first, {"schedule": {"peak": 1e-30}, "optimizer": {"kind": "adam"}})
    assert train(frozen, tmp_path / "frozen", QUIET).outcome.finished
    same = load_model(tmp_path / "frozen" / "model")
    assert same.languages == start.languages
    assert same.tokenizer.fingerprint() == start.tokenizer.fingerprint()
    for one, other in zip(same.model.parameters(), start.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    row = prepared_in(tmp_path / "frozen").train.source(0).tolist()
    assert (start.tokenizer.source_pieces(row[:1]) == [">>de<<"]) == both

    assert train(first, tmp_path / "taught", QUIET).outcome.finished
    taught = load_model(tmp_path / "taught" / "model")
    assert not torch.equal(next(taught.model.parameters()), next(start.model.parameters()))
    card = (tmp_path / "taught" / "model" / "README.md").read_text("utf-8")
    assert "beginning with the model" in card
    assert "test set (3 sentences): BLEU" in card


def test_the_learnt_and_the_general_are_mixed(
    begun: Callable[[bool], Path], domain: Path, general: Path, tmp_path: Path
) -> None:
    """As many rows of each, none of the tests; told apart at a second start."""
    held = tmp_path / "general-test.tsv"
    lines = general.read_text("utf-8").splitlines(keepends=True)
    held.write_text("".join(lines[:7]), "utf-8")
    more = {"from_": "en", "to": "de", "mix": (str(general),), "general": (str(held),)}
    config = merged(config_of(begun(False), domain, **more), SHORT)
    said: list[str] = []
    progress = Progress(quiet=True)
    progress.say = said.append  # type: ignore[method-assign]
    train(config, tmp_path / "run", progress)
    data = prepared_in(tmp_path / "run")
    assert isinstance(data.train, Joined)
    ours, others = data.train.stores
    left = len(ours) - len(others)
    assert any(f"learnt too, {left} left out because a test has them" in line for line in said)
    wanted = [line.split("\t")[0] for line in lines]
    texts = data.tokenizer.decode_target([others.source(n).tolist() for n in range(len(others))])
    assert set(texts) <= set(wanted[7:])
    assert 0 < left <= 7
    assert len(data.train) == len(ours) + len(others)
    lengths = data.train.lengths()
    for row in (0, len(ours) - 1, len(ours), len(data.train) - 1):
        assert len(data.train.source(row)) == lengths[0][row]
        assert len(data.train.target(row)) == lengths[1][row]
    assert any(f"{held} (7 sentences): BLEU" in line for line in said)
    said.clear()
    longer = merged(config, {"training": {"max_steps": 6}})
    train(longer, tmp_path / "run", progress, resume=True)
    assert "the corpus is as it was" in said[0]
    assert f"{len(data.train):,} rows" in said[0]


def test_weights_come_from_the_model_also_when_it_died_before_its_first_checkpoint(
    begun: Callable[[bool], Path], domain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = merged(config_of(begun(False), domain, from_="en", to="de"), SHORT)
    folder = tmp_path / "run"

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("heedful.train.loop.Trainer.run", dies)
        with pytest.raises(KeyboardInterrupt):
            train(config, folder, QUIET)
    train(config, folder, QUIET, resume=True)
    train(config, tmp_path / "uncut", QUIET)
    pairs = (load_model(tmp_path / name / "model").model.parameters() for name in ("run", "uncut"))
    for one, other in zip(*pairs, strict=True):
        assert torch.equal(one, other)


def test_a_model_is_not_lost_where_its_gain_cannot_be_measured(
    begun: Callable[[bool], Path], domain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model that it began with may be gone by then."""
    start = tmp_path / "start"
    shutil.copytree(begun(True), start)
    config = merged(config_of(start, domain, from_="en", to="de"), SHORT)
    show = TrainLog.show

    def removing(self: TrainLog, *given: Any) -> None:
        shutil.rmtree(start, ignore_errors=True)
        show(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainLog, "show", removing)
        train(config, tmp_path / "run", Progress(quiet=True))
    assert "what was gained is not measured" in capsys.readouterr().err
    assert load_model(tmp_path / "run" / "model").languages.both_directions


def test_a_bad_general_row_is_said_before_the_training(
    begun: Callable[[bool], Path], domain: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text("one\tzwei\nthree\n", "utf-8")
    config = merged(config_of(begun(False), domain, general=(str(bad),)), SHORT)
    with pytest.raises(DataError, match=r"bad.tsv:2: the row has 1 field"):
        train(config, tmp_path / "run", QUIET)


def test_what_is_left_out_of_a_general_set_is_told(domain: Path, tmp_path: Path) -> None:
    general = tmp_path / "general.tsv"
    general.write_text("one\tzwei\nthree\n\tvier\nfive\tsechs\n", "utf-8")
    config = DataConfig(train=str(domain), general=str(general), skip_bad=True)
    said: list[str] = []
    assert general_sets(config, said.append) == [
        (str(general), [("one", "zwei"), ("five", "sechs")])
    ]
    assert said == [
        f"{general}: 1 bad row left out, the first {general}:2: the row has 1 field, 2 are needed",
        f"{general}: 1 row with an empty side left out",
    ]


def test_a_mix_of_test_sentences_alone(
    begun: Callable[[bool], Path], domain: Path, general: Path, tmp_path: Path
) -> None:
    """White space at the ends of a sentence makes no other sentence of it."""
    spaced = tmp_path / "spaced.tsv"
    spaced.write_text(general.read_text("utf-8").replace("\t", " \t"), "utf-8")
    for more in ({"general": (str(general),)}, {"test": (str(spaced),)}):
        config = merged(config_of(begun(False), domain, mix=(str(general),), **more), SHORT)
        with pytest.raises(DataError, match=r"--mix .*pairs.tsv: no row is left to learn"):
            train(config, tmp_path / "run", QUIET)


def test_what_is_mixed_no_more_is_gone(
    begun: Callable[[bool], Path], domain: Path, general: Path, tmp_path: Path
) -> None:
    """For the other processes too, which look at the folder alone."""
    config = merged(config_of(begun(False), domain, mix=(str(general),)), SHORT)
    train(config, tmp_path / "run", QUIET)
    assert isinstance(prepared_in(tmp_path / "run").train, Joined)
    without = merged(config, {"data": {"mix": []}, "training": {"max_steps": 5}})
    train(without, tmp_path / "run", QUIET, resume=True, accept_changes=True)
    assert not isinstance(prepared_in(tmp_path / "run").train, Joined)


def test_a_unigram_model_stays_one(general: Path, domain: Path, tmp_path: Path) -> None:
    words = ["train", "--recipe", "tiny", "--data", str(general), "--out", str(tmp_path / "old")]
    words += ["--tokenizer.kind", "unigram", "--tokenizer.vocabulary-size", "280", "--quiet"]
    assert main([*words, "--training.max-steps", "1", "--device", "cpu"]) == 0
    config = config_of(tmp_path / "old", domain)
    assert (config.tokenizer.kind, config.tokenizer.shared) == ("unigram", True)
    with pytest.raises(SettingError, match=r"bpe-dropout needs --tokenizer\.kind bpe"):
        merged(config, {"training": {"bpe_dropout": 0.1}})
    named = config_of(tmp_path / "old", domain, from_="en", to="de")
    train(merged(named, SHORT), tmp_path / "new", QUIET)
    assert load_model(tmp_path / "new" / "model").languages.target == "de"


def test_additions_of_low_rank(
    begun: Callable[[bool], Path], domain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Embeddings stay; cut in the middle it is the same, and the model is a plain one."""
    config = merged(config_of(begun(False), domain, from_="en", to="de"), SHORT)
    config = merged(config, {"training": {"lora_rank": 2, "moving_average": 0.9}})
    train(config, tmp_path / "uncut", QUIET)

    update, calls = Trainer._update, []

    def dies(self: Trainer, portion: Any) -> Any:
        calls.append(portion)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return update(self, portion)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", dies)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "cut", QUIET)
    train(config, tmp_path / "cut", QUIET, resume=True)
    start, cut, uncut = (
        dict(load_model(folder / "model").model.named_parameters())
        for folder in (begun(False), tmp_path / "cut", tmp_path / "uncut")
    )
    assert set(start) == set(cut) == set(uncut)
    for name, weight in uncut.items():
        assert torch.equal(cut[name], weight)
        linear = name.startswith(("encoder.", "decoder.")) and weight.ndim == 2
        assert torch.equal(start[name], weight) == (not linear), name


@pytest.mark.parametrize(
    ("both", "words", "said"),
    [
        (False, "--from de --to en", "translates from en to de"),
        (False, "--both-directions --from en --to de", "translates from en to de"),
        (True, "", "several directions: en to de, de to en; say which languages the columns are"),
        (True, "--from fr", "translates from en to de and from de to en"),
        (False, "--model.d-model 64", "--model.d-model: the model that the training begins with"),
        (False, "--tokenizer.vocabulary-size 400", "--tokenizer: the model that the training"),
        (False, "--mix gone.tsv", "gone.tsv: no such file"),
        (False, "--general gone.tsv", "gone.tsv: no such file"),
        (False, "--training.lora-rank 4 --optimizer.kind muon", "--training.lora-rank is for"),
        (False, "--start nowhere", "nowhere: there is no such folder"),
    ],
)
def test_bad_input(
    both: bool,
    words: str,
    said: str,
    begun: Callable[[bool], Path],
    domain: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    start = [] if "--start" in words else ["--start", str(begun(both))]
    given = ["train", *start, "--data", str(domain), "--out", str(out), *words.split()]
    capsys.readouterr()
    assert main([*given, "--quiet"]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("option", ["--mix", "--general"])
def test_what_goes_with_start_alone(
    option: str, domain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", str(domain), "--out", str(tmp_path / "x"), option, str(domain)]
    assert main(words) == 2
    assert f"{option} is for a model that is taught more" in capsys.readouterr().err


def test_dropout_may_change(begun: Callable[[bool], Path]) -> None:
    found = settings_of(str(begun(False)), {"model": {"dropout": 0.4}})
    assert found["model"]["dropout"] == 0.4
    assert found["model"]["d_model"] == 32
    with pytest.raises(SettingError, match=r"model\.norm"):
        settings_of(str(begun(False)), {"model": {"norm": {"kind": "rms_norm"}}})


def test_a_script_that_the_vocabulary_does_not_know(
    begun: Callable[[bool], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is trained all the same, letter by letter, and said with the share."""
    path = tmp_path / "zh.tsv"
    path.write_text("".join(f"猫吃鱼 {n}\t因为它饿了 {n}\n" for n in range(40)), "utf-8")
    config = merged(config_of(begun(False), path, from_="en", to="de"), SHORT)
    train(config, tmp_path / "run", Progress(quiet=True))
    said = capsys.readouterr().err
    assert "% of the corpus's pieces are single bytes" in said
    data = prepared_in(tmp_path / "run")
    assert 0.5 < unspelled(data.train, data.tokenizer) < 1

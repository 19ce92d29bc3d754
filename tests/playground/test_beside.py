"""The recurrent model beside the others in the tour: which it is, and what it is asked."""

from pathlib import Path
from typing import Any

import pytest

from heedful.card import card
from heedful.errors import ModelError, SettingError
from heedful.inspect.dependence import dependence
from heedful.model_path import BESIDE, bundled, model_path
from heedful.playground.beside import load_beside
from heedful.playground.cards import _learnt
from heedful.playground.handlers import Played, Playground
from heedful.recipes.replaced import lstm
from heedful.serve.limits import ServerLimits
from heedful.serve.refusal import RefusalError
from heedful.train.loop import Outcome, TrainState
from heedful.translator import Translator, load
from tests.playground.playing import CAT, playing, random_model, save_lstm
from tests.playground.playing import bundled as everyday
from tests.serve.serving import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_lstm(tmp_path_factory.mktemp("beside") / "lstm")


def play(folder: Path, own: Translator | None = None) -> Playground:
    beside = load_beside(str(folder), {"everyday": "everyday"}, "cpu")
    assert beside is not None
    own = own or everyday()
    other = Played(*beside, beside[1].folder)
    return Playground([Played("everyday", own, own.folder)], ServerLimits(), beside=other)


def test_it_is_listed_apart(folder: Path) -> None:
    listed = play(folder).listed()
    assert [one["name"] for one in listed["models"]] == ["everyday"]
    beside = listed["beside"]
    assert (beside["name"], beside["ways"]) == ("lstm", [["en", "de"], ["de", "en"]])
    assert (beside["card"]["cell"], beside["card"]["direction"]) == ("lstm", "backward")
    assert beside["card"]["learnt"] is None
    own = everyday()
    alone = Playground([Played("everyday", own, own.folder)], ServerLimits())
    assert alone.listed() == listed | {"beside": None}


@pytest.mark.parametrize("name", ["everyday", "lstm"])
def test_both_are_asked_the_same(folder: Path, name: str) -> None:
    playground = play(folder)
    found = playground.ask("dependence", {"text": CAT, "to": "de", "from": "en", "model": name})
    wanted = dependence(playground.models[name].by, CAT, to="de")  # type: ignore[arg-type]
    assert found == {
        "translation": wanted.translation,
        "ended": wanted.ended,
        "words": wanted.source.words,
        "lost": pytest.approx(wanted.lost.tolist()),
        "shares": pytest.approx(wanted.shares.tolist()),
        "handed": wanted.handed,
        "steps": {"reading": wanted.reading, "writing": wanted.writing},
    }
    assert wanted.reading == (1 if name == "everyday" else len(wanted.source.ids))


def test_over_http_in_its_own_thread(folder: Path) -> None:
    async def scenario() -> None:
        async with playing(play(folder, random_model())) as client:
            asked: dict[str, Any] = {"text": CAT, "to": "de"}
            for model in ("everyday", "lstm"):
                answer = await client.post("/api/dependence", asked | {"model": model})
                assert answer.status == 200
                assert len(answer.json["shares"]) == len(answer.json["words"])
            for more, status, said in (
                ({"to": "zh", "model": "lstm"}, 400, 'the model knows no language "zh"'),
                ({"model": "none"}, 404, 'there is no model "none" here; known: everyday, lstm'),
                ({"text": "the " * 140, "model": "lstm"}, 413, "142 pieces are more than the 128"),
                ({"text": "a" * 9000}, 413, "characters of the text: 9,000"),
                ({"text": " "}, 400, "there is nothing to look at"),
                ({"beam": 2}, 422, "the body: extra inputs"),
            ):
                answer = await client.post("/api/dependence", asked | more)
                assert answer.status == status
                assert answer.json["error"].startswith(said)

    run(scenario)


def test_which_one_it_is(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled one stands beside the bundled model; what is asked for beside any."""
    package = tmp_path / "pretrained"
    package.mkdir()
    monkeypatch.setattr("heedful.pretrained.__file__", str(package / "__init__.py"))
    given = {"everyday": "everyday"}
    assert load_beside(None, given, "cpu") is None
    save_lstm(package / BESIDE)
    found = load_beside(None, given, "cpu")
    assert found is not None
    assert (found[0], found[1].folder) == (BESIDE, package / BESIDE)
    assert load_beside(None, {"mine": "runs/mine"}, "cpu") is None
    found = load_beside(str(folder), {"mine": "runs/mine"}, "cpu")
    assert found is not None
    assert found[0] == "lstm"


def test_what_cannot_stand_there(folder: Path, tmp_path: Path) -> None:
    given = {"everyday": "everyday"}
    with pytest.raises(ModelError, match="there is no such folder"):
        load_beside(str(tmp_path / "none"), given, "cpu")
    with pytest.raises(ModelError, match="no model is in this folder"):
        load_beside(str(tmp_path), given, "cpu")
    with pytest.raises(ModelError, match="a recurrent model without attention here, and this is"):
        load_beside("everyday", given, "cpu")
    other = save_lstm(tmp_path / "everyday")
    with pytest.raises(SettingError, match="another model is called everyday, too; copy"):
        load_beside(str(other), given, "cpu")


def test_one_that_is_played_too_is_one_model(folder: Path) -> None:
    beside = load_beside(str(folder), {"lstm": str(folder)}, "cpu")
    assert beside is not None
    own = Played("lstm", random_model())
    playground = Playground([own], ServerLimits(), beside=Played(*beside))
    assert playground.models == {"lstm": own}


def test_who_writes_is_not_asked(folder: Path, tmp_path: Path) -> None:
    from heedful.interop.huggingface import load as load_gpt2
    from tests.interop.folders import GPT2, make_folder

    made = make_folder(tmp_path / "tiny", GPT2)
    playground = Playground([Played("tiny", load_gpt2(made))], ServerLimits())
    with pytest.raises(RefusalError, match="goes on with texts, and translates none"):
        playground.ask("dependence", {"text": "a"})
    with pytest.raises(ModelError, match="this model does not translate"):
        load_beside(str(made), {}, "cpu")


def test_what_cards_tell_of_the_training() -> None:
    config = lstm()
    data = {"train": ("data/tatoeba_en_de/train.tsv", "de=more.tsv")}
    config = config.model_copy(update={"data": config.data.model_copy(update=data)})
    state = TrainState(step=12_000, target_tokens=98_765_432, seconds=3600)
    told = card(config, state, Outcome(True, 12_000, "it was time"), "the last", None)
    assert _learnt(told) == {
        "steps": 12_000,
        "pieces": 98_765_432,
        "data": ["tatoeba_en_de/train.tsv", "de=more.tsv"],
    }
    readme = (model_path("everyday") / "README.md").read_text("utf-8")
    found = _learnt(readme)
    assert found is not None
    assert (found["steps"], found["pieces"]) == (5_582, 63_000_000)
    assert found["data"][0] == "Tatoeba English-German, everyday sentences"
    assert len(found["data"]) == 4
    assert _learnt("") is None
    assert _learnt(f"{'9' * 400} steps, {'9' * 400} pieces") is None


@pytest.mark.skipif(BESIDE not in bundled(), reason="the package has no recurrent model")
def test_the_bundled_one() -> None:
    folder = model_path(BESIDE)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 3_000_000
    beside = load_beside(None, {"everyday": "everyday"}, "cpu")
    assert beside is not None
    assert Played(*beside, folder).card["card"]["learnt"]["steps"] > 0
    for text, to in (("Good morning!", "de"), ("Guten Morgen!", "en")):
        found = dependence(load(BESIDE), text, to=to)
        assert found.ended
        assert found.translation

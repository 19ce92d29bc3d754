"""Every setting of a run is reached by its path on the command line, and checked there."""

import json
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from heedful.cli import main
from heedful.config import RunConfig, merged, read_config
from heedful.errors import SettingError
from heedful.recipes import RECIPES, recipe
from heedful.run import RunResult
from heedful.settings import Settings
from heedful.train.loop import Outcome


def members(annotation: Any) -> list[type[Settings]]:
    """Return the settings classes that a field may hold."""
    parts = [annotation, *typing.get_args(annotation)]
    return [part for part in parts if isinstance(part, type) and issubclass(part, Settings)]


def walk(
    settings: type[Settings], path: tuple[str, ...] = (), kinds: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], type[Settings]]]:
    """Yield (path, words that choose the kinds on it, class) of every group of settings."""
    yield path, kinds, settings
    for name, field in settings.model_fields.items():
        found = members(field.annotation)
        for member in found:
            choice = kinds
            if "kind" in member.model_fields:
                kind = member.model_fields["kind"].default
                choice = (*kinds, option((*path, name, "kind")), kind)
            yield from walk(member, (*path, name), choice)


def option(path: tuple[str, ...]) -> str:
    return "--" + ".".join(path).replace("_", "-")


GROUPS = list(walk(RunConfig))
LEAVES = [
    pytest.param((*path, name), kinds, group, id=" ".join([option((*path, name)), *kinds[1::2]]))
    for path, kinds, group in GROUPS
    for name, field in group.model_fields.items()
    if name != "kind" and not members(field.annotation) and path
]
KINDS = [
    pytest.param(path, kinds, group, id=f"{option(path)} {kinds[-1]}")
    for path, kinds, group in GROUPS
    if "kind" in group.model_fields
]
STARTING = ["--start", "everyday", "--from", "en", "--to", "de"]
TAUGHT = ["--teacher", "everyday", "--dev", "d.tsv", "--test", "t.tsv"]
NEEDED: dict[str, list[str]] = {
    "--tokenizer.vocabulary-size": ["--tokenizer.exact", "true"],
    "--data.both-directions": ["--from", "en", "--to", "de"],
    "--tokenizer.shared": ["--model.embedding.kind", "untied"],
    "--tokenizer.target-vocabulary-size": [
        *("--model.embedding.kind", "untied", "--tokenizer.shared", "false")
    ],
    "--model.alignment-layer": ["--objective.guided-alignment", "0.05"],
    "--data.mix": STARTING,
    "--data.general": STARTING,
    "--training.lora-rank": STARTING,
    "--data.teacher": [*TAUGHT, "--distil"],
    "--data.distil": [*TAUGHT, "--source-texts", "a.txt"],
    "--data.source-texts": [*TAUGHT, "--distil"],
    "--data.target-texts": [*TAUGHT, "--distil"],
}
"""What a setting cannot do without, or brings along."""


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunConfig]:
    """Return what gives the settings that `heed train` would start with."""
    taken: list[RunConfig] = []

    def note(config: RunConfig, folder: Path, *_: Any, **__: Any) -> RunResult:
        taken.append(config)
        return RunResult(Outcome(True, 1, "noted"), folder, None)

    monkeypatch.setattr("heedful.run.train", note)

    def run(*words: str) -> RunConfig:
        fixed = ["train", "--recipe", "tiny", "--data", "a.tsv", "--out", str(tmp_path / "run")]
        assert main([*fixed, *words]) == 0
        return taken.pop()

    return run


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one sentence by which `heed train` refuses these words."""
    fixed = ["train", "--recipe", "tiny", "--data", "a.tsv", "--out", "nowhere/run"]
    assert main([*fixed, *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("heed: ")
    assert err.count("\n") == 1
    assert not Path("nowhere").exists()
    return err.removeprefix("heed: ").rstrip("\n")


def at(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def candidates(annotation: Any, value: Any) -> Iterator[Any]:
    """Yield other values that a setting of this type might take."""
    for part in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(part) is Literal:
            yield from (choice for choice in typing.get_args(part) if choice != value)
        elif part is bool:
            yield not value
        elif part is int:
            yield from (
                2 * (value or 2),
                (value or 2) // 2,
                (value or 2) + 1,
                (value or 2) + 2,
                300,
            )
        elif part is float:
            yield from ((value or 1.0) / 2, (value or 1.0) * 2)
        elif part is str:
            yield "xx"
        elif typing.get_origin(part) is tuple:
            yield [1, 2] if int in typing.get_args(part) else ["1", "2"]


def changed(run: Callable[..., RunConfig], before: RunConfig, path: Any, words: list[str]) -> Any:
    """Return a value that the setting takes from the command line, and check that it does."""
    holder = type(at(before, path[:-1])).model_fields[path[-1]].annotation
    for value in candidates(holder, at(before, path)):
        try:
            after = run(*words, option(path), value if value == "xx" else json.dumps(value))
        except AssertionError:
            continue
        wanted = tuple(value) if isinstance(value, list) else value
        assert at(after, path) == wanted != at(before, path)
        return after
    return pytest.fail(f"{option(path)} takes no other value")


@pytest.mark.parametrize(("path", "kinds", "group"), LEAVES)
def test_every_setting_is_reached_by_its_path(
    path: tuple[str, ...],
    kinds: tuple[str, ...],
    group: type[Settings],
    chosen: Callable[..., RunConfig],
) -> None:
    """It changes, and nothing else does; its own value, written out, changes nothing."""
    words = [*kinds, *NEEDED.get(option(path), [])]
    before = chosen(*words)
    assert type(at(before, path[:-1])) is group
    after = changed(chosen, before, path, words)
    back = json.dumps(at(before, path))
    assert merged(after, nested(path, at(before, path))) == before
    assert chosen(*words, option(path), back) == before


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize(("path", "kinds", "group"), KINDS)
def test_every_kind_is_switched(
    path: tuple[str, ...],
    kinds: tuple[str, ...],
    group: type[Settings],
    chosen: Callable[..., RunConfig],
) -> None:
    """A new kind begins with its own defaults; the kind that is there already keeps what is set."""
    config = chosen(*kinds)
    assert type(at(config, path)) is group
    standing, own = at(chosen(*kinds[:-2]), path), group()
    if "convolutional" in kinds and path[-1] == "embedding":  # scaled only where that is asked
        own = own.model_copy(update={"scaled": False})
    assert at(config, path) == (standing if type(standing) is group else own)
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


def test_all_families_are_there() -> None:
    """So that the tests above cannot run out of kinds without a word."""
    families = {option(param.values[0]) for param in KINDS}
    assert families >= {
        "--tokenizer",
        "--objective",
        "--optimizer",
        "--schedule",
        "--search",
        "--model",
        "--model.attention",
        "--model.position",
        "--model.feed-forward",
        "--model.norm",
        "--model.residual",
        "--model.embedding",
    }
    assert len(KINDS) >= 24
    assert len(LEAVES) >= 60


@pytest.mark.parametrize(("path", "kinds", "group"), LEAVES)
def test_did_you_mean(
    path: tuple[str, ...],
    kinds: tuple[str, ...],
    group: type[Settings],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At every depth the option is named as it was typed, with the nearest one known."""
    name = path[-1].replace("_", "-")
    typed = option((*path[:-1], path[-1] + "x"))
    said = refused(capsys, *kinds, typed, "1")
    assert said == f'{typed}: there is no such setting; did you mean "{name}"?'


@pytest.mark.parametrize(("path", "kinds", "group"), KINDS)
def test_did_you_mean_this_kind(
    path: tuple[str, ...],
    kinds: tuple[str, ...],
    group: type[Settings],
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = refused(capsys, *kinds[:-1], kinds[-1] + "y")
    assert said.startswith(f"{option(path)}.kind: ")
    assert kinds[-1] in said.replace(f'"{kinds[-1]}y"', "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--trainin.max-steps 5", '--trainin: there is no such setting; did you mean "training"?'),
        ("--model.position.theta 5", "--model.position.theta: there is no such setting; known: "),
        ("--model.position rotary", "by its own path, such as --model.position.kind"),
        ("--model.d-model.kind x", "--model.d-model"),
        ("--training 5", "unknown option --training"),
        ("--d-model 256", "unknown option --d-model"),
        ("--.seed 3", "there is no such setting"),
        ("--model. 3", "there is no such setting"),
        ("--training.max-steps many", "--training.max-steps: input should be a valid integer"),
        ("--training.max-steps 1.5", "--training.max-steps: input should be a valid integer"),
        ("--training.max-steps 0", "--training.max-steps: input should be greater than or equal"),
        ("--training.max-steps -5", "but was given -5"),
        ("--training.max-steps null", "--training.max-steps: input should be a valid integer"),
        ("--training.max-steps [1]", "but was given [1]"),
        ('--training.max-steps {"a":1}', "--training.max-steps: input should be a valid integer"),
        ("--training.clip-norm NaN", "--training.clip-norm: input should be a finite number"),
        ("--training.clip-norm Infinity", "--training.clip-norm: input should be a finite number"),
        ("--training.precision fp16", "--training.precision: input should be"),
        ("--model.dropout 1", "--model.dropout: input should be less than 1"),
        ("--model.dropout high", "--model.dropout: input should be a valid number"),
        ("--model.d-model 99999999999", "--model.d-model: input should be less than or equal"),
        ("--tokenizer.shared perhaps", "--tokenizer.shared: input should be a valid boolean"),
        ("--tokenizer.vocabulary-size 100", "--tokenizer.vocabulary-size: "),
        ("--device gpu", "--device: input should be 'auto', 'cpu' or 'cuda', but was given"),
        ("--seed -1", "--seed: input should be greater than or equal to 0"),
        ("--seed x", '--seed: "x" is not a whole number'),
        ("--training.max-steps", "--training.max-steps: needs a value"),
    ],
)  # fmt: skip
def test_wrong_words(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused(capsys, *words.split())


NUMBERS = [
    pytest.param(path, kinds, id=" ".join([option(path), *kinds[1::2]]))
    for (path, kinds, group) in (param.values for param in LEAVES)
    for annotation in [group.model_fields[path[-1]].annotation]  # type: ignore[attr-defined]
    if {int, float} & {annotation, *typing.get_args(annotation)}
    and typing.get_origin(annotation) is not tuple
]


@pytest.mark.parametrize("word", ["true", "false"])
@pytest.mark.parametrize(("path", "kinds"), NUMBERS)
def test_truth_is_no_number(
    path: tuple[str, ...], kinds: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's True is 1, but nobody means it so."""
    said = refused(capsys, *kinds, option(path), word)
    assert said.startswith(f"{option(path)}: ")
    assert said.endswith(f', but was given "{word}"')


def test_numbers_as_they_are_written(chosen: Callable[..., RunConfig], tmp_path: Path) -> None:
    """With quotes or without, on the command line and in the file; truth only where it is asked."""
    assert chosen("--training.max-steps", '"12"').training.max_steps == 12
    config = chosen("--training.max-steps", "12", "--training.compile", "false")
    assert (config.training.max_steps, config.training.compile) == (12, False)
    path = tmp_path / "config.json"
    for number in ('"12"', "12", "12.0"):
        path.write_text('{"training": {"max_steps": ' + number + "}}", "utf-8")
        assert read_config(path).training.max_steps == 12
    path.write_text('{"training": {"max_steps": true}}', "utf-8")
    with pytest.raises(SettingError, match=r'json: --training.max-steps: input .* given "true"'):
        read_config(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--model.d-model 30", "--model: d_model 30 is not divisible by n_heads 4"),
        ("--model.n-heads 3", "--model: d_model 128 is not divisible by n_heads 3"),
        (
            "--model.attention.kind grouped_query --model.attention.n-kv-heads 3",
            "--model: n_heads 4 is not divisible by n_kv_heads 3",
        ),
        (
            "--model.position.kind rotary --model.d-model 12",
            "--model: rotary positions need an even d_model / n_heads",
        ),
        ("--training.batch-tokens 100", "--training: batch_tokens 100 is smaller than max_pieces"),
        ("--model.max-length 100", "--training.max-pieces 256 is more than the --model.max-length"),
        ("--tokenizer.shared false", "--tokenizer.shared false needs --model.embedding.kind"),
        ("--both-directions", "--both-directions needs two languages: give --from en --to de"),
        ("--both-directions --from en", "--both-directions needs two languages"),
        ("--both-directions --from en --to en", "--both-directions needs two languages"),
        ("--data.both-directions true", "--both-directions needs two languages"),
        (
            "--both-directions --from en --to de --tokenizer.shared false "
            "--model.embedding.kind untied",
            "--data.both-directions needs --tokenizer.shared true",
        ),
        ("--search.n-best 9", "--search: n_best 9 is more than beam_size 4"),
    ],
)
def test_impossible_combinations(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, *words.split()).startswith(said)


def test_fixed_options_and_paths_agree(chosen: Callable[..., RunConfig]) -> None:
    """What has an option of its own is also reached by path; the path wins."""
    short = (
        "--dev d.tsv --test t.tsv --from en --to de --both-directions --columns 2,1 --skip-bad "
        "--seed 7 --device cpu"
    )
    long = (
        "--data.dev d.tsv --data.test t.tsv --data.source-language en --data.target-language de "
        "--data.both-directions true --data.columns 2,1 --data.skip-bad true --seed 7 --device cpu"
    )
    found = chosen(*short.split())
    assert chosen(*long.split()) == found
    assert (found.data.train, found.data.columns) == (("a.tsv",), ("2", "1"))
    assert chosen("--from", "en", "--data.source-language", "no").data.source_language == "no"
    assert chosen("--data.train", '["x.tsv", "y.tsv"]').data.train == ("x.tsv", "y.tsv")


def test_nothing_asked_is_the_recipe(chosen: Callable[..., RunConfig]) -> None:
    assert chosen() == merged(recipe("tiny"), {"data": {"train": ["a.tsv"]}})


def test_the_issues_line(chosen: Callable[..., RunConfig]) -> None:
    words = "--seed 7 --training.max-steps 120 --training.save-every 10 --model.d-model 256"
    config = chosen(*words.split())
    found = (config.seed, config.training.max_steps, config.training.save_every)
    assert (*found, config.model.d_model, config.recipe) == (7, 120, 10, 256, "tiny")


@pytest.mark.parametrize("name", RECIPES)
def test_json_there_and_back(name: str, tmp_path: Path) -> None:
    config = recipe(name)
    path = tmp_path / "config.json"
    path.write_text(config.model_dump_json(indent=2), "utf-8")
    assert read_config(path) == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "config.json: the run's settings cannot be read"),
        ("{", "config.json: the run's settings cannot be read"),
        ("[" * 100_000, "config.json: the run's settings cannot be read"),
        ("[]", "config.json"),
        ('{"training": {"max_step": 5}}', 'did you mean "max-steps"?'),
        ('{"training": {"max_steps": "x"}}', "--training.max-steps: input should be"),
        ('{"optimizer": {"beta1": 0.9}}', "--optimizer: this is a group of settings"),
        ('{"model": 5}', "--model: this is a group of settings"),
    ],
)
def test_broken_config_file(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingError) as caught:
        read_config(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_config_file(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="there is no run to resume; leave out --resume"):
        read_config(tmp_path / "config.json")


def test_settings_are_frozen() -> None:
    config = RunConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.model.d_model = 3  # type: ignore[misc]


def test_merging_leaves_the_recipe_alone() -> None:
    config = recipe("small")
    before = config.model_dump_json()
    after = merged(config, {"model": {"position": {"kind": "alibi"}}, "seed": 9})
    assert config.model_dump_json() == before
    assert after.model.d_model == config.model.d_model
    assert isinstance(merged(config, types.MappingProxyType({})), RunConfig)  # type: ignore[arg-type]

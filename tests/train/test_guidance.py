"""What attention is taught is what the formula says of the lexicon, and it is learnt."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.config import RunConfig, merged
from heedful.data.lexicon import learn
from heedful.decode.alignment import word_links
from heedful.errors import SettingError
from heedful.model_folder import load_model
from heedful.progress import Progress
from heedful.recipes import tiny
from heedful.run import train
from heedful.text.spans import spaced_words
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.train import guidance
from heedful.train.guidance import Guide

PAIRS = [("the cat sees the dog", "die Katze sieht den Hund"), ("a cat", "eine Katze")] * 5
END = 2


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=280), ["de"])


pieces = st.lists(st.integers(5, 9), max_size=6)
rows = st.lists(st.tuples(pieces, pieces), min_size=1, max_size=4)


def padded(sentences: list[list[int]]) -> np.ndarray:
    array = np.zeros((len(sentences), max(map(len, sentences))), np.int64)
    for row, ids in zip(array, sentences, strict=True):
        row[: len(ids)] = ids
    return array


@given(rows=rows)
def test_the_probabilities_are_those_of_the_formula(
    tokenizer: Tokenizer, rows: list[tuple[list[int], list[int]]]
) -> None:
    """Written out for one sentence and one piece after another; 4 is the language tag."""
    sources, targets = [[4, *s, END] for s, _ in rows], [[*t, END] for _, t in rows]
    corpus = [(s, t[:-1]) for s, t in zip(sources, targets, strict=True)]
    found = Guide.learn(corpus, tokenizer)(padded(sources), padded(targets))
    assert found.dtype == np.float32
    sizes = (tokenizer.source_size, tokenizer.target_size)
    lexicon = learn(corpus, sizes, iterations=guidance.ITERATIONS, least=guidance.LEAST)
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        expected = np.zeros(found.shape[1:])
        for j, t in enumerate(target):
            near = [
                math.exp(-guidance.TENSION * abs(i / len(source) - j / len(target)))
                if s >= 5
                else 0.0
                for i, s in enumerate(source)
            ]
            for i, s in enumerate(source):
                prior = (1 - guidance.EMPTY) * near[i] / max(sum(near), 1e-9)
                prior = guidance.EMPTY if s == END else prior
                known = dict(zip(*(side.tolist() for side in lexicon.of(s)), strict=True))
                expected[j, i] = prior * known.get(t, guidance.UNKNOWN)
            if t == END:
                expected[j] = 0
                expected[j, len(source) - 1] = 1
            expected[j] /= expected[j].sum()
        np.testing.assert_allclose(found[number], expected, atol=1e-5)


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    """Return a task in which every word is translated and their order turned round."""
    random = np.random.default_rng(0)
    lines = []
    for _ in range(600):
        words = random.choice(20, random.integers(2, 8), replace=False)
        source = " ".join(f"{chr(97 + word)}o" for word in words)
        lines.append(source + "\t" + " ".join(f"{chr(97 + word)}U" for word in words[::-1]) + "\n")
    (tmp_path / "turned.tsv").write_text("".join(lines))
    changes = {
        "data": {"train": [str(tmp_path / "turned.tsv")]},
        "device": "cpu",
        "tokenizer": {"vocabulary_size": 310},
        "model": {"d_model": 64, "d_ff": 64, "n_heads": 2, "max_length": 64, "dropout": 0.0},
        "objective": {"guided_alignment": 0.05},
        "schedule": {"warmup_steps": 100},
        "training": {
            "max_steps": 4,
            "batch_tokens": 600,
            "max_pieces": 64,
            "precision": "float32",
            "bleu_sentences": 0,
            "validate_every": 100,
            "save_every": 2,
            "shards": 1,
        },
    }
    return merged(tiny(), changes)


def test_a_run_says_in_its_model_which_layer_it_taught(config: RunConfig, tmp_path: Path) -> None:
    result = train(config, tmp_path / "run", Progress(quiet=True))
    assert load_model(result.model).model.config.alignment_layer == 1
    three = merged(config, {"model": {"decoder_layers": 3}})
    result = train(three, tmp_path / "three", Progress(quiet=True))
    assert load_model(result.model).model.config.alignment_layer == 1
    chosen = merged(config, {"model": {"alignment_layer": 0}})
    result = train(chosen, tmp_path / "chosen", Progress(quiet=True))
    assert load_model(result.model).model.config.alignment_layer == 0


def test_a_run_goes_on_to_the_same_weights(config: RunConfig, tmp_path: Path) -> None:
    whole = train(config, tmp_path / "whole", Progress(quiet=True))
    half = merged(config, {"training": {"max_steps": 2}})
    train(half, tmp_path / "halves", Progress(quiet=True))
    rest = merged(half, {"training": {"max_steps": 4}, "model": {"alignment_layer": 1}})
    again = train(rest, tmp_path / "halves", Progress(quiet=True), resume=True)
    expected = load_model(whole.model).model.state_dict()
    for name, weight in load_model(again.model).model.state_dict().items():
        assert torch.equal(weight, expected[name]), name


def test_settings_that_do_not_fit(config: RunConfig) -> None:
    with pytest.raises(SettingError, match="layer learns nothing without --obj"):
        merged(config, {"objective": {"guided_alignment": 0}, "model": {"alignment_layer": 0}})
    with pytest.raises(SettingError, match="alignment_layer 2 is beyond the last decoder layer, 1"):
        merged(config, {"model": {"alignment_layer": 2}})


def test_without_numba_it_is_refused(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heedful.run_translation.available", lambda: False)
    with pytest.raises(SettingError, match=r"--objective\.guided-alignment: it needs numba"):
        train(config, tmp_path / "run", Progress(quiet=True))


def error_rate(model_folder: Path, corpus: Path) -> float:
    """Return the alignment error rate (Och and Ney 2003, section 6) of the first 200 pairs."""
    loaded = load_model(model_folder)
    pairs = [tuple(line.split("\t")) for line in corpus.read_text().splitlines()[:200]]
    found = word_links(loaded.model, loaded.tokenizer, pairs, split=spaced_words)
    true = right = said = 0
    for (source, _), links in zip(pairs, found, strict=True):
        last = len(source.split()) - 1
        right += sum(link.source == last - link.target for link in links)
        true, said = true + last + 1, said + len(links)
    return 1 - 2 * right / (true + said)


@pytest.mark.slow
def test_a_guided_model_aligns_before_another_does(config: RunConfig, tmp_path: Path) -> None:
    """On a task so plain, one without guidance does so too in the end: 2 % after 400 steps."""
    rates = {}
    for weight in (1.0, 0.0):
        changes = {
            "objective": {"guided_alignment": weight},
            "training": {"max_steps": 250, "save_every": 250, "validate_every": 250},
        }
        result = train(merged(config, changes), tmp_path / f"{weight}", Progress(quiet=True))
        rates[weight] = error_rate(result.model, tmp_path / "turned.tsv")
    assert rates[1.0] < 0.03
    assert rates[0.0] > 0.06

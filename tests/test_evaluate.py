"""Scores, intervals and p-values against sacreBLEU's own, and against brute force."""

import itertools
import json
import random
import subprocess
import sys

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.significance import PairedTest, _bootstrap_resample, estimate_ci

from heedful import resampling
from heedful.errors import DataError
from heedful.evaluate import Scores, compare, score, tokenizer_for

WORDS = ["the", "a", "dog", "cat", "sees", "Tom", "runs,", "in", ".", "!", "straße", "猫", "1998"]

sentence = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
corpus = st.lists(st.tuples(sentence, sentence), min_size=1, max_size=8)


def corpus_of(seed: int, n: int, noise: float) -> tuple[list[str], list[str]]:
    """Random references, and hypotheses with some words changed."""
    chance = random.Random(seed)
    references = [" ".join(chance.choices(WORDS, k=chance.randint(3, 15))) for _ in range(n)]
    hypotheses = [
        " ".join(w if chance.random() > noise else chance.choice(WORDS) for w in line.split())
        for line in references
    ]
    return hypotheses, references


@given(corpus)
@settings(max_examples=60, deadline=None)
def test_values_are_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = [list(side) for side in zip(*pairs, strict=True)]
    ours = score(hypotheses, references, resamples=0)
    theirs = sacrebleu.corpus_bleu(hypotheses, [references])
    lower = sacrebleu.corpus_bleu(hypotheses, [references], lowercase=True)
    assert ours.bleu.value == pytest.approx(theirs.score, abs=1e-9)
    assert ours.bleu_lower.value == pytest.approx(lower.score, abs=1e-9)
    assert ours.chrf.value == pytest.approx(
        sacrebleu.corpus_chrf(hypotheses, [references]).score, abs=1e-9
    )


@pytest.mark.parametrize(("language", "tokenize"), [("de", "13a"), ("zh_CN", "zh"), ("ja", "char")])
def test_target_language_chooses_the_tokenizer(language: str, tokenize: str) -> None:
    hypotheses, references = (
        ["猫が魚を食べる。", "我看见一只黑猫"],
        ["猫が魚を食べた。", "我看见两只黑猫"],
    )
    ours = score(hypotheses, references, language=language, resamples=0)
    theirs = sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenize)
    assert tokenizer_for(language) == tokenize
    assert ours.bleu.value == pytest.approx(theirs.score)
    assert f"tok:{tokenize}|" in ours.bleu.signature
    assert tokenize in ours.bleu_lower.name
    assert "lower-cased, tokenised" in ours.bleu_lower.name
    assert "case:lc" in ours.bleu_lower.signature


@pytest.mark.parametrize("tokenize", ["none", "char", "intl"])
def test_another_tokenizer_may_be_asked_for(
    tokenize: str, caplog: pytest.LogCaptureFixture
) -> None:
    """sacreBLEU warns of a hundred lines that end in " .": not where that is what was meant."""
    hypotheses = ["ein Hund 's Ball , rot ."] * 120
    references = ["der Hund 's Ball, rot ."] * 120
    ours = score(hypotheses, references, language="de", tokenize=tokenize, resamples=0)
    theirs = sacrebleu.corpus_bleu(hypotheses, [references], tokenize=tokenize, force=True)
    assert ours.bleu.value == pytest.approx(theirs.score)
    assert f"tok:{tokenize}|" in ours.bleu.signature
    paired = compare(references, hypotheses, references, tokenize=tokenize, resamples=2, trials=2)
    assert paired.bleu.a.value == pytest.approx(theirs.score)
    assert bool(caplog.records) == (tokenize != "none")


@pytest.mark.parametrize("metric", [sacrebleu.BLEU(), sacrebleu.CHRF()], ids=["bleu", "chrf"])
def test_interval_is_sacrebleus(metric: sacrebleu.BLEU | sacrebleu.CHRF) -> None:
    hypotheses, references = corpus_of(1, 150, 0.3)
    ours = score(hypotheses, references, resamples=200)
    mine = ours.bleu if isinstance(metric, sacrebleu.BLEU) else ours.chrf
    stats = metric._extract_corpus_statistics(hypotheses, [references])
    seed, samples = _bootstrap_resample(stats, metric, 200)
    _, half_width = estimate_ci(np.array([sample.score for sample in samples]))
    assert mine.low is not None
    assert mine.high is not None
    assert (mine.high - mine.low) / 2 == pytest.approx(half_width, abs=1e-4)
    assert mine.low < mine.value < mine.high
    metric.corpus_score(hypotheses, [references], n_bootstrap=200)
    assert mine.signature == str(metric.get_signature())
    assert f"seed:{seed}" in mine.signature


@pytest.mark.parametrize(("kind", "samples"), [("bs", 300), ("ar", 500)])
@pytest.mark.parametrize("noise", [0.3, 0.33, 0.4])
def test_p_values_are_sacrebleus(kind: str, samples: int, noise: float) -> None:
    a, references = corpus_of(2, 120, 0.3)
    b, _ = corpus_of(2, 120, noise)
    b[::7] = a[::7]
    metrics = {"bleu": sacrebleu.BLEU(), "chrf": sacrebleu.CHRF()}
    _, theirs = PairedTest([("a", a), ("b", b)], metrics, [references], kind, samples)()
    ours = compare(references, a, b, resamples=300, trials=500)
    for mine, name in ((ours.bleu, "BLEU"), (ours.chrf, "chrF2")):
        p = mine.p_bootstrap if kind == "bs" else mine.p_randomisation
        if mine.difference:
            assert p == pytest.approx(theirs[name][1].p_value)
        assert mine.b.value == pytest.approx(theirs[name][1].score)


def test_randomisation_nears_the_exact_test() -> None:
    """All 2^10 ways to swap the sentences of two systems, counted one by one."""
    a, references = corpus_of(3, 10, 0.3)
    b, _ = corpus_of(4, 10, 0.5)
    b = [(line + " " + extra) for line, extra in zip(a, b, strict=True)]

    def difference(swap: tuple[bool, ...]) -> float:
        one = [y if s else x for x, y, s in zip(a, b, swap, strict=True)]
        two = [x if s else y for x, y, s in zip(a, b, swap, strict=True)]
        scores = [sacrebleu.corpus_chrf(side, [references]).score for side in (one, two)]
        return abs(scores[0] - scores[1])

    swaps = list(itertools.product([False, True], repeat=10))
    observed = difference(swaps[0])
    exact = sum(difference(swap) >= observed - 1e-9 for swap in swaps) / len(swaps)
    found = compare(references, a, b, trials=20_000, resamples=10).chrf.p_randomisation
    assert found == pytest.approx(exact, abs=5 * (exact * (1 - exact) / 20_000) ** 0.5 + 1e-4)


def test_a_system_does_not_differ_from_itself() -> None:
    a, references = corpus_of(5, 40, 0.3)
    result = compare(references, a, a, resamples=100, trials=100)
    assert result.bleu.difference == 0
    assert (result.bleu.low, result.bleu.high) == (0, 0)
    assert result.bleu.p_bootstrap == result.bleu.p_randomisation == 1


def test_sides_exchanged_is_the_difference_negated() -> None:
    a, references = corpus_of(6, 60, 0.3)
    b, _ = corpus_of(6, 60, 0.6)
    one = compare(references, a, b, resamples=200, trials=200)
    two = compare(references, b, a, resamples=200, trials=200)
    assert one.chrf.difference == pytest.approx(-two.chrf.difference)
    assert (one.chrf.low, one.chrf.high) == pytest.approx((-two.chrf.high, -two.chrf.low))
    assert one.chrf.p_randomisation == two.chrf.p_randomisation


@pytest.mark.parametrize("show", [0, 3, 100])
def test_the_sentences_that_changed_most(show: int) -> None:
    """By sacreBLEU's chrF of each sentence, one by one."""
    a, references = corpus_of(9, 40, 0.3)
    b, _ = corpus_of(10, 40, 0.3)
    b[::5] = a[::5]
    found = compare(references, a, b, resamples=5, trials=5, show=show).changed
    scores = [
        [sacrebleu.sentence_chrf(line, [reference]).score for line in (x, y)]
        for x, y, reference in zip(a, b, references, strict=True)
    ]
    for one in found:
        assert [one.a, one.b] == pytest.approx(scores[one.row])
    gains = [one.difference for one in found if one.difference > 0]
    losses = [one.difference for one in found if one.difference < 0]
    wanted = sorted(y - x for x, y in scores)
    assert gains == pytest.approx([d for d in wanted[::-1] if d > 1e-9][:show])
    assert losses[::-1] == pytest.approx([d for d in wanted if d < -1e-9][:show])
    assert len({one.row for one in found}) == len(found) == len(gains + losses)


def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hypotheses, references = corpus_of(7, 30, 0.3)
    whole = score(hypotheses, references, resamples=100)
    monkeypatch.setattr(resampling, "DRAWS_AT_ONCE", 30 * 7)
    assert score(hypotheses, references, resamples=100) == whole


def test_the_seed_decides() -> None:
    hypotheses, references = corpus_of(8, 50, 0.4)
    assert score(hypotheses, references, seed=1) == score(hypotheses, references, seed=1)
    other = score(hypotheses, references, seed=2)
    assert score(hypotheses, references, seed=1).chrf.low != other.chrf.low


def test_scores_as_json() -> None:
    scores: Scores = score(["a b c d e", " "], ["a b c d e", "f"], seconds=0.5, resamples=20)
    plain = json.loads(json.dumps(scores.to_json()))
    assert plain["sentences"] == 2
    assert plain["empty_hypotheses"] == 1
    assert plain["sentences_per_second"] == 4
    assert plain["bleu"]["signature"].startswith(
        "nrefs:1|bs:20|seed:12345|case:mixed|eff:no|tok:13a"
    )
    result = compare(["a b c d e"], ["a b c d e"], ["a b c d"], resamples=5, trials=5)
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["bleu"]["difference"] == result.bleu.difference < 0


@pytest.mark.parametrize(
    ("hypotheses", "references", "said"),
    [([], [], "no sentence"), (["a"], ["a", "b"], "1 translations stand against 2 references")],
)
def test_what_cannot_be_scored(hypotheses: list[str], references: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        score(hypotheses, references)


def test_torch_is_not_imported() -> None:
    code = "import heedful.evaluate, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

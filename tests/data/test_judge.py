"""The rules against plain Python over the texts themselves, and the promises of the hold-out."""

from collections.abc import Iterator
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.data import columns as data_columns
from heedful.data.clean import RULES, CleanConfig, RowColumns, repeated, typical_ratio
from heedful.data.judge import DEV, KEPT, TEST, hold_out, judge, keep_apart
from heedful.data.survey import _Growing, _look_over, _Texts

Pairs = list[tuple[str, str]]


@pytest.fixture(scope="module", params=[2**22, 4], autouse=True)
def rows_at_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Judge all rows together, and a few at a time, as of a corpus that does not fit in memory."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(data_columns, "ROWS_AT_ONCE", request.param)
        yield


texts = st.text("ab \u2003é", max_size=4) | st.integers(1, 60).map(lambda n: "wort " * n)
corpora = st.lists(st.tuples(texts, texts), max_size=30)
configs = st.builds(
    CleanConfig,
    drop_empty=st.booleans(),
    drop_identical=st.booleans(),
    drop_duplicates=st.booleans(),
    max_characters=st.sampled_from([None, 3, 100]),
    max_words=st.sampled_from([None, 2, 50]),
    max_ratio=st.sampled_from([None, 1.5, 4.0]),
)


def columns(pairs: Pairs) -> RowColumns:
    growing = _Growing()
    growing.add(_look_over(_Texts([source for source, _ in pairs], [t for _, t in pairs])))
    return growing.finish()


def found_in(pairs: Pairs, config: CleanConfig) -> dict[str, list[bool]]:
    """What each rule should find, from the texts."""
    ends = [(source.strip(), target.strip()) for source, target in pairs]
    ratios = [(len(target) + 10) / (len(source) + 10) for source, target in ends]
    full = [ratio for ratio, pair in zip(ratios, ends, strict=True) if all(pair)]
    typical = median(full) if full else 1.0
    longest = [max(len(source), len(target)) for source, target in ends]
    words = [max(len(source.split()), len(target.split())) for source, target in ends]
    most = config.max_ratio or float("inf")
    return {
        "empty": [not all(pair) for pair in ends],
        "too_long": [
            n > (config.max_characters or n) or w > (config.max_words or w)
            for n, w in zip(longest, words, strict=True)
        ],
        "ratio": [
            all(pair) and (r / typical > most or r / typical < 1 / most)
            for pair, r in zip(ends, ratios, strict=True)
        ],
        "identical": [all(pair) and pair[0] == pair[1] for pair in ends],
        "duplicate": [all(pair) and pair in ends[:n] for n, pair in enumerate(ends)],
        "odd": [False for _ in ends],
        "padded": [pair != trimmed for pair, trimmed in zip(pairs, ends, strict=True)],
    }


@given(pairs=corpora, config=configs)
def test_rules_find_what_plain_python_finds(pairs: Pairs, config: CleanConfig) -> None:
    judgement = judge(columns(pairs), config, cleaned=True)
    expected = found_in(pairs, config)
    assert {name: found.tolist() for name, found in judgement.found.items()} == expected


@given(pairs=corpora, config=configs)
def test_a_row_is_dropped_for_the_first_rule_that_drops_it(
    pairs: Pairs, config: CleanConfig
) -> None:
    judgement = judge(columns(pairs), config, cleaned=True)
    expected = found_in(pairs, config)
    dropping = [rule.name for rule in RULES if rule.drops(config)]
    for n, fate in enumerate(judgement.fates):
        reasons = [name for name in dropping if expected[name][n]]
        assert fate == (1 + list(expected).index(reasons[0]) if reasons else KEPT)
    gone = sum(judgement.dropped(name) for name in expected)
    assert gone + np.count_nonzero(judgement.fates == KEPT) == len(pairs)


@given(pairs=corpora, config=configs)
def test_dev_and_test_lose_only_rows_with_an_empty_side(pairs: Pairs, config: CleanConfig) -> None:
    judgement = judge(columns(pairs), config, cleaned=False)
    empty = found_in(pairs, config)["empty"]
    assert (judgement.fates != KEPT).tolist() == empty


def test_control_and_broken_characters_are_found() -> None:
    odd = ["a\x0bb", "a\rb", "a\nb", "a\x85b", "a\u2028b", "a\ufffdb", "a\x7fb", "a\ufeffb"]
    plain = ["a b", "a\tb", "é", "猫", "a\u00a0b", "👩\u200d🚀", "a\u00adb"]
    assert columns([(text, "x") for text in odd]).odd.all()
    assert columns([("x", text) for text in odd]).odd.all()
    assert not columns([(text, text) for text in plain]).odd.any()


def test_pair_keys_tell_the_sides_apart() -> None:
    keys = columns([("a", "b"), ("b", "a"), ("a", "a"), ("b", "b"), ("a", "b")]).pair_key
    assert len(set(keys.tolist())) == 4
    assert repeated(keys).tolist() == [False, False, False, False, True]


def test_typical_ratio_without_rows() -> None:
    assert typical_ratio(columns([])) == 1.0


many = st.lists(
    st.tuples(st.integers(0, 60).map(str), st.integers(0, 60).map(str)), min_size=1, max_size=120
)


@given(pairs=many, seed=st.integers(0, 2**70), size=st.integers(1, 5))
def test_hold_out(pairs: Pairs, seed: int, size: int) -> None:
    rows = columns(pairs)
    judgement = judge(rows, CleanConfig(), cleaned=True)
    usable = [n for n, fate in enumerate(judgement.fates) if fate == KEPT]
    sources = {pairs[n][0] for n in usable}
    each = hold_out(judgement, rows, (DEV, TEST), size=size, seed=seed)
    if len(sources) < 10:
        assert each == 0
        assert not np.isin(judgement.fates, (DEV, TEST)).any()
        return
    assert each == min(size, max(1, len(sources) // 20))
    held = [n for n, fate in enumerate(judgement.fates) if fate in (DEV, TEST)]
    assert [int(np.count_nonzero(judgement.fates == fate)) for fate in (DEV, TEST)] == [each] * 2
    assert len({pairs[n][0] for n in held}) == 2 * each
    for n in held:
        assert n == next(m for m in usable if pairs[m][0] == pairs[n][0])


@given(pairs=many, seed=st.integers(0, 99), shuffle=st.randoms())
def test_hold_out_does_not_depend_on_the_order(pairs: Pairs, seed: int, shuffle: object) -> None:
    def held(order: Pairs) -> list[set[str]]:
        rows = columns(order)
        judgement = judge(rows, CleanConfig(drop_duplicates=False), cleaned=True)
        hold_out(judgement, rows, (DEV, TEST), size=3, seed=seed)
        return [
            {order[n][0] for n in np.flatnonzero(judgement.fates == fate)} for fate in (DEV, TEST)
        ]

    again = list(pairs)
    shuffle.shuffle(again)  # type: ignore[attr-defined]
    assert held(pairs) == held(again)


def test_another_seed_holds_out_others() -> None:
    rows = columns([(str(n), str(n)) for n in range(200)])
    chosen = set()
    for seed in range(20):
        judgement = judge(rows, CleanConfig(), cleaned=True)
        hold_out(judgement, rows, (DEV,), size=1, seed=seed)
        chosen.add(int(np.flatnonzero(judgement.fates == DEV)[0]))
    assert len(chosen) > 10


@pytest.mark.parametrize("both", [False, True])
@given(pairs=many, other=many)
def test_train_is_kept_apart(both: bool, pairs: Pairs, other: Pairs) -> None:
    rows, theirs = columns(pairs), columns(other)
    judgement = judge(rows, CleanConfig(), cleaned=True)
    before = judgement.fates.copy()
    chosen = np.arange(len(other)) % 2 == 0
    keep_apart(judgement, rows, [(theirs, chosen)], drop=True, both_directions=both)
    sources = {source for source, _ in other[::2]}
    targets = {target for _, target in other[::2]} if both else set()
    for (source, target), was, fate in zip(pairs, before, judgement.fates, strict=True):
        given_away = source in sources or target in targets
        assert (fate == KEPT) == (was == KEPT and not given_away)

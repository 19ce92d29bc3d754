"""Table 3: the paper's own parameter counts, the rule that makes it small, and narrow keys."""

import math
from dataclasses import fields

import pytest
import torch

from heedful.claims.claim import Measured
from heedful.claims.sweep import CLAIM, of_rows, report
from heedful.claims.table3 import ROWS, SCALES, Row, millions, narrow, plain, settings
from heedful.errors import SettingError
from heedful.models.transformer import TransformerConfig
from heedful.nn.attention import attend

COUNTED = [row for row in ROWS if row.millions is not None]


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row.name)
def test_a_row_of_full_size_has_the_papers_parameters(row: Row) -> None:
    assert row.millions is not None
    assert millions(row) == pytest.approx(row.millions, rel=0.07)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_rule_divides_widths_and_layers_and_nothing_else(row: Row) -> None:
    small, whole = (settings(row, SCALES[name], {}).model for name in ("scaled", "paper"))
    assert isinstance(small, TransformerConfig)
    assert isinstance(whole, TransformerConfig)
    widths = {"d_model": whole.d_model // 4, "d_ff": whole.d_ff // 4, "max_length": 100}
    layers = {name: row.n_layers // 2 for name in ("encoder_layers", "decoder_layers")}
    divided = widths | layers
    assert small == whole.model_copy(update=divided)
    assert row.d_v * row.n_heads == row.d_model
    assert row.d_k % 4 == 0
    assert row.n_layers % 2 == 0


def test_every_row_but_the_base_differs_from_it_in_one_thing() -> None:
    base, *others = ROWS
    for row in others[:-1]:
        names = {field.name for field in fields(Row)} - {"name", "perplexity", "bleu", "millions"}
        changed = {name for name in names if getattr(row, name) != getattr(base, name)}
        assert len(changed - {"d_k", "d_v"}) == 1 or changed == {"d_k"}, row.name


def _narrow() -> torch.nn.Module:
    shape = TransformerConfig(
        d_model=32, d_ff=64, n_heads=4, encoder_layers=1, decoder_layers=1, max_length=16
    )
    torch.manual_seed(0)
    return narrow(shape, 3).build(20, 20).eval()


def test_narrow_keys_are_attention_with_that_d_k() -> None:
    attention = _narrow().encoder[0].attention  # type: ignore[union-attr,index]
    states = torch.randn(2, 5, 32)
    query, key = (
        proj(states).view(2, 5, 4, 3).transpose(1, 2)
        for proj in (attention.query_proj, attention.key_proj)
    )
    value = attention.value_proj(states).view(2, 5, 4, 8).transpose(1, 2)
    scores = torch.einsum("bhqk,bhmk->bhqm", query, key) / math.sqrt(3)
    wanted = attention.output_proj((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))
    found = attention(attention.queries(states), attention.keys_values(states))
    torch.testing.assert_close(found, wanted)
    wide = attend(attention.queries(states), *attention.keys_values(states))
    torch.testing.assert_close(attention.joined(wide), wanted)


def test_a_narrow_model_becomes_an_ordinary_one_that_computes_the_same() -> None:
    model = _narrow()
    usual = plain(model)  # type: ignore[arg-type]
    source, target = torch.randint(4, 20, (3, 7)), torch.randint(4, 20, (3, 5))
    real = torch.ones_like(source, dtype=torch.bool)
    states = [one.hidden(target, one.encode(source, real)) for one in (model, usual)]  # type: ignore[operator]
    torch.testing.assert_close(*states)
    assert type(usual.config) is TransformerConfig
    less = 3 * 2 * 4 * (8 - 3) * (32 + 1)  # three attentions, queries and keys, a bias each
    counts = [sum(one.numel() for one in some.parameters()) for some in (model, usual)]
    assert counts[1] - counts[0] == less


def test_the_papers_own_figures_stand_in_the_papers_order() -> None:
    cases = CLAIM.cases("full")[: len(ROWS)]
    results = [
        Measured(case, {"dev_perplexity": row.perplexity, "bleu": row.bleu, "parameters": 1})
        for case, row in zip(cases, ROWS, strict=True)
    ]
    assert all("correlation of 1.00" in sentence for sentence in report(results).sentences)
    assert len(report(results).tables[0].rows) == len(ROWS)
    alike = [one for one, row in zip(results, ROWS, strict=True) if row.bleu == 25.4]
    assert len(alike) > 2
    assert ["By BLEU" in one for one in report(alike).sentences] == [False]  # they have no order
    turned = [Measured(case, {**figures, "bleu": -figures["bleu"]}) for case, figures in results]
    assert "correlation of -1.00" in report(turned).sentences[1]


def test_a_row_is_compared_with_the_base_of_its_own_seed() -> None:
    shift = {1: 0.0, 2: 3.0, 3: -5.0}
    turned = "C: N=2"  # worse in the paper
    results = [
        Measured(
            case,
            {
                "dev_perplexity": row.perplexity,
                "bleu": shift[case["seed"]] + (27.0 if row.name == turned else row.bleu),
                "parameters": 1,
            },
        )
        for case in CLAIM.cases("full")
        for row in ROWS
        if row.name == case["row"]
    ]
    said = report(results)
    unlike = [row for row in ROWS[1:] if row.bleu != ROWS[0].bleu]
    assert f"Of 19 rows with more than a seed {len(unlike)} differ in BLEU" in said.sentences[-1]
    assert "C: N=2 +1.2; " in said.sentences[-1]
    assert f"{len(unlike) - 1} of them differ in the paper, too" in said.sentences[-1]
    wide = report(
        [Measured(case, {**one, "bleu": one["bleu"] * case["seed"]}) for case, one in results]
    )
    assert "Of 19 rows with more than a seed none differs in BLEU" in wide.sentences[-1]
    (plot,) = said.plots
    assert sum(len(line.points) for line in plot.lines) == len(ROWS)


def test_rows_are_chosen_by_letter_or_name() -> None:
    some = of_rows(CLAIM, ["B", "base"]).cases("full")
    assert {case["row"] for case in some} == {"base", "B: d_k=16", "B: d_k=32"}
    assert len(some) == 9
    with pytest.raises(SettingError, match='no row "F"'):
        of_rows(CLAIM, ["F"])

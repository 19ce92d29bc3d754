"""Table 3 as a claim: which change of the base model helps, and by how much.

Every row is trained in small on Multi30k by the rule of `heedful.claims.table3`, its dev perplexity
and BLEU stand beside the paper's, and the two orders are compared. `paper_claim` is the same with
the paper's own sizes on a corpus of one's own, for a GPU and days.
"""

__all__ = ["CLAIM", "of_rows", "paper_claim"]

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from heedful.claims.claim import (
    Case,
    Claim,
    Figures,
    Line,
    Measured,
    Place,
    Plot,
    Point,
    Report,
    Size,
    Table,
)
from heedful.claims.learning import Learnt, TranslationCorpus, learnt, translated
from heedful.claims.material import files_of, missing_multi30k
from heedful.claims.ranks import spearman
from heedful.claims.statistics import Estimate, mean
from heedful.claims.table3 import ROWS, SCALES, Row, narrow, plain, settings
from heedful.config import RunConfig
from heedful.data.held_out import held_out
from heedful.errors import SettingError, did_you_mean
from heedful.evaluate import score
from heedful.model_header import Languages
from heedful.models.transformer import TransformerConfig
from heedful.search import SearchConfig

_QUICK = ("base", "A: h=1", "C: N=2", "C: d_model=256")
_MARKS = {"perplexity": "dev_perplexity", "BLEU": "bleu"}
_GROUPS = {
    "A": "A: heads",
    "B": "B: width of keys",
    "C": "C: size",
    "D": "D: dropout, smoothing",
    "E": "E: learned positions",
    "b": "base and big",
}


def cases(size: Size) -> list[Case]:
    """Return each row with each seed: four rows once, or all three times."""
    named = _QUICK if size == "quick" else [row.name for row in ROWS]
    scale, seeds = ("quick", (1,)) if size == "quick" else ("scaled", (1, 2, 3))
    return [{"row": row, "seed": seed, "scale": scale} for seed in seeds for row in named]


def run(case: Case, place: Place) -> Figures:
    """Train a row on Multi30k; return its dev perplexity and BLEU."""
    size: Size = "quick" if case["scale"] == "quick" else "full"
    data = {**files_of(place, size), "source_language": "en", "target_language": "de"}
    return _trained(case, place, data, place.folder)


def _trained(
    case: Case, place: Place, data: dict[str, str], folder: Path, *, going_on: bool = False
) -> Figures:
    """Train a row in a folder; return its dev perplexity and BLEU."""
    row, scale = next(one for one in ROWS if one.name == case["row"]), SCALES[case["scale"]]
    config = settings(row, scale, data, place.device.type)
    corpus = TranslationCorpus.of(config, folder / "corpus")
    config = config.model_copy(update={"seed": case["seed"]})
    shape = config.model
    assert isinstance(shape, TransformerConfig)
    shape = narrow(shape, row.d_k // scale.divisor)
    own = folder / f"row-{ROWS.index(row) + 1}"
    found = learnt(config, corpus, own, shape.build, going_on=going_on)
    return found.record() | {"bleu": _bleu(found, config, scale.search, folder / "corpus")}


def _bleu(found: Learnt, config: RunConfig, search: SearchConfig, corpus: Path) -> float:
    """Return BLEU of the dev set."""
    pairs = held_out(corpus / "dev.jsonl")
    languages = Languages(source=config.data.source_language, target=config.data.target_language)
    usual = replace(found, model=plain(found.model))
    texts = translated(usual, [source for source, _ in pairs], search, languages)
    references = [target for _, target in pairs]
    return score(texts, references, language=languages.target, resamples=0).bleu.value


def report(results: Sequence[Measured]) -> Report:
    """Put what was measured beside the paper's figures, and compare the orders."""
    found: dict[str, dict[int, Figures]] = {}
    for case, figures in results:
        found.setdefault(case["row"], {})[case["seed"]] = figures
    rows = [row for row in ROWS if row.name in found]
    gains = {row.name: _gain(found, row) for row in rows}
    cells = []
    for row in rows:
        perplexity, bleu = (_mean(found, row, key) for key in _MARKS.values())
        gain = gains[row.name]
        cells.append(
            [
                row.name,
                f"{next(iter(found[row.name].values()))['parameters'] / 1e6:.2f}",
                perplexity.said(".2f"),
                f"{row.perplexity:.2f}",
                bleu.said(),
                f"{row.bleu:.1f}",
                "" if gain is None else gain.said("+.1f"),
                "" if gain is None else f"{row.bleu - ROWS[0].bleu:+.1f}",
            ]
        )
    theirs = "the paper's"
    columns = ["row", "million weights", "dev perplexity", theirs, "dev BLEU", theirs]
    columns += ["BLEU over base", theirs]
    table = Table("Table 3, in small and in the paper", columns, cells)
    return Report(_orders(rows, found) + _differing(rows, gains), [table], [_plot(rows, found)])


def _mean(found: Mapping[str, Mapping[int, Figures]], row: Row, key: str) -> Estimate:
    return mean([one[key] for one in found[row.name].values()])


def _gain(found: Mapping[str, Mapping[int, Figures]], row: Row) -> Estimate | None:
    """Return how much more BLEU a row has than the base with the same seed; None: not to say."""
    own, base = found[row.name], found.get(ROWS[0].name, {})
    both = [own[seed]["bleu"] - base[seed]["bleu"] for seed in own if seed in base]
    return mean(both) if both and row is not ROWS[0] else None


def _orders(rows: list[Row], found: Mapping[str, Mapping[int, Figures]]) -> list[str]:
    if len(rows) < 3:
        return []
    said = []
    for mark, key in _MARKS.items():
        ours = [_mean(found, row, key).value for row in rows]
        theirs = [row.perplexity if mark == "perplexity" else row.bleu for row in rows]
        if len(set(ours)) > 1 and len(set(theirs)) > 1:
            rho = spearman(ours, theirs)
            said.append(
                f"By {mark} the {len(rows)} rows stand in the paper's order with a rank "
                f"correlation of {rho:.2f} (Spearman; 1 is the same order, 0 none)."
            )
    return said


def _differing(rows: list[Row], gains: Mapping[str, Estimate | None]) -> list[str]:
    """Say which rows differ from the base by more than seeds do, and whether as in the paper."""
    every = {row: gain for row in rows if (gain := gains[row.name]) is not None}
    known = {row: gain for row, gain in every.items() if not gain.alone}
    if not known:
        return []
    sure = {row: gain for row, gain in known.items() if gain.low > 0 or gain.high < 0}
    alike = [row for row, gain in sure.items() if gain.value * (row.bleu - ROWS[0].bleu) > 0]
    by = "in BLEU from the base by more than seeds do (95 % intervals, each for itself)"
    if not sure:
        return [f"Of {len(known)} rows with more than a seed none differs {by}."]
    named = "; ".join(f"{row.name} {gain.value:+.1f}" for row, gain in sure.items())
    return [
        f"Of {len(known)} rows with more than a seed {len(sure)} differ {by}: {named}. "
        f"{len(alike)} of them differ in the paper, too, and the same way."
    ]


def _plot(rows: list[Row], found: Mapping[str, Mapping[int, Figures]]) -> Plot:
    """Return BLEU here over BLEU in the paper."""
    groups: dict[str, list[Point]] = {}
    for row in rows:
        bleu = _mean(found, row, "bleu")
        groups.setdefault(_GROUPS[row.name[0]], []).append(Point(row.bleu, bleu.value, *bleu.edges))
    return Plot(
        "bleu",
        "BLEU of the rows, here and in the paper",
        "BLEU in the paper (newstest2013)",
        "BLEU here (Multi30k, dev)",
        [Line(label, points) for label, points in groups.items()],
        joined=False,
    )


def of_rows(claim: Claim, names: Sequence[str]) -> Claim:
    """Return the claim with these rows alone, by their names or letters such as A.

    Raises SettingError for a row that Table 3 does not have.
    """
    wanted: set[str] = set()
    for name in names:
        some = {row.name for row in ROWS if name in (row.name, row.name.partition(":")[0])}
        if not some:
            known = [row.name for row in ROWS]
            fix = did_you_mean(name, known)
            raise SettingError(f'Table 3 has no row "{name}"', where="--rows", fix=fix)
        wanted |= some

    def some_cases(size: Size) -> list[Case]:
        return [case for case in claim.cases(size) if case["row"] in wanted]

    return replace(claim, cases=some_cases)


def paper_claim(corpora: Mapping[str, str], folder: Path) -> Claim:
    """Return the sweep with the paper's sizes and schedule, one seed, on a corpus of one's own.

    `corpora` are the settings of `DataConfig`: train, dev and the two languages. An interrupted row
    goes on from its newest checkpoint, which stands in the folder.
    """

    def paper_cases(size: Size) -> list[Case]:
        return [{"row": row.name, "seed": 1, "scale": "paper", **corpora} for row in ROWS]

    def paper_run(case: Case, place: Place) -> Figures:
        return _trained(case, place, dict(corpora), folder, going_on=True)

    how = "The paper's own sizes, steps and batches, one seed, on the corpus that was given."
    return replace(CLAIM, cases=paper_cases, run=paper_run, how=how, missing=lambda *_: None)


CLAIM = Claim(
    name="table-3",
    title="Table 3",
    said="One head is 0.9 BLEU worse than eight, and too many are worse too; smaller keys hurt; "
    "bigger models are better; dropout helps; learned positions are as good as sinusoids (the "
    "paper, section 6.2 and Table 3).",
    how="Every row on Multi30k, English to German, with d_model, d_ff, d_k and d_v divided by 4, "
    "layers by 2, and all else as it is: 3,000 steps for the paper's 100,000, of 1,000 pieces for "
    "its 25,000, at 0.8 of its learning rate with a warm-up of 1,000 steps for its 4,000; "
    "perplexity and BLEU, with a beam of 4, of the dev set, without averaging of checkpoints, as "
    "in the paper. What it measured is of newstest2013.",
    cases=cases,
    run=run,
    report=report,
    missing=missing_multi30k,
)

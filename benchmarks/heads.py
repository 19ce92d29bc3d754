"""What the heads of our models are for, and whether any follows "it" to the noun it stands for.

    python benchmarks/heads.py --multi30k runs/multi30k/model

Measures the bundled model from English to German and from Chinese to English, and a model trained
on Multi30k, as `heed heads --data` does, each with sentences of its own test set for what needs no
templates. Needs $HEEDFUL_DATA. Writes results/heads.json, docs/heads-*.svg and what stands between
the comments in docs/heads.md; without --multi30k that model's figures stay.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from machine import data_folder, record, recorded
from pages import put

from heedful import load
from heedful.data.evenly import evenly
from heedful.data.formats import open_corpus
from heedful.inspect.heads.measure import SENTENCES, Report, Texts, measure
from heedful.inspect.heads.picture import picture
from heedful.inspect.heads.table import plain
from heedful.model_path import BUNDLED

SCRIPT = Path(__file__)
PAGE = SCRIPT.parents[1] / "docs" / "heads.md"


def main() -> None:
    """Measure, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--multi30k", help="a model trained on Multi30k, English to German")
    options = parser.parse_args()
    data = data_folder(__file__)
    if data is None:
        return
    flickr = data / "multi30k" / "test_2016_flickr"
    asked = {
        "everyday": (BUNDLED, ("en", "de"), f"{data / 'tatoeba_en_de' / 'test.tsv'}"),
        "everyday-zh": (BUNDLED, ("zh", "en"), f"{data / 'tatoeba_en_zh' / 'test.tsv'}"),
    }
    if options.multi30k:
        asked["multi30k"] = (options.multi30k, ("en", "de"), f"{flickr}.en,{flickr}.de")
    found = recorded("heads").get("models", {})
    for name, (model, way, corpus) in asked.items():
        started = time.process_time()
        report = measured(name, model, way, corpus)
        seconds = time.process_time() - started
        found[name] = rounded(plain(report)) | {"processor_seconds": round(seconds, 1)}
        PAGE.with_name(f"heads-{name}.svg").write_bytes(picture(report, "svg"))
    record("heads", {"models": found})
    put(PAGE, SCRIPT, "\n".join(text(found)), "")


def measured(name: str, model: str, way: tuple[str, str], corpus: str) -> Report:
    """Return the report on a model, with some of a corpus whose first language is English."""
    translator = load(model, "cpu", "float32")
    rows = [
        (row.target, row.source) if way[1] == "en" else (row.source, row.target)
        for row in open_corpus(corpus)
    ]
    sources, targets = ([row[side].strip() for row in rows] for side in (0, 1))
    folder = Path(corpus.split(",")[0])
    title = f"{folder.parent.name}/{folder.stem}"
    texts = Texts(title, sources, targets, evenly(len(rows), SENTENCES))
    tag = way[1] if translator.tokenizer.languages else None
    return measure(translator, tag, way, texts, name.partition("-")[0])


def rounded(value: Any) -> Any:
    """Return a report's data with five digits."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def text(models: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the page."""
    for name, model in models.items():
        source, target = model["way"]
        yield f"### {model['model']}, {source} → {target}"
        yield ""
        yield f"![Roles of the heads, and how often each finds the noun](heads-{name}.svg)"
        yield ""
        yield from roles(model)
        yield from relations(model)
        yield from pronouns(model)
        if model["causal"] is not None:
            yield from cuts(model["causal"])
            yield from outputs(model["behaviour"])
        yield from tour(model)
        yield f"What `heed heads` concludes: {model['verdict']['said']}"
        yield ""
        yield f"Measured in {model['processor_seconds']:.0f} s of one core's time."
        yield ""


def roles(model: dict[str, Any]) -> Iterator[str]:
    """Yield the heads that have a role."""
    count = {kind: 0 for kind in ("encoder", "decoder", "cross")}
    rows = []
    for one in model["roles"]:
        habit = one["habit"]
        count[habit["head"].partition(".")[0]] += 1
        for role in one["roles"]:
            rows.append(
                (habit["head"], role, figure(role, one, model), f"{habit['confidence']:.2f}")
            )
    total = ", ".join(f"{number} {kind}" for kind, number in count.items())
    with_role = len({row[0] for row in rows})
    yield (
        f"Heads with a role: {with_role} of {sum(count.values())} ({total}), measured on "
        f"{model['sentences']} sentences of {model['measured_on']}."
    )
    yield ""
    yield from table(("head", "role", "figure", "confidence"), rows)


def figure(role: str, one: dict[str, Any], model: dict[str, Any]) -> str:
    """Say what gives a head its role."""
    habit = one["habit"]
    match role:
        case "positional":
            return f"{habit['at_offset']:.0%} at {habit['offset']:+d}"
        case "syntactic":
            found = next(r for r in model["relations"] if r["name"] == one["relation"])
            share = found["heads"][habit["head"]]
            return f"{one['relation']}: {share:.0%}, best offset {found['by_offset']:.0%}"
        case "rare-word":
            return f"{habit['rare']:.0%}, best offset {habit['rare_by_offset']:.0%}"
        case "sink":
            return f"{habit['specials']:.0%} of the mass"
    return "see below"


def relations(model: dict[str, Any]) -> Iterator[str]:
    """Yield the best head for each relation."""
    rows = []
    for one in model["relations"]:
        best = max(one["heads"], key=one["heads"].get)
        offset = f"{one['by_offset']:.0%} ({one['offset']:+d})"
        shares = [f"{share:.0%}" for share in (one["untrained"], one["heads"][best])]
        rows.append((one["name"], one["count"], offset, *shares, best))
    head = ("relation", "instances", "best offset", "best untrained head", "best head", "which")
    yield from table(head, rows)


def pronouns(model: dict[str, Any]) -> Iterator[str]:
    """Yield what the chosen head does at pronouns, and what needs no understanding."""
    found = model["coreference"]
    chosen = next(one for one in found["heads"] if one["head"] == found["chosen"])
    yield (
        'How often the noun that "it" stands for gets most of all content words, in '
        f"{found['test']} sentences; {found['chosen']} was chosen on {found['dev']} others, where "
        f"it was right in {found['chosen_dev']:.0%}:"
    )
    yield ""
    rows = [
        (found["chosen"], percent(chosen["content"])),
        (f"{found['chosen']}, the other noun alone against it", percent(chosen["candidates"])),
        *((name, percent(value)) for name, value in found["baselines"].items()),
        ("best of all heads, labels drawn", percent(found["shuffled"])),
    ]
    yield from table(("", "accuracy"), rows)


def cuts(found: dict[str, Any]) -> Iterator[str]:
    """Yield what cuts cost."""
    yield (
        f"What the pronoun loses in nats, in {found['sentences']} sentences, {found['own']} of "
        "them after the model's own words:"
    )
    yield ""
    rows = [
        (what, *(number(found[before + name + after]) for before, after in _SIDES))
        for name, what in (
            ("edge", f"{found['head']} cannot look at the noun"),
            ("silent", "the noun is silent in that layer"),
            ("everywhere", "no head can look at the noun"),
        )
    ]
    yield from table(("", "its pronoun", "the other noun's, done there", "more than that"), rows)


_SIDES = (("", ""), ("control_", ""), ("", "_above_control"))


def outputs(found: dict[str, Any]) -> Iterator[str]:
    """Yield what the translations say."""
    total = sum(found["counts"].values())
    said = ", ".join(f"{name} {count / total:.0%}" for name, count in found["counts"].items())
    always = ", ".join(f"{name} {share:.0%}" for name, share in found["always"].items())
    rows = [
        ("both members of a minimal pair right (chance 25%)", percent(found["both_right"])),
        ("both right pronouns likelier than the wrong ones", percent(found["likelier"])),
        ("single sentences right", percent(found["right"])),
        ("a model that always says one", always),
        ("what it says", said),
        ("both nouns translated as expected", f"{found['named']:.0%}"),
    ]
    yield from table((f"output, {found['pairs']} minimal pairs", ""), rows)


def tour(model: dict[str, Any]) -> Iterator[str]:
    """Yield what happens in the sentences that everyone is shown."""
    chosen = model["coreference"]["chosen"]
    rows = [
        (
            f"{one['text']} {one['translation']}",
            f"{one['antecedent']} ({one['on_antecedent']:.1%})",
            f"{one['looks_at']} ({one['weight']:.1%})",
            f"{one['most']:.1%} ({one['most_of']})",
            f"{one['other']}: {one['other_most']:.1%} ({one['other_most_of']})",
        )
        for one in model["tour"]
    ]
    head = ("sentence and translation", f"meant (from {chosen})", f"{chosen} gives most to")
    yield from table((*head, "the head that gives it most", "and the other noun"), rows)
    for meant, other in zip(model["tour"][::2], model["tour"][1::2], strict=True):
        if meant["most_of"] == other["other_most_of"]:
            yield (
                f"{meant['most_of']} gives {meant['antecedent']} {meant['most']:.1%} where it is "
                f"meant, and {other['other_most']:.1%} where {other['antecedent']} is: a picture "
                "of the one sentence would seem to show that it knows."
            )
            yield ""


def percent(found: dict[str, float]) -> str:
    """Return a share with its interval."""
    return "{value:.0%} ({low:.0%} to {high:.0%})".format(**found)


def number(found: dict[str, float]) -> str:
    """Return a number with its interval, zeros without a sign."""
    value, low, high = (f"{round(found[name], 3) + 0.0:.3f}" for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield a table of Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(map(str, row))} |"
    yield ""


if __name__ == "__main__":
    main()

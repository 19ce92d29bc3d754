"""Writes the figures of benchmarks/results/parsing.json into docs/parsing.md, between its marks.

    python tools/parsing_table.py

Without the file, the place says how to make it.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "parsing.json"
PAGE = ROOT / "docs" / "parsing.md"
BEGIN, END = "<!-- figures: tools/parsing_table.py -->", "<!-- end of the figures -->"
NAMES = {"transformer": "Transformer", "lstm": "LSTM with attention"}
SETS = {"wsj_22": "WSJ section 22", "craft": "held-out CRAFT articles"}
COMMON = 10
"""Labels shown, the commonest of a test set."""


def main() -> None:
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{figures()}\n{END}{after}", "utf-8")


def figures() -> str:
    """Return what stands between the marks."""
    if not RESULTS.exists():
        return "They are not measured yet: `benchmarks/parsing.py` measures them."
    found = json.loads(RESULTS.read_text("utf-8"))
    parts = [described(found), scores(found), verdict(found), *map(labels(found).__getitem__, SETS)]
    return "\n\n".join(parts)


def described(found: dict[str, Any]) -> str:
    """Say what was learnt from, and on what machine."""
    data, search = found["data"], found["search"]
    held = ", ".join(data["craft_held_out"])
    dropped = data["craft"]["in_a_test_set"] + data["wsj_sample"]["in_a_test_set"]
    learnt = (
        f"Learnt from: {data['craft']['trees']:,} trees of CRAFT and "
        f"{data['wsj_sample']['trees']:,} of the WSJ sample (sections 0 and 1); {dropped:,} more "
        f"have the words of a test sentence and were left out. Held-out articles: {held}. "
        f"Beam {search['beam']}, length penalty {search['length_penalty']}, at most "
        f"{search['max_extra']} pieces more than the sentence, among trees alone. {found['date']}"
    )
    return learnt + (f", {found['note']}." if found["note"] else ".")


def scores(found: dict[str, Any]) -> str:
    """Return the table of the models, in per cent."""
    lines = [
        "| measured on | model | weights | minutes, steps | precision | recall | F1 | complete "
        "match | tags | repaired |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for test, title in SETS.items():
        for name, model in found["models"].items():
            of = model[test]
            repaired = 100 * of["repaired"] / of["sentences"]
            lines.append(
                f"| {title} ({of['sentences']:,}) | {NAMES[name]} | {model['weights'] / 1e6:.1f} M "
                f"| {model['minutes']}, {model['steps']:,} | {of['precision']:.1f} "
                f"| {of['recall']:.1f} | **{of['f1']:.1f}** | {of['complete_match']:.1f} "
                f"| {of['tagging']:.1f} | {repaired:.1f} |"
            )
    return "\n".join(lines)


def verdict(found: dict[str, Any]) -> str:
    """Say which model is better on each test set."""
    models, said = found["models"], []
    if set(models) != set(NAMES):
        return "The other model is not measured yet."
    for test, title in SETS.items():
        ours, theirs = (models[name][test]["f1"] for name in NAMES)
        better = "wins" if ours > theirs else "does not win"
        said.append(f"on {title} the Transformer {better}, {ours:.1f} to {theirs:.1f}")
    return f"By F1, {'; '.join(said)}. {place(found)}"


def place(found: dict[str, Any]) -> str:
    """Say how far the trainings have come, and how each does without the grammar."""
    models, told = found["models"], []
    for name, title in NAMES.items():
        one, free = models[name], models[name]["free"]
        repaired, lost = (
            f"{100 * count / free['sentences']:.1f} %"
            for count in (free["repaired"], free["repairs"].get("missing words", 0))
        )
        told.append(
            f"the {title}, which is at {one['dev_loss']:.3f} nats a piece of the dev set after "
            f"{one['epochs']} passes, reaches {free['f1']:.1f} on section 22; {repaired} of its "
            f"trees are repaired then, and {lost} of them miss words"
        )
    return f"With `--free`, as in the paper: {'; '.join(told)}."


def labels(found: dict[str, Any]) -> dict[str, str]:
    """Return a table of the commonest labels for each test set: F1 of each model."""
    tables = {}
    for test, title in SETS.items():
        models = {name: model[test]["labels"] for name, model in found["models"].items()}
        first = next(iter(models.values()))
        lines = [
            f"| {title}: label | in gold | {' | '.join(f'F1, {NAMES[name]}' for name in models)} |",
            "|---|---|" + "---|" * len(models),
        ]
        for label, of in [*first.items()][:COMMON]:
            each = " | ".join(f"{one.get(label, of)['f1']:.1f}" for one in models.values())
            lines.append(f"| {label} | {of['gold']:,} | {each} |")
        tables[test] = "\n".join(lines)
    return tables


if __name__ == "__main__":
    main()

"""What the page says of a measurement in its own words is what Python says of it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from heedful import load
from heedful.inspect import trace
from heedful.playground.handlers import Played, Playground
from heedful.playground.kept import Kept, Traced
from heedful.serve.limits import ServerLimits

HERE = Path(__file__).parent
SCRIPT = """
import { addTexts } from "heedful/i18n.js";
import { differenceRetold, evidenceRetold, named } from "heedful/live/said.js";
import { TEXTS as PANELS_ENGLISH } from "heedful/live/text-panels-en.js";
import { readFileSync } from "node:fs";
addTexts("en", PANELS_ENGLISH);
const { evidence, differences } = JSON.parse(readFileSync(0, "utf8"));
const said = [
  ...evidence.map((one) => [evidenceRetold(one), named(one.said)]),
  ...differences.map((one) => [differenceRetold(one), one.said]),
];
process.stdout.write(JSON.stringify(said));
"""


def test_sentences_are_pythons() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node (https://nodejs.org, or apt install nodejs)")
    model = load()
    kept = Kept()
    played = Playground([Played("everyday", model)], ServerLimits(), kept)
    kept.keep(
        "t1",
        Traced("everyday", trace(model, "The cat ate the fish because it was hungry.", to="de")),
    )
    pairs = [
        ("encoder", 7, 2, None),
        ("encoder", 6, 6, 7),
        ("cross", 8, 9, None),
        ("decoder", 5, 1, None),
    ]
    evidence = [
        played.ask(
            "evidence", {"id": "t1", "kind": kind, "row": row, "column": column, "step": step}
        )
        for kind, row, column, step in pairs
    ]
    edits = [{"ablate": ["encoder.4.3"]}, {"ablate": ["encoder.1.2"], "how": "uniform"}]
    edits.append({"replace": {"hungry": "tasty"}})
    differences = [played.ask("what_if", {"id": "t1", **edit}) for edit in edits]
    done = subprocess.run(
        [node, "--import", (HERE / "hooks.mjs").as_uri(), "--input-type=module", "-e", SCRIPT],
        input=json.dumps({"evidence": evidence, "differences": differences}),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    for page, python in json.loads(done.stdout):
        assert page.rstrip(".").lower() == python.rstrip(".").lower()

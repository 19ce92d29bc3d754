"""What the tour says is there: the code that its steps point to, and the numbers of its figures."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import heedful
from heedful.inspect import trace
from heedful.inspect.capture import Look
from heedful.playground.files import code_page, lines_of
from heedful.serve.refusal import RefusalError
from heedful.translator import load

PACKAGE = Path(heedful.__file__).parent
STEPS = (PACKAGE / "playground" / "static" / "live" / "tour-steps.js").read_text("utf-8")
LINKS = sorted(set(re.findall(r'"([\w/]+\.py):([\w.]+)"', STEPS)))


def test_every_step_has_links() -> None:
    assert len(LINKS) >= len(re.findall(r"\bname: ", STEPS))


@pytest.mark.parametrize(("path", "symbol"), LINKS, ids=":".join)
def test_links_point_to_what_they_name(path: str, symbol: str) -> None:
    """The lines begin with the function or class, and are the whole of it and nothing else."""
    code = (PACKAGE / path).read_text("utf-8")
    found = lines_of(code, symbol)
    assert found is not None
    first, last = found
    lines = code.splitlines()[first - 1 : last]
    name = symbol.split(".")[-1]
    heads = [line for line in lines if re.match(rf"\s*(?:def|class) {name}\b", line)]
    assert len(heads) == 1
    indent = len(lines[0]) - len(lines[0].lstrip())
    [node] = ast.parse("\n".join(line[indent:] for line in lines)).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    assert node.name == name
    shown = re.sub(r"<[^>]+>", "", code_page(path, None, None, symbol))
    assert f"lines {first} to {last} of" in shown


@pytest.mark.parametrize("symbol", ["nothing", "attend.x", "MultiHeadAttention.nothing", "."])
def test_a_symbol_that_is_not_there_is_refused(symbol: str) -> None:
    with pytest.raises(RefusalError, match="there is no"):
        code_page("nn/attention.py", None, None, symbol)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_scores_are_what_the_softmax_is_taken_of(kind: str) -> None:
    seen = trace(load("everyday"), "A dog runs.", to="de", beam=1)
    look: Look = seen.looks[kind, 1]  # type: ignore[index]
    for head in range(seen.model.config.n_heads):
        scores = look.scores(head)
        torch.testing.assert_close(scores.softmax(-1), look.weights(head))
        query, key = look.query[0, head, 2], look.keys()[0, head, 1]
        own = float(query @ key) / np.sqrt(len(query))
        assert own == pytest.approx(float(scores[0, 0, 2, 1]), abs=1e-4)

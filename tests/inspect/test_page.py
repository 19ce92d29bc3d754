"""The page holds the trace, whatever its texts say, and its weights are those of the trace."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heedful.inspect import Trace, showing, trace
from heedful.inspect.names import KINDS
from heedful.inspect.page import page
from heedful.inspect.wire import rows_of_255, to_wire
from heedful.translator import load

MEGABYTE = 1_000_000
LONG = (
    "The animal did not cross the busy street in the old town because it was much too tired after "
    "the long walk through the forest and the fields."
)


@pytest.fixture(scope="module")
def seen() -> Trace:
    return trace(load(), "猫吃鱼,因为它饿了。", to="en")


class Reader(HTMLParser):
    """Collects the tags of a page, its scripts, style, policy and frames."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: dict[str, str] = {}
        self.style = self.policy = self.title = self.inside = ""
        self.tags: list[str] = []
        self.frames: list[dict[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.inside = facts["type"] if tag == "script" else tag
        if facts.get("http-equiv") == "Content-Security-Policy":
            self.policy = facts["content"]
        if tag == "iframe":
            self.frames.append(facts)

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("style", "title"):
            setattr(self, self.inside, getattr(self, self.inside) + data)
        elif "/" in self.inside or self.inside in ("importmap", "module"):
            self.scripts[self.inside] = self.scripts.get(self.inside, "") + data


TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&/!-\u2028\"'"))


@given(TEXTS, TEXTS)
def test_every_text_comes_back_and_none_ends_its_script(source: str, target: str) -> None:
    wire = {"source": {"text": f"</script><!--{source}"}, "target": {"text": target}, "n": [0.5]}
    text = page(wire)
    found = Reader(text)
    assert json.loads(found.scripts["application/json"]) == wire
    assert found.tags.count("script") == 3
    data = text.partition('id="trace">')[2].partition("</script>")[0]
    assert not set(data) & set("<>&\u2028\u2029")


def test_only_what_the_policy_names_may_run(seen: Trace) -> None:
    found = Reader(page(to_wire(seen)))

    def checksum(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    policy = dict(part.split(" ", 1) for part in found.policy.split("; "))
    scripts = [checksum(found.scripts[kind]) for kind in ("importmap", "module")]
    assert policy == {
        "default-src": "'none'",
        "script-src": " ".join(["data:", *scripts]),
        "style-src": checksum(found.style),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_modules_are_those_of_the_package(seen: Trace) -> None:
    imports = json.loads(Reader(page(to_wire(seen))).scripts["importmap"])["imports"]
    static = Path(showing.__file__).parents[1] / "playground" / "static"
    assert set(imports) == {f"heedful/{path.name}" for path in static.glob("*.js")}
    for name, address in imports.items():
        kind, _, data = address.partition(";base64,")
        assert kind == "data:text/javascript"
        assert base64.b64decode(data) == (static / name.removeprefix("heedful/")).read_bytes()


def test_a_sentence_of_thirty_pieces_takes_less_than_a_megabyte(tmp_path: Path) -> None:
    found = trace(load(), LONG, to="de")
    assert len(found.source.ids) >= 30
    found.save(tmp_path / "x.html", "everyday")
    assert (tmp_path / "x.html").stat().st_size < MEGABYTE


def decoded(saved: dict[str, Any], kind: str) -> np.ndarray:
    shape = [saved["layers"], saved["heads"], len(saved["queries"]), len(saved["keys"])]
    return np.frombuffer(base64.b64decode(saved["data"]), kind).reshape(shape)


def test_the_weights_that_are_saved_are_those_of_the_trace(seen: Trace) -> None:
    wire = json.loads(json.dumps(to_wire(seen)))
    assert [saved["kind"] for saved in wire["attention"]] == list(KINDS)
    for saved in wire["attention"]:
        weights = decoded(saved, "<f4")
        for layer in range(seen.n_layers(saved["kind"])):
            np.testing.assert_array_equal(weights[layer], seen.attention(saved["kind"], layer))


def test_large_traces_are_written_in_bytes(seen: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.inspect.wire.EXACT", 0)
    for saved in to_wire(seen)["attention"]:
        rows = decoded(saved, "u1")
        assert saved["enc"] == "u8-rowsum255"
        assert (rows.sum(-1, dtype=int) == 255).all()
        exact = np.stack([seen.attention(saved["kind"], n) for n in range(saved["layers"])])
        assert np.abs(rows / 255 - exact).max() < 1 / 255


@given(
    arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 200)), elements=st.floats(0, 1))
)
def test_rows_of_bytes_sum_to_255(values: np.ndarray) -> None:
    values[:, 0] += 1e-3
    shares = values / values.sum(-1, keepdims=True)
    rows = rows_of_255(shares.astype(np.float32))
    assert (rows.sum(-1, dtype=int) == 255).all()
    assert np.abs(rows / 255 - shares).max() < 1 / 255


def test_pieces_say_which_words_they_lie_in(seen: Trace) -> None:
    for side, saved in ((seen.source, "source"), (seen.target, "target")):
        shares = np.zeros_like(side.shares)
        for number, piece in enumerate(to_wire(seen)[saved]["pieces"]):
            for word, share in piece["shares"]:
                shares[number, word] = share
        np.testing.assert_array_equal(shares, side.shares)
    [both] = [piece for piece in to_wire(seen)["source"]["pieces"] if piece["s"] == "因为"]
    assert both["shares"] == [[4, 0.5], [5, 0.5]]


def test_a_notebook_shows_the_page_in_a_frame(seen: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    [frame] = Reader(seen._repr_html_()).frames
    assert frame["sandbox"] == "allow-scripts"
    assert frame["srcdoc"] == page(to_wire(seen))
    shown: list[str] = []
    display = SimpleNamespace(HTML=str, display=shown.append)
    python = ModuleType("IPython")
    monkeypatch.setattr(python, "get_ipython", lambda: object(), raising=False)
    monkeypatch.setitem(showing.sys.modules, "IPython", python)
    monkeypatch.setitem(showing.sys.modules, "IPython.display", display)  # type: ignore[arg-type]
    seen.show()
    assert shown == [seen._repr_html_()]


def test_elsewhere_the_browser_shows_it(seen: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(showing.webbrowser, "open", opened.append)
    seen.show("mine")
    [address] = opened
    path = Path(re.sub("^file://", "", address))
    assert (
        json.loads(Reader(path.read_text("utf-8")).scripts["application/json"])["model"]["name"]
        == "mine"
    )
    path.unlink()
    path.parent.rmdir()

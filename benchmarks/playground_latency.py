"""How long the live page takes: from a key or a click to what is drawn, in a real browser.

`heed play` serves the bundled model, and Chromium shows the page. Every step is done RUNS times;
the median and the 95th percentile stand beside the target, which was set for four cores and the
base model of the paper. Times are taken in the page: from the event until the frame after the
drawing. Needs Chromium, named by CHROMIUM or at /usr/bin/chromium, and Playwright.

Run it on a machine that does nothing else:

    python benchmarks/playground_latency.py
    python benchmarks/playground_latency.py --runs 3 --only hover   # a trial, which is not recorded
    python benchmarks/playground_latency.py --show
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from machine import RESULTS, record, recorded

from heedful.data.workers import usable_cores

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
RUNS = 20
SENTENCE = (
    "The old woman gave the hungry cat a fish because it had been waiting for her in the cold "
    "garden since the early morning."
)
SHORT = "The cat ate the fish because it was hungry."


class Target(NamedTuple):
    """What is measured, and how long it may take."""

    name: str
    ms: float
    says: str


TARGETS = (
    Target("tokens", 50, "key to pieces redrawn"),
    Target("maps", 250, "key to encoder maps, with the pause of 120 ms"),
    Target("first", 350, "key to the translation by greedy search, first piece at the latest then"),
    Target("greedy", 1000, "key to all of a trace by greedy search"),
    Target("beam", 2000, "key to all of a trace with a beam of 4"),
    Target("hover", 16, "pointer on a row to arcs and numbers redrawn"),
    Target("select", 16, "arrow key in the map to all panels redrawn"),
    Target("head", 33, "another head to map, arcs and numbers redrawn"),
    Target("toggle", 800, "a head switched off to the new translation and its differences"),
    Target("gates", 300, "importance of all heads by their gates"),
    Target("exact", 3000, "importance of all heads, each switched off in turn"),
    Target("cold", 500, "address to a page that can be used, nothing cached"),
)
KILOBYTES = 150
"""Of the page at first sight, when nothing is cached."""
LAST = "text-tour-zh.js"
"""What the page loads last of all, once it has been quiet."""

WATCH = """() => {
  window.measured = (selector, done, act) => new Promise((resolve) => {
    const element = document.querySelector(selector);
    const before = performance.now();
    const end = () => requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => resolve(performance.now() - before);
      channel.port2.postMessage(0);
    });
    const watch = new MutationObserver(() => {
      if (!done(element)) return;
      watch.disconnect();
      end();
    });
    watch.observe(element, {subtree: true, childList: true, attributes: true, characterData: true});
    act();
  });
  window.framed = (act) => new Promise((resolve) => {
    const before = performance.now();
    act();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => resolve(performance.now() - before);
      channel.port2.postMessage(0);
    });
  });
  window.worked = (act) => {
    const before = performance.now();
    act();
    document.body.getBoundingClientRect();
    return performance.now() - before;
  };
  window.write = (text) => {
    const box = document.querySelector('#sentence');
    box.value = text;
    box.dispatchEvent(new InputEvent('input', {bubbles: true}));
  };
}"""
"""What measures in the page: until an element shows something, a frame, or the work alone."""


def main() -> None:
    """Measure everything, or show what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="of each step")
    parser.add_argument("--only", nargs="+", help="steps of these names alone")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    if options.show:
        show()
        return
    if not CHROMIUM.is_file():
        print(f"playground_latency: skipped, there is no {CHROMIUM}; see tools/install-browser.sh")
        return
    with serving() as address, browsing() as browser:
        result = measure(browser, address, options.runs, options.only)
    print(markdown(result))
    if options.only is None and options.runs == RUNS:
        record("playground_latency", result)
        show()


def show() -> None:
    """Write and print the table of what was recorded."""
    result = recorded("playground_latency")
    if not result:
        sys.exit("playground_latency: nothing has been recorded yet")
    text = markdown(result)
    (RESULTS / "playground_latency.md").write_text(text, "utf-8")
    print(text)


@contextmanager
def serving() -> Iterator[str]:
    """Yield the address of `heed play`, ready to answer."""
    command = [sys.executable, "-m", "heedful", "play", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stderr is not None
        try:
            found = re.search(r"http://[\d.]+:\d+", process.stderr.readline())
            if found is None:
                sys.exit("playground_latency: the server does not start")
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def browsing() -> Iterator[Any]:
    """Yield Chromium."""
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "getuid") and os.getuid() == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if root else []
        )
        yield browser
        browser.close()


def measure(browser: Any, address: str, runs: int, only: list[str] | None) -> dict[str, Any]:
    """Return what every step took, in milliseconds."""
    wanted = [one for one in TARGETS if only is None or one.name in only]
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{address}/#tab=inside&to=de&lang=en")
    page.locator("heed-play[data-state=done]").wait_for()
    page.evaluate(WATCH)
    settle(page)
    times: dict[str, list[float]] = {}
    sizes = (0.0, 0.0)
    for target in wanted:
        if target.name == "cold":
            found, sizes = cold(browser, address, runs)
        else:
            found = STEPS[target.name](page, runs + 1)[1:]  # the first one warms up
        times[target.name] = [round(one, 2) for one in found]
        print(f"{target.name}: {np.median(found):.1f} ms", file=sys.stderr, flush=True)
    return {
        "model": "everyday",
        "runs": runs,
        "cores": usable_cores(),
        "browser": browser.version,
        "playwright": version("playwright"),
        "sentences": [SENTENCE, SHORT],
        "kilobytes": sizes[0],
        "kilobytes_later": sizes[1],
        "ms": times,
    }


def varied(text: str, run: int) -> str:
    """Return a sentence that was not yet written: a number is another."""
    return f"{text.removesuffix('.')} {run + 10}."


def written(page: Any, text: str, selector: str, done: str) -> float:
    """Return how long it takes until an element shows what belongs to a text."""
    found: float = page.evaluate(
        f"text => measured('{selector}', one => {done}, () => write(text))", text
    )
    page.locator("heed-play[data-state=done]").wait_for()
    settle(page)
    return found


def settle(page: Any) -> None:
    """Wait until what the panels ask is asked, and answered."""
    page.wait_for_timeout(600)
    page.locator(".working:visible").first.wait_for(state="detached")
    page.wait_for_timeout(100)


def beam(page: Any, size: int) -> None:
    """Let the search keep so many, and write the sentence to begin with."""
    page.locator("details.more").evaluate("one => one.open = true")
    page.locator("#beam").fill(str(size))
    page.locator("#beam").blur()
    page.locator("details.more").evaluate("one => one.open = false")
    page.locator("heed-play[data-state=done]").wait_for()


def tokens(page: Any, runs: int) -> list[float]:
    """From a key to the strip of pieces."""
    done = "one.textContent.includes(text.match(/\\d+/)[0].at(-1))"
    done = f"{done} && one.dataset.seen !== text && (one.dataset.seen = text)"
    return [written(page, varied(SENTENCE, run), ".strip-of-pieces", done) for run in range(runs)]


def maps(page: Any, runs: int) -> list[float]:
    """From a key to the encoder's small maps, which count how often they were painted."""
    count = "document.querySelector('heed-heads [data-painted]').dataset.painted"
    found = []
    for run in range(runs):
        before = page.evaluate(count)
        done = f"{count} !== '{before}'"
        found.append(written(page, varied(SENTENCE, run + 100), "heed-heads", done))
    return found


def traced(size: int, selector: str, done: str, first: int) -> Callable[[Any, int], list[float]]:
    """Return what measures from a key to what a trace brings, with a beam."""

    def step(page: Any, runs: int) -> list[float]:
        beam(page, size)
        found = [
            written(page, varied(SENTENCE, run + first), selector, done) for run in range(runs)
        ]
        beam(page, 4)
        return found

    return step


def moved(act: str) -> Callable[[Any, int], list[float]]:
    """Return what measures the work of the page for something that it has already."""

    def step(page: Any, runs: int) -> list[float]:
        found = []
        for run in range(runs):
            found.append(page.evaluate(f"run => worked(() => {{ {act} }})", run))
            settle(page)
        return found

    return step


HOVER = """
  const rows = document.querySelectorAll('heed-arcs .row');
  rows[run % rows.length].dispatchEvent(new PointerEvent('pointerenter'));
  rows[run % rows.length].dispatchEvent(new PointerEvent('pointermove', {bubbles: true}));
  rows[run % rows.length].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}));
"""
SELECT = """
  document.querySelector('heed-heat-map .grid').dispatchEvent(new KeyboardEvent('keydown',
    {key: run % 2 ? 'ArrowUp' : 'ArrowDown', bubbles: true, cancelable: true}));
"""
HEAD = "document.querySelectorAll('heed-heads [role=radio]')[(7 * run + 1) % 24].click();"


def toggle(page: Any, runs: int) -> list[float]:
    """From a head that is switched off, or on again and another off, to what it changes."""
    found = []
    for run in range(runs):
        page.locator("heed-heads [role=radio]").nth((5 * run) % 24).dispatch_event("click")
        settle(page)
        found.append(
            page.evaluate(
                "() => measured('heed-what-if', one => !one.querySelector('.result').hidden"
                " && one.querySelector(':scope > .working').hidden,"
                " () => document.querySelector('heed-attention button.toggle.off').click())"
            )
        )
        page.locator("heed-attention button.toggle.off").dispatch_event("click")
        page.locator("heed-what-if .result").wait_for(state="hidden")
        settle(page)
    return found


def asked(path: str, **body: Any) -> Callable[[Any, int], list[float]]:
    """Return what measures an answer of the server, read to its end in the page."""

    def step(page: Any, runs: int) -> list[float]:
        return [
            page.evaluate(
                """async ([path, body]) => {
                    const id = document.querySelector('heed-machine').trace.id;
                    const before = performance.now();
                    const answer = await fetch(path, {method: 'POST',
                        headers: {'Content-Type': 'application/json'},
                        body: JSON.stringify({id, ...body})});
                    await answer.text();
                    if (!answer.ok) throw new Error(answer.status);
                    return performance.now() - before;
                }""",
                [path, body],
            )
            for _ in range(runs)
        ]

    return step


STEPS: dict[str, Callable[[Any, int], list[float]]] = {
    "tokens": tokens,
    "maps": maps,
    "first": traced(1, "#output", "one.textContent.includes(text.match(/\\d+/)[0])", 200),
    "greedy": traced(1, "heed-play", "one.dataset.state === 'done'", 300),
    "beam": traced(4, "heed-play", "one.dataset.state === 'done'", 400),
    "hover": moved(HOVER),
    "select": moved(SELECT),
    "head": moved(HEAD),
    "toggle": toggle,
    "gates": asked("/api/importance", step=0),
    "exact": asked("/api/importance/exact", step=0),
}


def cold(browser: Any, address: str, runs: int) -> tuple[list[float], tuple[float, float]]:
    """Return from the address to a box that can be written in and its models, and the KB.

    These are what the page loads at first sight, and what it loads once it has been quiet.
    """
    found, first, later = [], 0.0, 0.0
    for run in range(runs):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto("about:blank")
        page.goto(f"{address}/#lang=en", wait_until="commit")
        page.locator("#to option").first.wait_for(state="attached")
        found.append(page.evaluate("performance.now()"))
        page.wait_for_load_state("networkidle")
        first = kilobytes(page)
        if run == runs - 1:
            page.wait_for_function(
                "last => performance.getEntriesByType('resource')"
                ".some(({name}) => name.endsWith(last))",
                arg=LAST,
            )
            later = kilobytes(page) - first
        context.close()
    return found, (round(first, 1), round(later, 1))


def kilobytes(page: Any) -> float:
    """Return what the page has loaded so far."""
    found: float = page.evaluate(
        "[...performance.getEntriesByType('resource'),"
        " ...performance.getEntriesByType('navigation')]"
        ".reduce((sum, one) => sum + one.transferSize, 0) / 1024"
    )
    return found


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    lines = [
        f"Model {result['model']}, {result['cores']} cores, Chromium {result['browser']}, "
        f"{result['runs']} runs each. The targets are for four cores and the base model.",
        "",
        "| from what to what | median ms | p95 ms | target p95 ms | met |",
        "|---|---|---|---|---|",
    ]
    for target in TARGETS:
        if target.name not in result["ms"]:
            continue
        median, high = np.percentile(result["ms"][target.name], [50, 95])
        met = "yes" if high <= target.ms else "no"
        lines.append(f"| {target.says} | {median:.1f} | {high:.1f} | {target.ms:.0f} | {met} |")
    if result["kilobytes"]:
        met = "yes" if result["kilobytes"] <= KILOBYTES else "no"
        said = f"The page has {result['kilobytes']} KB at first sight; at most {KILOBYTES}: {met}."
        if later := result.get("kilobytes_later"):
            said = f"{said} Once it is quiet it loads {later} KB more."
        lines += ["", said]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

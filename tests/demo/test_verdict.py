"""The shares that the demo shows are those of its answers."""

import io
import random

from heedful.demo.dates import HELD_OUT_FORMS, generate
from heedful.demo.screen import Screen
from heedful.demo.training import Answer
from heedful.demo.verdict import SHOWN, show_task, show_verdict


def test_shares() -> None:
    task = generate(1, 100, 90)
    chance = random.Random(1)
    dates, forms = (
        [Answer(q, q.iso if chance.random() < share else "1969-01-01") for q in asked]
        for asked, share in ((task.unseen_dates, 0.8), (task.unseen_forms, 0.4))
    )
    page = io.StringIO()
    show_verdict(dates, forms, Screen(page))
    lines = page.getvalue().split("\n")

    def shares(name: str) -> tuple[int, int]:
        (line,) = (line for line in lines if name in line)
        right, of, _ = line.split()[-3:]
        return int(right), int(of)

    assert shares("in forms it learned") == (sum(a.given == a.question.iso for a in dates), 90)
    right = sum(a.given == a.question.iso for a in forms)
    assert shares("in forms it never saw") == (right, 90)
    by_form = [shares(f"like {form}") for form in HELD_OUT_FORMS]
    assert [of for _, of in by_form] == [10] * 9
    assert sum(n for n, _ in by_form) == right
    assert sum(line.endswith("right") for line in lines) == SHOWN
    for answer in dates + forms:
        if any(answer.question.text in line and "wrong: " in line for line in lines):
            assert not answer.right
            assert f"wrong: {answer.question.iso}" in page.getvalue()


def test_examples_are_of_every_language() -> None:
    page = io.StringIO()
    task = generate(1, 500, 9)
    show_task(task, Screen(page))
    by_iso = {pair.iso: pair for pair in task.train}
    found = {by_iso[word].form.language for word in page.getvalue().split() if word in by_iso}
    assert len(found) >= 7

"""How well the tiny model reads dates: shares of right answers, and some answers to look at.

The task and the answers of `heedful.demo.training` come in; everything is printed on a `Screen`.
"""

__all__ = ["show_task", "show_verdict"]

from collections.abc import Sequence

from rich.text import Text

from heedful.demo.dates import FORMS, HELD_OUT_FORMS, DateTask, Form
from heedful.demo.screen import Screen
from heedful.demo.training import Answer

SHOWN = 4
"""Right and wrong answers shown of each."""


def show_task(task: DateTask, screen: Screen) -> None:
    """Say what is to be learned, with examples."""
    languages = len({form.language for form in FORMS} - {"numbers"})
    screen.say(
        f"{len(task.train):,} dates in {len(FORMS)} written forms of {languages} languages become "
        "ISO 8601. Nobody tells it what a month is."
    )
    examples = {pair.form.language: pair for pair in task.train}.values()
    screen.table(("written", "ISO 8601"), [(pair.text, pair.iso) for pair in examples])
    screen.say(
        "First the corpus is looked over, as before every training; then it starts from random "
        "weights."
    )
    screen.say()


def show_verdict(
    unseen_dates: Sequence[Answer], unseen_forms: Sequence[Answer], screen: Screen
) -> None:
    """Print both accuracies, the second also by form, then right and wrong answers."""
    screen.say("An answer counts only if all ten characters are right.")
    screen.table(
        ("asked", "right", "of", "share"),
        [
            _share("new dates, in forms it learned", unseen_dates),
            _share("new dates, in forms it never saw", unseen_forms),
            *(_share(f"    like {form}", _in_form(unseen_forms, form)) for form in HELD_OUT_FORMS),
        ],
        right=3,
    )
    answers = [*unseen_forms, *unseen_dates]
    right = _of_each_form([answer for answer in answers if answer.right])[:SHOWN]
    wrong = _of_each_form([answer for answer in answers if not answer.right])[:SHOWN]
    screen.say()
    screen.table(
        ("written", "its answer", ""),
        [
            *((a.question.text, a.given, Text("right", "green")) for a in right),
            *((a.question.text, a.given, Text(f"wrong: {a.question.iso}", "red")) for a in wrong),
        ],
    )


def _of_each_form(answers: Sequence[Answer]) -> list[Answer]:
    """Return the first answer of each form, so that those shown differ."""
    return list({answer.question.form: answer for answer in reversed(answers)}.values())[::-1]


def _in_form(answers: Sequence[Answer], form: Form) -> list[Answer]:
    return [answer for answer in answers if answer.question.form == form]


def _share(name: str, answers: Sequence[Answer]) -> tuple[str, str, str, str]:
    right = sum(answer.right for answer in answers)
    return name, f"{right:,}", f"{len(answers):,}", f"{right / len(answers):.0%}"

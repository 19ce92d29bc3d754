"""How a text is gone on with, as commands ask for it: length, end, and how pieces are drawn.

Options come in, a search goes out; `heed generate` and `heed chat` have them.
"""

__all__ = ["WritingOptions", "check_writing", "drawing_of", "stops_of"]

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.errors import SettingError

if TYPE_CHECKING:
    from heedful.search import Greedy, Sample

_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "typical_p", "seed")
"""Options that only drawing has."""


@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """What both commands have."""

    max_new: int = 200
    """Most pieces that are written behind a prompt."""
    stop: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """End before this text (\\n: a line break); may be given several times."""
    temperature: float | None = None
    """Draw; below 1 likely pieces become likelier, above 1 less so."""
    top_k: int | None = None
    """Draw from so many likeliest pieces."""
    top_p: float | None = None
    """Draw from the fewest pieces with so much probability together."""
    min_p: float | None = None
    """Draw from pieces with this share of the likeliest one's probability."""
    typical_p: float | None = None
    """Draw from the pieces nearest to the expected information, of so much probability together."""
    seed: int | None = None
    """Draw; decides what is drawn (1 if not given)."""
    repetition_penalty: float | None = None
    """Above 1: pieces that the text has already become less likely."""
    no_repeat_ngram: int | None = None
    """No sequence of so many pieces comes twice in a text."""


def check_writing(options: WritingOptions) -> None:
    """Raise SettingError for a length or a stop string that is none."""
    if not 1 <= options.max_new <= 100_000:
        problem = f"{options.max_new} is not from 1 to 100,000"
        raise SettingError(problem, where="--max-new")
    if not all(options.stop):
        raise SettingError(
            "a stop string is empty", where="--stop", fix="write it, or leave it out"
        )


def stops_of(options: WritingOptions) -> list[str]:
    """Return the stop strings."""
    return [words.replace("\\n", "\n") for words in options.stop]


def drawing_of(options: WritingOptions, samples: int = 1) -> "Greedy | Sample":
    """Return how pieces are chosen; raises SettingError, naming the option."""
    from heedful.search_options import writing_of

    given: dict[str, Any] = {
        name: getattr(options, name)
        for name in (*_SAMPLING, "repetition_penalty", "no_repeat_ngram")
        if getattr(options, name) is not None
    }
    if samples != 1:
        given["count"] = samples
    try:
        return writing_of(given)
    except SettingError as error:
        raise error.said_of((error.where or "").replace("--count", "--samples")) from error

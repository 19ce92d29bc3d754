"""What --protect keeps: 2,000 strings of LibreOffice's user interface, with and without it.

    python benchmarks/protect.py

Translates them into German by the bundled model: all that hold placeholders, tags or addresses,
then some with numbers, with marks of keyboard shortcuts, and others, in the order of the file. What
is lost and gained is counted by the few patterns below, which know nothing of
`heedful.text.protect`. A translation that is its source is a failure, unless people left it too.
Needs $HEEDFUL_DATA. Prints and writes results/protect.json.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from machine import data_folder, record

from heedful.evaluate import score
from heedful.translator import BUNDLED, Care, Translation, Translator, load

STRINGS = 2000
SIGNS = re.compile(
    r"%\d\$[sd]|%\d+|%[A-Za-z]\w*%?|%\{\w+\}"  # %1$s %1 %s %NAME %name% %{name}
    r"|\$\(\w+\)|\$\{\w+\}|\$[A-Za-z]\w*\$?|#[A-Za-z]\w*#|\{\d*\}"  # $(ARG1) ${n} $n$ #n# {0}
    r"|</\w+>|<\w[^<>]*(?:=[^<>]*|/)>|<BR>|<(\w+)>(?=.*</\1>)"  # of <none> the word is translated
    r"|https?://[^\s<>()\"]*[\w/]|www\.[^\s<>()\"]*[\w/]|[\w.+-]+@[\w-]+\.[\w.-]*\w"
)
DIGITS = re.compile(r"\d{2,}")
"""Of a number; a single one may become a word."""
NUMBER = re.compile(rf"(?<![^\W_]){DIGITS.pattern}(?![^\W_])")
"""One that stands free: UTF16 and 20th are words."""
THOUSANDS = re.compile(r"(?<=\d)[.,](?=\d{3}(?!\d))")
MARK = re.compile(r"(?<!\w)[~&_](?=[^\W\d_])|(?<=[^\W\d_])[~_](?=[a-zß-ÿ])")
KINDS = ("signs", "numbers", "marks", "others")


def main() -> None:
    """Measure and write."""
    data = data_folder(__file__)
    if data is None:
        return
    texts = (
        Path(f"{data}/libreoffice_ui_en_de/ui.{side}").read_text("utf-8") for side in ("en", "de")
    )
    kinds = chosen(list(zip(*(text.strip("\n").split("\n") for text in texts), strict=True)))
    translator = load()
    translator.settle()
    ways = {"without": Care(), "with --protect": Care(protect=True)}
    found = {name: measured(translator, kinds, care) for name, care in ways.items()}
    print(json.dumps(found, indent=2))
    strings = {kind: len(pairs) for kind, pairs in kinds.items()}
    record("protect", {"model": BUNDLED, "beam": 4, "strings": strings, "ways": found})


def kind_of(text: str) -> str:
    """Return what of a text must survive, the hardest of it.

    >>> [kind_of(text) for text in ("Open %1", "12 pages", "~Open", "Open")]
    ['signs', 'numbers', 'marks', 'others']
    """
    for kind, pattern in (("signs", SIGNS), ("numbers", NUMBER), ("marks", MARK)):
        if pattern.search(text):
            return kind
    return "others"


def chosen(pairs: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Return all pairs whose source has signs, and of the other kinds a third of the rest each."""
    kinds: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for source, target in pairs:
        kinds[kind_of(source)].append((source, target))
    left = STRINGS - len(kinds["signs"])
    for number, kind in enumerate(KINDS[1:]):
        kinds[kind] = kinds[kind][: left // (3 - number)]
        left -= len(kinds[kind])
    return kinds


def measured(
    translator: Translator, kinds: dict[str, list[tuple[str, str]]], care: Care
) -> dict[str, Any]:
    """Return what one way keeps, its scores, flags and seconds."""
    pairs = [pair for kind in kinds.values() for pair in kind]
    start = time.perf_counter()
    found = translator.translate_detailed([source for source, _ in pairs], "de", care=care)
    seconds = time.perf_counter() - start
    result: dict[str, Any] = {"all": counted(pairs, found)}
    at = 0
    for kind, some in kinds.items():
        result[kind] = counted(some, found[at : at + len(some)])
        at += len(some)
    flags = Counter(flag for one in found for flag in one.flags)
    return result | {"flags": dict(sorted(flags.items())), "seconds": round(seconds, 1)}


def counted(pairs: list[tuple[str, str]], found: list[Translation]) -> dict[str, Any]:
    """Return how many strings lose or gain something, and the scores."""
    texts = [one.text for one in found]
    both = [(source, text) for (source, _), text in zip(pairs, texts, strict=True)]
    scores = score(texts, [target for _, target in pairs], language="de")
    copied = [
        text.strip() == source.strip() and target.strip() != source.strip()
        for (source, target), text in zip(pairs, texts, strict=True)
    ]
    return {
        "strings": len(pairs),
        "lose signs": sum(bool(signs(source) - signs(text)) for source, text in both),
        "gain signs": sum(bool(signs(text) - signs(source)) for source, text in both),
        "lose numbers": sum(bool(numbers(source) - numbers(text, DIGITS)) for source, text in both),
        "lose a mark": sum(
            bool(MARK.search(source)) and not MARK.search(text) for source, text in both
        ),
        "copied": sum(copied),
        "bleu": scores.bleu.value,
        "chrf": scores.chrf.value,
    }


def signs(text: str) -> Counter[str]:
    """Return the placeholders, tags and addresses of a text."""
    return Counter(match[0] for match in SIGNS.finditer(text))


def numbers(text: str, pattern: re.Pattern[str] = NUMBER) -> Counter[str]:
    """Return the numbers of a text, those with fractions in two parts.

    >>> numbers("1,000.55 of 7") == numbers("1.000,55")
    True
    """
    return Counter(pattern.findall(THOUSANDS.sub("", SIGNS.sub(" ", text))))


if __name__ == "__main__":
    main()

"""The demo's first part: sentences translated, and what each translated word looked at.

A translator and the text that the user typed come in; everything is printed on a `Screen`.
"""

__all__ = ["SAMPLES", "guess_language", "show_translations"]

import re
import time

from rich.text import Text

from heedful.demo.screen import Screen
from heedful.errors import HeedfulError
from heedful.inspect.alignment import align
from heedful.translator import Translation, Translator

SAMPLES = {
    "en": (
        "My sister bought a red bicycle yesterday.",
        "The train to Berlin leaves at half past nine.",
        "I have never seen such a beautiful garden.",
    ),
    "de": (
        "Können Sie mir sagen, wann das Museum öffnet?",
        "Unser Nachbar hat gestern seinen Schlüssel im Büro vergessen.",
    ),
}
"""Everyday sentences, chosen before there was a model; none is in its training data."""

BAR = 24
"""Characters of a bar that means 100 %."""

LONGEST = 40
"""Words of a translation up to which its attention is shown."""

COMMON = {
    "en": "the a an is are was were i you he she it we they this that and or not of to in on for "
    "with my your his her what where when how why have has do does did can will please",
    "de": "der die das den dem des ein eine einen einem ist sind war waren ich du er sie es wir "
    "ihr dieser diese dieses und oder nicht von zu im am auf für mit mein dein sein was wo wann "
    "wie warum habe hat haben kann wird werden bitte",
}


def guess_language(text: str) -> str | None:
    """Guess from common words whether a text is English or German; None when they do not tell.

    >>> guess_language("Where is the dog?"), guess_language("Schön!"), guess_language("Tom")
    ('en', 'de', None)
    """
    found = re.findall(r"\w+", text.lower())
    hits = {code: sum(map(common.split().count, found)) for code, common in COMMON.items()}
    hits["de"] += len(re.findall("[äöüß]", text.lower()))
    if hits["en"] == hits["de"]:
        return None
    return max(hits, key=hits.__getitem__)


def show_translations(translator: Translator, typed: str, screen: Screen) -> None:
    """Translate samples and the typed text, then show the attention of the last of each kind."""
    samples = [
        (text, to)
        for to in _targets(translator)
        for text in SAMPLES.get(_source(translator, to) or "", ())
    ]
    started = time.perf_counter()
    done = [(to, _translate(translator, text, to)) for text, to in samples]
    seconds = time.perf_counter() - started
    own = [(to, _translate(translator, typed, to)) for to in _wanted(translator, typed)]
    for to, translation in done + own:
        _show_pair(translator, translation, to, screen)
    if done:
        screen.say(f"{len(done)} sentences, one at a time, in {seconds:.1f} s", style="dim")
    looked = own or done[1:2]
    if looked:
        screen.heading("What each word looked at")
        screen.say(
            "While it writes a word, the decoder looks at the source; the share is how much of its "
            "attention went to one word."
        )
    for to, translation in looked:
        _show_attention(translator, translation, to, screen)


def _targets(translator: Translator) -> list[str | None]:
    """Return the tags that the model can be asked for; None is the only one it has."""
    return list(reversed(translator.tokenizer.languages)) or [None]


def _source(translator: Translator, to: str | None) -> str | None:
    """Return the language that is translated into `to`."""
    return translator.languages.known_source(to) or None


def _wanted(translator: Translator, typed: str) -> list[str | None]:
    """Return the targets for the typed text: the other language, or all when it is not known."""
    if not typed.strip():
        return []
    targets = _targets(translator)
    language = guess_language(typed)
    languages = translator.languages
    fitting = [to for to in targets if (language, to or languages.target) in languages.ways()]
    return fitting or targets


def _translate(translator: Translator, text: str, to: str | None) -> Translation:
    return translator.translate_detailed([text], to)[0]


def _show_pair(
    translator: Translator, translation: Translation, to: str | None, screen: Screen
) -> None:
    names = (_source(translator, to) or "", to or translator.languages.target)
    screen.say()
    screen.say(f"  {names[0]:3} {translation.source}")
    screen.say(f"  {names[1]:3} {translation.text}", style="bold green")
    if "unfinished" in translation.flags:
        screen.say("      (it did not come to an end)", style="yellow")


def _show_attention(
    translator: Translator, translation: Translation, to: str | None, screen: Screen
) -> None:
    """Print a row for each word of the translation."""
    source, target = translation.source.strip(), translation.text
    screen.say()
    screen.say(f"  {source}")
    if "split" in translation.flags or len(target.split()) > LONGEST:
        screen.say("  (too long for a table)", style="yellow")
        return
    try:
        rows = align(translator.model, translator.tokenizer, source, target, to=to)
    except HeedfulError as error:
        screen.say(f"  ({error})", style="yellow")
        return
    screen.table(
        ("word", "looked most at", "share", ""),
        [
            (row.word, row.source_word, f"{row.weight:4.0%}", Text(_bar(row.weight), "cyan"))
            for row in rows
        ],
    )


def _bar(share: float) -> str:
    """Return a bar of eighths.

    >>> _bar(0.51)
    '████████████▎'
    """
    whole, eighths = divmod(round(share * BAR * 8), 8)
    return "█" * whole + "▏▎▍▌▋▊▉"[eighths - 1 : eighths] if eighths else "█" * whole

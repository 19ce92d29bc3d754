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
    "zh": (
        "猫吃鱼，因为它饿了。",
        "我妹妹昨天买了一辆红色的自行车。",
    ),
}
"""Everyday sentences; none is in the training data of the bundled model."""

Way = tuple[str, str]
"""A source language and a target language; empty where nobody said."""

_HAN, _KANA = re.compile("[\u4e00-\u9fff]"), re.compile("[\u3040-\u30ff]")

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
    """Guess whether a text is English, German or Chinese; None when it does not tell.

    >>> guess_language("Where is the dog?"), guess_language("Schön!"), guess_language("Tom")
    ('en', 'de', None)
    """
    if len(_HAN.findall(text)) > len(re.findall("[A-Za-zÄÖÜäöüß]+", text)):
        return None if _KANA.search(text) else "zh"
    found = re.findall(r"\w+", text.lower())
    hits = {code: sum(map(common.split().count, found)) for code, common in COMMON.items()}
    hits["de"] += len(re.findall("[äöüß]", text.lower()))
    if hits["en"] == hits["de"]:
        return None
    return max(hits, key=hits.__getitem__)


def show_translations(translator: Translator, typed: str, screen: Screen) -> None:
    """Translate samples and the typed text, then show the attention of the last of each kind."""
    samples = [(text, way) for way in translator.ways() for text in SAMPLES.get(way[0], ())]
    started = time.perf_counter()
    done = [(way, _translate(translator, text, way)) for text, way in samples]
    seconds = time.perf_counter() - started
    own = [(way, _translate(translator, typed, way)) for way in _wanted(translator, typed)]
    for way, translation in done + own:
        _show_pair(translation, way, screen)
    if done:
        screen.say(f"{len(done)} sentences, one at a time, in {seconds:.1f} s", style="dim")
    looked = own or done[1:2]
    if looked:
        screen.heading("What each word looked at")
        screen.say(
            "While it writes a word, the decoder looks at the source; the share is how much of its "
            "attention went to one word."
        )
    for way, translation in looked:
        _show_attention(translator, translation, way, screen)


def _wanted(translator: Translator, typed: str) -> list[Way]:
    """Return the ways for the typed text: out of its language, or to each when it is not known."""
    if not typed.strip():
        return []
    ways = translator.ways()
    language = guess_language(typed)
    fitting = [way for way in ways if way[0] == language]
    targets = dict.fromkeys(target for _, target in ways)
    return fitting or [(translator.languages.known_source(target), target) for target in targets]


def _translate(translator: Translator, text: str, way: Way) -> Translation:
    return translator.translate_detailed([text], way[1] or None)[0]


def _show_pair(translation: Translation, way: Way, screen: Screen) -> None:
    screen.say()
    screen.say(f"  {way[0]:3} {translation.source}")
    screen.say(f"  {way[1]:3} {translation.text}", style="bold green")
    if "unfinished" in translation.flags:
        screen.say("      (it did not come to an end)", style="yellow")


def _show_attention(
    translator: Translator, translation: Translation, way: Way, screen: Screen
) -> None:
    """Print a row for each word of the translation."""
    source, target = translation.source.strip(), translation.text
    screen.say()
    screen.say(f"  {source}")
    if "split" in translation.flags or len(target.split()) > LONGEST:
        screen.say("  (too long for a table)", style="yellow")
        return
    try:
        to = translator.target(way[1] or None)
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

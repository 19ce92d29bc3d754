"""Which way a text is translated: what a user asks for becomes what a tokenizer is asked for.

The languages that a model knows and those that a user names come in, a tag or a direction goes out;
the translator asks, and so does everything that translates with it.
"""

__all__ = ["asked_of", "learnt_ways", "ways_of"]

from collections.abc import Sequence

from heedful.data.corpus import DataConfig
from heedful.errors import SettingError, did_you_mean
from heedful.model_header import Languages
from heedful.text.framing import direction, parted
from heedful.text.tokenizer import Tokenizer

_NAMED = 8
"""Languages that a message names at most."""


def asked_of(
    tokenizer: Tokenizer, languages: Languages, to: str | None, from_: str | None
) -> str | None:
    """Return the target's tag, None for a model of one direction.

    A model that is told the source's language, too, is asked for a `direction`; what is not said is
    the model's own pair of languages, where it has one. Raises SettingError when a language is
    missing and needed, or when `to` or `from_` is one that the model does not translate.
    """
    told, to = parted(to)
    from_ = told if from_ is None else from_
    if not tokenizer.languages:
        _agree("to", to, languages.target, languages)
        _agree("from", from_, languages.source, languages)
        return None
    if not tokenizer.framing.directed:
        return _tag(tokenizer.languages, languages, to, from_)
    if to is None:
        to = languages.target or None
    target = _tag(tokenizer.languages, languages, to, from_)
    source = from_ or languages.source
    if source not in tokenizer.languages or source == target:
        raise SettingError(
            "the model must be told which language a text is in",
            where="--from",
            fix=f"give {_choice('--from', tokenizer.languages)}",
        )
    return direction(source, target)


def ways_of(tagged: Sequence[str], known: Languages) -> list[tuple[str, str]]:
    """Return every source with its target; all of them where the model does not say."""
    if not tagged or {known.source, known.target, *known.others} == set(tagged):
        return known.ways()
    if known.source and known.source not in tagged:
        return [(known.source, language) for language in tagged]
    return [(a, b) for a in tagged for b in tagged if a != b]


def _tag(tagged: Sequence[str], languages: Languages, to: str | None, from_: str | None) -> str:
    """Return the language that a tag asks for."""
    ways = ways_of(tagged, languages)
    sources = {source for source, _ in ways}
    for option, language, known in (("to", to, tagged), ("from", from_, sorted(sources))):
        if language is not None and language not in known:
            problem = f'the model knows no language "{language}"'
            fix = did_you_mean(language, known)
            raise SettingError(problem, where=f"--{option}", fix=fix)
    if to is not None and to == from_:
        raise SettingError(f'both are "{to}"', where="--from and --to", fix="give one of them")
    reached = {b for a, b in ways if from_ is None or a == from_}
    targets = [language for language in tagged if language in reached]
    if to is None and (from_ is None or len(targets) != 1):
        fix = f"give {_choice('--to', targets)}"
        raise SettingError("the model translates into several languages", fix=fix)
    if to is not None and to not in targets:
        alone = f"the model translates from {from_} to {' or '.join(targets)} alone"
        fix = f"translate to {languages.source} first, and from there to {to}"
        raise SettingError(alone, where=f"--from {from_} --to {to}", fix=fix)
    return to if to is not None else targets[0]


def _choice(option: str, languages: Sequence[str]) -> str:
    """Return the option with each of the languages, or with the first of many."""
    named = " or ".join(f"{option} {language}" for language in languages[:_NAMED])
    return named if len(languages) <= _NAMED else f"{named}, or one of {len(languages)} others"


def _agree(option: str, asked: str | None, known: str, languages: Languages) -> None:
    """Raise SettingError when a one-direction model is asked for a language it has not."""
    if asked is None or asked == known:
        return
    source, target = languages.source, languages.target
    if not known:
        raise SettingError(
            "the model was trained without naming its languages",
            where=f"--{option} {asked}",
            fix="leave it out",
        )
    raise SettingError(
        f"the model translates only from {source or 'its source'} to {target or 'its target'}",
        where=f"--{option} {asked}",
        fix="leave it out, or use another model",
    )


def learnt_ways(data: DataConfig, tokenizer: Tokenizer) -> list[tuple[int, str | None]]:
    """Return which side is the source, with the tag of the target language if there are tags."""
    ways = [(data.source_language, data.target_language)]
    if data.both_directions:
        ways.append(ways[0][::-1])
    if tokenizer.framing.directed:
        return [(side, direction(*way)) for side, way in enumerate(ways)]
    tagged = data.both_directions or tokenizer.languages
    return [(side, way[1] if tagged else None) for side, way in enumerate(ways)]

"""A model that was just trained learns from the dev set how good its translations are.

The run folder's dev pairs and a model come in, what it knows of its quality goes out;
`heedful.run` puts that beside the model.
"""

__all__ = ["calibrated"]

from pathlib import Path

import torch

from heedful.confidence import FEWEST, Calibration, Confidence, Fit
from heedful.config import RunConfig
from heedful.data.evenly import evenly
from heedful.data.held_out import held_out
from heedful.evaluate import sentence_chrf
from heedful.model_folder import LoadedModel
from heedful.translation import UNFINISHED
from heedful.translator import Translation, Translator

MOST = 500
"""Sentences that are translated for each target language, evenly spread over the dev set."""
_FIRST = 20
"""Sentences translated before the others: a model that can end few of them takes very long."""


def calibrated(
    config: RunConfig, folder: Path, loaded: LoadedModel, device: torch.device
) -> tuple[Confidence, list[str]]:
    """Return what the model knows, and a sentence on each target language.

    Where a dev set has fewer sentences than `FEWEST`, or the model cannot end most of its
    translations, nothing is learnt of that language.
    """
    translator, known, said = Translator(loaded, device), Confidence({}), []
    for tag, sources, references in _sets(config, folder, loaded):
        to = f" to {tag}" if tag else ""
        if len(sources) < FEWEST:
            few = f"{len(sources)} sentences in the dev set, {FEWEST} are needed"
            said.append(f"confidence{to}: not learnt, {few}")
            continue
        with torch.compiler.set_stance("force_eager"):  # a search has too many shapes to compile
            found = _translated(translator, sources, tag or None, config)
        if found is None:
            endless = f"most of the first {_FIRST} translations come to no end"
            said.append(f"confidence{to}: not learnt, {endless}")
            continue
        log_probs = translator.mean_log_probs(found)
        chrf = sentence_chrf([one.text for one in found], references).tolist()
        curve = Calibration.fit(log_probs, chrf)
        known = known.with_target(tag, curve)
        said.append(f"confidence{to}: {Fit.of(curve(log_probs).tolist(), chrf)}, dev set")
    return known, said


def _translated(
    translator: Translator, sources: list[str], tag: str | None, config: RunConfig
) -> list[Translation] | None:
    """Return the translations; None where most of the first are unfinished."""
    first = translator.translate_detailed(sources[:_FIRST], tag, search=config.search)
    if 2 * sum(UNFINISHED in one.flags for one in first) > len(first):
        return None
    return first + translator.translate_detailed(sources[_FIRST:], tag, search=config.search)


def _sets(
    config: RunConfig, folder: Path, loaded: LoadedModel
) -> list[tuple[str, list[str], list[str]]]:
    """Return the target's tag, sources and references of every direction that was learnt."""
    data, tagged = config.data, bool(loaded.tokenizer.languages)
    found: list[tuple[str, list[str], list[str]]] = []
    back: tuple[list[str], list[str]] = ([], [])
    for language in data.of_languages():
        place = folder if language == data.target_language else folder / language
        every = held_out(place / "dev.jsonl")
        pairs = [pair for pair in (every[at] for at in evenly(len(every), MOST)) if all(pair)]
        sources, references = ([pair[side] for pair in pairs] for side in (0, 1))
        found.append((language if tagged else "", sources, references))
        back = (back[0] + references, back[1] + sources)
    if data.both_directions:
        found.append((data.source_language, *back))
    return found

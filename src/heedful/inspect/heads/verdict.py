"""What may be said of a model and "it": that it resolves it, only where all the evidence agrees.

The measurements of attention, of cuts and of the output come in, one sentence goes out. Attention
alone proves nothing (Jain and Wallace 2019), and one head may show nothing because others do the
same job.
"""

__all__ = ["Verdict", "verdict"]

from typing import NamedTuple

from heedful.inspect.heads.behaviour import CHANCE, Behaviour
from heedful.inspect.heads.causal import Causal
from heedful.inspect.heads.coreference import Coreference
from heedful.inspect.heads.intervals import Estimate
from heedful.inspect.heads.nouns import PRONOUNS


class Verdict(NamedTuple):
    """A sentence, and what it rests on; None: it was not measured."""

    resolves: bool
    attention: bool
    causal: bool | None
    output: bool | None
    said: str


def verdict(
    coreference: Coreference,
    causal: Causal | None,
    behaviour: Behaviour | None,
    way: tuple[str, str],
) -> Verdict:
    """Return the verdict on a model that translates this `way`, from one language to another.

    Cuts and output are measured where the target language shows which noun is meant: German.
    """
    attention = coreference.is_coreference(coreference.chosen)
    looked = _attention(coreference)
    if causal is None or behaviour is None:
        return Verdict(False, attention, None, None, f"{looked}; {_no_choice(*way)}.")
    evidence = (attention, causal.matters, behaviour.resolves)
    facts = f"{looked}; {_cut(causal)}; {_output(behaviour)}"
    if all(evidence):
        return Verdict(True, *evidence, f'The model resolves "it": {facts}.')
    return Verdict(False, *evidence, f'It is not shown that the model resolves "it": {facts}.')


def _no_choice(source: str, target: str) -> str:
    """Say why no more can be told."""
    if (source, target) == ("zh", "en"):
        return (
            "this language pair does not force a choice: 它 becomes it whatever it stands for, so "
            "that the output shows nothing"
        )
    return (
        f"what the output shows is measured from English to German alone, not from {source} to "
        f"{target}"
    )


def _attention(found: Coreference) -> str:
    measure = found.of(found.chosen)
    name, best = found.to_beat
    return (
        f"attention, {found.chosen}, points to the antecedent in {_percent(measure.content)} of "
        f"{found.test} unseen sentences (mean weight {measure.mass.value:.2f}; {name}: "
        f"{best:.0%}), and to it rather than to the other noun in {_percent(measure.candidates)}"
    )


def _cut(found: Causal) -> str:
    """Say what removing the edge and the antecedent's value changes."""
    parts = []
    for what, effect, above in (
        ("cutting that edge", found.edge, found.edge_above_control),
        ("silencing the antecedent in that layer", found.silent, found.silent_above_control),
        ("cutting the edge in all heads", found.everywhere, found.everywhere_above_control),
    ):
        if effect.low <= 0 <= effect.high:
            parts.append(f"{what} changes nothing measurable ({_nats(effect.value)})")
            continue
        other = f"{_nats(effect.value - above.value)} at the other noun"
        beyond = "more than" if above.low > 0 else "not measurably more than"
        parts.append(f"{what} costs its pronoun {_nats(effect.value)}, {beyond} the {other}")
    return ", ".join(parts)


def _output(found: Behaviour) -> str:
    both = f"both members of {_percent(found.both_right)} of {found.pairs} minimal pairs come out"
    total = sum(found.counts.values())
    most = max(PRONOUNS, key=found.counts.__getitem__)
    share = found.counts[most] / total
    habit = f", and {share:.0%} of all say {most}" if share > 0.5 else ""
    return f"{both} right by the output's gender (chance {CHANCE:.0%}){habit}"


def _nats(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f} nats"


def _percent(found: Estimate) -> str:
    """Say a share with its interval.

    >>> _percent(Estimate(0.5, 0.42, 0.58))
    '50% (42 to 58)'
    """
    value, low, high = (100 * number for number in found)
    return f"{value:.0f}% ({low:.0f} to {high:.0f})"

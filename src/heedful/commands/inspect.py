"""`heed inspect`: what a model looks at while it translates or writes, and what that is worth."""

__all__ = ["EXAMPLES", "Options", "run"]

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from heedful.errors import SettingError

if TYPE_CHECKING:
    from heedful.inspect.trace import Trace

EXAMPLES = """
heed inspect --to de "The cat ate the fish because it was hungry."
heed inspect --to en 猫吃鱼,因为它饿了。 --word 它
heed inspect runs/mine "A dog runs." -o trace.html
heed inspect --to de "The cat ate the fish because it was hungry." --explain hungrig
heed inspect --to de "The cat ate the fish because it was hungry." --ablate encoder.4.3 cross.1
heed inspect --to de "The cat ate the fish because it was hungry." --replace hungry=tasty
heed inspect --model gpt2 "The capital of France is" --max-new 8
heed inspect --model gpt2 "The cat sat on" --word cat --ablate decoder.4.3 -o trace.html
"""

_OF_TRANSLATORS = ("to", "from_", "beam", "length_penalty")
_OF_WRITERS = ("max_new", "temperature", "seed")
"""Options that one of the two kinds of models has alone."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Show what a model looks at while it translates or writes, and what its answer rests on.

    Give the sentence, or a model and the sentence. Layers and heads are counted from 0: encoder.4.3
    is the fourth head of the encoder's fifth layer, cross.1 all heads by which the decoder's second
    layer looks at the source. Of a decoder such as GPT-2 or Llama, from a folder of Hugging Face,
    the sentence is a prompt, and decoder.4.3 looks back in the text. What a head looks at is no
    proof of why the model answers as it does: switch the head off, or change a word, and see.
    """

    words: tyro.conf.Positional[tuple[str, ...]] = ()
    """The sentence; before it, if you like, a model folder, a run folder or a bundled name."""
    model: str | None = None
    """The same model by name; the bundled model if none is given."""
    target: str | None = None
    """A translation, or what stands behind the prompt, to look at in place of the model's own."""
    to: str | None = None
    """The language to translate to, where the model has several."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """The language of the sentence."""
    beam: int | None = None
    """Hypotheses that the search keeps (4 if not given)."""
    length_penalty: float | None = None
    """Alpha of the length penalty (0.6 if not given)."""
    max_new: int | None = None
    """Most pieces that are written behind a prompt (20 if not given)."""
    temperature: float | None = None
    """Draw what is written; below 1 likely pieces become likelier, above 1 less so."""
    seed: int | None = None
    """Draw what is written; decides what is drawn (1 if not given)."""
    word: str | None = None
    """Show what every head looks at from this word; a number is the word's place, from 0."""
    kind: Literal["encoder", "decoder", "cross"] | None = None
    """Which attention --word is about: encoder has words of the source, others of the target; the
    first that the model has if not given."""
    explain: str | None = None
    """Show what the prediction of this word of the translation rests on, or of this step."""
    method: str | None = None
    """How: grad_x_input, integrated_gradients, value_zeroing, occlusion (if not given), rollout or
    chefer."""
    ablate: tuple[str, ...] = ()
    """Heads or layers to switch off, to see what changes."""
    how: Literal["zero", "mean", "uniform"] | None = None
    """What an ablated head does: hand on nothing, its mean (if not given), or look at everything
    alike."""
    replace: tuple[str, ...] = ()
    """Words of the source to replace, such as hungry=tasty, to see what changes."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write all of it: .html to look at, .json or .npz to compute with, .svg or .png to print."""
    device: str = "auto"
    """auto, cpu or cuda."""
    json: bool = False
    """Print everything as JSON, as the page draws it."""


def run(options: Options) -> int:
    """Translate, look, and show what was asked for on standard output."""
    model, text = _words(options)
    changes = _changes(options)
    _refuse_idle(options)
    if options.json and (options.word or options.explain or options.ablate or changes):
        raise SettingError("it has the whole trace, and none of what else is asked", where="--json")
    from heedful.inspect.saving import check_format
    from heedful.interop.writers import writes
    from heedful.model_path import BUNDLED

    if options.output is not None:
        check_format(options.output)
    name = BUNDLED if model is None else model
    seen = _written(options, name, text) if writes(name) else _translated(options, name, text)
    if options.output is not None:
        seen.save(options.output, name)
    for line in _lines(options, seen, name, changes):
        print(line)
    return 0


def _translated(options: Options, name: str, text: str) -> "Trace":
    """Return the trace of a translation."""
    from heedful.inspect.trace import trace
    from heedful.translator import Translator

    _refuse(options, _OF_WRITERS, f"{name} translates")
    given = {"beam": options.beam, "length_penalty": options.length_penalty}
    return trace(
        Translator.load(name, options.device),
        text,
        options.target,
        to=options.to,
        from_=options.from_,
        **{key: value for key, value in given.items() if value is not None},  # type: ignore[arg-type]
    )


def _written(options: Options, name: str, text: str) -> "Trace":
    """Return the trace of a text that is gone on with."""
    from heedful.device import pick_device
    from heedful.inspect.prompted import MOST, trace_prompt
    from heedful.interop.writers import load_writer
    from heedful.search_options import writing_of

    _refuse(options, _OF_TRANSLATORS, f"{name} goes on with a text")
    if options.target is not None:
        _refuse(options, _OF_WRITERS, "--target is read as it is")
    if options.kind not in (None, "decoder"):
        raise SettingError(
            f"{name} has no encoder", where=f"--kind {options.kind}", fix="leave it out"
        )
    given = {"temperature": options.temperature, "seed": options.seed}
    search = writing_of({key: value for key, value in given.items() if value is not None})
    writer = load_writer(Path(name), pick_device(options.device))
    most = MOST if options.max_new is None else options.max_new
    try:
        return trace_prompt(writer, text, options.target, most=most, search=search)
    except SettingError as error:
        raise error.said_of("--max-new" if error.where == "most" else error.where) from error


def _refuse(options: Options, names: tuple[str, ...], why: str) -> None:
    """Raise SettingError for an option that means nothing to the model."""
    for name in names:
        if getattr(options, name) is not None:
            option = f"--{name.rstrip('_').replace('_', '-')}"
            raise SettingError(f"{why}, which has no use for it", where=option, fix="leave it out")


def _refuse_idle(options: Options) -> None:
    """Raise SettingError for an option that says how, where the question itself is not asked."""
    questions = {"kind": "word", "method": "explain", "how": "ablate"}
    for name, question in questions.items():
        if getattr(options, name) is not None and getattr(options, question) in (None, ()):
            problem, fix = f"it is for --{question}", f"give --{question}, too, or leave it out"
            raise SettingError(problem, where=f"--{name}", fix=fix)


def _words(options: Options) -> tuple[str | None, str]:
    """Return the model, if one is named, and the sentence."""
    if not 1 <= len(options.words) <= 2:
        raise SettingError(
            "the sentence is missing" if not options.words else "there are too many words",
            where="heed inspect",
            fix='give one sentence in quotes: heed inspect "The cat sleeps."',
        )
    named = options.words[0] if len(options.words) == 2 else None
    if named is not None and options.model is not None:
        raise SettingError("the model is named twice", where="--model", fix="leave one out")
    return named or options.model, options.words[-1]


def _changes(options: Options) -> dict[str, str]:
    """Return which words are to be replaced by what."""
    changes = {}
    for change in options.replace:
        word, equals, other = change.partition("=")
        if not (word and equals):
            raise SettingError(
                "it is no replacement", where=f"--replace {change}", fix="write word=other"
            )
        if word in changes:
            problem, where = f'"{word}" is replaced twice', f"--replace {change}"
            raise SettingError(problem, where=where, fix="leave one of them out")
        changes[word] = other
    return changes


def _lines(options: Options, seen: "Trace", name: str, changes: dict[str, str]) -> list[str]:
    """Return what is printed."""
    from heedful.inspect import telling
    from heedful.inspect.names import kinds_of

    if options.json:
        import json

        from heedful.inspect.wire import to_wire

        return [json.dumps(to_wire(seen, name), ensure_ascii=False)]
    told = []
    if options.word is not None:
        told += telling.looks(seen, _number(options.word), options.kind or kinds_of(seen.model)[0])
    if options.explain is not None:
        told += telling.reasons(seen, _number(options.explain), options.method or "occlusion")
    if options.ablate or changes:
        how = options.how or "mean"
        difference = seen.what_if(ablate=options.ablate, how=how, replace=changes)
        told += telling.difference(difference)
    if options.output is not None:
        told.append(f"{options.output}: written")
    return told or telling.overview(seen)


def _number(word: str) -> str | int:
    """Return a word, or the number of one."""
    return int(word) if word.isdecimal() else word

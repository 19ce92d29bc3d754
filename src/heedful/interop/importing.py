"""A translator from elsewhere is read, named and written as a model folder of ours."""

__all__ = ["bring"]

from collections.abc import Sequence
from pathlib import Path

from heedful import __version__
from heedful.decoder_folder import is_own
from heedful.errors import ModelError, SettingError, did_you_mean
from heedful.interop import toolkits
from heedful.interop.folder import fresh_folder
from heedful.interop.huggingface import seq2seq
from heedful.model_folder import LoadedModel, save_model
from heedful.model_header import Languages
from heedful.text.pieces import language_tag


def bring(
    folder: Path,
    output: Path,
    source: str | None,
    target: str | None,
    pieces: tuple[Path | None, Path | None] = (None, None),
    prefix: str | None = None,
) -> tuple[LoadedModel, str]:
    """Write a folder of Hugging Face or an old checkpoint as a model folder; return what it holds.

    With it comes a sentence on what was left out, which the card has, too; empty if nothing was.

    `source` and `target` are the languages, where its files name none or others; `pieces` are files
    that cut the texts of an old model; `prefix` are the words before each source; None: those that
    its config.json names for these languages. Raises ModelError for what is not known here,
    OutputError if `output` is taken, SettingError for a target language that the model has no tag
    for, and for words before the source of a model whose tokenizer takes none; a folder that names
    some for such a model is a ModelError.
    """
    if is_own(folder) or is_own(folder / "model"):
        problem, fix = "this is a model of heedful already", f"use it as it is: --model {folder}"
        raise ModelError(problem, where=str(folder), fix=fix)
    rows, old = 0, toolkits.is_checkpoint(folder)
    if old:
        loaded = toolkits.load(folder, *pieces)
    elif any(pieces):
        problem = "only checkpoints of fairseq, OpenNMT-py and JoeyNMT need them"
        raise SettingError(problem, where="--pieces", fix="leave it out")
    else:
        loaded = seq2seq.load(folder)
        rows = seq2seq.left_out(folder, loaded)
    loaded = loaded._replace(languages=_named(loaded, source, target))
    if prefix is None and not old:
        prefix = _told(folder, loaded)
    if prefix is not None and prefix.strip() != loaded.tokenizer.prefix:
        loaded = loaded._replace(tokenizer=loaded.tokenizer.with_prefix(prefix))
    said = ""
    if rows:
        said = f"left out: {rows:,} of the embedding's rows, which spell nothing (<mask>, filling)"
    with fresh_folder(output) as fresh:
        save_model(fresh, *loaded, card=_card(folder, loaded) + (f"\n{said}\n" if said else ""))
    return loaded, said


def _told(folder: Path, loaded: LoadedModel) -> str | None:
    """Return the words before each source that the folder names, if it does."""
    prefix = seq2seq.task_prefix(folder, loaded.languages).strip() or None
    if prefix is not None and loaded.tokenizer.cutters() is None:
        problem = f'its "task_specific_params" name words before a source ({prefix[:60]!r})'
        raise ModelError(
            f"{problem}, and only tokenizers of SentencePiece put them there",
            where=str(folder / "config.json"),
            fix='give --prefix "", and write them before each text yourself',
        )
    return prefix


def _named(loaded: LoadedModel, source: str | None, target: str | None) -> Languages:
    """Return the languages; the targets of a model with tags are its tags."""
    for language in (source, target):
        if language is not None:
            language_tag(language)  # refuses what is no code
    known, tags = loaded.languages, loaded.tokenizer.languages
    if loaded.tokenizer.framing.directed:
        return _directed(known, tags, source, target)
    if tags and target is not None:
        raise SettingError(
            "the model has tags for its target languages",
            where=f"--to {target}",
            fix="leave it out, and give --to when you translate",
        )
    given = known.model_copy(
        update={
            "source": known.source if source is None else source,
            "target": known.target if target is None else target,
        }
    )
    plain = tags and not (known.both_directions or known.others)
    return given.model_copy(update={"target": ""}) if plain else given


def _directed(
    known: Languages, tags: Sequence[str], source: str | None, target: str | None
) -> Languages:
    """Return the languages that are meant where none are named, of a model that is told both."""
    for option, language in (("--from", source), ("--to", target)):
        if language is not None and language not in tags:
            problem = f'the model knows no language "{language}"'
            raise SettingError(problem, where=option, fix=did_you_mean(language, tags))
    found = {"source": source or known.source, "target": target or known.target}
    if found["source"] and found["source"] == found["target"]:
        found["source" if source is None else "target"] = ""
    return known.model_copy(update=found)


def _card(folder: Path, loaded: LoadedModel) -> str:
    known, config = loaded.languages, loaded.model.config
    sides = f"{known.source or 'source'} to {known.target or 'target'}"
    if loaded.tokenizer.languages:
        sides = f"{known.source or 'source'} to {', '.join(loaded.tokenizer.languages)}"
    return (
        f"# A translator, {sides}\n\n"
        f"Imported by heedful {__version__} from `{folder.resolve().name}`, with its"
        f" weights unchanged: {config.encoder_layers} encoder and {config.decoder_layers} decoder"
        f" layers of width {config.d_model}. Its licence and its data are those of that folder.\n"
    )

"""The model card that `heed train` writes beside a model: what it learned from, how, how well."""

__all__ = ["card", "chat_card", "text_card"]

from collections.abc import Sequence

from heedful import __version__
from heedful.config import ChatRunConfig, RunConfig, TextRunConfig
from heedful.models.architecture import ModelConfig
from heedful.models.convolutional import ConvolutionalConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.transformer import TransformerConfig
from heedful.train.loop import Outcome, TrainState, Validation


def card(
    config: RunConfig,
    state: TrainState,
    outcome: Outcome,
    weights: str,
    dev: Validation | None,
    notes: Sequence[str] = (),
) -> str:
    """Return the card as Markdown; every figure in it was measured by the run it describes.

    `notes` are further sentences, such as what the training has changed about the model it began
    with.
    """
    data = config.data
    sides = f"{data.source_language or 'source'} to {data.target_language or 'target'}"
    if data.both_directions:
        others = "".join(f" and {other}" for other in data.other_languages())
        sides += f"{others}, both directions"
    model = config.model
    lines = [
        f"# A translator, {sides}",
        "",
        f"Trained by heedful {__version__} with the recipe `{config.recipe}`"
        f"{f', beginning with the model `{config.start}`,' if config.start else ''} on:",
        "",
        *(f"- `{spec}`" for spec in data.train),
        *(f"- `{spec}`, translated by `{data.teacher}`" for spec in data.source_texts),
        *(f"- `{spec}`, translated back by `{data.teacher}`" for spec in data.target_texts),
        *(["", f"The targets are translations by `{data.teacher}`."] if data.distil else []),
        "",
        f"- {model.kind}: {model.encoder_layers} encoder and {model.decoder_layers} decoder layers "
        f"of width {model.d_model}{_further(model)}",
        f"- {state.step:,} steps, {state.target_tokens:,} target pieces, "
        f"{state.seconds / 60:.1f} minutes; ended because {outcome.reason}",
        f"- weights: {weights}",
    ]
    if dev is not None:
        part = "part of the dev set" + ", mean of the directions" * data.both_directions
        bleu = "" if dev.bleu is None else f", BLEU {dev.bleu:.1f} (greedy, {part})"
        lines.append(f"- dev set: loss {dev.loss:.3f}, perplexity {dev.perplexity:.2f}{bleu}")
    lines += [f"- {note}" for note in notes]
    lines += [
        "",
        "Measure it on a test set: `heed evaluate --model THIS_FOLDER --data test.tsv`",
        "",
    ]
    return "\n".join(lines)


def text_card(
    config: TextRunConfig,
    state: TrainState,
    outcome: Outcome,
    weights: str,
    dev: Validation,
    dev_pieces: int,
) -> str:
    """Return the card of a decoder that has learnt a text."""
    model, data = config.model, config.data
    held_out = f"the last {data.held_out:.0%} of its characters" if not data.dev else "other files"
    return "\n".join(
        [
            "# A decoder that goes on with texts",
            "",
            f"Trained by heedful {__version__} with the recipe `{config.recipe}` on:",
            "",
            *(f"- `{name}`" for name in data.train),
            "",
            f"- {model.n_layers} layers of width {model.d_model}, {model.n_heads} heads, "
            f"feed-forward {model.d_ff}, a context of {model.max_length} pieces "
            f"({config.tokenizer.kind})",
            f"- {state.step:,} steps, {state.target_tokens:,} pieces, "
            f"{state.seconds / 60:.1f} minutes; ended because {outcome.reason}",
            f"- weights: {weights}",
            f"- dev text ({held_out}, {dev_pieces:,} pieces): loss {dev.loss:.4f} nats a piece, "
            f"perplexity {dev.perplexity:.3f}",
            "",
            'Let it write: `heed generate --model THIS_FOLDER -p "Once upon a time"`',
            "",
            "Measure it on a text: `heed evaluate --model THIS_FOLDER --data text.txt`",
            "",
        ]
    )


def chat_card(
    config: ChatRunConfig,
    state: TrainState,
    outcome: Outcome,
    weights: str,
    dev: Validation | None,
    dev_rows: int,
) -> str:
    """Return the card of a decoder that has learnt to answer."""
    model, rank = config.model, config.training.lora_rank
    how = "the better of two answers (DPO)"
    if config.objective.kind == "chat":
        how = "the answers of conversations"
    lines = [
        "# A decoder that answers",
        "",
        f"Trained by heedful {__version__} with the recipe `{config.recipe}`, beginning with the "
        f"model `{config.start}`, on {how}:",
        "",
        *(f"- `{name}`" for name in config.data.train),
        "",
        f"- {model.n_layers} layers of width {model.d_model}, {model.n_heads} heads, feed-forward "
        f"{model.d_ff}, a context of {model.max_length} pieces",
        f"- {f'LoRA of rank {rank}, merged' if rank else 'all weights were learnt'}",
        f"- {state.step:,} steps, {state.seconds / 60:.1f} minutes; ended because {outcome.reason}",
        f"- weights: {weights}",
    ]
    if dev is not None:
        lines.append(f"- dev set ({dev_rows:,} rows): {dev.said()}")
    lines += ["", "Talk with it: `heed chat --model THIS_FOLDER`", ""]
    return "\n".join(lines)


def _further(model: ModelConfig) -> str:
    """Return what of a model's shape belongs to its kind alone."""
    match model:
        case TransformerConfig():
            return f", {model.n_heads} heads, feed-forward {model.d_ff}"
        case RecurrentConfig():
            return f", {model.cell.kind} cells, attention {model.attention.kind}"
        case ConvolutionalConfig():
            return f", {model.kernel_size} inputs a position"

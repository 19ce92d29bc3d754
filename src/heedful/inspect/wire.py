"""A trace as plain data: what the page draws, and what is saved as JSON.

A trace comes in, a dictionary of version 1 goes out. Maps are numbers in base 64, in the order
layer, head, query, key: float32, so that what is shown is what Python says, or for large traces a
byte each with every row's sum exactly 255. Layers and heads are counted from 0.
"""

__all__ = [
    "EXACT",
    "LARGEST",
    "VERSION",
    "attention",
    "attention_of",
    "beam",
    "begun",
    "check_size",
    "lens",
    "of_encoder",
    "rows_of_255",
    "side_of",
    "steps",
    "target",
    "to_wire",
    "writing",
]

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

import heedful
from heedful.inspect.lens import logit_lens
from heedful.inspect.names import Kind, kinds_of, n_layers
from heedful.inspect.sides import Side
from heedful.inspect.stages import Begun, Encoded, TooLongError
from heedful.inspect.trace import Trace
from heedful.models.gpt import GPT
from heedful.models.transformer import Transformer
from heedful.shapes import Array, Float
from heedful.translator import Translator
from heedful.writer import Ended, Writer

VERSION = 1

EXACT = 200_000
"""Weights of a kind of attention up to which they are written in float32: 1.1 MB."""
LARGEST = 10_000_000
"""Weights that are written at all: 13 MB."""


def to_wire(seen: Trace, name: str = "") -> dict[str, Any]:
    """Return a trace as data that JSON can hold; `name` is the model's.

    Raises TooLongError for one with more than `LARGEST` weights.
    """
    check_size(seen)
    found = {
        **begun(seen.by, seen.to, seen.source, name),
        **target(seen.target, seen.forced),
        "attention": [attention_of(seen, kind) for kind in kinds_of(seen.model)],
        "steps": steps(seen),
        "lens": lens(seen),
    }
    if isinstance(seen.by, Writer):
        return found | writing(seen.source, seen.ended)
    return found | {"beam": beam(seen)}


def writing(source: Side, ended: Ended) -> dict[str, Any]:
    """Return what is known of a text that was gone on with: the first step that is no longer the
    prompt's, and why it ended."""
    return {"begins": len(source.ids) - 1, "ended": ended}


def check_size(seen: Trace) -> None:
    """Raise TooLongError for a trace with more than `LARGEST` weights."""
    heads = seen.model.config.n_heads
    sides = [(*seen.axes(kind), seen.n_layers(kind)) for kind in kinds_of(seen.model)]
    count = sum(layers * heads * len(rows) * len(columns) for rows, columns, layers in sides)
    if count > LARGEST:
        raise TooLongError(
            f"{count:,} attention weights are more than the {LARGEST:,} that a page holds",
            given=count,
            most=LARGEST,
            where="save",
            fix="save an .npz, or a shorter sentence",
        )


def begun(by: Translator | Writer, to: str | None, source: Side, name: str) -> dict[str, Any]:
    """Return what is known before a model runs: who translates what, or goes on with it."""
    return {
        "v": VERSION,
        "heedful": heedful.__version__,
        "model": _model(by, name),
        "to": to,
        "source": side_of(source),
    }


def target(side: Side, forced: bool) -> dict[str, Any]:
    """Return the translation, and whether it was given."""
    return {"forced": forced, "target": side_of(side)}


def steps(seen: Trace) -> list[dict[str, Any]]:
    """Return what was predicted at each step."""
    return [_step(number, step) for number, step in enumerate(seen.steps())]


def lens(seen: Trace) -> list[list[dict[str, Any]]]:
    """Return what each decoder layer would say at each step; nothing but of a Transformer."""
    if not isinstance(seen.model, Transformer | GPT):
        return []
    return [
        [{"top": list(map(list, said.top)), "logp": said.log_prob} for said in layer]
        for layer in logit_lens(seen)
    ]


def _model(by: Translator | Writer, name: str) -> dict[str, Any]:
    """Return what a model is; one without an encoder has no encoder layers and no languages."""
    config = by.model.config
    if isinstance(by, Writer):
        languages, sizes = ("", ""), [by.model.vocabulary_size]
        layers = (0, n_layers(by.model, "decoder"))
    else:
        layers = (by.model.config.encoder_layers, by.model.config.decoder_layers)
        languages = (by.languages.source, by.languages.target)
        sizes = [by.tokenizer.source_size, by.tokenizer.target_size]
    return {
        "name": name,
        "from": languages[0],
        "to": languages[1],
        "kind": config.kind,
        "encoder_layers": layers[0],
        "decoder_layers": layers[1],
        "heads": config.n_heads,
        "d_model": config.d_model,
        "vocabulary": sizes,
    }


def side_of(side: Side) -> dict[str, Any]:
    """Return a side: its text, its words, and its pieces with the words that they lie in.

    `word` is the word in which a piece mostly lies, `shares` are all its words with their shares.
    """
    pieces = [
        {
            "id": number,
            "s": token,
            "word": int(row.argmax()) if row.any() else None,
            "shares": [[int(word), float(row[word])] for word in row.nonzero()[0]],
        }
        for number, token, row in zip(side.ids, side.tokens, side.shares, strict=True)
    ]
    return {"text": side.text, "pieces": pieces, "words": side.words}


def of_encoder(asked: Begun, encoded: Encoded) -> dict[str, Any] | None:
    """Return the encoder's maps before there is a translation, if it has any; see `attention`."""
    layers = range(n_layers(asked.translator.model, "encoder"))
    if not layers:
        return None
    weights = [encoded.looks["encoder", layer].weights()[0].cpu().numpy() for layer in layers]
    return attention("encoder", np.stack(weights), asked.source.tokens, asked.source)


def attention_of(seen: Trace, kind: Kind) -> dict[str, Any]:
    """Return the maps of one kind of a trace; see `attention`."""
    return attention(kind, seen.maps(kind), seen.axes(kind)[0], seen.sides(kind)[1])


def attention(
    kind: Kind, weights: Float[Array, "layers H Q M"], queries: Sequence[str], keys: Side
) -> dict[str, Any]:
    """Return the maps of a kind, with the entropy of each row and what goes to no word."""
    with np.errstate(divide="ignore", invalid="ignore"):
        nats = -np.where(weights > 0, weights * np.log(weights), 0).sum(-1)
    exact = weights.size <= EXACT
    written = weights.astype("<f4") if exact else rows_of_255(weights)
    return {
        "kind": kind,
        "layers": len(weights),
        "heads": weights.shape[1],
        "queries": list(queries),
        "keys": list(keys.tokens),
        "enc": "f32le" if exact else "u8-rowsum255",
        "order": "layer,head,query,key",
        "data": base64.b64encode(written.tobytes()).decode("ascii"),
        "entropy": np.round(nats, 4).tolist(),
        "sink": np.round(keys.elsewhere(weights), 4).tolist(),
    }


def rows_of_255(weights: Float[Array, "*rows M"]) -> Array:
    """Return shares as bytes, the sum of each row exactly 255 (by largest remainders).

    >>> rows_of_255(np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).tolist()
    [[127, 64, 64], [255, 0, 0]]
    """
    scaled = weights.astype(np.float64) / weights.sum(-1, keepdims=True) * 255
    whole = np.floor(scaled)
    missing = np.rint(255 - whole.sum(-1, keepdims=True))
    order = np.argsort(-(scaled - whole), axis=-1, kind="stable")
    rank = np.argsort(order, axis=-1, kind="stable")
    found: Array = (whole + (rank < missing)).astype(np.uint8)
    return found


def _step(number: int, step: Any) -> dict[str, Any]:
    return {
        "i": number,
        "reads": step.reads,
        "predicts": step.predicts,
        "logp": step.log_prob,
        "rank": step.rank,
        "top": [list(one) for one in step.top],
    }


def beam(seen: Trace) -> dict[str, Any]:
    """Return the tree of the search, and what it found."""
    tree = seen.beam
    texts: Sequence[str] = seen.tokenizer.decode_target([one.tokens for one in tree.found])
    end = seen.translator.limits.end_id
    found = []
    for text, one in zip(texts, tree.found, strict=True):
        leaf = tree.leaf(one, end)
        found.append(
            {
                "text": text,
                "score": one.score,
                "logp": one.log_prob,
                "finished": one.finished,
                "node": None if leaf is None else leaf.number,
            }
        )
    return {
        "size": tree.beam_size,
        "length_penalty": tree.length_penalty,
        "nodes": [asdict(node) for node in tree.nodes],
        "found": found,
    }

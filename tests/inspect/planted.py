"""A tiny model whose encoder heads look where a test says, sentence by sentence."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from heedful.inspect.heads.grammar import labelled
from heedful.inspect.heads.pronouns import Example, examples
from heedful.inspect.names import modules
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.models.transformer import Transformer, TransformerConfig
from heedful.nn.attention import KeyValue
from heedful.text.tokenizer import BPE, Tokenizer

Where = Callable[[Sequence[int]], Sequence[int | None]]
"""Of the ids of a source, the piece that each piece looks at; None: at all alike."""

ROOM = 48
"""The width of a head, and so the longest source that can be told where to look."""


def tokenizer() -> Tokenizer:
    """Return a tokenizer that has all English and German words of the templates whole."""
    pairs = [(one.text, f"{one.german} er sie es war hungrig.") for one in examples("en")]
    pairs += [(one.text, "Die Katze sieht den Hund.") for one in labelled("en")]
    return Tokenizer.train(lambda: pairs, BPE(vocabulary_size=900, exact=False), ["en", "de"])


def tiny(tokenizer: Tokenizer, heads: int = 4, layers: int = 2) -> LoadedModel:
    """Return a random model, from English to German."""
    config = TransformerConfig(
        d_model=heads * ROOM,
        d_ff=16,
        n_heads=heads,
        encoder_layers=layers,
        decoder_layers=1,
        max_length=ROOM,
    )
    torch.manual_seed(3)
    model = config.build(tokenizer.source_size, tokenizer.target_size).eval()
    return LoadedModel(model, tokenizer, Languages(source="en", target="de", both_directions=True))


@contextmanager
def planted(model: Transformer, where: dict[tuple[int, int], Where]) -> Iterator[None]:
    """Let encoder heads (layer, head) look where they are told; all others look at all alike."""
    read: list[list[int]] = []
    encode = model.encode

    def listening(source: torch.Tensor, mask: torch.Tensor) -> object:
        rows = zip(source.tolist(), mask.sum(1).tolist(), strict=True)
        read[:] = [row[:length] for row, length in rows]
        return encode(source, mask)

    vars(model)["encode"] = listening
    touched = [(layer, module) for kind, layer, module in modules(model) if kind == "encoder"]
    for layer, module in touched:
        vars(module)["queries"] = _queries(read, layer, module.n_heads, where)
        vars(module)["keys_values"] = _keys(module.keys_values)
    try:
        yield
    finally:
        del vars(model)["encode"]
        for _, module in touched:
            del vars(module)["queries"], vars(module)["keys_values"]


def _queries(
    read: list[list[int]], layer: int, heads: int, where: dict[tuple[int, int], Where]
) -> Callable[[torch.Tensor], torch.Tensor]:
    def queries(states: torch.Tensor) -> torch.Tensor:
        found = torch.zeros(len(states), heads, states.shape[1], ROOM)
        for (of_layer, head), told in where.items():
            if of_layer != layer:
                continue
            for row, ids in enumerate(read):
                for piece, target in enumerate(told(ids)):
                    if target is not None:
                        found[row, head, piece, target] = 100.0
        return found

    return queries


def _keys(inner: Callable[[torch.Tensor], KeyValue]) -> Callable[[torch.Tensor], KeyValue]:
    def keys_values(states: torch.Tensor) -> KeyValue:
        own = inner(states)
        places = torch.eye(ROOM)[: states.shape[1]].expand_as(own.key)
        return KeyValue(places, own.value)

    return keys_values


def pieces_of(tokenizer: Tokenizer, one: Example, word: int) -> list[int]:
    """Return which pieces of the source spell a word, counted without `piece_shares`."""
    [ids] = tokenizer.encode_source([one.text], "de")
    place, found = 0, []
    start, end = one.spans[word].start, one.spans[word].end
    for number, piece in enumerate(tokenizer.source_pieces(ids)[1:-1], start=1):
        plain = piece.removeprefix("▁")
        place += len(piece) > len(plain) and place > 0
        if start <= place < end:
            found.append(number)
        place += len(plain.encode())
    return found

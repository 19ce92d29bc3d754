"""One step of a Transformer over memory that never moves, so that a GPU records it once.

A step of a decoder is some two hundred small kernels, and to start them costs the host more than
they cost the GPU. A CUDA graph starts all of them at once, provided that shapes and addresses stay
the same: a `Stage` is the memory for so many rows, columns and source pieces, and the recorded step
on it. `heedful.decode.graphs` moves sentences onto stages. On a CPU the same step runs unrecorded.
"""

__all__ = ["AHEAD", "Shape", "Stage"]

from dataclasses import dataclass
from typing import cast

import torch

from heedful.models.layers import DecoderLayer
from heedful.models.seq2seq import Memory
from heedful.models.transformer import Transformer, TransformerCache
from heedful.nn.attention import KeyValue
from heedful.nn.cache import LayerCache
from heedful.nn.placed import PlacedCache, PlacedMemory, Rows, kernels_for
from heedful.shapes import Int, Tensor

AHEAD = 8
"""Steps of greedy search that are begun before the host looks at what came out of them."""

TOKENS, PLACES, PARENTS = range(3)


@dataclass(frozen=True)
class Shape:
    """How much there is room for."""

    sentences: int
    width: int
    """W: rows of a sentence."""
    source: int
    """S: pieces of the longest source."""
    columns: int
    """M: positions of a row."""

    @property
    def rows(self) -> int:
        """R: rows of all sentences."""
        return self.sentences * self.width


class Stage:
    """Memory for rows of one shape and the step on it.

    `forbidden` pieces are never among the best. With one row a sentence each step feeds the piece
    it found likeliest to the next one; with several, the host says which pieces and parents follow.
    """

    def __init__(self, model: Transformer, shape: Shape, forbidden: tuple[int, ...]) -> None:
        self.model, self.shape = model, shape
        weight = model.tables.output.weight
        self._device = weight.device
        rows = shape.rows
        self.given = torch.zeros((3, rows), dtype=torch.int64, device=self._device)
        """Newest piece, place and parent of every row: what the host writes."""
        self._count = torch.zeros(1, dtype=torch.int64, device=self._device)
        self.counts = torch.ones(shape.sentences, dtype=torch.int64, device=self._device)
        """Pieces of each source."""
        self.memory = [
            PlacedMemory(self._keys(shape.sentences, shape.source), self.counts)
            for _ in model.decoder
        ]
        self._source = Memory(  # of no size: the layers have keys and values of their own
            weight.new_zeros((shape.sentences, 0, weight.shape[1])),
            torch.zeros((shape.sentences, 0), dtype=torch.bool, device=self._device),
        )
        apart = shape.width > 1
        origin = torch.zeros((rows, shape.columns), dtype=torch.int32, device=self._device)
        self.rows = Rows(self.given[PLACES], self.given[PARENTS], origin if apart else None)
        self.past = [PlacedCache(self._keys(rows, shape.columns), self.rows) for _ in model.decoder]
        self.best = torch.zeros((2, rows, self.kept), dtype=torch.float64, device=self._device)
        """Log-probabilities and ids of every row's likeliest pieces, best first."""
        self.history = torch.zeros((AHEAD, 2, rows), dtype=torch.float64, device=self._device)
        """The likeliest piece of every row in each step since the host wrote last."""
        self.logits = torch.zeros((rows, len(weight)), device=self._device)
        """What the latest step says of every piece, in float32 whatever the weights are in."""
        self._never = torch.zeros(len(weight), device=self._device)
        self._never[list(forbidden)] = -torch.inf
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def kept(self) -> int:
        """How many of the likeliest pieces are told."""
        return min(self.shape.width, len(self.model.tables.output.weight))

    @property
    def bytes(self) -> int:
        """Memory of it all, without what a step needs on its way."""
        kept = [*(layer.kept for layer in self.memory), *(layer.kept for layer in self.past)]
        return self.logits.nbytes + sum(states.nbytes for pair in kept for states in pair)

    def _keys(self, rows: int, length: int) -> KeyValue:
        layer = cast(DecoderLayer, self.model.decoder[0])
        attention, weight = layer.attention, self.model.tables.output.weight
        heads = attention.key_proj.out_features // attention.d_k
        shape = (rows, heads, length, attention.d_k)
        return KeyValue(weight.new_zeros(shape), weight.new_zeros(shape))

    def forget_origin(self) -> None:
        """Say that each row's past lies in the row."""
        if self.rows.origin is not None:
            own = torch.arange(self.shape.rows, device=self._device, dtype=torch.int32)
            self.rows.origin.copy_(own[:, None].expand_as(self.rows.origin))

    def write(self, given: Int[Tensor, "3 R"]) -> None:
        """Take what the host says of the rows."""
        self.given.copy_(given, non_blocking=True)
        self._count.zero_()

    def step(self) -> None:
        """Take a step."""
        if self._device.type != "cuda":
            self._whole()
        else:
            if self._graph is None:
                self._graph = self._recorded()
            self._graph.replay()

    def _recorded(self) -> torch.cuda.CUDAGraph:
        """Return the step, recorded; nothing that it reads is changed by that."""
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):  # libraries take their own memory the first time
            self._compute()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside):  # torch's own is the first GPU's
            self._whole()
        return graph

    def _whole(self) -> None:
        self.rows.begin()
        self._compute()
        if self.shape.width == 1:
            self._advance()

    def _compute(self) -> None:
        """Read every row's newest piece; leave the best next ones."""
        layers = list(map(LayerCache, self.past, self.memory))
        tokens = self.given[TOKENS][:, None]
        hidden = self.model.hidden(tokens, self._source, TransformerCache(layers))[:, 0]
        weight = self.model.tables.output.weight.t()
        if hidden.dtype == torch.float32:
            torch.mm(hidden, weight, out=self.logits)
        else:  # in bf16 every other row would have two best pieces
            torch.mm(hidden, weight, out_dtype=torch.float32, out=self.logits)
        if self.model.tables.bias is not None:
            self.logits += self.model.tables.bias
        if kernels_for(hidden):
            from heedful.kernels.gpu import best

            best(self.logits, self._never, self.best)
        else:
            log_probs = torch.log_softmax(self.logits, dim=-1) + self._never
            found = log_probs.sort(dim=-1, descending=True, stable=True)
            self.best[0], self.best[1] = found.values[:, : self.kept], found.indices[:, : self.kept]

    def _advance(self) -> None:
        """Feed what was found to the next step, and write it down."""
        likeliest = self.best[:, :, 0]
        self.history.index_copy_(0, self._count, likeliest[None])
        self._count.add_(1).clamp_(max=AHEAD - 1)
        self.given[TOKENS].copy_(likeliest[1])
        self.given[PLACES].add_(1).clamp_(max=self.shape.columns - 1)

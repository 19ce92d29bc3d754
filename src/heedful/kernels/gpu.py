"""Triton kernels for a step of decoding on a GPU: attention to what is kept, the likeliest pieces.

CUDA tensors come in, one is written. PyTorch's fused attention reads whole buffers, also what is
masked, and needs the past of every row in one piece; these read what a row may see, where it lies.
Import this module only where `heedful.nn.placed` has found triton. The tests run it in triton's
interpreter, and on a GPU where there is one.
"""

# ruff: noqa: N803 - what is known when a kernel is compiled is written large

__all__ = ["attend", "best"]

import triton
import triton.language as tl
from torch import Tensor

COLUMNS = 16
"""Positions that a program looks at together."""

WARPS = 1
"""Warps of a program of attention."""

PIECES = 2048
"""Logits that a program looks at together."""


@triton.jit  # type: ignore[untyped-decorator]
def _attend(  # type: ignore[no-untyped-def]
    query, key, value, new_key, new_value, out, origin, counts, slopes, columns, scale,
    W: tl.constexpr, HEADS: tl.constexpr, GROUPS: tl.constexpr, K: tl.constexpr,
    PADDED: tl.constexpr, APPEND: tl.constexpr, ORIGIN: tl.constexpr, SLOPES: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """One row, one head: the softmax goes along with the sum, as in flash attention."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    group = head // (HEADS // GROUPS)
    depth = tl.arange(0, PADDED)
    inside = depth < K
    q = tl.load(query + (row * HEADS + head) * K + depth, mask=inside, other=0.0)
    q = q.to(tl.float32) * scale
    count = tl.load(counts + row // W).to(tl.int32)
    stride = GROUPS * columns * K
    start = group * columns * K
    if APPEND:  # the newest position is in registers; it is kept for the next steps
        fresh = (row * GROUPS + group) * K + depth
        own_key = tl.load(new_key + fresh, mask=inside, other=0.0)
        own_value = tl.load(new_value + fresh, mask=inside, other=0.0)
        own = row * stride + start + count * K + depth
        once = inside & (depth * 0 + head % (HEADS // GROUPS) == 0)
        tl.store(key + own, own_key, mask=once)
        tl.store(value + own, own_value, mask=once)
        largest = tl.sum(q * own_key.to(tl.float32), 0)
        total = largest * 0.0 + 1.0
        mixed = own_value.to(tl.float32)
    else:
        largest = tl.sum(q, 0) * 0.0 - float("inf")
        total = tl.sum(q, 0) * 0.0
        mixed = q * 0.0
    if SLOPES:
        slope = tl.load(slopes + head).to(tl.float32)
    for begin in range(0, count, BLOCK):
        column = begin + tl.arange(0, BLOCK)
        real = column < count
        if ORIGIN:
            lies = tl.load(origin + row * columns + column, mask=real, other=0).to(tl.int64)
        else:
            lies = column.to(tl.int64) * 0 + row // W
        at = (lies * stride + start + column * K)[:, None] + depth[None, :]
        there = real[:, None] & inside[None, :]
        k = tl.load(key + at, mask=there, other=0.0).to(tl.float32)
        scores = tl.sum(q[None, :] * k, 1)
        if SLOPES:
            scores -= slope * (count - column)
        scores = tl.where(real, scores, -float("inf"))
        higher = tl.maximum(largest, tl.max(scores, 0))
        weights = tl.exp(scores - higher)
        fade = tl.exp(largest - higher)
        v = tl.load(value + at, mask=there, other=0.0).to(tl.float32)
        mixed = mixed * fade + tl.sum(weights[:, None] * v, 0)
        total = total * fade + tl.sum(weights, 0)
        largest = higher
    tl.store(out + (row * HEADS + head) * K + depth, mixed / total, mask=inside)


def attend(
    query: Tensor,
    kept: tuple[Tensor, Tensor],
    counts: Tensor,
    out: Tensor,
    *,
    new: tuple[Tensor, Tensor] | None = None,
    origin: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float,
) -> None:
    """Write what every row and head mixes of the values kept.

    `query` and `out` are [R, H, K], `kept` keys and values [B, G, M, K], all contiguous; row r
    looks at the first `counts[r // (R/B)]` positions of sentence r // (R/B). With `new`, keys and
    values [R, G, K] of one more position, which are kept at position `counts[r]` of row r (B = R);
    `origin` [R, M] then says in which row of `kept` each earlier position of a row lies. `slopes`
    [H] are those of ALiBi.
    """
    rows, heads, width = query.shape
    key, value = kept
    _attend[(rows, heads)](
        query, key, value, *(new or (query, query)), out,
        query if origin is None else origin, counts, query if slopes is None else slopes,
        key.shape[2], scale,
        W=rows // counts.shape[0], HEADS=heads, GROUPS=key.shape[1], K=width,
        PADDED=triton.next_power_of_2(width), APPEND=new is not None, ORIGIN=origin is not None,
        SLOPES=slopes is not None, BLOCK=COLUMNS, num_warps=WARPS,
    )  # fmt: skip


@triton.jit  # type: ignore[untyped-decorator]
def _best(  # type: ignore[no-untyped-def]
    logits, never, found, size, rows,
    KEPT: tl.constexpr, SLOTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One row: the sum for the softmax, and the best so far, in one pass."""
    row = tl.program_id(0).to(tl.int64)
    slot = tl.arange(0, SLOTS)
    values = tl.where(slot < KEPT, -float("inf"), float("inf"))
    ids = slot + (1 << 30)
    least = tl.min(values, 0)
    largest = least
    total = tl.sum(slot.to(tl.float32), 0) * 0.0
    for begin in range(0, size, BLOCK):
        piece = begin + tl.arange(0, BLOCK)
        inside = piece < size
        said = tl.load(logits + row * size + piece, mask=inside, other=-float("inf"))
        higher = tl.maximum(largest, tl.max(said, 0))
        total = total * tl.exp(largest - higher) + tl.sum(tl.exp(said - higher), 0)
        largest = higher
        said += tl.load(never + piece, mask=inside, other=-float("inf"))
        top = tl.max(said, 0)
        while top > least:
            chosen = tl.min(tl.where(said == top, piece, size), 0)
            last = tl.max(tl.where(values == least, ids, -1), 0)  # of equal ones, the latest leaves
            leaving = (values == least) & (ids == last)
            values = tl.where(leaving, top, values)
            ids = tl.where(leaving, chosen, ids)
            least = tl.min(values, 0)
            said = tl.where(piece == chosen, -float("inf"), said)
            top = tl.max(said, 0)
    kept = slot < KEPT
    log_probs = values - (largest + tl.log(total))
    ids = tl.where(values == -float("inf"), 0, ids)
    at = row * KEPT + slot
    tl.store(found + at, log_probs.to(tl.float64), mask=kept)
    tl.store(found + rows * KEPT + at, ids.to(tl.float64), mask=kept)


def best(logits: Tensor, never: Tensor, found: Tensor) -> None:
    """Write log-probabilities and ids of every row's likeliest pieces, in no order.

    `logits` [R, N] float32, `never` [N] -inf for what is not taken, else 0, `found` [2, R, W]
    float64. Of equal pieces the first are taken. NaN in a row makes its log-probabilities NaN.
    """
    rows, size = logits.shape
    kept = found.shape[2]
    block = min(PIECES, triton.next_power_of_2(size))
    _best[(rows,)](
        logits, never, found, size, rows,
        KEPT=kept, SLOTS=triton.next_power_of_2(kept), BLOCK=block, num_warps=_warps(block),
    )  # fmt: skip


def _warps(block: int) -> int:
    return max(1, min(2, block // 512))

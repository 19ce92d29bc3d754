"""A second Python process, which answers from `heedful.inspect` what the page shows, too.

Run as a module it reads one question a line, as JSON, and answers in one line.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class OtherPython:
    """Asks the other process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.playground.answering"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def ask(self, name: str, sentence: tuple[str, ...], **facts: Any) -> Any:
        """Return what the function of a name, below, returns of a text, a language and a target."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, list(sentence), facts]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        """End it."""
        self._process.communicate()


def main() -> None:
    """Answer until there is no question more."""
    from heedful.inspect import trace
    from heedful.translator import load

    model = load()
    seen_of = cache(lambda text, to, target=None: trace(model, text, target, to=to))
    for line in sys.stdin:
        name, sentence, facts = json.loads(line)
        print(json.dumps(ANSWERS[name](seen_of(*sentence), **facts)), flush=True)


def facts(seen: Any) -> dict[str, Any]:
    """What the trace is about."""
    source, target = seen.source, seen.target
    return {
        "source": {"text": source.text, "tokens": source.tokens, "ids": source.ids},
        "words": source.words,
        "target": {"text": target.text, "tokens": target.tokens},
        "reads": seen.reads,
        "layers": {kind: seen.n_layers(kind) for kind in ("encoder", "decoder", "cross")},
        "heads": seen.model.config.n_heads,
    }


def attention(seen: Any, kind: str, layer: int, head: int) -> dict[str, Any]:
    """The weights of a head."""
    rows, columns = seen.axes(kind)
    weights = seen.attention(kind, layer, head)
    return {"rows": rows, "columns": columns, "weights": weights.tolist()}


def steps(seen: Any) -> list[dict[str, Any]]:
    """What was predicted, and what else was likely."""
    return [step._asdict() for step in seen.steps()]


def lens(seen: Any) -> list[Any]:
    """What each layer would say."""
    return [[[said.log_prob, said.top] for said in layer] for layer in seen.lens()]


def rank(seen: Any, step: int, piece: str) -> dict[str, Any]:
    """How likely a piece was."""
    [number] = [one for one in range(seen.log_probs.shape[1]) if _piece(seen, one) == piece]
    own = seen.log_probs[step][number]
    return {"rank": int((seen.log_probs[step] > own).sum()), "logp": float(own)}


def _piece(seen: Any, number: int) -> str:
    [found] = seen.tokenizer.target_pieces([number])
    return str(found)


def found(seen: Any) -> list[Any]:
    """What the search found: text, score, log-probability."""
    tokens = [one.tokens for one in seen.beam.found]
    texts = seen.tokenizer.decode_target(tokens)
    some = zip(texts, seen.beam.found, strict=True)
    return [[text, one.score, one.log_prob] for text, one in some]


def importance(seen: Any, step: int | None) -> dict[str, Any]:
    """How much each head matters, by its gate."""
    return {kind: abs(some).tolist() for kind, some in seen.importance(step).items()}


def exact(seen: Any, step: int | None) -> dict[str, float]:
    """How much each head matters, one switched off after the other."""
    from heedful.inspect.importance import exactly

    return {str(one.head): one.change for one in exactly(seen, step)}


def evidence(
    seen: Any, kind: str, row: int, column: int, step: int | None = None
) -> dict[str, Any]:
    """What bears on a pair of pieces."""
    got = seen.evidence(kind, row, column, step=step)
    heads = [[one.head.layer, one.head.head, one.weight, one.share] for one in got.heads]
    return {
        "heads": heads,
        "over_half": got.over_half,
        "rollout": got.rollout,
        "gradient": got.grad_x_input,
        "zeroing": got.without_value,
        "ablation": got.without_head,
        "verdict": got._verdict(),
        "after": got.difference.after.target.text,
    }


def what_if(seen: Any, **edits: Any) -> dict[str, Any]:
    """What would be otherwise."""
    got = seen.what_if(**edits)
    return {
        "before": got.before.target.text,
        "after": got.after.target.text,
        "source": got.after.source.text,
        "log_probs": got.log_probs,
        "divergence": got.divergence,
        "said": str(got),
    }


def changed_maps(seen: Any, **edits: Any) -> dict[str, Any]:
    """What every head of the changed model looks at, and how far that is from before, on average.

    Only of kinds whose pieces are the same is it far from anything.
    """
    after = seen.what_if(**edits).after
    names = [
        (kind, layer, head)
        for kind in ("encoder", "decoder", "cross")
        for layer in range(seen.n_layers(kind))
        for head in range(seen.model.config.n_heads)
    ]
    maps = {".".join(map(str, one)): after.attention(*one) for one in names}
    far = {
        name: float(abs(seen.attention(*one) - maps[name]).sum(-1).mean() / 2)
        for name, one in zip(maps, names, strict=True)
        if after.axes(one[0]) == seen.axes(one[0])
    }
    return {"maps": {name: one.tolist() for name, one in maps.items()}, "far": far}


def norms(seen: Any) -> list[float]:
    """How long the embedding of every source piece is."""
    import numpy as np

    from heedful.inspect.embedding import embedding

    return [
        float(np.linalg.norm(embedding(seen.translator, "source", one, 0).vector))
        for one in seen.source.ids
    ]


ANSWERS = {
    one.__name__: one
    for one in (facts, attention, steps, lens, rank, found, importance, exact, evidence, what_if)
} | {"norms": norms, "changed_maps": changed_maps}


if __name__ == "__main__":
    main()

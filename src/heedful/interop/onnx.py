"""A model as two ONNX graphs, encoder and decoder step with its cache, checked in onnxruntime.

A loaded model folder comes in, a folder with `encoder.onnx` and `decoder_step.onnx` goes out. The
graphs are traced from the layers themselves, so that every variant comes along; batch and lengths
are free. The search is whoever runs them's to write: `Engine` is one. `heed export` calls it.
"""

__all__ = ["Engine", "export"]

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from heedful.errors import ModelError
from heedful.interop.checking import Difference, compare, probes
from heedful.interop.folder import (
    different,
    example_tag,
    fresh_folder,
    needed,
    source_form,
    tokenizer_files,
)
from heedful.model_folder import LoadedModel
from heedful.models.architecture import plain_transformer
from heedful.models.layers import DecoderLayer
from heedful.models.transformer import Transformer
from heedful.nn.attention import KeyValue
from heedful.nn.cache import SelfCache
from heedful.text.pieces import END, PAD, START
from heedful.translator import limits_of

ENCODER, STEP = "encoder.onnx", "decoder_step.onnx"
OPSET = 18


def export(folder: Path, loaded: LoadedModel) -> Difference:
    """Write the folder, once onnxruntime has translated with it as heedful does.

    Raises SettingError without the packages, ModelError for a model that torch.onnx cannot express,
    of SentencePiece, or that translates otherwise, OutputError if the folder is not free.
    """
    needed("onnxscript", "onnx", "onnxruntime")
    model = plain_transformer(loaded.model, "an export to ONNX")
    if loaded.tokenizer.cutters():
        raise ModelError(
            "its pieces are SentencePiece's, which the tokenizers library numbers otherwise",
            where="--to onnx",
            fix="export it to ctranslate2 or huggingface",
        )
    with fresh_folder(folder) as fresh:
        _write(fresh, model)
        loaded.tokenizer.save_sides(fresh)
        _describe(fresh, loaded)
        found = compare(loaded, Engine(fresh), probes(loaded))
        if not found.explained:
            raise different("onnxruntime", found.worst, folder)
        return found


class _Grown(SelfCache):
    """A past that comes in as an input and goes out one position longer."""

    def __init__(self, past: KeyValue) -> None:
        self.buffer = past
        self.length = past.key.shape[2]

    def append(self, new: KeyValue) -> KeyValue:
        """Return all keys and values up to now."""
        assert self.buffer is not None
        both = zip(self.buffer, new, strict=True)
        self.buffer = KeyValue(*(torch.cat(pair, dim=2) for pair in both))
        return self.buffer


class _Encoder(nn.Module):
    """Source and mask to the keys and values that each decoder layer makes of the memory."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor, source_mask: Tensor) -> tuple[Tensor, ...]:
        memory = self.model.encode(source, source_mask)
        layers = cast("list[DecoderLayer]", list(self.model.decoder))
        pairs = [layer.cross_attention.keys_values(memory.states) for layer in layers]
        return tuple(states for pair in pairs for states in pair)


class _Step(nn.Module):
    """The newest piece of every row, mask, memory and past to logits and the longer past."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, tokens: Tensor, source_mask: Tensor, memory: list[Tensor], past: list[Tensor]
    ) -> tuple[Tensor, ...]:
        model = self.model
        start = past[0].shape[2]
        states = model.target_position(model.tables.embed_target(tokens), start)
        mask = source_mask[:, None, None, :]
        present: list[Tensor] = []
        for number, layer in enumerate(model.decoder):
            at = slice(2 * number, 2 * number + 2)
            grown = _Grown(KeyValue(*past[at]))
            states = layer(states, None, KeyValue(*memory[at]), mask, grown).states
            assert grown.buffer is not None
            present += grown.buffer
        logits = model.project(model.tables.ready(model.decoder_norm(states)[:, 0]))
        return (logits, *present)


def _names(kind: str, layers: int) -> list[str]:
    """Return the names of the tensors of every decoder layer, in the graphs' order."""
    return [f"{kind}_{part}_{layer}" for layer in range(layers) for part in ("key", "value")]


def _write(folder: Path, model: Transformer) -> None:
    """Trace both graphs."""
    layers = len(model.decoder)
    rows, source, past = Dim("rows"), Dim("source_length"), Dim("past_length")
    pieces = torch.full((3, 5), END)
    mask = torch.ones(3, 5, dtype=torch.bool)
    encoder = _Encoder(model)
    with torch.no_grad():
        memory = list(encoder(pieces, mask))
    _trace(
        encoder,
        (pieces, mask),
        folder / ENCODER,
        ["source", "source_mask"],
        _names("memory", layers),
        ({0: rows, 1: source}, {0: rows, 1: source}),
    )
    before = [states.new_zeros(3, states.shape[1], 4, states.shape[3]) for states in memory]
    shapes = [{0: rows, 2: source}] * len(memory), [{0: rows, 2: past}] * len(memory)
    _trace(
        _Step(model),
        (pieces[:, :1], mask, memory, before),
        folder / STEP,
        ["tokens", "source_mask", *_names("memory", layers), *_names("past", layers)],
        ["logits", *_names("present", layers)],
        ({0: rows}, {0: rows, 1: source}, *shapes),
    )


def _trace(
    graph: nn.Module,
    inputs: tuple[Any, ...],
    path: Path,
    names_in: list[str],
    names_out: list[str],
    shapes: tuple[Any, ...],
) -> None:
    """Write one graph; raises ModelError if torch.onnx cannot express what the model does."""
    with _silence(), torch.no_grad():
        try:
            torch.onnx.export(
                graph.eval(),
                inputs,
                path,
                input_names=names_in,
                output_names=names_out,
                dynamic_shapes=shapes,
                opset_version=OPSET,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = next(iter(str(error.__cause__ or error).strip().split("\n")), "")
            raise ModelError(
                f"torch.onnx cannot express the model ({reason[:200]})",
                where=path.name,
                fix="export to ctranslate2, or translate with heedful",
            ) from error


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back what torch.onnx says to its developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


class Engine:
    """The two graphs in onnxruntime, as the `heedful.interop.checking.Foreign` that is compared."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(folder / name), options, ["CPUExecutionProvider"])
            for name in (ENCODER, STEP)
        )
        shapes = {one.name: one.shape for one in self.decoder.get_inputs()}
        self.past = {name: shape for name, shape in shapes.items() if name.startswith("past_")}

    def start(self, sources: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return what the step takes beside the tokens, before the first of them."""
        length = max(map(len, sources))
        padded = [[*source, *[PAD] * (length - len(source))] for source in sources]
        source = np.array(padded, dtype=np.int64)
        mask = np.array([[at < len(row) for at in range(length)] for row in sources])
        names = [one.name for one in self.encoder.get_outputs()]
        memory = self.encoder.run(names, {"source": source, "source_mask": mask})
        past = {
            name: np.zeros((len(sources), heads, 0, d_k), dtype=np.float32)
            for name, (_, heads, _, d_k) in self.past.items()
        }
        return {"source_mask": mask, **dict(zip(names, memory, strict=True)), **past}

    def step(self, tokens: Sequence[int], state: dict[str, Any]) -> Any:
        """Return the logits after the newest piece of every row; `state` grows by it."""
        fed = state | {"tokens": np.array(tokens, dtype=np.int64)[:, None]}
        logits, *present = self.decoder.run(None, fed)
        state.update(zip(self.past, present, strict=True))
        return logits

    def greedy(self, source: Sequence[int], most: int) -> list[int]:
        """Return the likeliest pieces, with `</s>` if it came among `most`."""
        state, found = self.start([source]), [START]
        while len(found) <= most and found[-1] != END:
            found.append(int(self.step(found[-1:], state)[0].argmax()))
        return found[1:]

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> list[float]:
        """Return the log-probability of each piece of `target`."""
        state, found = self.start([source]), []
        for before, piece in pairwise([START, *target]):
            logits = torch.from_numpy(self.step([before], state)[0])
            found.append(float(torch.log_softmax(logits, dim=-1)[piece]))
        return found


_README = """\
# A heedful model for ONNX

The weights of a model that was trained with heedful, in float32. When it was exported, onnxruntime
{version} translated with it as heedful did.

`encoder.onnx` takes `source` (ids) and `source_mask` (True at pieces, False at padding), both
[rows, source_length], and gives the keys and values of the memory for each decoder layer.
`decoder_step.onnx` takes the newest piece of each row (`tokens`, [rows, 1]), the mask, that memory
and the keys and values of the past (none at first), and gives the logits of the next piece and the
past that is one longer. `config.json` holds the ids that a search must know. The source is
{source}. The model knows {longest} positions.

```python
import json

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

source = Tokenizer.from_file("{source_file}")
source.encode_special_tokens = True  # a text that spells </s> stays text
target = Tokenizer.from_file("{target_file}")
encoder = onnxruntime.InferenceSession("encoder.onnx")
decoder = onnxruntime.InferenceSession("decoder_step.onnx")
config = json.load(open("config.json"))

text = "A sentence."
ids = [{tag}*source.encode(text).ids, config["end_id"]]
inputs = {{"source": np.array([ids]), "source_mask": np.ones((1, len(ids)), dtype=bool)}}
state = dict(zip([one.name for one in encoder.get_outputs()], encoder.run(None, inputs)))
state["source_mask"] = inputs["source_mask"]
past = [one.name for one in decoder.get_inputs() if one.name.startswith("past_")]
state |= {{name: np.zeros((1, {heads}, 0, {d_k}), dtype=np.float32) for name in past}}

found = [config["start_id"]]
while found[-1] != config["end_id"] and len(found) <= min(len(ids) + 50, config["max_length"]):
    logits, *present = decoder.run(None, state | {{"tokens": np.array([found[-1:]])}})
    state |= dict(zip(past, present))
    logits[0, config["forbidden"]] = -np.inf
    found.append(int(logits[0].argmax()))
print(target.decode(found))
```
"""


def _describe(folder: Path, loaded: LoadedModel) -> None:
    """Write config.json and README.md."""
    import onnxruntime

    config, tokenizer = loaded.model.config, loaded.tokenizer
    limits = limits_of(tokenizer, config.max_length)
    known = {
        "start_id": limits.start_id,
        "end_id": limits.end_id,
        "pad_id": tokenizer.pad_id,
        "forbidden": limits.forbidden,
        "max_length": config.max_length,
        "decoder_layers": config.decoder_layers,
    }
    (folder / "config.json").write_text(json.dumps(known, indent=2) + "\n", "utf-8")
    files = tokenizer_files(tokenizer)
    tag = example_tag(loaded)
    first = getattr(next(iter(loaded.model.decoder)), "attention")  # noqa: B009
    text = _README.format(
        version=onnxruntime.__version__,
        source=source_form(tokenizer),
        longest=config.max_length,
        source_file=files[0],
        target_file=files[-1],
        tag=f'source.token_to_id("{tag}"), ' if tag else "",
        heads=first.key_proj.out_features // first.d_k,
        d_k=first.d_k,
    )
    (folder / "README.md").write_text(text, "utf-8")

"""`heed plan`: what a training will need, before it is begun."""

__all__ = ["ACCEPTS_SETTINGS", "EXAMPLES", "Options", "run"]

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from heedful.errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from heedful.config import RunConfig
    from heedful.train.plan import Gpu, Work

ACCEPTS_SETTINGS = True

EXAMPLES = """
heed plan paper-base --gpus 8 --gpu p100
heed plan paper-big --gpus 64 --gpu h200 --corpus-tokens 4.5e9 --model.encoder-layers 12
heed plan small --measure
"""

COUNTS = (1, 2, 4, 8, 16, 64, 256, 1024, 4096)
KINDS = ("ddp", "fsdp")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say what a training takes: operations, memory by part, pieces a second, days.

    Any setting of the recipe can be changed by its path, as --model.d-model 1024.
    """

    recipe: Annotated[str, tyro.conf.Positional] = "paper-base"
    """A named set of settings (see `heed recipes`)."""
    gpus: int = 8
    """How many GPUs memory is reckoned for."""
    gpu: str = "h200"
    """Which: p100, v100, a100, h100, h200 or b200."""
    corpus_tokens: float | None = None
    """Target pieces to train on in all; the recipe's steps times its batch if not given."""
    gpu_tokens: int = 8192
    """Target pieces on each GPU in one step."""
    length: int = 30
    """Pieces of an average sentence."""
    utilisation: float = 0.4
    """Share of the GPU's data-sheet rate that whole steps reach."""
    network: float = 50.0
    """GB/s a GPU has to other machines, in one direction."""
    measure: bool = False
    """Train a few steps on this machine first, and take the utilisation found there."""
    device: str = "auto"
    """With --measure: auto, cpu or cuda."""
    json: bool = False
    """Print everything as JSON."""


def run(options: Options, settings: dict[str, Any]) -> int:
    """Print to standard output."""
    from heedful.config import RunConfig, merged
    from heedful.recipes import recipe

    _check(options)
    begun = recipe(options.recipe)
    if not isinstance(begun, RunConfig):
        raise SettingError(
            f"{begun.recipe} is no translator, and only trainings of translators are planned",
            where="recipe",
            fix="take another, such as paper-base",
        )
    config = merged(begun, settings)
    if options.length > config.model.max_length:
        raise SettingError(
            f"the model knows sentences of {config.model.max_length:,} pieces at most",
            where="--length",
            fix="give fewer, or a longer --model.max-length",
        )
    found = _plan(options, config)
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return 0


def _check(options: Options) -> None:
    from heedful.train.plan import GPUS

    if options.gpu not in GPUS:
        fix = did_you_mean(options.gpu, GPUS)
        raise SettingError(f'no figures are known for "{options.gpu}"', where="--gpu", fix=fix)
    least = {"gpus": 1, "gpu_tokens": 1, "length": 2}
    for name, lowest in least.items():
        if getattr(options, name) < lowest:
            raise SettingError(
                f"{getattr(options, name)} is too few",
                where="--" + name.replace("_", "-"),
                fix=f"give {lowest} or more",
            )
    if not 0 < options.utilisation <= 1:
        raise SettingError("this is no share", where="--utilisation", fix="give 0.01 to 1")
    for name in ("network", "corpus_tokens"):
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            where = "--" + name.replace("_", "-")
            raise SettingError("this is no amount", where=where, fix="give a number above 0")


def _plan(options: Options, config: "RunConfig") -> dict[str, Any]:
    """Return everything that is shown."""
    from heedful.recipes import recipe
    from heedful.train.plan import GPUS, PAPER, memory, work_of

    vocabulary = config.tokenizer.vocabulary_size
    work = work_of(config.model, vocabulary, options.length)
    tokens = options.corpus_tokens or _schedule(config)
    gpu = GPUS[options.gpu]
    own = _measured(options, config, tokens, work) if options.measure else None
    if own is not None:
        options = replace(options, utilisation=own["utilisation"])
    found: dict[str, Any] = {
        "recipe": config.recipe,
        "weights": work.weights,
        "flops_per_target_token": work.flops,
        "target_tokens": tokens,
        "flops": work.flops * tokens,
        "gpu": {"name": options.gpu, **gpu._asdict()},
        "gpus": options.gpus,
        "gpu_tokens": options.gpu_tokens,
        "utilisation": options.utilisation,
        "memory": {
            kind: memory(work, vocabulary, options.gpu_tokens, options.gpus, kind) for kind in KINDS
        },
        "speed": _speeds(options, work, tokens, gpu),
        "assumptions": [*_assumptions(options, gpu), *_uncounted(config)],
    }
    if options.recipe in PAPER and config == recipe(options.recipe):  # no other model is its own
        paper = PAPER[options.recipe]
        model_flops = work.flops * _schedule(config)
        found["paper"] = {
            **paper._asdict(),
            "estimate": paper.flops,
            "model_flops": model_flops,
            "utilisation": model_flops / paper.flops,
        }
    if own is not None:
        found["measured"] = own
    return found


def _schedule(config: "RunConfig") -> float:
    batch = config.training.batch_tokens
    if batch == "auto":
        raise SettingError("auto is not known yet", where="--training.batch-tokens", fix="give it")
    return float(config.training.max_steps * batch * config.training.accumulate)


def _speeds(options: Options, work: "Work", tokens: float, gpu: "Gpu") -> list[dict[str, Any]]:
    from heedful.train.plan import days, speed

    rows = []
    for count in sorted({*COUNTS, options.gpus}):
        row: dict[str, Any] = {"gpus": count}
        for kind in KINDS:
            found = speed(
                work,
                options.gpu_tokens,
                count,
                kind,
                flops_per_second=gpu.tflops * 1e12 * options.utilisation,
                link=gpu.link * 1e9,
                network=options.network * 1e9,
            )
            row[kind] = found._asdict() | {"days": days(tokens, found.tokens_per_second)}
        rows.append(row)
    return rows


def _measured(options: Options, config: "RunConfig", tokens: float, work: "Work") -> dict[str, Any]:
    from heedful.device import pick_device
    from heedful.train.plan import days, measure

    device = pick_device(options.device)
    at_once = options.gpu_tokens if device.type == "cuda" else min(2048, options.gpu_tokens)
    found = measure(config.model, config.tokenizer.vocabulary_size, options.length, at_once, device)
    rate = found.step / work.flops
    return {
        "device": str(device),
        "peak": found.peak,
        "step": found.step,
        "utilisation": found.step / found.peak,
        "tokens_per_second": rate,
        "days": days(tokens, rate),
    }


def _assumptions(options: Options, gpu: "Gpu") -> list[str]:
    from heedful.train.plan import GPUS_A_NODE

    return [
        f"sentences of {options.length} pieces on both sides, none of them padding",
        "a step is 3 times the products of the way forward, attention's among them",
        f"{options.gpu}: {gpu.tflops:g} TFLOP/s, {gpu.gigabytes:g} GB, {gpu.link:g} GB/s to the "
        f"{GPUS_A_NODE} of a node (data sheet), {options.network:g} GB/s beyond (--network)",
        f"steps reach {options.utilisation:.0%} of that rate "
        + ("(measured on this machine)" if options.measure else "(--utilisation)"),
        f"{options.gpu_tokens:,} target pieces a GPU and step: the batch grows with the GPUs",
        "gradients and weights travel in float32, and none of it is hidden behind computing",
        "bf16 products, float32 weights, gradients and moments; a step keeps its activations",
    ]


def _uncounted(config: "RunConfig") -> list[str]:
    """Say which settings take more than was computed, or less."""
    said = {
        "R-Drop's second pass is not counted: twice the operations and activations": (
            config.objective.r_drop > 0
        ),
        "the moving average of the weights is not counted: 4 more bytes a weight": (
            config.training.moving_average is not None
        ),
        "two moments a weight, though Muon keeps one of a matrix": config.optimizer.kind == "muon",
        "BPE dropout's longer spellings are not counted": config.training.bpe_dropout > 0,
    }
    return [line for line, is_so in said.items() if is_so]


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, width=100, soft_wrap=True)
    say = console.print
    gpu = found["gpu"]
    say(f"{found['recipe']}: {found['weights'] / 1e6:,.1f} M weights")
    say(
        f"{found['flops_per_target_token'] / 1e6:,.0f} MFLOP a target piece x "
        f"{found['target_tokens']:.3g} target pieces = {found['flops']:.2e} FLOP"
    )
    if "paper" in found:
        _show_paper(found["paper"], say)
    if "measured" in found:
        own = found["measured"]
        say(
            f"this machine ({own['device']}): {own['step'] / 1e9:,.0f} GFLOP/s in whole steps, "
            f"{own['utilisation']:.0%} of its matrix rate; {own['tokens_per_second']:,.0f} target "
            f"pieces a second, {own['days']:,.1f} days"
        )
    say()
    console.print(_memory_table(found))
    for kind in KINDS:
        if sum(found["memory"][kind].values()) > gpu["gigabytes"] * 1e9:
            say(f"{kind}: does not fit; lower --gpu-tokens, or take more GPUs with fsdp")
    say()
    console.print(_speed_table(found))
    say("\nAssumed:")
    for line in found["assumptions"]:
        say(f"- {line}")


def _show_paper(paper: dict[str, Any], say: Any) -> None:
    say(
        f"the paper reckons {paper['hours']:g} h x {paper['gpus']} GPUs x {paper['tflops']:g} "
        f"TFLOP/s = {paper['estimate']:.1e} FLOP (Table 2); the model's own are "
        f"{paper['model_flops']:.1e}: {paper['utilisation']:.0%} of that rate was used"
    )


def _memory_table(found: dict[str, Any]) -> Any:
    from rich.table import Table

    gpu = found["gpu"]
    title = f"memory of each of {found['gpus']} {gpu['name']} ({gpu['gigabytes']:g} GB), GB"
    table = Table(title=title, title_justify="left")
    parts = list(found["memory"]["ddp"])
    for head in ("", *parts, "together"):
        table.add_column(head, justify="left" if not head else "right")
    for kind in KINDS:
        bytes_of = found["memory"][kind]
        amounts = [bytes_of[part] / 1e9 for part in parts]
        table.add_row(kind, *(f"{amount:,.2f}" for amount in (*amounts, sum(amounts))))
    return table


def _speed_table(found: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title="speed and time", title_justify="left")
    for head in ("GPUs", *(f"{k} {what}" for k in KINDS for what in ("tokens/s", "days", "comm."))):
        table.add_column(head, justify="right")
    for row in found["speed"]:
        cells = []
        for kind in KINDS:
            one = row[kind]
            share = one["communicate"] / (one["compute"] + one["communicate"])
            cells += [f"{one['tokens_per_second']:,.0f}", f"{one['days']:.3g}", f"{share:.0%}"]
        table.add_row(f"{row['gpus']:,}", *cells)
    return table

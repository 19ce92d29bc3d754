"""Put a trained model into the package, as the bundled one, and write its card.

    python tools/ship_model.py runs/en-de en-de     the weights, in bf16
    python benchmarks/bundled_model.py              measures them, in the installed wheel
    python tools/ship_model.py runs/en-de en-de     again: the card now has the figures

The card is tools/NAME.card.md, what the run's log says of the training, and
benchmarks/results/bundled_model.md.
"""

import json
import sys
from pathlib import Path

import torch

from heedful.decode.shortlist import FILE as SHORTLIST
from heedful.model_folder import load_model, save_model
from heedful.model_header import added_file

ROOT = Path(__file__).parents[1]


def card(run: Path, name: str) -> str:
    """Return the card; without figures as long as none were measured."""
    lines = (run / "log.jsonl").read_text("utf-8").strip().split("\n")
    last = [entry for entry in map(json.loads, lines) if entry["kind"] == "train"][-1]
    pieces = last["seconds"] * last["tokens_per_second"]
    trained = (
        f"{last['step']:,} steps and {pieces / 1e6:.1f} million target pieces took "
        f"{last['seconds'] / 60:.0f} minutes on two cores shared with other work."
    )
    head = (ROOT / "tools" / f"{name}.card.md").read_text("utf-8")
    measured = ROOT / "benchmarks" / "results" / "bundled_model.md"
    figures = measured.read_text("utf-8") if measured.exists() else ""
    return head.replace("{TRAINED}", trained) + figures


def main() -> None:
    run, name = Path(sys.argv[1]), sys.argv[2]
    folder = ROOT / "src" / "heedful" / "pretrained" / name
    loaded = load_model(run / "model")
    shortlist = added_file(run / "model", SHORTLIST)
    save_model(
        folder,
        loaded.model,
        loaded.tokenizer,
        loaded.languages,
        dtype=torch.bfloat16,
        card=card(run, name),
        added={SHORTLIST: shortlist.read_bytes()} if shortlist else {},
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

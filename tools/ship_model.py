"""Put a trained model into the package, as the bundled one, and write its card.

    python tools/ship_model.py runs/everyday everyday     the weights, in bf16
    python benchmarks/bundled_model.py --beside FOLDER    measures them, and the edition before
    python tools/ship_model.py runs/everyday everyday     again: the card now has the figures

The card is tools/NAME.card.md and benchmarks/results/bundled_model.md.
"""

import sys
from pathlib import Path

import torch

from heedful.confidence import FILE as CONFIDENCE
from heedful.decode.shortlist import FILE as SHORTLIST
from heedful.model_folder import load_model, save_model
from heedful.model_header import added_file

ROOT = Path(__file__).parents[1]


def card(name: str) -> str:
    """Return the card; without figures as long as none were measured."""
    head = (ROOT / "tools" / f"{name}.card.md").read_text("utf-8")
    measured = ROOT / "benchmarks" / "results" / "bundled_model.md"
    return head + "\n" + (measured.read_text("utf-8") if measured.exists() else "")


def main() -> None:
    run, name = Path(sys.argv[1]), sys.argv[2]
    folder = ROOT / "src" / "heedful" / "pretrained" / name
    loaded = load_model(run / "model")
    found = {file: added_file(run / "model", file) for file in (CONFIDENCE, SHORTLIST)}
    save_model(
        folder,
        loaded.model,
        loaded.tokenizer,
        loaded.languages,
        dtype=torch.bfloat16,
        card=card(name),
        added={file: path.read_bytes() for file, path in found.items() if path},
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

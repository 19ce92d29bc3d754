"""Put a trained model into the package, as the bundled one.

    python tools/ship_model.py runs/en-de en-de

Writes src/heedful/pretrained/NAME in bf16. The card beside it is written by
benchmarks/bundled_model.py, which measures what it says.
"""

import sys
from pathlib import Path

import torch

from heedful.model_folder import load_model, save_model

HOME = Path(__file__).parents[1] / "src" / "heedful" / "pretrained"


def main() -> None:
    run, name = Path(sys.argv[1]), sys.argv[2]
    folder = HOME / name
    loaded = load_model(run / "model")
    card = (run / "model" / "README.md").read_text("utf-8")
    save_model(
        folder, loaded.model, loaded.tokenizer, loaded.languages, dtype=torch.bfloat16, card=card
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

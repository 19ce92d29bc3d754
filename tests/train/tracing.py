"""What a run leaves behind that does not come from a clock, to compare two runs bit by bit."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

CLOCK = ("seconds", "tokens_per_second")


def trace(folder: Path) -> dict[str, Any]:
    """Return log, checkpoints and model of a run, files as their SHA-256."""
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    found: dict[str, Any] = {"log": [without_clock(record) for record in log]}
    for path in sorted(folder.glob("checkpoints/step-*/*")):
        name = str(path.relative_to(folder))
        if path.name == "state.json":
            found[name] = without_clock(json.loads(path.read_text("utf-8")))
        elif path.name != "manifest.json":
            found[name] = sha256(path.read_bytes()).hexdigest()
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        found[name] = sha256((folder / "model" / name).read_bytes()).hexdigest()
    return found


def agrees(folder: Path, whole: dict[str, Any]) -> bool:
    """Compare with an undisturbed run; an interruption may have left a checkpoint of its own."""
    found = trace(folder)
    return {name: found.get(name) for name in whole} == whole


def without_clock(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in CLOCK}


def words_of(config: Any, corpus: Path) -> list[str]:
    """Return the options of `heed train` that make this run, without --out."""
    words = ["--data", str(corpus), "--recipe", "tiny", "--device", "cpu", "--quiet"]
    words += ["--from", "en", "--to", "de", "--tokenizer.vocabulary-size", "290"]
    for group in ("training", "model"):
        settings = getattr(config, group).model_dump(exclude_defaults=True)
        for name, value in settings.items():
            words += [f"--{group}.{name}".replace("_", "-"), json.dumps(value)]
    return words

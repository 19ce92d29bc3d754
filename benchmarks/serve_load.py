"""Requests a second, and how long each waits, for heed serve and for CTranslate2 behind a server.

    python benchmarks/serve_load.py                          # 15 minutes on two quiet cores
    python benchmarks/serve_load.py --seconds 1 --rounds 1   # to try it out: prints, writes nothing
    python benchmarks/serve_load.py --show                   # the tables once more

1, 8 and 64 clients, each over a connection of its own, ask for the translation of a sentence from
English to German, and again as soon as they are answered, greedily and with beam 4. They ask heed
serve as it is, heed serve that translates one sentence at a time, CTranslate2 behind a plain server
that translates each request alone, and CTranslate2 in the place of our engine, with the same
weights and tokenizer (`serve/spec.py` says more). In each round all take turns. Ours is also asked
by other numbers of clients, all for a request of a hundred sentences, and two for /health, which
shows what HTTP and the clients cost. Needs $HEEDFUL_DATA: the sentences are of Tatoeba and of
Debian's descriptions, half of each, evenly taken from their test sets, none longer than what the
servers translate in one piece. Each engine ranks a beam by its own formula; ours also looks after
the output and searches anew where a phrase is repeated, the others do not. Any error makes the exit
code 1. Prints the tables; writes results/serve_load.{json,md}.
"""

import argparse
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from machine import RESULTS, data_folder, lines_of, record, recorded
from serve.client import Task, ask
from serve.servers import Server, serving
from serve.spec import CEILING, DOCUMENT, SENTENCE, SYSTEMS, Asking, askings
from serve.table import agreement, markdown, row_of

from heedful.data.workers import usable_cores
from heedful.model_path import BUNDLED, model_path
from heedful.pipeline import SPLIT_ABOVE
from heedful.text.tokenizer import Tokenizer

CORPORA = ("tatoeba_en_de", "debian_descriptions_en_de")
SENTENCES = 500
DOCUMENT_SENTENCES = 100
SECONDS, ROUNDS = 5.0, 3
PACKAGES = ("ctranslate2", "uvicorn", "starlette", "fastapi", "h11")
FROM, TO = "en", "de"


def main() -> None:
    """Measure everything, or show what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=BUNDLED, help="a model folder or a bundled name")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--warm", type=float, default=1.0, help="seconds before it")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="+", help="measurements whose names hold all these words")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    options = parser.parse_args()
    if options.show:
        show()
        return
    data = data_folder(__file__)
    if data is None:
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # no server is left behind
    with tempfile.TemporaryDirectory(prefix="serve-load-") as place:
        plan = prepare(options, data, Path(place))
        rounds = [
            [asking for asking in askings(number) if _wanted(asking, options.only)]
            for number in range(options.rounds)
        ]
        needed = {asking.system for some in rounds for asking in some}
        with ExitStack() as stack:
            servers = {
                system.name: stack.enter_context(
                    serving(system, plan.model, plan.about, plan.folder)
                )
                for system in SYSTEMS
                if system.name in needed
            }
            result = measure(plan, servers, rounds, options)
    print(markdown(result))
    if options.only is None and (options.seconds, options.rounds) == (SECONDS, ROUNDS):
        record("serve_load", result)
        show()
    if any(row["errors"] for row in result["rows"]):
        sys.exit("serve_load: there were errors, see the tables")


def show() -> None:
    """Write and print the tables of what was recorded."""
    result = recorded("serve_load")
    if not result:
        sys.exit("serve_load: nothing has been recorded yet")
    table = markdown(result)
    (RESULTS / "serve_load.md").write_text(table, "utf-8")
    print(table)


@dataclass(frozen=True)
class Plan:
    """What is asked of which model."""

    model: str
    folder: Path
    about: Path
    """What the servers with CTranslate2 are told."""
    sentences: list[str]
    pieces: float
    """On average, in a sentence."""
    to: dict[str, str]
    """Languages, as a request names them."""

    def bodies(self, asking: Asking) -> Path:
        """Write the bodies of the requests to a file; return it."""
        texts = [[sentence] for sentence in self.sentences]
        if asking.kind == DOCUMENT:
            step = len(self.sentences) // DOCUMENT_SENTENCES
            texts = [self.sentences[::step][:DOCUMENT_SENTENCES]]
        how = self.to | {"beam": asking.beam}
        bodies = [] if asking.kind == CEILING else [{"texts": some} | how for some in texts]
        path = self.folder / "bodies.json"
        path.write_text(json.dumps(bodies), "utf-8")
        return path


def prepare(options: argparse.Namespace, data: Path, folder: Path) -> Plan:
    """Export the model, choose the sentences, and write down what the servers must know."""
    from heedful.interop.ctranslate2 import export
    from heedful.model_folder import load_model
    from heedful.translator import load

    model = model_path(options.model)
    translator = load(model)
    translator.settle()  # no server is to wait for the kernels of its first start on this machine
    ways = translator.ways()
    named = (FROM, TO) in ways
    if not named and any(map(all, ways)):
        raise SystemExit(f"serve_load: {options.model} does not translate from {FROM} to {TO}")
    export(folder / "exported", load_model(model), "int8")
    about = {
        "model": str(model),
        "exported": str(folder / "exported"),
        "forbidden": translator.limits.forbidden,
        "max_length": translator.limits.max_length,
        "ways": ways,
        "cores": usable_cores(),
    }
    (folder / "about.json").write_text(json.dumps(about), "utf-8")
    tag = TO if translator.tokenizer.languages else None
    sentences = chosen(data, translator.tokenizer, tag)
    sizes = map(len, translator.tokenizer.encode_source(sentences, tag))
    return Plan(
        options.model if options.model == BUNDLED else str(model),
        folder,
        folder / "about.json",
        sentences,
        sum(sizes) / len(sentences),
        {"from": FROM, "to": TO} if named else {},
    )


def chosen(data: Path, tokenizer: Tokenizer, tag: str | None) -> list[str]:
    """Return sentences of both corpora, in turn, each translated in one piece."""
    sides = []
    for corpus in CORPORA:
        texts = [line.split("\t")[0] for line in lines_of(data / corpus / "test.tsv")]
        sizes = map(len, tokenizer.encode_source(texts, tag))
        texts = [text for text, size in zip(texts, sizes, strict=True) if size <= SPLIT_ABOVE]
        count = SENTENCES // len(CORPORA)
        sides.append([texts[number * len(texts) // count] for number in range(count)])
    return [text for pair in zip(*sides, strict=True) for text in pair]


def _wanted(asking: Asking, only: list[str] | None) -> bool:
    """Return whether the name of a measurement holds all the words."""
    return all(word in str(asking) for word in only or ())


def measure(
    plan: Plan,
    servers: dict[str, Server],
    rounds: list[list[Asking]],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Return rows of all measurements, and what else was seen."""
    runs: dict[Asking, list[dict[str, Any]]] = {}
    answers: dict[tuple[str, int], dict[str, str]] = {}
    for number, some in enumerate(rounds):
        for asking in some:
            found = once(plan, servers[asking.system], asking, options, number)
            said = found.pop("answers")
            if asking.kind == SENTENCE:
                known = answers.setdefault((asking.system, asking.beam), {})
                known.update((at, texts[0]) for at, texts in said.items())
            runs.setdefault(asking, []).append(found)
            rate = found["requests"] / found["seconds"]
            print(
                f"{number + 1}: {asking}: {rate:.1f} a second {found['errors'] or ''}", flush=True
            )
    return {
        "model": Path(options.model).name,
        "sentences": len(plan.sentences),
        "pieces": plan.pieces,
        "document": DOCUMENT_SENTENCES,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "versions": {name: version(name) for name in PACKAGES},
        "rows": [row_of(asking, each) for asking, each in runs.items()],
        "servers": [_server(server) for server in servers.values()],
        "agreement": agreement(answers),
    }


def once(
    plan: Plan, server: Server, asking: Asking, options: argparse.Namespace, seed: int
) -> dict[str, Any]:
    """Return what one measurement gave."""
    task = Task(
        port=server.port,
        server=server.process.pid,
        path="/health" if asking.kind == CEILING else "/v1/translate",
        bodies=str(plan.bodies(asking)),
        clients=asking.clients,
        seconds=options.seconds,
        warm=options.warm,
        seed=seed,
    )
    before = server.counted()
    found = ask(task)
    after = server.counted()
    if before and after and after.batches > before.batches:
        batches = after.batches - before.batches
        found["texts_a_batch"] = (after.texts - before.texts) / batches
    return found


def _server(server: Server) -> dict[str, Any]:
    return {
        "system": server.system.name,
        "about": server.system.about,
        "ready_seconds": server.ready_seconds,
        "peak_rss_mb": server.peak_mb(),
    }


if __name__ == "__main__":
    main()

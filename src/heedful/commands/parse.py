"""`heed parse`: sentences in, trees out, by a model trained with the recipe parse; or its score."""

__all__ = ["EXAMPLES", "Options", "run"]

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import tyro

from heedful.errors import DataError, SettingError
from heedful.output import open_output, open_whole, refuse_read

if TYPE_CHECKING:
    from heedful.bracket_scores import BracketScores
    from heedful.parser import Parsed, Parser
    from heedful.search import Beam, Greedy
    from heedful.text.trees import Tree

EXAMPLES = """\
heed parse --model runs/parser "The cat sat."
heed parse --model runs/parser --svg cat.svg "The cat sat."
heed parse --model runs/parser --bracketed -i sentences.txt -o sentences.trees
heed parse --model runs/parser --gold test.trees
heed parse --gold test.trees --found theirs.trees
"""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Draw the tree of each sentence, or write it in brackets; or score trees.

    A tree has every word of its sentence once, in order: nothing else is searched; what a --free
    search finds, or of a sentence beyond the model, is repaired and counted.
    """

    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """The sentences; without any, --input or standard input is read, a sentence a line."""
    model: str | None = None
    """A model folder or a run folder: heed train --recipe parse makes one."""
    input: Annotated[Path | None, tyro.conf.arg(aliases=["-i"], metavar="FILE")] = None
    """Read from there (.gz is unpacked); - is standard input."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = None
    """Write there (.gz is packed); the file appears when it is complete."""
    tokenized: bool = False
    """The words are parted by spaces already, as the Penn treebank has them."""
    bracketed: bool = False
    """Write each tree in brackets on a line, as many lines as come in."""
    json: bool = False
    """Give one JSON object a sentence: words, tree, repairs, score; with --gold one of figures."""
    svg: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the trees there, as SVG."""
    gold: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """A file of right trees: parse their words and say how right the model is."""
    found: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """With --gold: score the trees of this file, of any parser, in place of a model's."""
    beam: int = 21
    """Beam size; 1 is greedy search: faster, a little worse."""
    length_penalty: float = 0.3
    """How much long lines of symbols are favoured, from 0."""
    max_extra: int = 300
    """A line of symbols has at most so many pieces more than its sentence."""
    free: bool = False
    """Search all lines of symbols, as the paper does, and repair those that are no trees."""
    batch_tokens: int | None = None
    """Source pieces times beam parsed at once: more is faster and needs memory."""
    device: str = "auto"
    """auto, cpu or cuda."""
    precision: str = "auto"
    """float32, on CPU int8, on a GPU bf16; auto is int8 or bf16 where there is one."""
    quiet: bool = False
    """Show no summary; repairs and blank lines are told all the same."""


def run(options: Options) -> int:
    """Parse or score; raises a HeedfulError for a bad model, option, sentence, tree or output."""
    _check(options)
    gold = [] if options.gold is None else list(_read(options.gold))
    if options.gold is not None and not gold:
        raise DataError("there is no tree in it", where=str(options.gold), fix="give another file")
    if options.found is not None:
        return _scored(options, gold, list(_read(options.found)), Counter())
    parser, search = _parser(options), _search(options)
    if gold:
        _tell_unknown(parser, gold)
        words = [tree.words for tree in gold]
        parsed = list(parser.stream(words, search, free=options.free))
        return _scored(options, gold, [one.tree for one in parsed], _repaired(parsed))
    counts: Counter[str] = Counter()
    pictures: list[Tree] = []
    drawing: AbstractContextManager[BinaryIO | None] = (
        nullcontext() if options.svg is None else open_whole(options.svg)
    )
    with drawing as drawn_to:
        with open_output(options.output) as out:
            for one in _parsed(options, parser, search, counts):
                print("" if one is None else _written(options, one), file=out)
                if one is not None and drawn_to is not None:
                    pictures.append(one.tree)
        if drawn_to is not None:
            from heedful.text.tree_drawing import svg

            drawn_to.write(svg(pictures).encode())
    _tell(counts, options.quiet)
    return 0


def _check(options: Options) -> None:
    from heedful.line_input import check_one

    inputs = {"--input": options.input is not None, "--gold": options.gold is not None}
    check_one({"texts": bool(options.texts), **inputs})
    if options.found is not None and options.gold is None:
        raise SettingError("it is for --gold", where="--found", fix="give --gold FILE, too")
    if options.found is not None and options.model is not None:
        raise SettingError("so is --model", where="--found", fix="leave one of them out")
    if options.model is None and options.found is None:
        fix = "train one: heed train --recipe parse --data FILE.trees --out runs/parser"
        raise SettingError("no parser is given", where="--model", fix=fix)
    if options.free and options.found is not None:
        raise SettingError("it is for --model", where="--free", fix="leave out --free or --found")
    if options.bracketed and options.json:
        raise SettingError("so is --json", where="--bracketed", fix="leave one of them out")
    svg, output = options.svg, options.output
    if svg is not None and output is not None and svg.resolve() == output.resolve():
        problem, fix = "--output names the same file", "give each a name of its own"
        raise SettingError(problem, where=f"--svg {svg}", fix=fix)
    for path in (output, svg):
        refuse_read(path, [options.input, options.gold, options.found])
    if options.batch_tokens is not None and options.batch_tokens < 1:
        problem = f"{options.batch_tokens} is less than 1"
        raise SettingError(problem, where="--batch-tokens", fix="give more")
    if options.gold is not None and (options.svg is not None or options.bracketed):
        problem = "figures come out of --gold, no trees"
        raise SettingError(problem, fix="leave out --svg and --bracketed, or --gold")


def _search(options: Options) -> "Beam | Greedy":
    from heedful.search import Beam, Greedy
    from heedful.search_options import search_of

    shape = {"max_extra": options.max_extra}
    try:
        if options.beam == 1:
            found = search_of({"search": shape | {"kind": "greedy"}})
        else:
            found = search_of(
                {"search": shape}, beam=options.beam, length_penalty=options.length_penalty
            )
    except SettingError as error:
        raise error.said_of((error.where or "").replace("--search.", "--")) from error
    assert isinstance(found, Beam | Greedy)
    return found


def _parser(options: Options) -> "Parser":
    from heedful.parser import Parser

    assert options.model is not None
    return Parser.load(options.model, options.device, options.precision, options.batch_tokens)


def _read(path: Path) -> "Iterator[Tree]":
    from heedful.data.formats.trees import trees_of

    return trees_of(path)


def _parsed(
    options: Options, parser: "Parser", search: "Beam | Greedy", counts: Counter[str]
) -> "Iterator[Parsed | None]":
    """Yield the trees in order, None for a blank line, some hundreds at a time."""
    from itertools import islice

    from heedful.parser import AT_ONCE

    lines = _lines(options)
    while some := list(islice(lines, AT_ONCE)):
        trees = parser.stream([words for words in some if words], search, free=options.free)
        for words in some:
            one = next(trees) if words else None
            counts["sentences"] += 1
            counts["blank"] += one is None
            counts["repaired"] += one is not None and bool(one.repairs)
            counts.update({} if one is None else dict.fromkeys(one.repairs, 1))
            yield one


def _lines(options: Options) -> Iterator[list[str]]:
    """Yield the words of each sentence; raises DataError for a text given without any."""
    from heedful.line_input import lines_of, name_of, open_input, words_given
    from heedful.text.penn_words import penn_words
    from heedful.text.trees import spaced_words

    def cut(text: str) -> list[str]:
        return spaced_words(text) if options.tokenized else penn_words(text)

    if options.texts:
        for number, text in enumerate(words_given(options.texts), start=1):
            words = cut(text)
            if not words:
                problem, where = "the sentence has no words", f"text {number}"
                raise DataError(problem, where=where, fix="write one")
            yield words
        return
    with open_input(options.input) as file:
        yield from map(cut, lines_of(file, name_of(options.input), Counter()))


def _written(options: Options, one: "Parsed") -> str:
    """Return a tree as it is asked for."""
    from heedful.text.tree_drawing import drawn
    from heedful.text.trees import bracketed

    if options.json:
        record = {"words": one.tree.words, "tree": bracketed(one.tree)}
        score = round(one.score, 6) if one.symbols else None
        whole = record | {"repairs": dict(one.repairs), "score": score}
        return json.dumps(whole, ensure_ascii=False)
    return bracketed(one.tree) if options.bracketed else drawn(one.tree)


def _tell(counts: Counter[str], quiet: bool) -> None:
    """Say on standard error what was repaired, and how many sentences there were."""
    from heedful.parser import REPAIRS

    if counts["blank"]:
        lines = f"{counts['blank']:,} blank line{'s' * (counts['blank'] != 1)}"
        print(f"heed: {lines} left blank: no words, no tree", file=sys.stderr)
    if counts["repaired"]:
        print(f"heed: {counts['repaired']:,} of {counts['sentences']:,} repaired", file=sys.stderr)
        for kind, what in REPAIRS.items():
            if counts[kind]:
                print(f"  {counts[kind]:,} {what}", file=sys.stderr)
    if not quiet:
        trees = counts["sentences"] - counts["blank"]
        print(f"{trees:,} tree{'s' * (trees != 1)}", file=sys.stderr)


def _repaired(parsed: "list[Parsed]") -> Counter[str]:
    counts = Counter(kind for one in parsed for kind in one.repairs)
    counts["sentences"] = len(parsed)
    counts["repaired"] = sum(bool(one.repairs) for one in parsed)
    return counts


def _tell_unknown(parser: "Parser", trees: "list[Tree]") -> None:
    """Say which labels of gold the model has not learnt, so that it finds none of them."""
    labels: Counter[str] = Counter()
    open_ = list(trees)
    while open_:
        tree = open_.pop()
        open_ += tree.children
        labels[tree.label] += tree.word is None and tree.label != "TOP"
    unknown = {label: n for label, n in labels.most_common() if n and not parser.knows(label)}
    if unknown:
        said = ", ".join(f"{label} ({count:,})" for label, count in unknown.items())
        print(f"heed: labels that the model has never learnt: {said}", file=sys.stderr)


def _scored(options: Options, gold: "list[Tree]", found: "list[Tree]", counts: Counter[str]) -> int:
    """Print how right the trees are."""
    from heedful.bracket_scores import score_trees

    if len(gold) != len(found):
        problem = f"has {len(found):,} trees, and {options.gold} has {len(gold):,}"
        raise DataError(problem, where=str(options.found), fix="tree n must be of sentence n")
    scores = score_trees(zip(gold, found, strict=True))
    with open_output(options.output) as out:
        print(_figures(options, scores, counts), file=out)
    if scores.skipped:
        which = ", ".join(map(str, scores.skipped[:10])) + ", ..." * (len(scores.skipped) > 10)
        said = f"{len(scores.skipped):,} of {len(gold):,} left out, their words differ: {which}"
        print(f"heed: {said}", file=sys.stderr)
    if scores.punctuation_alone:
        said = f"{scores.punctuation_alone:,} of {len(gold):,} left out, punctuation alone"
        print(f"heed: {said}", file=sys.stderr)
    _tell(counts, quiet=True)
    return 0


def _figures(options: Options, scores: "BracketScores", counts: Counter[str]) -> str:
    from heedful.bracket_scores import figures

    whole = figures(scores)
    if options.found is None:
        whole["repaired"] = round(100 * counts["repaired"] / max(1, counts["sentences"]), 2)
    if options.json:
        return json.dumps(whole)
    labels = whole.pop("labels")
    rows = [f"{name}\t{figure}" for name, figure in whole.items()]
    rows.append("label\tgold\tfound\tprecision\trecall\tf1")
    rows += ["\t".join([label, *map(str, of.values())]) for label, of in labels.items()]
    return "\n".join(rows)

"""Every command block of the documents bears a class after its language, and is treated so.

`run` is executed here, `slow` by `make test-all`, of `parse` only the options are read. The blocks
of one document run in order in one empty folder, with `heed` from the current environment. The
Chinese README shows the same commands as the English one, so they are tried once.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from heedful import cli

ROOT = Path(__file__).resolve().parents[2]
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
ENGLISH = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [*ENGLISH, CHINESE]
SHELLS = {"sh", "bash", "shell", "console", "zsh"}
CLASSES = {"run", "slow", "parse"}
OTHER_PROGRAMS = {
    ".",
    "cd",
    "cp",
    "echo",
    "git",
    "head",
    "make",
    "pip",
    "printf",
    "python",
    "python3",
    "torchrun",
}
FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[ \t]*([^`]*)$")


class Block(NamedTuple):
    """One fenced block of a document."""

    where: str
    language: str
    words: tuple[str, ...]
    text: str


def blocks(path: Path) -> list[Block]:
    """Return the fenced blocks of a Markdown file, in order."""
    found: list[Block] = []
    fence, start, language, words = "", 0, "", ""
    inside: list[str] = []
    for number, line in enumerate(path.read_text("utf-8").split("\n"), start=1):
        match = FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2]:
                where = f"{path.name}:{start}"
                found.append(Block(where, language, tuple(words.split()), "\n".join(inside)))
                fence = ""
            else:
                inside.append(line)
        elif match:
            fence, language, words = match[1], match[2], match[3]
            start, inside = number, []
    assert not fence, f"{path.name}:{start}: this block never ends"
    return found


BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
COMMANDS = [block for block in BLOCKS if block.language in SHELLS | {"python"}]
TRIED = [block for block in COMMANDS if not block.where.startswith(CHINESE.name)]


def test_every_command_block_bears_a_class() -> None:
    assert COMMANDS
    lacking = [block.where for block in COMMANDS if len(block.words) != 1]
    assert lacking == []
    unknown = [block.where for block in COMMANDS if block.words[0] not in CLASSES]
    assert unknown == []


def test_both_readmes_show_the_same_commands() -> None:
    def commands(path: Path) -> list[tuple[str, tuple[str, ...], str]]:
        return [block[1:] for block in blocks(path) if block.language in SHELLS | {"python"}]

    assert commands(README) == commands(CHINESE)


def test_every_block_names_a_language() -> None:
    assert [block.where for block in BLOCKS if not block.language] == []


def test_the_search_finds(tmp_path: Path) -> None:
    text = "a\n```sh run\nheed\n```\n\n~~~\nx\n```\n~~~\n  ````python  slow\ny\n```\n````\n"
    path = tmp_path / "a.md"
    path.write_text(text, "utf-8")
    assert blocks(path) == [
        Block("a.md:2", "sh", ("run",), "heed"),
        Block("a.md:6", "", (), "x\n```"),
        Block("a.md:10", "python", ("slow",), "y\n```"),
    ]


def commands_of(text: str) -> list[list[str]]:
    """Return the simple commands of a shell text, without comments and redirections."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="|&;<>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    commands: list[list[str]] = [[]]
    skipped = comment = False
    for token in lexer:
        comment = "\n" not in token and (comment or token.startswith("#"))
        if comment:
            continue
        if set(token) <= set("<>"):
            skipped = True
        elif set(token) <= set("|&;\n"):
            commands.append([])
        elif skipped:
            skipped = False
        else:
            commands[-1].append(token)
    return [command for command in commands if command]


def test_commands_of() -> None:
    text = "cd x && heed a -i 'b c' < d | head -1 > e  # f\nheed g \\\n  --h"
    assert commands_of(text) == [
        ["cd", "x"],
        ["heed", "a", "-i", "b c"],
        ["head", "-1"],
        ["heed", "g", "--h"],
    ]


@pytest.mark.parametrize(
    "block",
    [block for block in TRIED if block.language in SHELLS],
    ids=lambda block: block.where,
)
def test_options_exist(block: Block) -> None:
    """Read the options of every `heed` in every block, also where it is not run."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for program, *words in commands_of(block.text):
        if program == "make":
            goals = [word for word in words if "=" not in word]
            assert set(goals) <= set(targets), f"{block.where}: make has no such target"
        elif program == "heed":
            check_heed(words)
        else:
            assert program in OTHER_PROGRAMS, f"{block.where}: is {program} a command?"


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_examples_of_every_command(name: str) -> None:
    examples = commands_of(import_module(f"heedful.commands.{name}").EXAMPLES)
    assert name in [words[1] for words in examples]
    for program, *words in examples:
        if program == "heed":
            check_heed(words)


def check_heed(words: list[str]) -> None:
    """Read the options of one `heed ...` without running it."""
    if not words or words[0] not in cli.COMMANDS:
        assert words in ([], ["--help"], ["--version"])
    elif "--help" not in words:
        command = import_module(f"heedful.commands.{words[0]}")
        check_options(words[0], command, [word for word in words[1:] if word != "--debug"])


def check_options(name: str, command: ModuleType, words: list[str]) -> None:
    """Read a command's options as `heed` does, and its settings as its run would."""
    options, *settings = cli.arguments(name, command, words)
    if settings and hasattr(options, "beam"):
        from heedful.search_options import search_of

        short = {name: getattr(options, name, None) for name in ("nbest", "length_penalty")}
        search_of(settings[0], beam=options.beam, **short)
    elif settings and hasattr(options, "port"):
        from heedful.serve.limits import limits_of

        limits_of(settings[0])
    elif settings:
        from heedful.config import merged
        from heedful.recipes import recipe

        merged(recipe(options.recipe or "small"), settings[0])


@pytest.mark.parametrize(
    "block",
    [block for block in TRIED if block.language == "python"],
    ids=lambda block: block.where,
)
def test_python_can_be_read(block: Block) -> None:
    compile(block.text, block.where, "exec")


def execute(document: Path, classes: set[str], folder: Path) -> None:
    """Run the blocks of these classes in order in one folder; every command must succeed."""
    tools = folder / ".tools"
    tools.mkdir()
    heed = tools / "heed"
    heed.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m heedful "$@"\n', "utf-8")
    heed.chmod(0o755)
    source = str(Path(cli.__file__).parents[1])
    environment = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": source,
    }
    for block in blocks(document):
        if block.language not in SHELLS | {"python"} or not set(block.words) & classes:
            continue
        shell = ["bash", "-euo", "pipefail", "-c", block.text]
        python = [sys.executable, "-c", block.text]
        done = subprocess.run(
            python if block.language == "python" else shell,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block.where}:\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("document", ENGLISH, ids=lambda path: path.name)
def test_run_blocks(document: Path, tmp_path: Path) -> None:
    execute(document, {"run"}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("document", ENGLISH, ids=lambda path: path.name)
def test_slow_blocks(document: Path, tmp_path: Path) -> None:
    execute(document, {"run", "slow"}, tmp_path)


def test_layers_are_those_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    shown = [block.text for block in BLOCKS if block.words == ("layers",)]
    assert shown == ["\n".join(layers)]


@pytest.mark.parametrize("document", [README, CHINESE], ids=lambda path: path.name)
def test_the_tree_names_every_file(document: Path) -> None:
    text = document.read_text("utf-8")
    package = Path(cli.__file__).parent
    ignored = {"__pycache__", "py.typed", "__init__.py", "__main__.py"}
    for path in package.iterdir():
        if path.name not in ignored:
            assert re.search(rf"\b{re.escape(path.name)}\b", text), (
                f"{path.name} is not in the tree"
            )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in link:
            assert (document.parent / link).exists(), f"{document.name}: {link} leads nowhere"
    for path in re.findall(r"`((?:tests|docs|benchmarks|tools|deploy)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), f"{document.name}: there is no {path}"

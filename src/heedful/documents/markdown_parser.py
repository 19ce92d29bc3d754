"""The parser of Markdown, and what it knows beyond CommonMark: tables, ~~, footnotes, mathematics.

Text comes in, markdown-it-py's tokens go out; the reader of Markdown calls it.
"""

__all__ = ["BLOCKS", "Environment"]

import re
from collections.abc import MutableMapping
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.paragraph import paragraph
from markdown_it.rules_inline import StateInline

Environment = MutableMapping[str, Any]
"""What markdown-it-py knows of a document: its link references."""

_KEPT = re.compile(
    r"\$\$.+?\$\$|\$(?![\s$])(?:\\.|[^$\n\\])+?(?<!\s)\$(?![\d$])"  # mathematics
    r"|\[(?:\^[^\]\s]+|!\w+)\]",  # footnotes, GitHub's [!NOTE]
    re.DOTALL,
)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:")
_DEFINITION = re.compile(r"\[[^\]]+\]:")


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"store_labels": True})
    parser.enable(["table", "strikethrough"]).disable("text_join")
    ends = {"alt": ["paragraph", "reference", "blockquote"]}
    parser.block.ruler.before("reference", "footnote", _footnote, ends)  # type: ignore[arg-type]
    parser.inline.ruler.before("link", "kept", _kept)
    return parser


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take the text of a footnote as a paragraph, which the next definition ends."""

    def begins(line: int, pattern: re.Pattern[str]) -> bool:
        at = state.bMarks[line] + state.tShift[line]
        indent = state.sCount[line] - state.blkIndent
        return indent < 4 and pattern.match(state.src, at, state.eMarks[line]) is not None

    if not begins(start, _FOOTNOTE):
        return False
    if silent:
        return True
    last = start + 1
    while last < end and not state.isEmpty(last) and not begins(last, _DEFINITION):
        last += 1
    before, state.lineMax = state.lineMax, last
    paragraph(state, start, last, silent)
    state.lineMax = before
    return True


def _kept(state: StateInline, silent: bool) -> bool:
    """Take what is kept as it is."""
    found = _KEPT.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("kept", "", 0).content = found[0]
    state.pos = found.end()
    return True


BLOCKS = _parser()
"""Finds the blocks of a document, and what is in them."""

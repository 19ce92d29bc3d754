"""A drawn tree says the same as the tree; an SVG is sound and keeps every letter."""

from xml.etree import ElementTree

from hypothesis import given

from heedful.text.terminal import visible
from heedful.text.tree_drawing import drawn, svg
from heedful.text.trees import Tree
from tests.text.growing import trees

CAT = Tree(
    "S",
    (
        Tree("NP", (Tree("DT", (), "The"), Tree("NN", (), "cat"))),
        Tree("VP", (Tree("VBD", (), "sat"),)),
        Tree(".", (), "."),
    ),
)
SPACE = "{http://www.w3.org/2000/svg}"


def test_lines() -> None:
    assert drawn(CAT).split("\n") == [
        "S",
        "├─ NP",
        "│  ├─ DT  The",
        "│  └─ NN  cat",
        "├─ VP",
        "│  └─ VBD  sat",
        "└─ .  .",
    ]


def test_nothing_commands_the_terminal() -> None:
    assert "\x1b" not in drawn(Tree("NN", (), "a\x1b[2J"))


@given(tree=trees)
def test_a_line_for_every_bracket(tree: Tree) -> None:
    def count(one: Tree) -> int:
        return 1 + sum(map(count, one.children))

    lines = drawn(tree).split("\n")
    assert len(lines) == count(tree)
    ends = [line.rsplit("  ", 1)[-1] for line in lines if "  " in line.lstrip("│├└─ ")]
    assert ends == [visible(word) for word in tree.words]


def test_svg_places_words_from_left_to_right_and_phrases_above_them() -> None:
    drawing = ElementTree.fromstring(svg([CAT]))
    placed = {
        text.text: (float(text.attrib["x"]), float(text.attrib["y"]))
        for text in drawing.iter(f"{SPACE}text")
        if text.text != "."
    }
    assert placed["The"][0] < placed["cat"][0] < placed["sat"][0]
    assert placed["S"][1] < placed["NP"][1] < placed["DT"][1] < placed["The"][1]
    assert placed["NP"][0] == (placed["DT"][0] + placed["NN"][0]) / 2
    lines = len(list(drawing.iter(f"{SPACE}line")))
    assert lines == 6 + 4  # each label but the root's hangs from one, each word from its tag


def test_wide_labels_over_short_words_stand_apart_in_svg() -> None:
    so, why = Tree("ADVP", (Tree("RB", (), "so"),)), Tree("WHADVP", (Tree("WRB", (), "why"),))
    drawing = ElementTree.fromstring(svg([Tree("S", (so, why))]))
    x = {text.text: float(text.attrib["x"]) for text in drawing.iter(f"{SPACE}text")}
    assert x["WHADVP"] - x["ADVP"] > 9 * (len("ADVP") + len("WHADVP")) / 2


@given(tree=trees)
def test_svg_is_sound_whatever_the_letters(tree: Tree) -> None:
    drawing = ElementTree.fromstring(svg([tree, CAT]))
    shown = [text.text for text in drawing.iter(f"{SPACE}text")]
    assert all(visible(word) in shown for word in tree.words)
    width = float(drawing.attrib["width"])
    assert all(0 < float(text.attrib["x"]) < width for text in drawing.iter(f"{SPACE}text"))

"""A parser gives a tree of its own words for every sentence, whatever the model writes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import DataError, ModelError
from heedful.parser import SEARCH, Parser
from heedful.recipes import recipe
from heedful.search import Beam, Greedy
from heedful.text.tokenizer import Tokenizer
from heedful.text.trees import bracketed
from tests.parsers import learnt, make_parser
from tests.system.test_evaluate_command import make_model
from tests.text.growing import words


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Parser:
    folder = make_parser(tmp_path_factory.mktemp("parser") / "model")
    return Parser.load(folder, "cpu", "float32")


def test_the_search_is_the_papers() -> None:
    """Section 6.3: beam 21, alpha 0.3, maximum length input + 300."""
    shape = SEARCH.beam_size, SEARCH.length_penalty, SEARCH.max_extra
    assert shape == (21, 0.3, 300)


@pytest.mark.parametrize("search", [SEARCH, Greedy(max_extra=300)], ids=["beam", "greedy"])
def test_what_was_learnt_is_found(parser: Parser, search: Beam | Greedy) -> None:
    trees = learnt()
    found = parser.parse([tree.words for tree in trees], search)
    assert [bracketed(one.tree) for one in found] == [bracketed(tree) for tree in trees]
    assert not any(one.repairs for one in found)
    assert all(one.score < 0 for one in found)


@settings(max_examples=20, deadline=None)
@given(sentences=st.lists(st.lists(words, min_size=1, max_size=9), max_size=4), free=st.booleans())
@pytest.mark.parametrize("search", [Greedy(max_extra=9), Beam(beam_size=3, max_extra=9)])
def test_every_word_in_its_place(
    parser: Parser, search: Beam | Greedy, sentences: list[list[str]], free: bool
) -> None:
    found = parser.parse(sentences, search, free=free)
    assert [one.tree.words for one in found] == sentences
    assert free or all(set(one.repairs) <= {"too long"} for one in found)


def test_a_free_search_finds_what_is_likelier_and_no_tree(parser: Parser) -> None:
    """Of words in an order that it has not learnt."""
    sentence = ["it", "of", "Rain", "n't", "cat", "cat", "said", "the"]
    [free], [sound] = (parser.parse([sentence], Greedy(), free=one) for one in (True, False))
    assert free.repairs
    assert not sound.repairs
    assert sound.symbols != free.symbols


def test_where_there_is_no_room_for_every_tag_the_tree_is_repaired(parser: Parser) -> None:
    [one] = parser.parse([["Rain"] * 9], Greedy(max_length=5))
    assert one.tree.words == ["Rain"] * 9
    assert one.repairs["missing words"] == 4


def test_a_sentence_beyond_the_model_is_one_phrase_and_counted(parser: Parser) -> None:
    long = ["cat"] * 100
    [one, other] = parser.parse([long, ["Rain", "!"]])
    assert one.tree.words == long
    assert [child.label for child in one.tree.children] == ["S"]
    assert one.repairs == {"too long": 1}
    assert not other.repairs


def test_sentences_are_parsed_as_they_come(parser: Parser) -> None:
    def endless() -> object:
        while True:
            yield ["Rain", "!"]

    stream = parser.stream(endless(), Greedy())  # type: ignore[arg-type]
    assert next(stream).tree.words == ["Rain", "!"]


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [([], "no words"), (["a b"], "'a b'"), (["a", ""], "''"), (["a\nb"], "a.nb")],
)
def test_what_is_no_sentence_is_named(parser: Parser, sentence: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=f"sentence 2: .*{problem}"):
        parser.parse([["Rain"], sentence])


def test_labels_that_were_never_seen_are_known_as_such(parser: Parser) -> None:
    assert parser.knows("FRAG")
    assert not parser.knows("SBARQ")


def test_a_translator_is_no_parser(tmp_path: Path) -> None:
    make_model(tmp_path / "model", 1, both=False)
    with pytest.raises(ModelError, match="writes no trees; train one: heed train --recipe parse"):
        Parser.load(tmp_path / "model", "cpu")


def test_both_recipes_have_as_many_weights() -> None:
    """Within 5 per cent, at the sizes of vocabulary that the treebanks give."""
    sizes = []
    for name in ("parse", "parse-lstm"):
        model = recipe(name).model.build(8000, 453)  # type: ignore[call-arg, union-attr]
        sizes.append(sum(weight.numel() for weight in model.parameters()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_both_recipes_make_symbols_whole() -> None:
    for name in ("parse", "parse-lstm"):
        tokenizer = recipe(name).tokenizer  # type: ignore[union-attr]
        trained = Tokenizer.train(lambda: iter([("a b", "(NP NN )NP")] * 2), tokenizer)  # type: ignore[arg-type]
        assert [len(ids) for ids in trained.encode_target(["(NP NN )NP"])] == [4]

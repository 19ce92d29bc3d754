"""What a translation hangs on: against a table that has zeros for a word, and step by step."""

import copy
from collections import Counter

import numpy as np
import pytest
import torch

from heedful.inspect.dependence import MOST, dependence
from heedful.inspect.stages import TooLongError
from heedful.inspect.trace import read, trace
from heedful.model_folder import LoadedModel
from heedful.model_header import Languages
from heedful.nn.embedding import Untied
from heedful.search import Greedy
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import Translator, load
from tests.models.architectures import SHAPES

TEXT = "the cat sat on a log"
NAMES = ("Transformer", "Sutskever", "GRU, both ways, no attention", "Luong", "ConvS2S")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    words = "the cat sat on the mat and the dog sat on a log"
    return Tokenizer.train(lambda: [(words, words)] * 3, BPE(vocabulary_size=270))


def translator(name: str, tokenizer: Tokenizer) -> Translator:
    torch.manual_seed(0)
    shape = SHAPES[name].model_copy(update={"max_length": 64, "embedding": Untied()})
    model = shape.build(tokenizer.source_size, tokenizer.target_size).eval()
    return Translator(LoadedModel(model, tokenizer, Languages()), precision="float32")


@pytest.mark.parametrize("name", NAMES)
def test_a_word_is_worth_what_a_table_without_it_loses(name: str, tokenizer: Tokenizer) -> None:
    by = translator(name, tokenizer)
    found = dependence(by, f" {TEXT}\n")
    assert found.source.words == TEXT.split()
    [[best]] = by.search([found.source.ids], Greedy())
    written = torch.tensor([*best.tokens, *([by.tokenizer.end_id] if best.finished else [])])
    assert (found.ended, found.writing) == (best.finished, len(written))

    def log_prob(model: torch.nn.Module) -> float:
        _, log_probs = read(model, found.source.ids, written.tolist())  # type: ignore[arg-type]
        return float(log_probs.gather(1, written[:, None]).sum())

    whole = log_prob(by.model)
    assert found.log_prob == pytest.approx(whole, abs=1e-3)
    counted, compared = Counter(found.source.ids), 0
    for word, lost in enumerate(found.lost):
        places = np.flatnonzero(found.source.shares[:, word])
        ids = [found.source.ids[place] for place in places]
        if any(counted[one] > 1 for one in ids):
            continue
        other = copy.deepcopy(by.model)
        with torch.no_grad():
            other.tables.source.weight[ids] = 0
        assert lost == pytest.approx(whole - log_prob(other), abs=1e-3)
        compared += 1
    assert compared > 0


def test_it_is_the_sum_over_the_steps_of_what_attribute_says() -> None:
    by = load("everyday", "cpu", "float32")
    text = "The cat ate the fish because it was hungry."
    found = dependence(by, text, to="de")
    assert found.translation == by.translate([text], "de", search=Greedy())[0]
    seen = trace(by, text, found.translation, to="de")
    steps = range(len(seen.target.ids))
    by_piece = sum(seen.attribute(step, "occlusion").source for step in steps)
    alone = [
        (word, int(place))
        for word, column in enumerate(found.source.shares.T)
        for place in np.flatnonzero(column)
        if column.sum() == 1 and np.count_nonzero(column) == 1
    ]
    assert len(alone) > 5
    for word, place in alone:
        assert found.lost[word] == pytest.approx(by_piece[place], abs=1e-3)
    assert found.ended
    assert found.shares.sum() == pytest.approx(1, abs=1e-5)
    assert (found.shares >= 0).all()
    cat, the = found.source.words.index("cat"), found.source.words.index("the")
    assert found.lost[cat] > found.lost[the]


def test_what_is_handed_on_and_what_waits(tokenizer: Tokenizer) -> None:
    """All states of an encoder, or what two layers of 16 remember: of an LSTM two lists each."""
    for text in ("the cat", TEXT):
        looking, lstm, gru = (dependence(translator(name, tokenizer), text) for name in NAMES[:3])
        pieces = len(looking.source.ids)
        assert (looking.handed, looking.reading) == (16 * pieces, 1)
        assert (lstm.handed, lstm.reading) == (2 * 2 * 16, pieces)
        assert (gru.handed, gru.reading) == (2 * 16, pieces)


def test_long_texts_are_refused() -> None:
    with pytest.raises(TooLongError, match=f"pieces are more than the {MOST} "):
        dependence(load("everyday"), "a " * MOST, to="de")

"""The comparison of two engines lets near-ties pass and nothing else."""

from collections.abc import Sequence

import pytest
import torch

from heedful.decode.engine import decode
from heedful.interop.checking import compare, probes
from heedful.model_folder import LoadedModel
from heedful.nn.embedding import Untied
from heedful.search import Greedy, Limits
from heedful.text.pieces import END, START
from tests.interop.models import log_probs, random_model, tokenizer_of


class Echo:
    """Our own engine as the other one, which may be made to err."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.instead: dict[int, int] = {}
        self.off = 0.0

    def greedy(self, source: Sequence[int], most: int) -> list[int]:
        limits = Limits(START, END, (), most)
        ((found,),) = decode(self.loaded.model, [source], Greedy(), limits=limits)
        pieces = [*found.tokens, *[END] * found.finished]
        return [self.instead.get(piece, piece) for piece in pieces]

    def log_probs(self, source: Sequence[int], target: Sequence[int]) -> list[float]:
        return (log_probs(self.loaded, [*source], [*target]) + self.off).tolist()


@pytest.fixture
def loaded() -> LoadedModel:
    shape = {"encoder_layers": 1, "decoder_layers": 1}
    return random_model(tokenizer_of(), embedding=Untied(), **shape)


def test_the_same_is_the_same(loaded: LoadedModel) -> None:
    sources = probes(loaded)
    found = compare(loaded, Echo(loaded), sources)
    assert (found.sentences, found.equal, found.gap) == (len(sources), len(sources), 0)
    assert found.farthest < 1e-5
    assert found.explained


def test_other_numbers(loaded: LoadedModel) -> None:
    engine = Echo(loaded)
    for engine.off, explained in ((1e-4, True), (2e-3, False), (float("nan"), False)):
        assert compare(loaded, engine, probes(loaded)).explained == explained


def test_other_pieces_must_be_as_likely(loaded: LoadedModel) -> None:
    """A piece whose row of the output matrix is that of another is exactly as likely."""
    engine = Echo(loaded)
    chosen = engine.greedy(probes(loaded)[0], 5)[0]
    twin = 279  # the last: of equal ones the search takes the first
    engine.instead = {chosen: twin}
    assert not compare(loaded, engine, probes(loaded)).explained
    with torch.no_grad():
        for table in (loaded.model.tables.output, loaded.model.tables.target):
            table.weight[twin] = table.weight[chosen]
    found = compare(loaded, engine, probes(loaded))
    assert found.equal < found.sentences
    assert found.explained


@pytest.mark.parametrize("max_length", [8, 40])
@pytest.mark.parametrize("languages", [(), ("en", "de")])
def test_probes_fit_the_model(max_length: int, languages: tuple[str, ...]) -> None:
    tokenizer = tokenizer_of(languages=languages)
    loaded = random_model(tokenizer, max_length=max_length)
    found = probes(loaded)
    assert max(map(len, found)) <= max_length
    assert all(source[-1] == END for source in found)
    if languages:
        assert {source[0] for source in found} == {4, 5}
    assert compare(loaded, Echo(loaded), found).explained


def test_a_shorter_answer_is_a_difference(loaded: LoadedModel) -> None:
    class Short(Echo):
        def greedy(self, source: Sequence[int], most: int) -> list[int]:
            return super().greedy(source, most)[:-1]

    found = compare(loaded, Short(loaded), probes(loaded))
    assert found.gap == float("inf")
    assert not found.explained

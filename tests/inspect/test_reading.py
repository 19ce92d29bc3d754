"""Maps of many sentences at once are those of each by itself."""

import numpy as np
import pytest
import torch

from heedful.inspect.heads.pronouns import examples
from heedful.inspect.heads.reading import head_means, maps, shares_of, source_ids, to_words
from heedful.inspect.names import Head, every_head
from heedful.inspect.trace import read
from heedful.model_folder import LoadedModel
from tests.inspect.planted import pieces_of, tiny, tokenizer


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return tiny(tokenizer())


def test_padding_changes_nothing(loaded: LoadedModel) -> None:
    sentences = examples("en")[::40]
    sources = source_ids(loaded.tokenizer, sentences, "de")
    targets = loaded.tokenizer.encode_target([one.german for one in sentences])
    pairs = list(zip(sources, targets, strict=True))
    found = {one.number: one.weights for one in maps(loaded.model, pairs)}
    assert sorted(found) == list(range(len(pairs)))
    assert len({len(source) for source in sources}) > 1
    for number, (source, target) in enumerate(pairs):
        looks, _ = read(loaded.model, source, target)
        for kind, weights in found[number].items():
            layers = sorted(layer for other, layer in looks if other == kind)
            alone = torch.cat([looks[kind, layer].weights()[0] for layer in layers]).numpy()
            np.testing.assert_allclose(weights, alone, atol=1e-5)
            assert len(weights) == len(every_head(loaded.model, kind))


def test_without_targets_only_the_encoder_is_read(loaded: LoadedModel) -> None:
    [source] = source_ids(loaded.tokenizer, examples("en")[:1], "de")
    [found] = maps(loaded.model, [(source, ())])
    assert list(found.weights) == ["encoder"]


def test_words_sum_and_average_their_pieces(loaded: LoadedModel) -> None:
    for one in examples("en")[::60]:
        [ids] = source_ids(loaded.tokenizer, [one], "de")
        weights = np.random.default_rng(0).random((3, len(ids), len(ids)))
        found = to_words(weights, shares_of(loaded.tokenizer, one, ids))
        pieces = [pieces_of(loaded.tokenizer, one, word) for word in range(len(one.words))]
        for query, from_ in enumerate(pieces):
            for key, to in enumerate(pieces):
                own = weights[:, from_][:, :, to].sum(2).mean(1)
                np.testing.assert_allclose(found[:, query, key], own)


def test_means_leave_padding_out(loaded: LoadedModel) -> None:
    sources = source_ids(loaded.tokenizer, examples("en")[::50], "de")
    head = Head("encoder", 1, 2)
    rows = []
    for source in sources:
        looks, _ = read(loaded.model, source, source)
        rows.append(looks["encoder", 1].context()[0, 2])
    torch.testing.assert_close(
        head_means(loaded.model, sources, head), torch.cat(rows).mean(0), atol=1e-5, rtol=1e-4
    )

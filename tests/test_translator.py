"""The translator around a model that repeats its source: whatever goes in must come out again."""

import random
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import heedful
from heedful.device import pick_device
from heedful.errors import DataError, ModelError, SettingError
from heedful.model_folder import LoadedModel, save_model
from heedful.model_header import Languages
from heedful.models.recurrent import RecurrentConfig
from heedful.models.seq2seq import Memory
from heedful.models.transformer import TransformerConfig
from heedful.pipeline import MAX_ENCODED
from heedful.search import Beam, Greedy, Hypothesis
from heedful.text.tokenizer import BPE, Tokenizer
from heedful.translator import Care, Translator, limits_of, load

PAIRS = [
    ("Good morning, my friend. How are you?", "Guten Morgen, mein Freund. Wie geht es dir?"),
    ("The house is small.", "Das Haus ist klein."),
] * 4
ROOM = 64


@dataclass
class Count:
    """The cache of a model that needs to know only how far it is."""

    length: int = 0

    def select(self, rows: Tensor, sentences: Tensor | None = None) -> None:
        """Nothing depends on the row."""


class Echo:
    """A `Seq2Seq` that repeats the source's pieces, from the one at `start` on.

    The likeliest piece is the source's, the next likely one is the piece with the next id.
    """

    def __init__(self, entries: int, start: int = 0) -> None:
        self.config = SimpleNamespace(max_length=ROOM)
        self.entries = entries
        self.start = start
        self.encoded: list[int] = []

    def eval(self) -> "Echo":
        return self

    def encode(self, source: Tensor, mask: Tensor) -> Memory:
        self.encoded += mask.sum(1).tolist()
        return Memory(source[:, :, None].float(), mask)

    def new_cache(self, memory: Memory, rows_per_sentence: int, max_length: int) -> Count:
        assert max_length <= ROOM
        return Count()

    def hidden(self, target_in: Tensor, memory: Memory, cache: Count) -> Tensor:
        at = min(cache.length + self.start, memory.states.shape[1] - 1)
        cache.length += 1
        copies = len(target_in) // len(memory.states)
        return memory.states[:, at : at + 1].repeat_interleave(copies, dim=0)

    def project(self, hidden: Tensor, entries: Tensor | None = None) -> Tensor:
        ids = torch.arange(self.entries)
        distance = (ids - hidden) % self.entries
        return torch.where(distance < 2, 20.0 - 18 * distance, 0.0)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=300))


@pytest.fixture(scope="module")
def tagged() -> Tokenizer:
    return Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=300), ("en", "de"))


def echo(tokenizer: Tokenizer, languages: Languages | None = None) -> Translator:
    """Return a translator that gives back what it is given."""
    model = Echo(tokenizer.target_size, start=1 if tokenizer.languages else 0)
    languages = languages or Languages(source="en", target="de")
    return Translator(LoadedModel(model, tokenizer, languages))  # type: ignore[arg-type]


letters = st.sampled_from([*"abc ABC.,;!?…", "\n", "\t", "\0", "猫", "é", "\u00a0", "🙂", "</s>"])
texts = st.lists(letters, max_size=120).map("".join)


@settings(max_examples=60, deadline=None)
@given(
    given=st.lists(texts, max_size=6),
    search=st.sampled_from([Greedy(), Beam(), Beam(beam_size=2, n_best=2)]),
    split_above=st.integers(1, 60),
)
def test_what_goes_in_comes_out(
    tokenizer: Tokenizer, given: list[str], search: Greedy | Beam, split_above: int
) -> None:
    """A title's capitals alone would be lowered, and nothing says what they were."""
    translator = echo(tokenizer)
    found = translator.translate_detailed(
        given, search=search, split_above=split_above, care=Care(capitals=False)
    )
    assert [x.source for x in found] == given
    assert [x.text for x in found] == given
    for translation in found:
        assert translation.hypotheses[0].text == translation.text
        scores = [x.score for x in translation.hypotheses]
        assert scores == sorted(scores, reverse=True)
    assert all(pieces <= ROOM - 14 for pieces in translator.model.encoded)  # type: ignore[attr-defined]


def test_ten_thousand_lines_in_ten_thousand_out(tokenizer: Tokenizer) -> None:
    draw = random.Random(1)
    words = ["house", "猫", "</s>", ">>de<<", "<pad>", "nul\0", "a" * 40, "Morgen.", "z\u2028z"]
    lines = [" ".join(draw.choices(words, k=draw.choice([0, 1, 2, 5]))) for _ in range(10_000)]
    lines[17] = "One. Two, three four! " * 60
    lines[4242] = "x" * 3000
    lines[4243] = "   \t "
    found = list(echo(tokenizer).stream(lines, search=Greedy(), batch_tokens=16_000))
    assert [x.text for x in found] == lines
    assert found[17].flags == ("copied", "split")
    assert found[4242].flags == ("copied", "split-inside")
    assert found[4243].flags == ()


CONTROLS = [
    "\0",
    "\x1b[31m",
    "\x0b",
    "\x0c",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
    "\x1e",
]


def test_control_characters_stay_where_they_are(tokenizer: Tokenizer) -> None:
    lines = [form.format(x) for x in CONTROLS for form in ("{}", "a{}b", "{}a", "a b{}", "a {} b")]
    found = echo(tokenizer).translate_detailed(lines)
    assert [x.text for x in found] == lines


class Parrot:
    """An engine that gives back every source at once, and remembers the longest."""

    longest = 0

    def decode(
        self, sources: list[list[int]], *how: object, **more: object
    ) -> list[list[Hypothesis]]:
        self.longest = max(map(len, sources))
        return [[Hypothesis(tuple(source[:-1]), 0.0, 0.0, True)] for source in sources]


@pytest.mark.parametrize("piece", ["x", "ab "], ids=["one word", "many words"])
def test_a_line_beyond_all_measure(tokenizer: Tokenizer, piece: str) -> None:
    line = piece * (3 * MAX_ENCODED // len(piece))
    translator = echo(tokenizer)
    parrot = Parrot()
    translator._pipeline._engine = parrot  # type: ignore[assignment]
    [found] = translator.translate_detailed([line])
    assert found.text == line
    assert found.flags == ("copied", "split-inside")
    assert 0 < parrot.longest <= ROOM


def test_blank_texts_never_reach_the_model(tokenizer: Tokenizer) -> None:
    translator = echo(tokenizer)
    blank = ["", " ", "\t\x0b", "\u2028", "\n\n", "\x1c"] * 1000
    search = Beam(beam_size=2, n_best=2)
    found = translator.translate_detailed(blank, search=search)
    assert [x.text for x in found] == blank
    assert {len(x.hypotheses) for x in found} == {1}
    assert translator.model.encoded == []  # type: ignore[attr-defined]


def test_a_stream_gives_results_before_it_has_read_everything(tokenizer: Tokenizer) -> None:
    read = 0

    def endless() -> "object":
        nonlocal read
        while True:
            read += 1
            yield f"The house {read}"

    stream = echo(tokenizer).stream(endless(), search=Greedy())  # type: ignore[arg-type]
    assert [x.text for x in islice(stream, 3)] == ["The house 1", "The house 2", "The house 3"]
    assert read < 100
    one_by_one = echo(tokenizer).stream(endless(), search=Greedy(), window=1)  # type: ignore[arg-type]
    read = 0
    next(one_by_one)
    assert read == 1


def test_the_n_best_of_a_split_text_are_the_best_sums(tokenizer: Tokenizer) -> None:
    translator = echo(tokenizer)
    search = Beam(beam_size=3, n_best=3)
    parts = [
        translator.translate_detailed([text], search=search)[0].hypotheses
        for text in ("One.", "Two.")
    ]
    [whole] = translator.translate_detailed(["One. Two."], search=search, split_above=1)
    best = sorted((a.score + b.score for a in parts[0] for b in parts[1]), reverse=True)[:3]
    assert [x.score for x in whole.hypotheses] == pytest.approx(best, abs=1e-4)
    assert len({x.text for x in whole.hypotheses}) == 3
    for candidate in whole.hypotheses:
        assert any(
            candidate.text == f"{a.text} {b.text}"
            and candidate.log_prob == pytest.approx(a.log_prob + b.log_prob, abs=1e-4)
            for a in parts[0]
            for b in parts[1]
        )


def test_an_unfinished_translation_is_flagged(tokenizer: Tokenizer) -> None:
    translator = echo(tokenizer)
    translator.model.hidden = lambda target_in, memory, cache: torch.full(  # type: ignore[method-assign]
        (len(target_in), 1, 1), 70.0
    )
    [found] = translator.translate_detailed(["The house"], search=Greedy(max_extra=3))
    assert found.flags == ("unfinished",)


def test_a_line_break_in_a_translation_becomes_a_space(tokenizer: Tokenizer) -> None:
    translator = echo(tokenizer)
    assert translator.translate(["a\rb"]) == ["a b"]
    two_lines = tokenizer.encode_source(["a\nb"])[0]
    translator._pipeline.tokenizer = SimpleNamespace(  # type: ignore[assignment]
        encode_source=lambda texts, to: [two_lines for _ in texts],
        decode_target=tokenizer.decode_target,
        languages=(),
    )
    assert translator.translate(["whatever"]) == ["a b"]


def test_control_pieces_are_forbidden(tokenizer: Tokenizer, tagged: Tokenizer) -> None:
    assert limits_of(tokenizer, 9).forbidden == (0, 1, 3)
    assert limits_of(tagged, 9).forbidden == (0, 1, 3, 4, 5)
    separate = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=280, shared=False), ("en", "de"))
    assert limits_of(separate, 9).forbidden == (0, 1, 3)


BOTH = Languages(source="en", target="de", both_directions=True)


def test_a_model_of_two_directions_asks_for_one(tagged: Tokenizer) -> None:
    translator = echo(tagged, BOTH)
    for to, from_, tag in [("de", None, "de"), (None, "en", "de"), ("en", "de", "en")]:
        assert translator.target(to, from_) == tag
        assert translator.translate(["The house is"], to, from_=from_) == ["The house is"]
    for to, from_, told in [
        (None, None, "give --to en or --to de"),
        ("fr", None, 'no language "fr"'),
        ("dee", None, 'did you mean "de"'),
        ("de", "xx", 'no language "xx"'),
        ("de", "de", 'both are "de"'),
    ]:
        with pytest.raises(SettingError, match=told):
            translator.stream(["x"], to, from_=from_)


def test_three_languages_need_to(tokenizer: Tokenizer) -> None:
    three = Tokenizer.train(lambda: PAIRS, BPE(vocabulary_size=300), ("en", "de", "fr"))
    translator = echo(three, BOTH)
    with pytest.raises(SettingError, match="give --to de or --to fr"):
        translator.target(None, "en")
    assert translator.target("fr", "en") == "fr"


def test_a_model_of_one_direction_needs_no_language(tokenizer: Tokenizer) -> None:
    translator = echo(tokenizer)
    assert translator.target() is None
    assert translator.target("de", "en") is None
    with pytest.raises(SettingError, match="--to fr: the model translates only from en to de"):
        translator.target("fr")
    with pytest.raises(SettingError, match="--from de: the model translates only from en to de"):
        translator.target(None, "de")
    with pytest.raises(SettingError, match="trained without naming its languages; leave it out"):
        echo(tokenizer, Languages()).target("de")


def test_what_is_no_list_of_texts_is_refused(tokenizer: Tokenizer) -> None:
    translator = echo(tokenizer)
    with pytest.raises(SettingError, match="give a list"):
        translator.translate("The house")
    with pytest.raises(DataError, match="text 2: 3 is not a text"):
        translator.translate(["a", 3])  # type: ignore[list-item]
    huge = "a" * MAX_ENCODED + "\udfff"
    for text, told in [("\ud83d", "D83D"), ("x\udc41", "DC41"), (huge, "DFFF")]:
        with pytest.raises(DataError, match=f"text 4: it holds half a surrogate pair, U.{told};"):
            translator.translate(["a", "", "😀", text])
    with pytest.raises(SettingError, match="batch_tokens: 0 is less than 1"):
        translator.translate(["a"], batch_tokens=0)
    assert translator.translate([]) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    torch.manual_seed(1)
    config = TransformerConfig(
        d_model=8, d_ff=8, n_heads=1, encoder_layers=1, decoder_layers=1, max_length=32
    )
    run = tmp_path_factory.mktemp("run")
    model = config.build(tokenizer.source_size, tokenizer.target_size)
    save_model(run / "model", model, tokenizer, Languages(source="en", target="de"))
    (run / "config.json").write_text("{}", "utf-8")
    return run


def test_a_model_folder_and_its_run_folder_load_alike(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_run = heedful.load(folder, device="cpu").translate(["The house.", "Good"], to="de")
    assert load(str(folder / "model")).translate(["The house.", "Good"]) == by_run
    monkeypatch.setattr("heedful.pretrained.__file__", str(folder / "__init__.py"))
    assert load("model").translate(["The house.", "Good"]) == by_run
    with pytest.raises(ModelError, match='no bundled model of that name; did you mean "model"'):
        load("modle")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model is in this folder"):
        load(tmp_path)
    with pytest.raises(ModelError, match="there is no such folder"):
        load(tmp_path / "nothing")


def test_device_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(SettingError, match="sees no GPU here; use cpu"):
        pick_device("cuda")
    with pytest.raises(SettingError, match='did you mean "cuda"'):
        pick_device("cuba")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device("auto") == torch.device("cuda")
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert pick_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(SettingError, match="1 GPU"):
        pick_device("cuda:1")


def test_models_of_two_kinds_together_compute_in_what_is_for_both(tokenizer: Tokenizer) -> None:
    sizes = tokenizer.source_size, tokenizer.target_size
    kinds = (
        TransformerConfig(d_model=16, d_ff=32, n_heads=1, encoder_layers=1, decoder_layers=1),
        RecurrentConfig(d_model=16, encoder_layers=1, decoder_layers=1),
    )
    members = [LoadedModel(one.build(*sizes), tokenizer, Languages()) for one in kinds]
    for order in (members, members[::-1]):
        assert Translator(order, "cpu", "auto").precision == "float32"

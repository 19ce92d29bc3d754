"""Learning to answer: what is asked for, the losses, the reference, additions, an exact resume."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from heedful.chat_data import script_of, with_template
from heedful.config import ChatRunConfig, merged
from heedful.conversation import Script, taught
from heedful.data.answers import AnswerPlan, AnswerStore, PreferenceBatch, PreferencePlan
from heedful.data.text_batches import UNASKED, TextBatch
from heedful.decoder_folder import save_decoder
from heedful.errors import ModelError
from heedful.interop.writers import load_writer
from heedful.model_header import Writing
from heedful.models.gpt import GPT, GPTConfig
from heedful.nn.position import Rotary
from heedful.objectives import Chat, Preference, answer_log_probs
from heedful.progress import Progress
from heedful.recipes import recipe
from heedful.run import train
from heedful.run_chat import start_settings
from heedful.text.chat import IN_PIECES, IN_WORDS, ChatTemplate, Message
from heedful.text.pieces import END
from heedful.text.train_tokenizer import Characters, RunningBPE
from heedful.text.vocabulary import Vocabulary
from heedful.train import lora
from heedful.train.loop import Trainer
from heedful.train.reference import reference_of
from tests.train.tracing import trace

ABC = "abcdefghij ?!.\n</s>"
CHATML = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
QUIET = Progress(quiet=True)
CPU = torch.device("cpu")


def vocabulary(kind: str) -> Vocabulary:
    config = Characters() if kind == "characters" else RunningBPE(vocabulary_size=300)
    return Vocabulary.train([ABC + "User:Assistant:System:assistantuser"], config)


KNOWN = {kind: vocabulary(kind) for kind in ("characters", "bpe")}
TURNS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.text(ABC, min_size=1, max_size=12)),
    min_size=1,
    max_size=6,
)


@given(
    TURNS, st.sampled_from(["characters", "bpe"]), st.sampled_from([IN_PIECES, CHATML, IN_WORDS])
)
def test_what_is_asked_for_are_the_answers_and_their_ends(
    turns: list[tuple[str, str]], kind: str, template: str
) -> None:
    """Brute force: asked pieces, cut at the ends of answers, decode to the answers as they are.

    What is before an answer is, piece by piece, what the model is given to answer.
    """
    known = KNOWN[kind]
    script = Script(known, ChatTemplate(template, {"eos_token": "</s>"}), (END,))
    messages = [*(Message(*turn) for turn in turns), Message("assistant", "yes")]
    messages = [Message(one.role, one.content.replace("y", "a")) for one in messages]
    messages = [Message("user", "hi?"), *messages]
    ids, asked = taught(script, messages)
    answers: list[list[int]] = [[]]
    for place, (piece, wanted) in enumerate(zip(ids, asked, strict=True)):
        if not wanted:
            continue
        if not answers[-1]:
            before = len(answers) - 1
            at = [n for n, one in enumerate(messages) if one.role == "assistant"][before]
            quoted = [Message(m.role, known.quoted(m.content, "\ufdd0")) for m in messages[:at]]
            prompt = known.conversation(script.template.render(quoted), "\ufdd0")
            if kind == "characters":  # of others, an answer's pieces may be cut in another way
                assert ids[:place] == prompt
        answers[-1].append(piece)
        if piece == END:
            answers.append([])
    assert answers.pop() == []
    said = [message.content for message in messages if message.role == "assistant"]
    assert [known.continuation([], one) for one in answers] == said
    alone = taught(script, messages, last=True)
    assert alone.ids == ids
    assert sum(alone.asked) == len(answers[-1])


def test_templates_that_cannot_be_learnt() -> None:
    def of(source: str) -> Script:
        return Script(KNOWN["characters"], ChatTemplate(source, {}), (END,))

    talk = [Message("user", "a"), Message("assistant", "b")]
    with pytest.raises(ModelError, match="puts no end behind an answer"):
        taught(of("{% for m in messages %}{{ m['content'] }}{% endfor %}"), talk)
    with pytest.raises(ModelError, match="earlier turns in another way"):
        taught(of("{{ messages | length }}</s>"), talk * 2)


def test_a_template_is_chosen_openly() -> None:
    own = Writing(end_ids=(END,))
    assert with_template(KNOWN["characters"], own).template == IN_PIECES
    other = with_template(KNOWN["characters"], Writing(end_ids=(END, 7)))
    assert (other.template, other.special) == (IN_WORDS, {"eos_token": "</s>"})
    assert with_template(KNOWN["bpe"], other) == other
    with pytest.raises(ModelError, match="no piece that ends a text"):
        with_template(KNOWN["bpe"], Writing())


def model(seed: int = 0, **changes: Any) -> GPT:
    torch.manual_seed(seed)
    told = {"d_model": 16, "d_ff": 32, "n_heads": 2, "n_layers": 2, "dropout": 0.0, **changes}
    made = GPTConfig(max_length=64, position=Rotary(), **told).build(KNOWN["characters"].size)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return made


def store(rows: int, seed: int = 1) -> AnswerStore:
    """Return rows whose answers have the piece 0 too: it is one like others."""
    lots, made = np.random.default_rng(seed), AnswerStore()
    for _ in range(rows):
        length = int(lots.integers(3, 20))
        asked = [False, *(lots.random(length - 2) < 0.5), True]
        made.append(lots.integers(0, 16, length).tolist(), [bool(one) for one in asked])
    return made.finish()


@given(st.integers(1, 40), st.integers(1, 7), st.integers(0, 3))
def test_an_epoch_has_each_row_once(rows: int, batch: int, epoch: int) -> None:
    some = store(rows)
    plan = AnswerPlan(some, batch, 3)
    batches = plan.epoch(epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    asked = 0
    for one in batches:
        made = plan.batch(one)
        asked += made.n_target
        for row, ids, after in zip(one, made.target_in, made.target_out, strict=True):
            at, length = some.starts[row], int(some.lengths[row])
            true, marks = some.ids[at : at + length], some.asked[at : at + length]
            assert ids[: length - 1].tolist() == true[:-1].tolist()
            wanted = np.where(marks, true.astype(int), UNASKED)[1:].tolist()
            assert after.tolist() == wanted + [UNASKED] * (len(after) - length + 1)
    assert asked == int(some.asked.sum())


def per_row(made: GPT, ids: list[int], asked: list[bool]) -> torch.Tensor:
    """Return the log-probability of what is asked for, piece by piece, without a batch."""
    logits = made.project(made.hidden(torch.tensor([ids[:-1]])))[0]
    chances = torch.stack([torch.log(torch.softmax(row, -1)) for row in logits])
    return sum(chances[n][ids[n + 1]] for n in range(len(ids) - 1) if asked[n + 1])  # type: ignore[return-value]


def rows_of(some: AnswerStore) -> list[tuple[list[int], list[bool]]]:
    spans = [(int(a), int(a + n)) for a, n in zip(some.starts, some.lengths, strict=True)]
    return [(some.ids[a:b].astype(int).tolist(), some.asked[a:b].tolist()) for a, b in spans]


def test_losses_are_those_of_plain_torch() -> None:
    """Of conversations, and of preferences by equation 7 with a second, frozen model."""
    first, made, some = model(0), model(1), store(12)
    alone = torch.stack([per_row(made, *row) for row in rows_of(some)])
    batch = some.texts(np.arange(12))
    torch.testing.assert_close(answer_log_probs(made, batch), alone)
    loss = Chat().loss(made, batch)
    torch.testing.assert_close(loss.nll, -alone.sum().detach())
    reference = reference_of(first, some, "float32", CPU)
    frozen = torch.stack([per_row(first, *row) for row in rows_of(some)]).detach()
    torch.testing.assert_close(reference.flatten(), frozen)
    pairs = PreferencePlan(some, reference, 6, 1).batch(range(6))
    ratio = (alone - frozen).view(-1, 2)
    expected = -torch.log(torch.sigmoid(0.3 * ratio[:, 0] - 0.3 * ratio[:, 1])).sum()
    found = Preference(beta=0.3).loss(made, pairs)
    torch.testing.assert_close(found.smoothed, expected)
    weights = list(made.parameters())
    gradients = torch.autograd.grad(found.smoothed, weights)
    for one, other in zip(gradients, torch.autograd.grad(expected, weights), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
    assert found.tokens == pairs.rows == 6


def test_at_the_start_no_answer_is_preferred() -> None:
    made, some = model(), store(40)
    pairs = PreferencePlan(some, reference_of(made, some, "float32", CPU), 20, 1).batch(range(20))
    loss = Preference().loss(made, pairs)
    assert float(loss.nll) / 20 == pytest.approx(math.log(2), abs=1e-5)
    assert made.hidden(pairs.texts.target_in).requires_grad


@given(st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=20)
def test_pairs_stay_together(pairs: int, parts: int) -> None:
    some = store(2 * pairs)
    whole = PreferencePlan(some, torch.arange(2.0 * pairs).view(-1, 2), pairs, 1).batch(
        range(pairs)
    )
    split = whole.split(min(parts, pairs))
    assert torch.equal(torch.cat([one.texts.target_in for one in split]), whole.texts.target_in)
    assert torch.equal(torch.cat([one.reference for one in split]), whole.reference)
    assert all(one.texts.rows == 2 * one.rows for one in split)
    assert sum(one.texts.n_target for one in split) == whole.texts.n_target
    assert isinstance(split[0], PreferenceBatch)


def test_additions_change_nothing_at_first_and_are_all_that_is_learnt() -> None:
    made, ids = model(), torch.randint(4, 16, (2, 9))
    before = made.project(made.hidden(ids))
    names = set(dict(made.named_parameters()))
    lora.add(made, 3)
    torch.testing.assert_close(made.project(made.hidden(ids)), before, atol=0, rtol=0)
    free = [name for name, weight in made.named_parameters() if weight.requires_grad]
    assert free
    assert all(name.endswith((".a", ".b")) for name in free)
    batch = TextBatch(ids[:, :-1], ids[:, 1:], 16)
    weights = [weight for weight in made.parameters() if weight.requires_grad]
    found = torch.autograd.grad(Chat().loss(made, batch).smoothed, weights)
    with torch.no_grad():
        for weight, gradient in zip(weights, found, strict=True):
            weight.sub_(gradient)
    moved = made.project(made.hidden(ids))
    assert (moved - before).abs().max() > 1e-3
    lora.merged(made)
    assert set(dict(made.named_parameters())) == names
    torch.testing.assert_close(made.project(made.hidden(ids)), moved, atol=1e-5, rtol=1e-5)


def test_a_model_folder_keeps_how_it_writes(tmp_path: Path) -> None:
    writing = Writing(begin_id=1, end_ids=(2, 7), never=(0,), template=IN_WORDS, special={"a": "b"})
    save_decoder(tmp_path / "m", model(), KNOWN["characters"], writing=writing)
    found = load_writer(tmp_path / "m")
    assert (found.begin_id, found.end_ids, found.never) == (1, (2, 7), (0,))
    assert found.template is not None
    assert (found.template.source, found.template.special) == (IN_WORDS, {"a": "b"})


def config(folder: Path, kind: str, **training: Any) -> ChatRunConfig:
    told = {"save_every": 4, "validate_every": 4, "log_every": 2, "batch_rows": 4, "shards": 2}
    changes = {
        "data": {"train": [str(folder / f"{kind}.jsonl")]},
        "model": {"dropout": 0.2},
        "training": told | {"epochs": None, "max_steps": 10} | training,
        "device": "cpu",
    }
    base = recipe(kind)
    assert isinstance(base, ChatRunConfig)
    return merged(base, start_settings(str(folder / "first"), changes))


@pytest.mark.parametrize("step", [2, 9])
@pytest.mark.parametrize(("kind", "rank"), [("chat", 0), ("preference", 2)])
def test_a_resumed_run_is_the_same_run(
    tmp_path: Path, kind: str, rank: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at a step, dropout on, over several epochs; the first model is gone by then."""
    lots = np.random.default_rng(1)
    words = ["".join(lots.choice(list("abcdefghij"), 5)) for _ in range(30)]
    rows: dict[str, list[Any]] = {"chat": [], "preference": []}
    for word in words:
        said = [{"role": "user", "content": word}, {"role": "assistant", "content": word[:2]}]
        rows["chat"].append({"messages": said})
        rows["preference"].append({"prompt": word, "chosen": word[0], "rejected": word[1:3]})
    text = "".join(json.dumps(row) + "\n" for row in rows[kind])
    (tmp_path / f"{kind}.jsonl").write_text(text, "utf-8")
    save_decoder(tmp_path / "first", model(), KNOWN["characters"])
    settings_ = config(tmp_path, kind, lora_rank=rank)
    train(settings_, tmp_path / "whole", QUIET)
    with monkeypatch.context() as patch:
        update = Trainer._update

        def dying(self: Trainer, portion: Any) -> Any:
            if self.state.step + 1 == step:
                raise KeyboardInterrupt
            return update(self, portion)

        patch.setattr(Trainer, "_update", dying)
        with pytest.raises(KeyboardInterrupt):
            train(settings_, tmp_path / "cut", QUIET)
    if step > 4:
        (tmp_path / "first").rename(tmp_path / "gone")
    train(settings_, tmp_path / "cut", QUIET, resume=True)
    found, whole = (trace(tmp_path / name) for name in ("cut", "whole"))
    for one in (found, whole):
        for record in one["log"]:
            record.pop("pairs_per_second", None)
    assert found == whole


def test_a_script_needs_a_template_that_is_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="here, template"):
        script_of(KNOWN["bpe"], Writing(end_ids=(2,), template="{% if %}"), "here, template")


def test_dpo_moves_towards_what_is_better() -> None:
    made, some = model(), store(8)
    plan = PreferencePlan(some, reference_of(made, some, "float32", CPU), 4, 1)
    batch = plan.batch(range(4))
    optimizer = torch.optim.SGD(made.parameters(), lr=1e-3)
    for _ in range(5):
        optimizer.zero_grad()
        Preference().loss(made, batch).smoothed.backward()
        optimizer.step()
    margins = Preference().margins(made, batch).detach()
    assert float(-F.logsigmoid(margins).mean()) < math.log(2)
    assert float(margins.mean()) > 0

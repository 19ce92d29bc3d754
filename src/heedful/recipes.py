"""Named experiments: functions that return a RunConfig. A variation is a few lines here."""

__all__ = [
    "RECIPES",
    "bert_classify",
    "bert_words",
    "chat",
    "conv_s2s",
    "gnmt",
    "gpt_char",
    "gru_attention",
    "low_resource",
    "lstm",
    "lstm_attention",
    "modern_base",
    "modern_small",
    "multi30k",
    "multi30k_protocol",
    "paper_base",
    "paper_big",
    "preference",
    "recipe",
    "recipe_for",
    "recipe_of",
    "small",
    "tiny",
    "tune",
]

from collections.abc import Callable
from typing import Any

from heedful.config import ChatRunConfig, KnownRunConfig, ReadingRunConfig, RunConfig, TextRunConfig
from heedful.errors import SettingError, did_you_mean
from heedful.models.bert import bert_mini, minilm
from heedful.models.convolutional import ConvolutionalConfig
from heedful.models.gpt import GPTConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.transformer import TransformerConfig
from heedful.models.wiring import GNMT, Bahdanau, Luong, NoAttention
from heedful.nn.attention import MultiHead
from heedful.nn.feedforward import GELU, SwiGLU
from heedful.nn.norm import LayerNorm, PreNorm, RMSNorm
from heedful.nn.position import Rotary
from heedful.nn.recurrent import GRU
from heedful.objectives import MaskedLM, Preference, Translation
from heedful.text.tokenizer import BPE
from heedful.text.wordpiece import WordPieceConfig
from heedful.train.optimizer import AdamW
from heedful.train.schedule import Cosine, InverseSqrt, Linear
from heedful.train.settings import ChatTraining, RowTraining, TextTraining, TrainingConfig


def paper_base() -> RunConfig:
    """The base model of the paper: 100,000 steps of 25,000 pieces (Table 3, section 5)."""
    return RunConfig(
        recipe="paper-base",
        tokenizer=BPE(vocabulary_size=37_000, exact=False),
        model=TransformerConfig(),
        schedule=InverseSqrt(warmup_steps=4000),
        training=TrainingConfig(max_steps=100_000, batch_tokens=25_000, average_last=5),
    )


def paper_big() -> RunConfig:
    """The big model of the paper: 300,000 steps, dropout 0.3, the last 20 averaged."""
    return RunConfig(
        recipe="paper-big",
        tokenizer=BPE(vocabulary_size=37_000, exact=False),
        model=TransformerConfig(d_model=1024, d_ff=4096, n_heads=16, dropout=0.3),
        schedule=InverseSqrt(warmup_steps=4000),
        training=TrainingConfig(max_steps=300_000, batch_tokens=25_000, average_last=20),
    )


def small() -> RunConfig:
    """For 50,000 to a million pairs on a laptop: 4 + 2 layers of 256, norms before them."""
    return RunConfig(
        recipe="small",
        tokenizer=BPE(vocabulary_size=8000, exact=False),
        model=TransformerConfig(
            d_model=256,
            d_ff=1024,
            n_heads=4,
            encoder_layers=4,
            decoder_layers=2,
            max_length=512,
            residual=PreNorm(),
        ),
        schedule=InverseSqrt(warmup_steps=2000),
        training=TrainingConfig(
            max_steps=60_000,
            batch_tokens=4000,
            clip_norm=1.0,
            validate_every=1000,
            save_every=500,
            average_last=8,
            patience=10,
        ),
    )


def lstm() -> RunConfig:
    """small with LSTMs of its size, 3 + 3 layers of 320, no attention, sources from their end."""
    shape = {"attention": NoAttention(), "direction": "backward"}
    return _before("lstm", {"d_model": 320, "encoder_layers": 3, "decoder_layers": 3, **shape})


def lstm_attention() -> RunConfig:
    """small with LSTMs of its size, 3 + 2 layers of 352, and Luong's attention at all steps."""
    shape = {"attention": Luong(input_feeding=False)}
    return _before(
        "lstm-attention", {"d_model": 352, "encoder_layers": 3, "decoder_layers": 2, **shape}
    )


def gru_attention() -> RunConfig:
    """small with GRUs of its size, 2 + 2 layers of 384, and Bahdanau's attention step by step."""
    shape = {"attention": Bahdanau(), "cell": GRU()}
    return _before(
        "gru-attention", {"d_model": 384, "encoder_layers": 2, "decoder_layers": 2, **shape}
    )


def gnmt() -> RunConfig:
    """small with LSTMs of its size, 2 + 4 layers of 288, residual, attention of the first."""
    shape = {"attention": GNMT(), "direction": "first_both", "residual": True}
    return _before("gnmt", {"d_model": 288, "encoder_layers": 2, "decoder_layers": 4, **shape})


def conv_s2s() -> RunConfig:
    """small with convolutions of its size: 6 + 5 gated layers of 256, attention in each."""
    base = small()
    model = ConvolutionalConfig(
        d_model=256, encoder_layers=6, decoder_layers=5, max_length=base.model.max_length
    )
    return base.model_copy(update={"recipe": "conv-s2s", "model": model})


def _before(name: str, shape: dict[str, Any]) -> RunConfig:
    """Return the recipe small with a recurrent model in its Transformer's place."""
    base = small()
    known = {"max_length": base.model.max_length, **shape}
    model = RecurrentConfig.model_validate(known)
    return base.model_copy(update={"recipe": name, "model": model})


def low_resource() -> RunConfig:
    """For up to 50,000 pairs: 3 + 3 layers of 256, norms before them, dropout, averaging."""
    return RunConfig(
        recipe="low-resource",
        tokenizer=BPE(vocabulary_size=6000, exact=False),
        model=TransformerConfig(
            d_model=256,
            d_ff=512,
            n_heads=4,
            encoder_layers=3,
            decoder_layers=3,
            dropout=0.3,
            max_length=512,
            residual=PreNorm(),
        ),
        schedule=InverseSqrt(warmup_steps=1000),
        training=TrainingConfig(
            max_steps=20_000,
            batch_tokens=3000,
            clip_norm=1.0,
            validate_every=500,
            save_every=250,
            average_last=8,
            patience=8,
        ),
    )


def modern_small() -> RunConfig:
    """For 50,000 to a million pairs on a GPU: 6 + 2 layers of 256 with the blocks of today."""
    return RunConfig(
        recipe="modern-small",
        tokenizer=BPE(vocabulary_size=12_000, exact=False),
        model=_modern(
            d_model=256, d_ff=704, n_heads=4, encoder_layers=6, decoder_layers=2, max_length=512
        ),
        schedule=Linear(warmup_steps=1000, peak=2e-3),
        training=TrainingConfig(
            max_steps=12_000,
            batch_tokens=16_384,
            clip_norm=1.0,
            validate_every=1000,
            save_every=500,
            average_last=4,
            moving_average=0.999,
        ),
    )


def modern_base() -> RunConfig:
    """For millions of pairs: the weights of paper-base in 10 + 3 layers, the blocks of today."""
    return RunConfig(
        recipe="modern-base",
        tokenizer=BPE(vocabulary_size=32_000, exact=False),
        model=_modern(d_model=512, d_ff=1408, n_heads=8, encoder_layers=10, decoder_layers=3),
        schedule=Linear(warmup_steps=4000, peak=1e-3),
        training=TrainingConfig(
            max_steps=100_000, batch_tokens=25_000, clip_norm=1.0, moving_average=0.999
        ),
    )


def _modern(**sizes: int) -> TransformerConfig:
    """Return a model of these sizes with what has replaced the paper's blocks since."""
    return TransformerConfig.model_validate(
        {
            "residual": PreNorm(),
            "norm": RMSNorm(),
            "position": Rotary(),
            "feed_forward": SwiGLU(),
            "dropout": 0.15,
            **sizes,
        }
    )


def multi30k_protocol() -> RunConfig:
    """Multi30k's tiny model, 4 + 4 layers of 128, with R-Drop: 41 BLEU (docs/multi30k.md)."""
    return RunConfig(
        recipe="multi30k-protocol",
        tokenizer=BPE(vocabulary_size=10_000),
        model=TransformerConfig(
            d_model=128,
            d_ff=256,
            n_heads=4,
            encoder_layers=4,
            decoder_layers=4,
            dropout=0.3,
            max_length=512,
            residual=PreNorm(),
        ),
        objective=Translation(r_drop=2),
        schedule=Linear(warmup_steps=2000, peak=4e-3),
        training=TrainingConfig(
            max_steps=7700,
            batch_tokens=4096,
            precision="float32",
            clip_norm=10,
            validate_every=920,
            bleu_sentences=0,
            save_every=115,
            average_last=10,
        ),
    )


def multi30k() -> RunConfig:
    """Multi30k's own text in an hour on two cores: the tiny model of multi30k-protocol."""
    protocol = multi30k_protocol()
    training = {"max_steps": 20_000, "max_minutes": 60.0, "precision": "auto"}
    return protocol.model_copy(
        update={"recipe": "multi30k", "training": protocol.training.model_copy(update=training)}
    )


def tune() -> RunConfig:
    """For a model that knows the language and shall learn a domain: 1,000 small steps."""
    return RunConfig(
        recipe="tune",
        schedule=Linear(warmup_steps=50, peak=3e-4),
        training=TrainingConfig(
            max_steps=1000,
            batch_tokens=2000,
            clip_norm=1.0,
            log_every=10,
            validate_every=50,
            bleu_sentences=0,
            save_every=50,
            average_last=4,
            patience=5,
        ),
    )


def tiny() -> RunConfig:
    """A model that trains in under a minute: for trying things, tests and `heed demo`."""
    return RunConfig(
        recipe="tiny",
        tokenizer=BPE(vocabulary_size=500, exact=False),
        model=TransformerConfig(
            d_model=128,
            d_ff=256,
            n_heads=4,
            encoder_layers=2,
            decoder_layers=2,
            max_length=256,
        ),
        objective=Translation(label_smoothing=0.1),
        schedule=InverseSqrt(warmup_steps=200, scale=0.7),
        training=TrainingConfig(
            max_steps=1000,
            batch_tokens=2000,
            clip_norm=1.0,
            log_every=10,
            validate_every=200,
            save_every=200,
            average_last=2,
        ),
    )


def gpt_char() -> TextRunConfig:
    """A decoder that learns a text character by character in a minute: 4 layers of 128.

    nanoGPT's setting for a CPU and the text of Shakespeare, but for two things: positions are
    rotary where it learns them, and the weights end as their moving average.
    """
    return TextRunConfig(
        recipe="gpt-char",
        model=GPTConfig(
            d_model=128,
            d_ff=512,
            n_heads=4,
            n_layers=4,
            dropout=0.0,
            max_length=64,
            attention=MultiHead(bias=False),
            position=Rotary(),
            feed_forward=GELU(bias=False),
            norm=LayerNorm(bias=False),
        ),
        optimizer=AdamW(beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.1),
        schedule=Cosine(warmup_steps=100, peak=1e-3, lowest=1e-4),
        training=TextTraining(
            max_steps=2000,
            batch_windows=12,
            clip_norm=1.0,
            validate_every=250,
            save_every=500,
            average_last=1,
            moving_average=0.99,
        ),
    )


def bert_classify() -> ReadingRunConfig:
    """An encoder that learns labels of texts or pairs, from --start: 3 epochs, rate 5e-5."""
    return ReadingRunConfig(
        recipe="bert-classify",
        model=minilm(),
        training=RowTraining(
            epochs=3,
            warmup_share=0.1,
            clip_norm=1.0,
            validate_every=200,
            save_every=200,
            average_last=1,
            precision="float32",
        ),
    )


def bert_words() -> ReadingRunConfig:
    """An encoder that learns to say masked words of a text: 4 layers of 256, 8,000 pieces."""
    return ReadingRunConfig(
        recipe="bert-words",
        model=bert_mini(),
        tokenizer=WordPieceConfig(vocabulary_size=8000),
        objective=MaskedLM(),
        schedule=Linear(warmup_steps=500, peak=5e-4),
        training=RowTraining(
            max_steps=20_000,
            batch_rows=64,
            clip_norm=1.0,
            validate_every=500,
            save_every=500,
            average_last=2,
        ),
    )


def chat() -> ChatRunConfig:
    """A decoder learns to answer as conversations do (supervised fine-tuning): three epochs."""
    return ChatRunConfig(
        recipe="chat",
        training=ChatTraining(
            epochs=3,
            warmup_share=0.1,
            clip_norm=1.0,
            validate_every=100,
            save_every=100,
            average_last=1,
        ),
    )


def preference() -> ChatRunConfig:
    """A decoder learns which of two answers is the better one (DPO): one epoch, small steps."""
    learnt = chat()
    training = learnt.training.model_copy(update={"epochs": 1})
    changes = {"objective": Preference(), "schedule": Linear(peak=1e-5), "training": training}
    return learnt.model_copy(update={"recipe": "preference", **changes})


def recipe_of(settings: dict[str, Any]) -> str | None:
    """Return the recipe that an objective asks for where none is named; None for any other.

    >>> recipe_of({"objective": {"kind": "chat"}})
    'chat'
    """
    objective = settings.get("objective")
    kind = objective.get("kind") if isinstance(objective, dict) else None
    return kind if kind in ("chat", "preference") else None


RECIPES: dict[str, Callable[[], KnownRunConfig]] = {
    "tiny": tiny,
    "low-resource": low_resource,
    "small": small,
    "lstm": lstm,
    "lstm-attention": lstm_attention,
    "gru-attention": gru_attention,
    "gnmt": gnmt,
    "conv-s2s": conv_s2s,
    "paper-base": paper_base,
    "paper-big": paper_big,
    "modern-small": modern_small,
    "modern-base": modern_base,
    "multi30k": multi30k,
    "multi30k-protocol": multi30k_protocol,
    "tune": tune,
    "gpt-char": gpt_char,
    "bert-classify": bert_classify,
    "bert-words": bert_words,
    "chat": chat,
    "preference": preference,
}


def recipe(name: str) -> KnownRunConfig:
    """Return a recipe by name; raises SettingError with the nearest known name."""
    made = RECIPES.get(name.replace("_", "-"))
    if made is None:
        fix = did_you_mean(name, RECIPES)
        raise SettingError(f'there is no recipe "{name}"', where="--recipe", fix=fix)
    return made()


def recipe_for(n_pairs: int) -> str:
    """Return the name of the recipe for a corpus of this many pairs.

    >>> recipe_for(29_000), recipe_for(160_000), recipe_for(4_500_000)
    ('low-resource', 'small', 'paper-base')
    """
    if n_pairs < 1000:
        return "tiny"
    if n_pairs < 50_000:
        return "low-resource"
    return "small" if n_pairs < 1_000_000 else "paper-base"

"""Recipes of decoders: a text, conversations, preferences."""

__all__ = ["chat", "gpt_char", "preference"]

from heedful.config import ChatRunConfig, TextRunConfig
from heedful.models.gpt import GPTConfig
from heedful.nn.attention import MultiHead
from heedful.nn.feedforward import GELU
from heedful.nn.norm import LayerNorm
from heedful.nn.position import Rotary
from heedful.objectives import Preference
from heedful.train.optimizer import AdamW
from heedful.train.schedule import Cosine, Linear
from heedful.train.settings import ChatTraining, TextTraining


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

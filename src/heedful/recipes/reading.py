"""Recipes of encoders alone."""

__all__ = ["bert_classify", "bert_words"]

from heedful.config import ReadingRunConfig
from heedful.models.bert import bert_mini, minilm
from heedful.objectives import MaskedLM
from heedful.text.wordpiece import WordPieceConfig
from heedful.train.schedule import Linear
from heedful.train.settings import RowTraining


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

"""Recipes of parsers: the words of a sentence are the source, its tree in symbols the target."""

__all__ = ["parse", "parse_lstm"]

from heedful.config import RunConfig
from heedful.data.clean import CleanConfig
from heedful.data.corpus import DataConfig
from heedful.models.recurrent import RecurrentConfig
from heedful.models.transformer import TransformerConfig
from heedful.models.wiring import Luong
from heedful.nn.embedding import TwoWay
from heedful.nn.norm import PreNorm
from heedful.objectives import Translation
from heedful.search import Beam
from heedful.text.tokenizer import BPE
from heedful.train.schedule import Linear
from heedful.train.settings import TrainingConfig


def parse() -> RunConfig:
    """For some 30,000 trees (section 6.3): the paper's 4 + 4 layers, of 320, norms before them.

    A head is taught to look at the word that comes next. The paper's parser is 1024 wide, of a
    million sentences or more 512 to 1024 pay.
    """
    return RunConfig(
        recipe="parse",
        data=DataConfig(clean=CleanConfig(max_characters=None, max_words=None, max_ratio=None)),
        tokenizer=BPE(vocabulary_size=8000, exact=False, shared=False, words="spaces"),
        model=TransformerConfig(
            d_model=320,
            d_ff=1280,
            n_heads=5,
            encoder_layers=4,
            decoder_layers=4,
            dropout=0.1,
            max_length=1024,
            residual=PreNorm(),
            embedding=TwoWay(),
        ),
        objective=Translation(guided_alignment=0.3),
        schedule=Linear(warmup_steps=400, peak=1e-3),
        training=TrainingConfig(
            max_steps=10_000,
            batch_tokens=2500,
            max_pieces=400,
            clip_norm=1.0,
            validate_every=500,
            bleu_sentences=0,
            save_every=250,
            average_last=4,
            moving_average=0.999,
        ),
        search=Beam(beam_size=4, length_penalty=0.3, max_extra=300),
    )


def parse_lstm() -> RunConfig:
    """parse with LSTMs of its size, 3 + 3 layers of 472, and Luong's attention at all steps.

    It finds its place in the sentence by itself.
    """
    base = parse()
    model = RecurrentConfig(
        d_model=472,
        encoder_layers=3,
        decoder_layers=3,
        dropout=0.2,
        max_length=base.model.max_length,
        attention=Luong(input_feeding=False),
        embedding=TwoWay(),
    )
    changes = {"recipe": "parse-lstm", "model": model, "objective": Translation()}
    return base.model_copy(update=changes)

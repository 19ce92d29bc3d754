"""What every search can be told of length and repetition: settings that all of them share."""

__all__ = ["Shaping"]

from collections.abc import Sequence

from pydantic import Field, model_validator

from heedful.errors import ModelError
from heedful.search.wish import NOTHING, Asked
from heedful.settings import Settings


class Shaping(Settings):
    """Limits of length, and rules against repetition; lengths count `</s>`."""

    max_extra: int = Field(50, ge=1, le=100_000)
    """A translation is at most this many pieces longer than its source."""
    max_length: int | None = Field(None, ge=1, le=100_000)
    """Most pieces of a translation; none: what the source and the model allow."""
    min_length: int = Field(0, ge=0, le=100_000)
    """Fewest pieces of a translation."""
    no_repeat_ngram: int = Field(0, ge=0, le=100)
    """No sequence of so many pieces comes twice in a translation; 0: any may."""
    repetition_penalty: float = Field(1.0, ge=1, le=100)
    """Multiplies the log-probability of pieces that are there already (Keskar et al. 2019)."""

    @model_validator(mode="after")
    def _lengths_fit(self) -> "Shaping":
        if self.max_length is not None and self.min_length > self.max_length:
            raise ValueError(
                f"min_length {self.min_length} is more than max_length {self.max_length}"
            )
        return self

    @property
    def changes_scores(self) -> bool:
        """Whether a piece's probability depends on more than the model."""
        return bool(self.min_length or self.no_repeat_ngram or self.repetition_penalty != 1)

    @property
    def attentive(self) -> bool:
        """Whether the attention to the source is needed."""
        return False

    def rooms(self, asked: Sequence[Asked], known: int | None) -> list[int]:
        """Return the longest translation allowed of each sentence, for `known` positions.

        Raises ModelError where what is wished for does not fit into it.
        """
        return [self._room(one, known) for one in asked]

    def _room(self, asked: Asked, known: int | None) -> int:
        need = 0 if asked.wish == NOTHING else asked.wish.need + 1
        room = max(len(asked.source), need) + self.max_extra
        room = max(room, self.min_length)
        most = min((x for x in (known, self.max_length) if x is not None), default=room)
        if self.min_length > most:
            raise ModelError(
                f"at least {self.min_length:,} pieces are asked for and {most:,} are allowed",
                fix="give a smaller min_length",
            )
        if need > most:
            raise ModelError(
                f"what the translation must hold takes {need:,} pieces and {most:,} are allowed",
                fix="ask for less",
            )
        return min(room, most)

"""What OpenAI's clients may ask, as JSON; the OpenAPI document shows it.

`parameters` sees the fields first. How much is allowed is checked in `wishes`.
"""

__all__ = ["ChatAsked", "CompletionAsked", "EmbeddingAsked", "Said", "WritingAsked"]

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from heedful.serve.openai.parameters import known
from heedful.serve.schemas import Shape, Text

Piece = Annotated[int, Field(ge=0, lt=2**31)]
Pieces = Annotated[list[Piece], Field(min_length=1)]
Texts = (
    Text
    | Annotated[list[Text], Field(min_length=1)]
    | Pieces
    | Annotated[list[Pieces], Field(min_length=1)]
)
Stop = Annotated[Text, Field(min_length=1, max_length=200)]


class _Known(Shape):
    """Fields of which those that are not followed are refused by name."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        return known(given, cls.model_fields) if isinstance(given, Mapping) else given


class StreamOptions(_Known):
    """How a stream is told."""

    include_usage: bool = False
    """Tell how many pieces were read and written, at the end."""
    include_obfuscation: Literal[False] = False
    """Nothing is put into a stream to hide how long its parts are."""


class WritingAsked(_Known):
    """How to write."""

    model: str
    """The name of a model."""
    temperature: float = Field(1.0, ge=0, le=2)
    """Below 1 likely pieces become likelier, above 1 less so; at 0 the likeliest is taken."""
    top_p: float = Field(1.0, ge=0, le=1)
    """Draw from the fewest pieces with so much probability together."""
    n: int = Field(1, ge=1)
    """So many texts."""
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] = Field([])
    """End before the first of these."""
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    """Decides what is drawn; without it, chance does."""
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    """Taken from the logit of a piece for each time that the text has it."""
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    """Taken from the logit of a piece that the text has."""
    logit_bias: dict[
        Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Annotated[float, Field(ge=-100, le=100)]
    ] = Field({}, max_length=300)
    """Added to the logits of pieces, by their ids."""
    stream: bool = False
    """Tell the text part by part, as it is written."""
    stream_options: StreamOptions | None = None
    """How a stream is told."""

    @property
    def most(self) -> int | None:
        """Return how many pieces may be written, None if it is not said."""
        raise NotImplementedError

    @property
    def most_named(self) -> str:
        """Return the parameter that says it."""
        return "max_tokens"

    @property
    def likeliest(self) -> int | None:
        """Return how many pieces are told at each place; None: nothing is told of any."""
        raise NotImplementedError

    @property
    def stops(self) -> tuple[str, ...]:
        """Return the texts to end before."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def usage_told(self) -> bool:
        """Return whether a stream ends with what was read and written."""
        return self.stream_options is not None and self.stream_options.include_usage


class CompletionAsked(WritingAsked):
    """Texts to go on with."""

    prompt: Texts
    """A text, several, the pieces of one, or of several."""
    max_tokens: int = Field(16, ge=1)
    """Pieces that are written, at most."""
    logprobs: int | None = Field(None, ge=0, le=5)
    """Tell the log-probabilities of the pieces, and of so many others at each place."""
    echo: bool = False
    """Give the prompt back before what is written."""

    @property
    def most(self) -> int | None:
        """Return how many pieces may be written."""
        return self.max_tokens

    @property
    def likeliest(self) -> int | None:
        """Return how many pieces are told at each place; None: nothing is told of any."""
        return self.logprobs


class Part(Shape):
    """A part of what was said."""

    type: Literal["text"]
    text: Text


class Said(_Known):
    """What one side of a conversation said."""

    role: Literal["system", "developer", "user", "assistant"]
    """Who; a developer is what models know as the system."""
    content: Text | Annotated[list[Part], Field(min_length=1)]
    """A text, or the parts of one."""

    @property
    def text(self) -> str:
        """Return all of it."""
        return (
            self.content
            if isinstance(self.content, str)
            else "".join(part.text for part in self.content)
        )


class ResponseFormat(Shape):
    """What the answer must be."""

    type: Literal["text"]


class ChatAsked(WritingAsked):
    """A conversation to be answered."""

    messages: list[Said] = Field(min_length=1)
    """What was said so far."""
    max_tokens: int | None = Field(None, ge=1)
    """Pieces that are written, at most; the older name."""
    max_completion_tokens: int | None = Field(None, ge=1)
    """Pieces that are written, at most; as many as the model and the server allow if not given."""
    logprobs: bool = False
    """Tell the log-probabilities of the pieces."""
    top_logprobs: int = Field(0, ge=0, le=20)
    """Tell so many others at each place; `logprobs` must be asked for."""
    response_format: ResponseFormat | None = None
    """What the answer must be: text."""

    @model_validator(mode="after")
    def _fits(self) -> "ChatAsked":
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs to be true")
        given = [one for one in (self.max_tokens, self.max_completion_tokens) if one is not None]
        if len(set(given)) > 1:
            raise ValueError("max_tokens and max_completion_tokens differ; give one of them")
        return self

    @property
    def most(self) -> int | None:
        """Return how many pieces may be written, None if it is not said."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def most_named(self) -> str:
        """Return the parameter that says it."""
        return "max_tokens" if self.max_completion_tokens is None else "max_completion_tokens"

    @property
    def likeliest(self) -> int | None:
        """Return how many pieces are told at each place; None: nothing is told of any."""
        return self.top_logprobs if self.logprobs else None


class EmbeddingAsked(_Known):
    """Texts to make vectors of."""

    model: str
    """The name of a model."""
    input: Texts
    """A text, several, the pieces of one, or of several."""
    encoding_format: Literal["float", "base64"] = "float"
    """Numbers, or float32 in base64."""
    dimensions: int | None = Field(None, ge=1)
    """How long the vectors are: refused unless they are so long."""

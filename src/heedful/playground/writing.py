"""A `Writer` as a batcher's engine: the page alone asks it, aside; it translates nothing.

`heed play` makes one of every model that goes on with texts.
"""

__all__ = ["WriterEngine"]

from collections.abc import Sequence

from heedful.errors import SettingError
from heedful.flowing import Feed
from heedful.request import Request
from heedful.search import Greedy
from heedful.serve.batcher import How
from heedful.translation import Translation
from heedful.writer import Writer


class WriterEngine:
    """Proves that a writer works; whoever wants a translation is refused."""

    lanes = workers = 1

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def sizes(self, texts: Sequence[str], how: How) -> list[int]:
        """Raise SettingError: no text is translated."""
        raise SettingError("this model does not translate: it goes on with texts")

    def translate(self, requests: Sequence[Request], how: How) -> list[Translation]:
        """Raise SettingError: no text is translated."""
        raise SettingError("this model does not translate: it goes on with texts")

    def flows(self, how: How) -> bool:
        """Return that it cannot."""
        return False

    def flow(self, how: How, feed: Feed) -> None:
        """Do nothing: nobody is let in."""

    def prove(self) -> None:
        """Go on with any piece."""
        self.writer.write([[max(self.writer.begin_id or 0, 0)]], Greedy(), 1)

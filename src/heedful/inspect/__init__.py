"""Looking inside a translator: what it looks at, what that is worth, and what would be otherwise.

seen = trace(load(), "The cat ate the fish because it was hungry.", to="de")
seen.looks_at("it")              # what every head looks at from a word
seen.attention("cross", 1, 2)    # the weights of one head
seen.attribute(3)                # what a prediction rests on
seen.what_if(ablate=["encoder.5.2"])
"""

__all__ = ["Head", "Trace", "ablate", "record", "trace"]

from heedful.inspect.ablate import ablate
from heedful.inspect.capture import record
from heedful.inspect.names import Head
from heedful.inspect.trace import Trace, trace

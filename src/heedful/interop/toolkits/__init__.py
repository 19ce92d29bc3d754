"""Checkpoints of fairseq, OpenNMT-py and JoeyNMT, whose toolkits need not be installed, come in.

They are pickles. `sandbox.py` has them read in a process of its own (`child.py`), which may do
little and leaves safetensors and JSON; `fairseq.py`, `opennmt.py` and `joeynmt.py` say what these
mean (`foreign.py`), `pieces.py` makes a tokenizer, `reading.py` checks all of it and fills a model.
"""

__all__ = ["is_checkpoint", "load"]

from heedful.interop.toolkits.reading import is_checkpoint, load

"""`python -m heedful`: the command `heed` where the script itself is not on the path."""

import os
import sys

from heedful.cli import main

if __name__ == "__main__":
    code = main()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # One of several that train together, and its work is done and written. If a library's
        # thread ended badly while Python is taken down, torchrun would have all start again.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

"""`python -m heedful`: the command `heed` where the script itself is not on the path."""

import sys

from heedful.cli import main

if __name__ == "__main__":
    sys.exit(main())

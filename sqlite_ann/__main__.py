"""`python -m sqlite_ann` is the command `sqlite-ann`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

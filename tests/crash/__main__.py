"""``python -m tests.crash``: see the package."""

import sys

from tests.crash.command import main

if __name__ == "__main__":
    sys.exit(main())

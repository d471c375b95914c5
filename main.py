"""Entry point; the command line lives in vosr/cli."""

import sys

from vosr.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m cli COMMAND`: what the launcher hands over to."""

import sys

from cli.application import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

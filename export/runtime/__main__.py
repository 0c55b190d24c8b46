"""`python -m export.runtime FOLDER IMAGE`: an exported folder, run without torch."""

import sys

from export.edge.command import main
from export.native import own_library

if __name__ == "__main__":
    sys.exit(main(own=own_library))

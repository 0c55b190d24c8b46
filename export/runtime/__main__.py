"""`python -m export.runtime FOLDER IMAGE`: an exported folder, run with numpy and onnxruntime; nothing loads torch."""

import sys

from export.edge.command import main

if __name__ == "__main__":
    sys.exit(main())

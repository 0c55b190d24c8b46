"""Run this folder's model:  python run.py IMAGE  (--help lists the options). A text model takes a text in quotes.

It needs numpy and the engine that README.md names; for images Pillow, for texts tokenizers.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from export.edge.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(folder=str(HERE)))

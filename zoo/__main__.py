"""`python -m zoo`, which is also what torchrun and `accelerate launch` start: `torchrun -m zoo evaluate ...`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # `python -m` looks into the working directory first, where an export.py or a folder datasets is the user's.
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parents[1]:
        del sys.path[0]
    from zoo.cli import main

    main()

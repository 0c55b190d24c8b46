"""`python -m export.native`: where the operators are, compiled now if need be, and their instructions."""

import sys

from export.native import instruction_set, library
from zoo.errors import ZooError


def main() -> int:
    """Print path, SHA-256, compiler and instruction set; 1 and a message where that fails."""
    try:
        found = library()
        isa = instruction_set(found)
    except ZooError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"library       {found.path}")
    print(f"sha256        {found.sha256}")
    print(f"sources       {found.source_sha256}")
    print(f"compiler      {found.compiler}")
    print(f"instructions  {isa}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command line of an exported folder."""

import argparse
import json
import sys
from collections.abc import Sequence

from .errors import EdgeError
from .folder import Folder
from .operators import Own


def main(arguments: Sequence[str] | None = None, folder: str | None = None, own: Own | None = None) -> int:
    """Run the model of a folder on an image or a text and print the best classes.

    Args:
        arguments: of the command; None takes those of the program.
        folder: the folder that this program came in, whose library is trusted as the program is; None makes it the
            first argument, and its library is not.
        own: gives the library of a digest that this installation compiled, if there is one.

    Returns:
        0, or 1 after a message on stderr.
    """
    name = "python run.py" if folder else "python -m export.runtime"
    parser = argparse.ArgumentParser(prog=name, description="Run an exported model without PyTorch.")
    if folder is None:
        parser.add_argument("folder", help="a folder that `zoo export --bundle` wrote")
    parser.add_argument("input", nargs="+", help="the path of an image; for a text model a text, or a pair of them")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="how many classes to print (default: 5)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of the engine (default: its own)")
    parser.add_argument("--json", action="store_true", help="print JSON with the logits")
    if folder is None:
        parser.add_argument("--trust-library", action="store_true", help="load the folder's compiled operators")
    given = parser.parse_args(arguments)
    trusted = folder is not None or given.trust_library
    try:
        opened = Folder.read(folder or given.folder)
        feeds = opened.inputs(given.input)
        logits = opened.open(given.threads, trust_library=trusted, own=own)(feeds)
    except EdgeError as error:
        print(_shown(str(error)), file=sys.stderr)
        return 1
    best = opened.best(logits, given.top)
    if given.json:
        result = {"model": opened.record["model"], "target": opened.record["target"], "best": best}
        print(json.dumps(result | {"logits": logits[0].astype(float).tolist()}))
        return 0
    for row in best:
        print(f"{row['probability']:7.2%}  {_shown(row['label'])}" if "label" in row else f"{row['value']:.6g}")
    return 0


def _shown(text: str) -> str:
    """The text with what could act on a terminal written out."""
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in text)
